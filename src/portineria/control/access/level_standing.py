# SPDX-License-Identifier: Apache-2.0
"""Whom rules ask for their yes, and how far requests are with it: for whoever works there.

The number of queries does not grow with that of rules or requests.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from portineria.control.access.counted import Said, said_so_far
from portineria.control.access.level import OfWhom, RuleLevel
from portineria.control.access.levels import Asked, Short, asked_of, levels_named, may_approve, short_among
from portineria.control.access.models import AccessRequest, Rule
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


def level_standings(
    requests: Iterable[AccessRequest], said: Mapping[int, Said] | None = None
) -> dict[int, list[LevelStanding]]:
    """Request → its levels; of those whose rule has none, nothing. They come with rule and profile. ``said``: to each,
    where the caller knows.
    """
    rows = [row for row in requests if row.rule.level_count]
    said, levels = said_so_far(rows) if said is None else said, _rows({row.rule_id for row in rows})
    found = {}
    for row in rows:
        there, waits = said[row.pk], row.state == AccessRequest.State.PENDING
        found[row.pk] = [
            LevelStanding(level.number, asked_of(level), given, waits and level.number == there.number)
            for level, given in zip(levels[row.rule_id], filled(there.levels, there.by), strict=True)
        ]
    return found


def approvers(rules: Iterable[Rule]) -> dict[int, list[LevelAble]]:
    """Rule → whom it asks, level after level; of one without levels whoever approves there; of nobody, nothing."""
    asking = {rule.pk: rule for rule in rules if rule.needs_approval}
    rows = _rows({pk for pk, rule in asking.items() if rule.level_count})
    able: dict[int, set[int]] = defaultdict(set)
    members: dict[int | None, set[int]] = defaultdict(set)
    there = may_approve({rule.organisation_id for rule in asking.values()}) if asking else may_approve(())
    for organisation, person, group in there.values_list("organisation", "person", "in_groups__group"):
        able[organisation].add(person)
        members[group].add(person)
    found: dict[int, list[LevelAble]] = {}
    for pk, rule in asking.items():
        all_ = frozenset(able[rule.organisation_id])
        found[pk] = [_able(row, all_, members) for row in rows[pk]]
        if not rule.level_count:
            found[pk] = [LevelAble(Asked(rule.approvals), all_)]
    return found


def _able(row: RuleLevel, there: frozenset[int], members: Mapping[int | None, set[int]]) -> LevelAble:
    asked = asked_of(row)
    if row.whom == OfWhom.ANYBODY:
        return LevelAble(asked, there)
    named = members[row.group_id] if row.whom == OfWhom.GROUP else {person.pk for person in asked.people}
    return LevelAble(asked, there & named)


def short_of(rule: Rule, levels: Sequence[LevelAble]) -> Short | None:
    """As ``levels.short``, where ``approvers`` was asked."""
    whom = [
        Level(one.asked.needed, None if one.asked.group is None and not one.asked.people else one.people)
        for one in levels
    ]
    return short_among(rule, whom, frozenset[int]().union(*(one.people for one in levels)))


def _rows(rules: set[int]) -> dict[int, list[RuleLevel]]:
    found: dict[int, list[RuleLevel]] = defaultdict(list)
    for row in levels_named(rules) if rules else ():
        found[row.rule_id].append(row)
    return found
