# SPDX-License-Identifier: Apache-2.0
"""Levels of approvals of a declared rule. A rule that says how many approve, and no levels, is to have none."""

from collections.abc import Sequence

from portineria.control.access.levels import LevelTerms, asked_of, level_rows
from portineria.control.access.models import Rule
from portineria.control.declaration.document import Declaration, DeclaredLevel, DeclaredRule
from portineria.control.declaration.people import role_after
from portineria.control.declaration.plan import Work
from portineria.control.declaration.present import Present


def declared_levels(rule: DeclaredRule) -> Sequence[DeclaredLevel] | None:
    """None: they stay as they are."""
    return () if rule.levels is None and rule.approvals is not None else rule.levels


def unknown_approvers(place: str, rule: DeclaredRule, declaration: Declaration, present: Present) -> list[str]:
    faults = []
    groups = {*present.groups, *(group.name for group in declaration.group)}
    for i, level in enumerate(rule.levels or ()):
        if level.group is not None and level.group not in groups:
            faults.append(f"{place}.levels[{i}].group: there is no group {level.group}")
        faults += [
            f"{place}.levels[{i}].people: there is no person {one}"
            for one in level.people
            if role_after(declaration, present.members.get(one), one) is None
        ]
    return faults


def levels_difference(rule: DeclaredRule, row: Rule | None) -> list[str]:
    """Where they are declared and not so already."""
    wanted = declared_levels(rule)
    there = [
        (one.needed, one.group.name if one.group else None, frozenset(person.email for person in one.people))
        for one in (map(asked_of, level_rows(row)) if row is not None else ())
    ]
    if wanted is None or [(one.approvals, one.group, frozenset(one.people)) for one in wanted] == there:
        return []
    return [f"approvals: {', then '.join(map(_text, wanted))}" if wanted else "approvals of whoever approves"]


def _text(level: DeclaredLevel) -> str:
    people = ", ".join(sorted(level.people))
    whom = f"group {level.group}" if level.group is not None else people or "whoever approves"
    return f"{level.approvals} of {whom}"


def level_terms_of(work: Work, rule: DeclaredRule, now: tuple[LevelTerms, ...]) -> tuple[LevelTerms, ...]:
    wanted = declared_levels(rule)
    if wanted is None:
        return now
    return tuple(
        LevelTerms(
            level.approvals,
            work.ids["group", level.group] if level.group is not None else "",
            tuple(work.ids["person", one] for one in level.people),
        )
        for level in wanted
    )
