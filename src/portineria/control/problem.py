# SPDX-License-Identifier: Apache-2.0
"""Errors as people and programs read them: one table from codes to texts, in the language of the request."""

from dataclasses import dataclass

from django.db import DatabaseError, IntegrityError, OperationalError
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portineria.control.problem_texts import TEXTS
from portineria.core.errors import Conflict, Denied, Invalid, NotFound, PortineriaError, Unavailable

_TITLES: dict[type[PortineriaError], tuple[int, "str | Promise"]] = {
    NotFound: (404, _("Not found")),
    Denied: (403, _("Not allowed")),
    Conflict: (409, _("Not possible now")),
    Invalid: (422, _("Please check what you entered")),
    Unavailable: (503, _("Not available at the moment")),
}
_UNIQUE_VIOLATION = "23505"  # SQLSTATE, ISO/IEC 9075
# Where HTTP has a status of its own for one code.
_STATUSES = {"body.too-large": 413, "body.too-slow": 408, "api.too-many": 429, "api.method": 405}


class DatabaseBusy(Unavailable):
    """Locked for longer than we wait, or away: nothing was changed."""

    code = "database.busy"


@dataclass(frozen=True, slots=True)
class Problem:
    status: int
    code: str
    title: str
    detail: str


def problem_of(error: PortineriaError) -> Problem:
    """Says nothing that depends on whether something exists: only kind, code and ``values`` of the error speak."""
    kinds = (_TITLES[kind] for kind in _TITLES if isinstance(error, kind))
    status, title = next(kinds, (500, _("Something went wrong")))
    if error.code.startswith("token."):
        status = 401
    status = _STATUSES.get(error.code, status)
    text = gettext(str(TEXTS.get(error.code, title)))
    return Problem(status, error.code, gettext(str(title)), text % error.values if error.values else text)


class DatabaseFull(Unavailable):
    """No room: nothing was changed, and waiting will not help."""

    code = "database.full"


def of_database(error: DatabaseError) -> PortineriaError | None:
    """What may happen with every row in order; None for what only a fault of ours can bring about."""
    if isinstance(error, OperationalError):
        return busy(error)
    # Two did the same at the same time, both after having looked. With one writer, on SQLite, that does not happen.
    unique = getattr(error.__cause__, "sqlstate", "") == _UNIQUE_VIOLATION or "UNIQUE constraint" in str(error)
    return Conflict("somebody else was quicker") if isinstance(error, IntegrityError) and unique else None


def busy(error: OperationalError) -> DatabaseBusy | DatabaseFull:
    """SQLite says "database or disk is full"; PostgreSQL repeats the system's "No space left on device"."""
    said = str(error)
    return DatabaseFull(said) if "full" in said or "No space left" in said else DatabaseBusy(said)
