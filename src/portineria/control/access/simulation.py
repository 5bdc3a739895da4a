# SPDX-License-Identifier: Apache-2.0
"""Would this be allowed, and why not: what a yes under each rule would open, by the very decision that counts."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from portineria.control.access.around import Around
from portineria.control.access.facts import LOOKING, Beginning, Standings, attempts_of, factor_within, recorded_there
from portineria.control.access.models import Rule
from portineria.control.access.naming import rules_by_machine
from portineria.control.access.plant_state import PlantState, of_rule, plant_state
from portineria.control.access.training_queries import untrained
from portineria.control.estate.models import Machine
from portineria.control.identity.models import Membership
from portineria.policy.decision import Decision, GrantFacts, decide

Verdict = tuple[Rule, Decision]


def would_open(
    people_and_machines: Iterable[tuple[int, Machine]], at: datetime, begins: Beginning = LOOKING,
    standing_of: Standings | None = None, there: Around | None = None,
) -> dict[tuple[int, int], list[Verdict]]:  # fmt: skip
    """(person, machine) → each rule that names both, and what work under it would meet if it began at ``at``, by
    somebody who proves what ``begins`` says.

    Machines come with ``plant``, ``line`` and ``gateway`` loaded. The number of queries does not grow with theirs.
    ``standing_of`` and ``there``: what is known already of everybody concerned.
    """
    wanted = {(person, machine.pk): machine for person, machine in people_and_machines}
    wanted_machines = {machine.pk: machine for machine in wanted.values()}
    rules = Rule.objects.holding().select_related("supplier", "person", "profile", "group")
    naming = rules_by_machine(wanted_machines.values(), rules)
    members = list(Membership.objects.filter(person__in={person for person, _ in wanted}).values_list(*_MEMBER))
    suppliers = {(person, owner): firm for person, owner, firm, _ in members}
    grouped = {(person, group) for person, _, _, group in members if group is not None}
    attempts = attempts_of(wanted, at, begins, standing_of, there)
    state = plant_state((of_rule(rule, wanted[key], key[0]) for key in wanted for rule in naming.get(key[1], ())), at)
    lacking = untrained(((rule, person) for person, key in wanted for rule in naming.get(key, ())), at)
    found: dict[tuple[int, int], list[Verdict]] = {}
    for (person, key), machine in wanted.items():
        firm = suppliers.get((person, machine.plant.organisation_id))
        found[person, key] = [
            (
                rule,
                decide(
                    attempts[person, key],
                    [_as_granted(rule, machine, person, at, state, begins, trained=(rule.pk, person) not in lacking)],
                ),
            )
            for rule in naming.get(key, ())
            if rule.person_id == person
            or (firm is not None and rule.supplier_id == firm)
            or (person, rule.group_id) in grouped
        ]
    return found


_MEMBER = ("person", "organisation", "supplier", "in_groups__group")


def _as_granted(
    rule: Rule, machine: Machine, person: int, at: datetime, state: PlantState, begins: Beginning, *, trained: bool
) -> GrantFacts:
    maintained = state.maintained_until(rule, machine)
    consent = state.consent(*of_rule(rule, machine, person))
    return GrantFacts(
        id=rule.public_id,
        machine=machine.public_id,
        starts=at,
        ends=at + timedelta(minutes=rule.max_minutes),
        closes=maintained,
        revoked=None,
        rule_holds=True,
        schedule=rule.schedule_at(machine.plant.time_zone),
        recorded=recorded_there(rule, machine),
        maintained=maintained is not None,
        present=consent.given,
        settable=bool(consent.settable),
        trained=trained,
        paused_until=rule.paused_until,
        factor_within=factor_within(rule),
        needs_device=rule.needs_device,
        least_standing=rule.least_level,
        watched=rule.watcher_id is None or begins.watched is None,
    )
