# SPDX-License-Identifier: Apache-2.0
"""The page of one machine: asked for in as few questions as may be, and nothing where there is nothing to ask."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from portineria.control.access import queries as access
from portineria.control.access.around import Around, around, ways
from portineria.control.access.emergency_queries import roles_of
from portineria.control.access.facts import LOOKING, Standings, attempts_at, decisions, decisions_by_grant
from portineria.control.access.models import AccessRequest, Grant, Lock, Maintenance, Rule, Signal
from portineria.control.access.profiles import opened_services
from portineria.control.access.queries import MachineSight
from portineria.control.console import whereabouts
from portineria.control.console.queries import MachineRow, Seen, but_notice, shown_gateway_state, shown_sight
from portineria.control.console.whereabouts import Asked
from portineria.control.estate import queries as estate
from portineria.control.estate.labels import words_of
from portineria.control.estate.models import Link, Machine, Service
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import GroupMember, Person
from portineria.control.identity.queries import own_standings
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.models import Session, SessionState
from portineria.policy.decision import Decision, decide
from portineria.policy.ending import Reason

_RECENT = 10
_GIVEN: tuple[tuple[Reason, ...], ...] = (
    (),
    (Reason.NOT_YET,),
    (Reason.BETWEEN_TIMES,),
    (Reason.OUTSIDE_WINDOWS,),
)  # what refuses a grant that is good, now or later


@dataclass(frozen=True, slots=True)
class There:
    """Whether the machine has any of these at all."""

    signals: bool
    maintenance: bool
    role: bool  # an emergency role of whoever looks


@dataclass(frozen=True, slots=True)
class MachinePage:
    row: MachineRow
    services: list[Service]
    rules: list[Rule]
    grants: list[Grant]
    pending: list[Asked]
    inside: list[Seen]
    sessions: list[Seen]
    locks: list[Lock]
    administered: bool
    labels: list[str]
    there: There

    @property
    def shows_details(self) -> bool:
        """Devices, tag and gateway are for the owner's people, and for whoever may reach the machine now."""
        return self.row.owned or self.row.reachable


def machine_page(actor: Person, name_or_id: str) -> MachinePage:
    """Raise NotFound for what is absent for this person, exactly as for what does not exist."""
    at = timezone.now()
    machines = _called(actor, name_or_id, at)
    asked = _asked(actor, machines, at)
    here = {machine.pk: machine for machine in machines}
    grants = [grant for row in asked if (grant := _live(row, here[row.machine_id], at)) is not None]
    pairs = [(actor.pk, machine) for machine in machines] + [(grant.person_id, grant.machine) for grant in grants]
    there = around(pairs)
    named = {machine.pk: _rules(actor, machine) for machine in machines if _of_staff(actor, machine)}
    admitting = {pk: [rule for rule in rules if _admits(rule, actor)] for pk, rules in named.items()}
    known = admitting if len(admitting) == len(machines) else None
    judged = _judged(actor, machines, at, there)
    sight = access.the_one(access.sights(actor, machines, at, LOOKING, known, judged), name_or_id)
    by_grant = decisions_by_grant(grants, at, _standings(actor, grants), there) if grants else {}
    good = [grant for grant in grants if but_notice(by_grant[grant.pk].denials) in _GIVEN]
    waiting = [row for row in asked if row.state == AccessRequest.State.PENDING]
    return _page(actor, sight, named.get(sight.machine.pk, []), good, waiting)


def _called(actor: Person, name_or_id: str, at: datetime) -> list[Machine]:
    """With what there is to ask further; mostly one."""
    here = Q(machine=OuterRef("pk")) | Q(line=OuterRef("line"))
    there: dict[str, QuerySet[Any]] = {
        "any_signals": Signal.objects.standing().filter(here),
        "any_maintenance": Maintenance.objects.holding(at).filter(here),
        "any_labels": Machine.labels.through._default_manager.filter(machine=OuterRef("pk")),
        "any_role": roles_of(actor).filter(emergency_plant=OuterRef("plant")),
        "any_grant": Grant.objects.filter(person=actor, machine=OuterRef("pk")),
        "linked": Link.objects.filter(gateway=OuterRef("gateway")),
    }
    rows = access.machines_in_sight(actor).filter(Q(public_id=name_or_id) | Q(name=name_or_id))
    return list(rows.annotate(**ways(), **{name: Exists(found) for name, found in there.items()}))


def _of_staff(actor: Person, machine: Machine) -> bool:
    return machine.plant.organisation_id in actor.staff_of


