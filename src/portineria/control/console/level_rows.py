# SPDX-License-Identifier: Apache-2.0
"""How far a request is with the levels of its rule, and for whom it waits: for its page."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.paginator import Page

from portineria.control.access import queries as access
from portineria.control.access.deciding import asked_to_say_yes, not_asked
from portineria.control.access.level_standing import LevelStanding, level_standings, who_may_say_yes
from portineria.control.access.models import AccessRequest, RequestQuerySet
from portineria.control.console.rule_words import level_words
from portineria.control.console.whereabouts import Asked
from portineria.control.identity.models import Person


@dataclass(frozen=True, slots=True)
class LevelRow:
    """``whom``: for whoever works there; empty for others."""

    standing: LevelStanding
    whom: str

    @property
    def complete(self) -> bool:
        return self.standing.given >= self.standing.asked.needed


@dataclass(frozen=True, slots=True)
class RequestLevels:
    """``mine``: the yes of whoever looks is asked now. ``waits_for``: whose yes is asked, for whoever works there; of
    others nothing is told, and ``nobody`` says only of the former that there is none.
    """

    rows: list[LevelRow]
    mine: bool
    waits_for: list[str]
    nobody: bool


def of_request(actor: Person, row: AccessRequest, at: datetime, *, staff: bool, answers: bool) -> RequestLevels | None:
    """``answers``: the actor may say yes or no to it. None where its rule has no levels."""
    if not row.rule.level_count:
        return None
    standings = level_standings([row])[row.pk]
    waits = staff and any(one.now for one in standings)
    names = [person.name for person in who_may_say_yes(row, at)] if waits else []
    return RequestLevels(
        [LevelRow(one, level_words(one.asked).whom if staff else "") for one in standings],
        answers and asked_to_say_yes(actor, row, at),
        names,
        waits and not names,
    )


def asked_leaf(actor: Person, leaf: Callable[[RequestQuerySet], Page[Any]]) -> tuple[Page[Any], RequestQuerySet]:
    """What waits for the actor, and all of it. It is read once more only where some rule has levels."""
    found = access.answerable_requests(actor)
    page = leaf(found)
    if any(row.__dict__["any_levels"] for row in page):
        found = access.decidable_requests(actor)
        page = leaf(found)
    return page, found


def others_asked(actor: Person, together: Iterable[Asked], at: datetime) -> frozenset[int]:
    """Of requests that wait together: those where the yes of others is asked now."""
    rows = [one.request for one in together if one.request.state == AccessRequest.State.PENDING]
    return frozenset(not_asked(actor, [row for row in rows if row.rule.level_count], at))
