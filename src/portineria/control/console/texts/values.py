# SPDX-License-Identifier: Apache-2.0
"""The values of event fields that come from a closed set, in words. A test keeps the sets complete."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portineria.control.console.texts import notices, signals
from portineria.control.console.texts.left_out import CUT_RULES

Words = Mapping[str, "str | Promise"]

YES_NO: Mapping[bool, "str | Promise"] = {True: _("yes"), False: _("no")}

_FACTORS: Words = {
    "totp": _("app with six digits"),
    "webauthn": _("passkey"),
    "recovery-codes": _("recovery codes"),
    "all": _("all of them"),
}
_METHODS: Words = {  # as the sign-in library calls them
    "password": _("password"),
    "password_reset": _("link to set a password"),
    "totp": _FACTORS["totp"],
    "webauthn": _FACTORS["webauthn"],
    "recovery_codes": _("recovery code"),
    "mfa": _("second factor"),
    "socialaccount": _("identity provider"),
    "company-factor": _("second factor of the identity provider"),
}
_LANGUAGES: Words = {"en": "English", "it": "Italiano", "ja": "日本語"}
_OF_A_MACHINE: Words = {
    "criticality": _("criticality"),
    "drain_s": _("time to finish"),
    "recording": _("recording"),
    "hold_s": _("time that an interruption is bridged"),
    "on_silence": _("what runs when the server falls silent"),
    "gateway": _("gateway"),
    "answering": _("who answers for it"),
    "deputy": _("deputy"),
    "line": _("line"),
    "tag": _("tag"),
}
_TRANSPORTS: Words = {"tcp": "TCP", "udp": "UDP"}
KINDS: Words = {  # protocols.operation.Kind
    "identify": _("identify"),
    "read": _("read"),
    "write": _("write"),
    "control": _("control"),
    "program-read": _("read the program"),
    "program-write": _("change the program"),
    "start": _("start"),
    "stop": _("stop"),
    "mode": _("change the mode"),
    "firmware": _("firmware"),
    "file": _("files"),
    "time": _("set the time"),
    "diagnostic": _("diagnosis"),
    "session": _("keep the connection"),
    "unknown": _("unknown function"),
}
SIDES: Words = {  # of a service report
    "technician": _("who worked"),
    "owner": _("the plant"),
}
JOINED_BY: Words = {  # how somebody came into a group
    "hand": _("by hand"),
    "provider": _("an identity provider"),
    "directory": _("a directory, through SCIM"),
}
_ATTEMPTS: Words = {
    "GET": pgettext_lazy("an attempt, before an address", "to look at"),
    "POST": pgettext_lazy("an attempt, before an address", "to do"),
    "DELETE": pgettext_lazy("an attempt, before an address", "to remove"),
}

LOCKED: Words = {
    "person": _("a person"), "supplier": _("a supplier"), "machine": _("a machine"), "line": _("a line"),
    "zone": _("a zone"), "plant": _("a plant"), "gateway": _("the gateway"), "everything": _("everything"),
}  # fmt: skip
PROVIDER_KINDS: Words = {"openid": "OpenID Connect", "saml": "SAML 2.0"}

# By the field's name; a value may be several words.
WORDS: Mapping[str, Words] = {
    "kind": {**_FACTORS, **PROVIDER_KINDS, **LOCKED, **signals.KINDS},
    "source": signals.SOURCES,
    "method": _METHODS,
    "language": _LANGUAGES,
    "changed": _OF_A_MACHINE,
    "transport": _TRANSPORTS,
    "operation": KINDS,
    "side": SIDES,
    "joined_by": JOINED_BY,
    **dict.fromkeys(("console", "mail", "webhook"), notices.KINDS),
    "channel": notices.CHANNELS,
    "cut_rule": CUT_RULES,
}


def words(field: str, value: str) -> str:
    return ", ".join(str(WORDS[field].get(word, word)) for word in value.split())


def attempt(value: str) -> str:
    """What somebody tried: a verb of HTTP and, where it may be told, the address."""
    verb, _blank, address = value.partition(" ")
    return f"{_ATTEMPTS.get(verb, _ATTEMPTS['POST'])} {address}".strip()
