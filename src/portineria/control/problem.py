# SPDX-License-Identifier: Apache-2.0
"""Errors as people and programs read them: one table from codes to texts, in the language of the request."""

from dataclasses import dataclass

from django.db import OperationalError
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portineria.core.errors import Conflict, Denied, Invalid, NotFound, PortineriaError, Unavailable

_TITLES: dict[type[PortineriaError], tuple[int, "str | Promise"]] = {
    NotFound: (404, _("Not found")),
    Denied: (403, _("Not allowed")),
    Conflict: (409, _("Not possible now")),
    Invalid: (422, _("Please check what you entered")),
    Unavailable: (503, _("Not available at the moment")),
}
_TEXTS: "dict[str, str | Promise]" = {
    "not-found": _("There is nothing here, or nothing that you may see."),
    "denied": _("You may see this, but not do this with it. Ask somebody who administers your organisation."),
    "enrolment.code": _("This code is wrong, used or older than 15 minutes. Make a new one in the console."),
    "enrolment.request": _("The gateway's request cannot be read. Check that its version fits this server."),
    "token.invalid": _("You are not signed in, or not any more. Sign in again."),
    "token.clock": _("The clock of this computer is more than two minutes off."),
    "token.code": _("This sign-in is used up or older than a minute. Start it again."),
    "access.no-rule": _("No rule lets you ask for this machine. Ask its owner."),
    "access.no-grant": _("You have no permission for this machine now. Request access first."),
    "access.expired": _("Your permission is over. Request access again."),
    "access.not-yet": _("Your permission has not begun yet."),
    "access.revoked": _("Your permission was taken back. Ask the owner of the machine."),
    "access.revoked-for-security": _("Your permission was taken back. Ask the owner of the machine."),
    "access.gateway-not-admitted": _("The gateway in front of this machine is not admitted."),
    "access.nothing-to-reach": _("Nothing of this machine is set up to be reached yet."),
    "access.second-factor": _("Set up a second factor first."),
    "access.machine.ambiguous": _("Several machines have this name. Use the id instead."),
    "access.request.already-decided": _("This request is decided already."),
    "access.request.own": _("Whoever asks does not decide. Somebody else has to."),
    "access.grant.ended": _("This permission is over already."),
    "session.ended": _("This session is over or ending."),
    "session.too-many": _("Too many sessions on this permission. End one first."),
    "session.key-used": _("Every session needs a key of its own. Update the connector."),
    "gateway.away": _("The plant's gateway is not connected now. Nothing was changed; try again, or call the plant."),
    "database.busy": _("The server is busy. Nothing was changed; try again in a moment."),
    "estate.gateway.state": _("The gateway is in another state now. Look again."),
    "estate.certificate.too-old": _("The gateway was away for too long. Enrol it again."),
    "identity.last-administrator": _("Somebody has to remain who administers the organisation."),
    "identity.person.elsewhere": _("This person belongs to other organisations too. End the membership instead."),
    "identity.no-installation": _("The set-up of this server is not finished."),
    "name.taken": _("There is one with this name already."),
    "field.email": _("This is not an e-mail address."),
    "field.address": _("Write the IP address of one device."),
    "field.minutes": _("The time is shorter or longer than allowed."),
    "field.reason": _("Write a reason of up to 500 characters."),
    "field.starts_at": _("The start has to be between now and 90 days ahead."),
    "field.time_zone": _("This time zone is not known."),
    "field.name": _("Write a name of up to 120 characters."),
}


class DatabaseBusy(Unavailable):
    """Locked for longer than we wait, or full: nothing was changed."""

    code = "database.busy"


@dataclass(frozen=True, slots=True)
class Problem:
    status: int
    code: str
    title: str
    detail: str


def problem_of(error: PortineriaError) -> Problem:
    """Says nothing that depends on whether something exists: only the kind and the code of the error speak."""
    kinds = (_TITLES[kind] for kind in _TITLES if isinstance(error, kind))
    status, title = next(kinds, (500, _("Something went wrong")))
    if error.code.startswith("token."):
        status = 401
    text = _TEXTS.get(error.code, title)
    return Problem(status, error.code, gettext(str(title)), gettext(str(text)))


def busy(error: OperationalError) -> DatabaseBusy:
    return DatabaseBusy(str(error))
