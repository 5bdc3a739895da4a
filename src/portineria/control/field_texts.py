# SPDX-License-Identifier: Apache-2.0
"""What is wrong with one field of what was entered, and what would fit, by its code (``control.problem``)."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

FIELD_TEXTS: dict[str, str | Promise] = {
    "field.approvals": _("From 1 to %(most)s people."),
    "field.reference": _(
        "Please give the number of the ticket or work permit: the rule asks for it; at most 60 characters."
    ),
    "field.windows": _(
        "This is not a window: %(window)s. Write Mon-Fri 08:00-18:00, or 2026-12-24 08:00-12:00; each begins before it "
        "ends, at most 20."
    ),
    "field.own_hours": _(
        "These are not hours of a week: %(window)s. Write Mon-Fri 08:00-16:30, or Sat 22:00-06:00; at most %(most)s."
    ),
    "field.reasons": _("At most %(most)s reasons, each of 1 to 60 characters. Nothing was changed; correct it."),
    "field.listed_reason": _("Please choose one of the owner's reasons: %(reasons)s"),
    "field.needs_listed_reason": _("There is no list of reasons yet that counts everywhere: write it first."),
    "field.factor_minutes": _("From %(least)s to %(most)s minutes."),
    "field.least_standing": _("A rule asks for a standing of A, B, C or D, or for none."),
    "field.level": _("A standing is A, B, C or D."),
    "field.assessed_by": _("Say who assessed the supplier, in 1 to 120 characters."),
    "field.assessment": _("Say where the assessment lies, in 1 to 120 characters."),
    "field.assessed_on": _("An assessment is not of a day to come."),
    "field.valid_until": _("A day from today on, not before the assessment, at most %(most)s days away."),
    "field.watchers": _("A rule names at most %(most)s people to watch."),
    "field.trainings": _("A rule asks for at most %(most)s trainings."),
    "field.source": _("A consent signal is read from a file, a coil, a discrete input or a node."),
    "field.file_name": _("Write the name of a file in the gateway's folder: letters, digits, dots, hyphens."),
    "field.coil": _("A unit is a number from 0 to 255, a coil or input one from 0 to 65535."),
    "field.node": _("Write a node as ns=2;s=Name or ns=2;i=17."),
    "field.signal": _("Write a name of up to 60 characters."),
    "field.signal_kind": _("Choose lock-out, guard, key or button."),
    "field.sought": _("This search makes no sense. Nothing was looked for; correct it."),
    "field.cursor": _("This cursor belongs to another list. Begin again without one."),
    "field.idempotency_key": _("An idempotency key has 8 to 64 letters, digits or the signs _ . : -"),
    "field.unused_days": _("0 for never, or from %(least)s to %(most)s days."),
    "field.days": _("From 1 to %(most)s days."),
    "field.public_key": _("This is not the public half of an Ed25519 key: 32 bytes, as base64url."),
    "field.client_id": _("Please give the application (client) id, as the provider shows it."),
    "field.client_secret": _("Please give the client secret; at most 200 characters."),
    "field.scopes": _("Scopes are words with blanks between; at most 200 characters."),
    "field.groups_claim": _("The name of a claim has at most 120 characters."),
    "field.levels": _(
        "Levels are words or addresses with blanks between; at most 400 characters. Nothing was changed."
    ),
    "field.group": _("At most 200 characters; and without a group, operators and technicians only."),
    "field.domain": _("Write a domain as it stands after the @: example.com."),
    "field.provider": _("Give the number of another organisation, as it told you: it begins with org_."),
    "field.powers": _("Please choose at least one thing."),
    "field.ends_at": _("Choose a time to come."),
    "field.incident_hours": _("From 0 to %(most)s hours."),
    "field.address": _("Write the IP address of one device."),
    "field.challenge": _("The sign-in was not begun properly. Start it again in the connector: portineria login."),
    "field.criticality": _("Choose low, normal or high."),
    "field.hours": _("Choose between one hour and seven days."),
    "field.recordings_days": _("Recordings are kept for 1 to 3650 days. Nothing was changed."),
    "field.device": _("A machine has at most 256 services. Divide it into two machines."),
    "field.recording": _("A recording is none, full or strict."),
    "field.drain_s": _("The time to finish is between 0 seconds and 24 hours."),
    "field.email": _("This is not an e-mail address."),
    "field.hold_s": _("An interruption is bridged for 0 seconds to one hour."),
    "field.key": _("The connector's key does not fit. Update the connector and sign in again: portineria login."),
    "field.language": _("Choose English, Italian or Japanese."),
    "field.deputy": _("Choose somebody else than who answers for the machine."),
    "field.line": _("Write the name of the line, up to 120 characters."),
    "field.lines": _("Write names of lines of up to 120 characters."),
    "field.profile": _("The name of a function profile has 1 to 60 characters. Nothing was changed; correct it."),
    "field.own_routes": _(
        "Routes that mean the device itself: at most 16, without commas, 200 characters in all. Nothing was changed."
    ),
    "field.free_reads": _(
        "What may be read without a side effect: holding, coil or an S7 area with addresses, or an OPC UA node, at "
        "most 16. Nothing was changed."
    ),
    "field.client_timeout": _("The time that a tool waits for an answer is between 0 and 600 seconds."),
    "field.minutes": _("The time is between 1 and %(most)s minutes. Nothing was changed; choose another one."),
    "field.name": _("Write a name of up to 120 characters."),
    "field.on_silence": _("Choose what happens when the server falls silent: finish, cut, or go on until the end."),
    "field.password": _("This password is too easy to guess or too short. Choose another one."),
    "field.port": _("A port is a number from 1 to 65535."),
    **dict.fromkeys(
        ("field.request", "field.proof", "field.root", "field.signature"),  # programs send these
        _("What this program sent cannot be read. Check that its version fits this server."),
    ),
    "field.protocol": _("Write the protocol in up to 24 characters."),
    "field.reason": _("Write a reason of up to 500 characters, none of them invisible."),
    "field.redirect": _("The sign-in did not come from this computer's connector. Start it again: portineria login."),
    "field.role": _("People of a supplier are technicians."),
    "field.starts_at": _("The start has to be between now and 90 days ahead."),
    "field.supplier": _("Choose either a supplier, a group or a person."),
    "field.claimed": _("A name of 1 to 200 characters, exactly as the provider names it; at most 50 for one group."),
    "field.external_id": _("An external id has at most %(most)s characters."),
    "field.members": _("People of this organisation, and at most %(most)s."),
    "field.provisions": _("A token for a directory does nothing else, and has no key."),
    "field.tag": _("Write a tag of up to 60 characters."),
    "field.labels": _("A label is one word of up to 32 letters, digits, dots and hyphens; a machine carries up to 16."),
    "field.services": _("Up to 20 names of services or protocols, each of up to 60 characters."),
    "field.places": _("A rule names up to 20 places, each as it is offered: plant, zone, line or label."),
    "field.machines": _("Choose between 1 and %(most)s machines of one organisation."),
    "field.narrower": _("Choose a profile that refuses something: one on trial lets everything pass."),
    "field.file": _("A file is a picture (PNG, JPEG), a PDF or plain text, of at most 1 MiB."),
    "field.text": _("Write up to 2000 characters, or add a file."),
    "field.to": _("Choose somebody who sees this request."),
    "field.place": _("Choose either a machine or a line."),
    "field.substitute": _("Choose somebody else than yourself."),
    "field.until": _("It ends after it begins, lasts at most 92 days, and begins within a year from now."),
    "field.webhook": _("Write an address that begins with https:// and holds no name or password."),
    "field.time_zone": _("This time zone is not known."),
}
