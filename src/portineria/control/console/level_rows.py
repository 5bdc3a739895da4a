# SPDX-License-Identifier: Apache-2.0
"""How far a request is with the levels of its rule, and for whom it waits: for its page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from portineria.control.access.counted import NOTHING_SAID, Said, said_in
from portineria.control.access.deciding import Known, Waits, asked_to_say_yes, not_asked
from portineria.control.access.level_standing import LevelStanding, standings_of, whom
from portineria.control.access.levels import AskedLevel
from portineria.control.access.models import AccessRequest, Approval
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


@dataclass(frozen=True, slots=True)
class LevelsSaid:
    """Of one request, asked once for its whole page. ``levels``: none where its rule has none. ``known``: what of it
    ``deciding`` need not ask again.
    """

    levels: Sequence[AskedLevel]
    said: Said
    known: Known


def levels_said(row: AccessRequest, answers: Sequence[Approval], at: datetime, *, lent: bool) -> LevelsSaid:
    """``answers``: all, as ``access.answers`` loads them. ``lent``: somebody may stand in for somebody there."""
    if not row.rule.level_count:
        return LevelsSaid((), NOTHING_SAID, Known(answers, None, lent))
    there = whom([row.rule], at)
    levels, by_role = there.levels.get(row.rule_id, ()), there.by_role.get(row.organisation_id, ())
    said = said_in(row, (one.level for one in levels), answers)
    return LevelsSaid(levels, said, Known(answers, by_role, lent))


def of_request(
    actor: Person, row: AccessRequest, at: datetime, there: LevelsSaid, people: Sequence[Person], *, staff: bool,
    answers: bool,
) -> RequestLevels | None:  # fmt: skip
    """``answers``: the actor may say yes or no to it. ``people``: whose yes is asked now. None where its rule has no
    levels.
    """
    if not row.rule.level_count:
        return None
    standings = standings_of(row, there.levels, there.said)
    waits = staff and any(one.now for one in standings)
    names = [person.name for person in people] if waits else []
    return RequestLevels(
        [LevelRow(one, level_words(one.asked).whom if staff else "") for one in standings],
        answers and asked_to_say_yes(actor, row, at, there.said, lent=there.known.lent),
        names,
        waits and not names,
    )


def others_asked(actor: Person, together: Iterable[Asked], at: datetime) -> frozenset[int]:
    """Of requests that wait together: those where the yes of others is asked now."""
    rows = [one.request for one in together if one.request.state == AccessRequest.State.PENDING]
    waits = [Waits(row.pk, row.rule_id, row.organisation_id, mark_of(row.rule)) for row in rows if row.rule.level_count]
    return frozenset(not_asked(actor, waits, at))
