# SPDX-License-Identifier: Apache-2.0
"""Whom rules ask for their yes, and how far requests are with it: for whoever works there.

The number of queries does not grow with that of rules or requests.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import starmap

from django.utils import timezone

from portineria.control.access.counted import Said, said_so_far
from portineria.control.access.levels import (
    Asked,
    AskedLevel,
    Short,
    WhomRow,
    able_named,
    named_in,
    person_in,
    short_among,
    whom_named,
)
from portineria.control.access.models import AccessRequest, Rule
from portineria.control.access.substitution import APPROVING
from portineria.control.identity.models import Person
from portineria.control.kept_query import KeptValues
from portineria.policy.approval import Level, filled


@dataclass(frozen=True, slots=True)
class LevelStanding:
    """``given``: how many yeses it has. ``now``: those of its people are asked now."""

    number: int
    asked: Asked
    given: int
    now: bool


@dataclass(frozen=True, slots=True)
class LevelAble:
    """``people``: of those whom it asks, by key, those who may say yes by their role."""

    asked: Asked
    people: frozenset[int]

    def able(self, asker: int) -> int:
        """Nobody says yes to what is their own."""
        return len(self.people - {asker})


def level_standings(requests: Iterable[AccessRequest]) -> dict[int, list[LevelStanding]]:
    """Request → its levels; of those whose rule has none, nothing. They come with rule and profile."""
    rows = [row for row in requests if row.rule.level_count]
    said = said_so_far(rows)
    levels = named_in(starmap(WhomRow, whom_named({row.rule_id for row in rows}))) if rows else {}
    return {row.pk: standings_of(row, levels[row.rule_id], said[row.pk]) for row in rows}


def standings_of(row: AccessRequest, levels: Sequence[AskedLevel], said: Said) -> list[LevelStanding]:
    waits = row.state == AccessRequest.State.PENDING
    return [
        LevelStanding(level.number, level.asked, given, waits and level.number == said.number)
        for level, given in zip(levels, filled(said.levels, said.by), strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Whom:
    """``levels``: of each rule that has some; ``able``: organisation → who may say yes there, in the order of their
    memberships; ``by_role``: those of them whose own role approves.
    """

    levels: Mapping[int, Sequence[AskedLevel]]
    able: Mapping[int, frozenset[int]]
    by_role: Mapping[int, Sequence[Person]]


def whom(rules: Collection[Rule], at: datetime) -> Whom:
    """Whom these rules ask for a yes, and who may say it where they are: in one query."""
    levelled, organisations = {rule.pk for rule in rules if rule.level_count}, {rule.organisation_id for rule in rules}
    rows = [WhomRow(*row) for row in _WHOM.all(levelled, organisations, at)]
    able: dict[int, set[int]] = defaultdict(set)
    by_role: dict[int, list[Person]] = defaultdict(list)
    for row in sorted((row for row in rows if not row.number), key=lambda row: row.needed):
        able[row.key].add(row.person or 0)
        if row.word in APPROVING:
            by_role[row.key].append(person_in(row))
    levels = named_in(row for row in rows if row.number)
    return Whom(levels, {key: frozenset(people) for key, people in able.items()}, by_role)


_WHOM = KeptValues(
    lambda rules, organisations, at: (
        whom_named(rules).order_by().union(able_named(organisations, at).order_by(), all=True)
    )
)


def approvers(rules: Iterable[Rule]) -> dict[int, list[LevelAble]]:
    """Rule → whom it asks, level after level; of one without levels whoever approves there; of nobody, nothing."""
    asking = {rule.pk: rule for rule in rules if rule.needs_approval}
    if not asking:
        return {}
    there = whom(asking.values(), timezone.now())
    found: dict[int, list[LevelAble]] = {}
    for pk, rule in asking.items():
        able = there.able.get(rule.organisation_id, frozenset())
        of = [(one.asked, one.level.of) for one in there.levels.get(pk, ())]
        found[pk] = [LevelAble(asked, able if people is None else able & people) for asked, people in of]
        if not rule.level_count:
            found[pk] = [LevelAble(Asked(rule.approvals), able)]
    return found


def short_of(rule: Rule, levels: Sequence[LevelAble]) -> Short | None:
    """As ``levels.short``, where ``approvers`` was asked."""
    whom = [
        Level(one.asked.needed, None if one.asked.group is None and not one.asked.people else one.people)
        for one in levels
    ]
    return short_among(rule, whom, frozenset[int]().union(*(one.people for one in levels)))
