# SPDX-License-Identifier: Apache-2.0
"""How far a request is with the levels of its rule, and for whom it waits: for its page."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from portineria.control.access.counted import Said
from portineria.control.access.deciding import Waits, asked_to_say_yes, not_asked, people_asked
from portineria.control.access.level_standing import LevelStanding, level_standings
from portineria.control.access.models import AccessRequest
from portineria.control.access.profiles import mark_of
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


def of_request(
    actor: Person, row: AccessRequest, at: datetime, said: Said, *, staff: bool, answers: bool
) -> RequestLevels | None:
    """``answers``: the actor may say yes or no to it. ``said``: what was said. None where its rule has no levels."""
    if not row.rule.level_count:
        return None
    standings = level_standings([row], {row.pk: said})[row.pk]
    waits = staff and any(one.now for one in standings)
    names = [person.name for person in people_asked(row, at, said)] if waits else []
    return RequestLevels(
        [LevelRow(one, level_words(one.asked).whom if staff else "") for one in standings],
        answers and asked_to_say_yes(actor, row, at, said),
        names,
        waits and not names,
    )


def others_asked(actor: Person, together: Iterable[Asked], at: datetime) -> frozenset[int]:
    """Of requests that wait together: those where the yes of others is asked now."""
    rows = [one.request for one in together if one.request.state == AccessRequest.State.PENDING]
    waits = [Waits(row.pk, row.rule_id, row.organisation_id, mark_of(row.rule)) for row in rows if row.rule.level_count]
    return frozenset(not_asked(actor, waits, at))
