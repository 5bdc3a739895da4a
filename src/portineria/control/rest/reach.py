# SPDX-License-Identifier: Apache-2.0
"""Who could reach what, by the decision that counts."""

from collections.abc import Iterable
from datetime import datetime

from ninja import Schema

from portineria.control.access.facts import LOOKING, Beginning, decisions
from portineria.control.access.level_standing import approvers
from portineria.control.access.simulation import would_open
from portineria.control.estate.models import Machine
from portineria.control.identity.models import Membership, Person
from portineria.control.rest.approval_levels import LevelView, level_fields


class Approvers(LevelView):
    """``able``: how many of whom it asks may say yes, by their role."""

    able: int


class RuleVerdict(Schema):
    """What one rule would open; ``why_not``: all that stands in the way, as codes. ``approvals``: level after level, of
    whom yeses would be asked first; empty: of nobody.
    """

    rule: str
    permitted: bool
    until: datetime | None
    why_not: list[str]
    approvals: list[Approvers]


class ReachView(Schema):
    """``permitted``: by a grant that is held now."""

    person: str
    name: str
    machine: str
    machine_name: str
    permitted: bool
    grant: str | None
    why_not: list[str]
    rules: list[RuleVerdict]


def reach_views(
    rows: Iterable[tuple[Membership | None, Person, Machine]], at: datetime, begins: Beginning = LOOKING
) -> list[ReachView]:
    """Of what the caller was established to see; the number of queries does not grow with it."""
    wanted = list(rows)
    pairs = [(person.pk, machine) for _, person, machine in wanted]
    held, opening = decisions(pairs, at, begins=begins), would_open(pairs, at, begins)
    asked = approvers(rule for verdicts in opening.values() for rule, _ in verdicts)
    found = []
    for _, person, machine in wanted:
        key = (person.pk, machine.pk)
        verdicts = [
            RuleVerdict(
                rule=rule.public_id, permitted=judged.permitted, until=judged.ends,
                why_not=[reason.value for reason in judged.denials],
                approvals=[
                    Approvers(**level_fields(one.asked), able=one.able(person.pk)) for one in asked.get(rule.pk, ())
                ],
            )
            for rule, judged in opening[key]
        ]  # fmt: skip
        found.append(
            ReachView(
                person=person.public_id, name=person.name, machine=machine.public_id, machine_name=machine.name,
                permitted=held[key].permitted, grant=held[key].grant if held[key].permitted else None,
                why_not=[reason.value for reason in held[key].denials], rules=verdicts,
            )
        )  # fmt: skip
    return found
