# SPDX-License-Identifier: Apache-2.0
"""What one may see of machines, requests and grants. Three levels of sight; absent is the same as not existing."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from portineria.control.access.facts import decisions
from portineria.control.access.models import (
    AccessRequest,
    Grant,
    GrantQuerySet,
    RequestQuerySet,
    RequestState,
    Rule,
    RuleQuerySet,
)
from portineria.control.estate.models import Machine, MachineQuerySet
from portineria.control.identity.models import Person
from portineria.control.identity.queries import standings
from portineria.core.errors import Conflict, NotFound
from portineria.policy.decision import Decision
from portineria.policy.sight import Sight, sight_of


class Ambiguous(Conflict):
    code = "access.machine.ambiguous"


@dataclass(frozen=True, slots=True)
class MachineSight:
    """One machine as this person may see it. ``max_minutes`` is None where no rule lets them ask."""

    machine: Machine
    sight: Sight
    decision: Decision
    max_minutes: int | None
    needs_approval: bool

    @property
    def grant(self) -> str | None:
        return self.decision.grant if self.decision.permitted else None

    @property
    def ends_at(self) -> datetime | None:
        return self.decision.ends if self.decision.permitted else None


def _candidates(actor: Person) -> MachineQuerySet:
    """Machines that may concern this person at all: by role, by rule, by grant."""
    by_rule = Rule.objects.admitting(actor).values("machines")
    by_grant = Grant.objects.filter(person=actor, organisation__in=actor.member_of).values("machine")
    owned = Machine.objects.visible_to(actor).values("pk")
    return Machine.objects.filter(Q(pk__in=by_rule) | Q(pk__in=by_grant) | Q(pk__in=owned)).select_related(
        "plant__organisation", "line__zone", "gateway", "answering"
    )


def _sights(actor: Person, machines: list[Machine], at: datetime) -> list[MachineSight]:
    rules: dict[int, list[Rule]] = {}
    for rule in Rule.objects.admitting(actor).filter(machines__in=machines).prefetch_related("machines").distinct():
        for machine in rule.machines.all():
            rules.setdefault(machine.pk, []).append(rule)
    judged = decisions([(actor.pk, machine) for machine in machines], at)
    standing_of = standings((actor.pk, machine.plant.organisation_id) for machine in machines)
    owned = set(actor.staff_of)
    found = []
    for machine in machines:
        admitting, decision = rules.get(machine.pk, []), judged[actor.pk, machine.pk]
        organisation = machine.plant.organisation_id
        sight = sight_of(
            standing=standing_of[actor.pk, organisation],
            admitted_by_rule=bool(admitting) or organisation in owned,
            decision=decision,
        )
        best = max(admitting, key=lambda rule: (not rule.needs_approval, rule.max_minutes), default=None)
        found.append(
            MachineSight(
                machine, sight, decision, best.max_minutes if best else None, best.needs_approval if best else True
            )
        )
    return [seen for seen in found if seen.sight is not Sight.ABSENT]


def visible_machines(actor: Person, at: datetime | None = None) -> list[MachineSight]:
    """Everything this person sees, ordered by plant, line and name."""
    machines = _candidates(actor).order_by("plant__name", "line__name", "name").distinct()
    return _sights(actor, list(machines), at or timezone.now())


def visible_machine(actor: Person, name_or_id: str, at: datetime | None = None) -> MachineSight:
    """By id or exact name; raise NotFound, or Ambiguous when two plants have one of that name."""
    machines = _candidates(actor).filter(Q(public_id=name_or_id) | Q(name=name_or_id)).distinct()
    found = _sights(actor, list(machines), at or timezone.now())
    if not found:
        raise NotFound(f"machine {name_or_id!r}")
    if len(found) > 1:
        raise Ambiguous(f"{len(found)} machines are called {name_or_id!r}: use the id")
    return found[0]


def requests(actor: Person) -> RequestQuerySet:
    found = AccessRequest.objects.visible_to(actor).select_related(
        "machine__plant", "machine__line", "machine__answering", "person", "rule__supplier", "organisation", "grant"
    )
    return found.prefetch_related("approvals__decided_by").order_by("-made_at")


def request(actor: Person, public_id: str) -> AccessRequest:
    found = requests(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"access request {public_id}")
    return found


def pending_requests(actor: Person) -> RequestQuerySet:
    return requests(actor).filter(state=RequestState.PENDING)


def decidable_requests(actor: Person) -> RequestQuerySet:
    """Waiting for this very person: of an organisation where they approve, and not their own."""
    from portineria.control.identity.models import Membership, Role

    approving = Membership.objects.filter(
        person=actor, organisation__in=actor.staff_of, role__in=[role for role in Role if role.approves]
    )
    return pending_requests(actor).filter(organisation__in=approving.values("organisation")).exclude(person=actor)


def grants(actor: Person) -> GrantQuerySet:
    found = Grant.objects.visible_to(actor).select_related(
        "machine__plant", "person", "rule__supplier", "organisation", "request"
    )
    return found.order_by("-starts_at")


def live_grants(actor: Person) -> GrantQuerySet:
    return grants(actor).live(timezone.now())


def grant(actor: Person, public_id: str) -> Grant:
    found = grants(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"grant {public_id}")
    return found


def rules(actor: Person) -> RuleQuerySet:
    found = Rule.objects.visible_to(actor).holding().select_related("supplier", "person", "organisation")
    return found.prefetch_related("machines__plant").order_by("-created_at")


def rule(actor: Person, public_id: str) -> Rule:
    found = rules(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"rule {public_id}")
    return found
