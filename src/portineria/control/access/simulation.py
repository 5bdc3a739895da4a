# SPDX-License-Identifier: Apache-2.0
"""Would this be allowed, and why not: what a yes under each rule would open, by the very decision that counts."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from portineria.control.access.facts import attempts_at, recorded_there
from portineria.control.access.models import Rule
from portineria.control.access.training_queries import untrained
from portineria.control.estate.models import Machine
from portineria.control.identity.models import Membership
from portineria.policy.decision import Decision, GrantFacts, decide

Verdict = tuple[Rule, Decision]


def would_open(
    people_and_machines: Iterable[tuple[int, Machine]], at: datetime
) -> dict[tuple[int, int], list[Verdict]]:
    """(person, machine) → each rule that names both, and what work under it would meet if it began at ``at``.

    Machines come with ``plant`` and ``gateway`` loaded. The number of queries does not grow with theirs.
    """
    wanted = {(person, machine.pk): machine for person, machine in people_and_machines}
    naming = defaultdict(list)
    rows: QuerySet[Any] = Rule.machines.through._default_manager.filter(
        machine__in={machine for _, machine in wanted}, rule__ended_at__isnull=True
    )
    for named in rows.select_related("rule__supplier", "rule__person", "rule__profile").order_by("rule"):
        naming[named.machine_id].append(named.rule)
    members = Membership.objects.filter(person__in={person for person, _ in wanted})
    suppliers = {(person, owner): firm for person, owner, firm in members.values_list(*_MEMBER)}
    attempts = attempts_at(wanted, at)
    lacking = untrained(((rule, person) for person, key in wanted for rule in naming[key]), at)
    found: dict[tuple[int, int], list[Verdict]] = {}
    for (person, key), machine in wanted.items():
        firm = suppliers.get((person, machine.plant.organisation_id))
        found[person, key] = [
            (rule, decide(attempts[person, key], [_as_granted(rule, machine, at, (rule.pk, person) not in lacking)]))
            for rule in naming[key]
            if rule.person_id == person or (firm is not None and rule.supplier_id == firm)
        ]
    return found


_MEMBER = ("person", "organisation", "supplier")


def _as_granted(rule: Rule, machine: Machine, at: datetime, trained: bool) -> GrantFacts:
    return GrantFacts(
        id=rule.public_id,
        machine=machine.public_id,
        starts=at,
        ends=at + timedelta(minutes=rule.max_minutes),
        revoked=None,
        rule_holds=True,
        schedule=rule.schedule_at(machine.plant.time_zone),
        recorded=recorded_there(rule, machine),
        trained=trained,
    )