def _rules(actor: Person, machine: Machine) -> list[Rule]:
    """All that name it: the owner's people see them, and those among them that let the actor ask."""
    groups = GroupMember.objects.filter(membership__person=actor, group=OuterRef("group"))
    return list(access.rules_naming(actor, machine).annotate(grouped=Exists(groups)))


def _admits(rule: Rule, actor: Person) -> bool:
    grouped: bool = rule.__dict__["grouped"]
    return grouped or rule.person_id == actor.pk or rule.supplier_id in actor.supplier_ids


def _asked(actor: Person, machines: list[Machine], at: datetime) -> list[AccessRequest]:
    """In one query: what waits, and what was given and has not ended."""
    waiting = AccessRequest.objects.filter(machine__in=machines, state=AccessRequest.State.PENDING)
    given = Grant.objects.filter(machine__in=machines, revoked_at__isnull=True, ends_at__gt=at)
    keys = waiting.order_by().values("pk").union(given.order_by().values("request"))
    return list(access.requests(actor).filter(pk__in=keys).prefetch_related(None))


def _live(row: AccessRequest, machine: Machine, at: datetime) -> Grant | None:
    """Its grant that has not ended, with all that its request and the machine have loaded."""
    grant: Grant | None = getattr(row, "grant", None)
    if grant is None or grant.revoked_at is not None or grant.ends_at <= at:
        return None
    grant.request, grant.person, grant.machine, grant.rule = row, row.person, machine, row.rule
    grant.__dict__["firm"] = row.__dict__["firm"]
    return grant


def _standings(actor: Person, grants: list[Grant]) -> Standings | None:
    """None: they have to be asked."""
    if any(grant.person_id != actor.pk for grant in grants):
        return None
    return own_standings(actor, (grant.organisation_id for grant in grants))


def _judged(actor: Person, machines: list[Machine], at: datetime, there: Around) -> dict[tuple[int, int], Decision]:
    """For whoever looks. Most of the owner's people never had a grant there."""
    standing_of = own_standings(actor, (machine.plant.organisation_id for machine in machines))
    if any(machine.__dict__["any_grant"] for machine in machines):
        return decisions([(actor.pk, machine) for machine in machines], at, standing_of, there=there)
    attempts = attempts_at({(actor.pk, machine.pk): machine for machine in machines}, at, standing_of, there)
    return {key: decide(one, []) for key, one in attempts.items()}


def _page(
    actor: Person, sight: MachineSight, rules: list[Rule], grants: list[Grant], pending: list[AccessRequest]
) -> MachinePage:
    machine, known = sight.machine, sight.machine.__dict__
    owned = machine.plant.organisation_id in actor.sees(Power.ESTATE)
    place = whereabouts.place_of(machine, sight.sight, owned=owned)
    sessions = [Seen(session, actor, place) for session in _sessions(actor, machine)]
    machine.gateway.__dict__["linked"] = known["linked"]
    waits = not owned and any(row.person_id == actor.pk for row in pending)
    row = MachineRow(
        sight=sight,
        shown_sight=shown_sight(sight, pending=waits),
        inside=[seen.session for seen in sessions if seen.session.open and owned],
        gateway_state=shown_gateway_state(machine.gateway) if owned else "",
        owned=owned,
    )
    role = actor.role_in(machine.plant.organisation_id)
    return MachinePage(
        row=row,
        services=_services(row) if owned or row.reachable else [],
        rules=rules if owned else [],
        grants=sorted(grants, key=lambda grant: grant.starts_at, reverse=True),
        pending=[Asked(one, place) for one in pending],
        inside=[seen for seen in sessions if seen.session.open and owned],
        sessions=[seen for seen in sessions if not seen.session.open],
        locks=list(access.locks_meeting(actor, machine)) if owned and known["any_locks"] else [],
        administered=role is not None and role.administers,
        labels=words_of(machine) if owned and known["any_labels"] else [],
        there=There(*(known[f"any_{name}"] for name in ("signals", "maintenance", "role"))),
    )


def _sessions(actor: Person, machine: Machine) -> list[Session]:
    """In one query: those that are open, and the newest that are over."""
    here = remote_sessions.sessions(actor).filter(machine=machine)
    over = Session.objects.filter(pk__in=here.filter(state=SessionState.ENDED).values("pk")[:_RECENT])
    keys = here.open().order_by().values("pk").union(over.order_by().values("pk"))
    return list(here.filter(pk__in=keys))


def _services(row: MachineRow) -> list[Service]:
    """All of them for the owner's people; for others what their grant opens."""
    services = estate.services_of(row.machine)
    return services if row.owned else opened_services(row.sight.grant, services)
