# SPDX-License-Identifier: Apache-2.0
"""Who of those that may say yes to a request can be asked now."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from portineria.control.access.hours import presence
from portineria.control.access.models import AccessRequest
from portineria.control.identity.models import Person

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class RequestPresence:
    """``names``: of those who are here, for whoever works there, some of many (``more`` are left out); others are told
    only that there is ``somebody``.
    ``back``: when the first of those away is here again.
    """

    somebody: bool
    names: list[str]
    more: int
    back: datetime | None


def of_request(row: AccessRequest, asked: Iterable[Person], at: datetime, *, staff: bool) -> RequestPresence | None:
    """Of one that waits, where somebody said hours. ``asked``: whose yes is asked. None where nobody is away."""
    people = {person.pk: person for person in asked}
    found = presence(row.organisation_id, list(people), at)
    if not found.away:
        return None
    names = [people[pk].name for pk in found.here] if staff else []
    return RequestPresence(bool(found.here), names[:_SHOWN], max(0, len(names) - _SHOWN), found.back)
