# SPDX-License-Identifier: Apache-2.0
"""Groups of people. A declared list of people is whom a group has by hand: whom a provider or a directory put in, only
they take out.
"""

from functools import partial

from portineria.control.declaration.document import Declaration, DeclaredGroup
from portineria.control.declaration.people import role_after
from portineria.control.declaration.plan import Plan, Work
from portineria.control.declaration.present import Present
from portineria.control.identity import groups as services
from portineria.control.identity.group_models import Group, JoinedBy


def plan_groups(declaration: Declaration, present: Present, plan: Plan) -> None:
    for i, group in enumerate(declaration.group):
        place, row = f"group[{i}]", present.groups.get(group.name)
        people = {email.strip().lower() for email in group.people or ()}
        for email in sorted(people):
            if role_after(declaration, present.members.get(email), email) is None:
                plan.faults.append(f"{place}.people: there is no person {email}")
        there = _by_hand(row) if row else set[str]()
        if row is None:
            plan.add(place, f"group {group.name}{_listed(': ', people)}", partial(_make, group=group, people=people))
        elif group.people is not None and people != there:
            change = _listed("also ", people - there), _listed("no longer ", there - people)
            text = f"group {group.name}: {', '.join(part for part in change if part)}"
            plan.change(place, text, partial(_change, group=group.name, joins=people - there, leaves=there - people))
    declared = {group.name for group in declaration.group}
    plan.untouched += [f"group {name}" for name in present.groups if name not in declared]


def _by_hand(row: Group) -> set[str]:
    return set(row.members.filter(by=JoinedBy.HAND).values_list("membership__person__email", flat=True))


def _listed(before: str, people: set[str]) -> str:
    return before + ", ".join(sorted(people)) if people else ""


def _make(work: Work, *, group: DeclaredGroup, people: set[str]) -> None:
    made = services.create_group(actor=work.actor, organisation=work.organisation, name=group.name)
    work.ids["group", group.name] = made.public_id
    _change(work, group=group.name, joins=people, leaves=set())


def _change(work: Work, *, group: str, joins: set[str], leaves: set[str]) -> None:
    named = work.ids["group", group]
    for email in sorted(joins):
        services.put_in(actor=work.actor, group=named, person=work.ids["person", email])
    for email in sorted(leaves):
        services.take_out(actor=work.actor, group=named, person=work.ids["person", email], by=(JoinedBy.HAND,))
