# SPDX-License-Identifier: Apache-2.0
"""Sinks in words: their settings, what may leave, how they are. A test keeps the lists complete."""

from collections.abc import Mapping
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portineria.sinks.setting import Shape


class Words(NamedTuple):
    label: "str | Promise"
    help: "str | Promise" = ""


_KEPT = _("Kept encrypted, and never shown again.")
SETTINGS: Mapping[str, Words] = {
    "host": Words(_("Host name or address of the receiver")),
    "port": Words(_("Port")),
    "transport": Words(
        _("Way of sending"), _("TLS encrypts and proves who the receiver is. Over UDP nobody notices what is lost.")
    ),
    "authorities": Words(
        _("Authorities to believe (PEM)"), _("Instead of those of this server's system, for a receiver of your own.")
    ),
    "certificate": Words(_("Our certificate (PEM)"), _("By which the receiver knows this server.")),
    "key": Words(_("Key of our certificate (PEM)"), _KEPT),
    "address": Words(_("Address of the receiver (https)"), _("No redirect is followed.")),
    "secret": Words(
        _("Signing secret"), _("whsec_ and base64, as the receiver has it. Kept encrypted, never shown again.")
    ),
    "token": Words(_("Token"), _KEPT),
    "index": Words(_("Index"), _("Where the receiver keeps these events.")),
    "api_key": Words(_("API key"), _KEPT),
    "login": Words(_("Address that gives out tokens")),
    "tenant": Words(_("Directory (tenant) id")),
    "client": Words(_("Application (client) id")),
    "client_secret": Words(_("Secret of the application"), _KEPT),
    "rule": Words(_("Immutable id of the data collection rule")),
    "stream": Words(_("Stream of the data collection rule")),
    "encryption": Words(
        _("Encryption"), _("STARTTLS on port 587, TLS from the first byte on port 465. Never without.")
    ),
    "sender": Words(_("E-mail address of the sender")),
    "recipient": Words(_("E-mail address of the recipient")),
    "user": Words(_("Name to sign in with")),
    "password": Words(_("Password"), _KEPT),
    "sign_in": Words(_("Way of signing in")),
    "table": Words(_("Table of the tickets"), _("Whose numbers requests give, such as change_request.")),
    "open_table": Words(_("Table for new tickets")),
    "edition": Words(_("Edition")),
    "project": Words(_("Project for new tickets"), _("Its key, such as OT.")),
    "issue_type": Words(_("Issue type of new tickets")),
    "mapping": Words(
        _("Mapping (TOML)"), _("Where number, state, machine and supplier stand in its answers; the guide shows one.")
    ),
    "prefix": Words(_("Its numbers begin with"), _("Such as CHG. Of several systems the longest that fits is asked.")),
    "states": Words(
        _("States in which a ticket allows work"),
        _("With commas between them; all of them when empty. In any other state work ends, and none begins."),
    ),
    "machine_field": Words(
        _("Field that names the machine"), _("Its name, tag or id has to stand there. Not looked at when empty.")
    ),
    "supplier_field": Words(
        _("Field that names the supplier"), _("By the name it has here. Not looked at when empty.")
    ),
    "brokers": Words(_("Brokers"), _("HOST:PORT each, with commas between them.")),
    "topic": Words(_("Topic"), _("It has to be there. An organisation's events are in one partition of it, in order.")),
    "mechanism": Words(_("Way of signing in (SASL)")),
    "file": Words(
        _("Beginning of the files' names"), _("In the organisation's folder on the server: NAME-000001.log and so on.")
    ),
    "format": Words(_("Format")),
    "size_mib": Words(_("Largest file (MiB)")),
    "files": Words(_("How many files are kept"), _("Of more the oldest is removed; its events stay in the register.")),
    "opens": Words(
        _("New tickets"),
        _("It is asked about work and told of it in any case. Which events open one is chosen below."),
    ),
}
PERSONAL: Mapping[str, "str | Promise"] = {
    "none": _("Leave them out"),
    "pseudonyms": _("Send pseudonyms: the same text has the same one in this sink only"),
    "values": _("Send them as they are"),
}
SEVERITIES: Mapping[int, "str | Promise"] = {
    6: _("All events"),
    5: _("What changes who may do what, and everything worse"),
    4: _("Refusals and irregularities, and everything worse"),
    3: _("Faults and contradictions"),
    2: _("Contradictions only"),
}
FAULTS: Mapping[Shape, "str | Promise"] = {
    Shape.HOST: _("Write a host name or an IP address, without a port."),
    Shape.HOSTS: _("Write HOST:PORT for each, with commas between them."),
    Shape.PORT: _("A port is a number from 1 to 65535."),
    Shape.ADDRESS: _("Write an https address, without a name or a password in it."),
    Shape.CHOICE: _("Choose one of these."),
    Shape.WORD: _("Letters, digits, dots, hyphens and underscores only, at most 128."),
    Shape.MAIL: _("This is not an e-mail address."),
    Shape.CERTIFICATES: _("This is no certificate in PEM form."),
    Shape.LIST: _("Write it on one line, with commas between the parts."),
    Shape.MAPPING: _("This is no TOML."),
    Shape.SECRET: _("Write it on one line, without letters that are not ASCII."),
    Shape.KEY: _("This is no private key in PEM form, or it wants a password."),
}
CHOICES: Mapping[str, "str | Promise"] = {
    "tls": "TLS",
    "tcp": "TCP",
    "udp": "UDP",
    "starttls": "STARTTLS",
    "basic": _("name and password"),
    "oauth": _("OAuth, id and secret of an application"),
    "cloud": "Cloud",
    "datacenter": "Data Center",
    "nothing": _("none"),
    "chosen": _("one per event"),
    **{name: name for name in ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")},
    "ocsf": "OCSF",
    "json": "JSON",
    "syslog": "Syslog (RFC 5424)",
    "cef": "CEF",
    "leef": "LEEF",
    **{number: number for number in ("1", "2", "10", "100", "1000")},
}
TICKETS: Mapping[str, "str | Promise"] = {
    "unasked": _("is being asked for"),
    "holds": _("covers this work"),
    "missing": _("there is no such ticket"),
    "state": _("in this state it allows no work"),
    "machine": _("it does not name this machine"),
    "supplier": _("it does not name this supplier"),
}
STATES: Mapping[str, "str | Promise"] = {
    "paused": pgettext_lazy("sink", "paused"),
    "failing": pgettext_lazy("sink", "not reached"),
    "behind": pgettext_lazy("sink", "catching up"),
    "current": pgettext_lazy("sink", "up to date"),
}
