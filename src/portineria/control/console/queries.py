# SPDX-License-Identifier: Apache-2.0
"""What a page shows together, from the queries of the apps below. Each of those starts from what the actor may see."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.core.paginator import Page
from django.utils import timezone

from portineria.control.access import queries as access
from portineria.control.access.firm import firm_under
from portineria.control.access.models import Rule
from portineria.control.access.naming import rules_by_machine
from portineria.control.access.queries import MachineSight
from portineria.control.console import texts, whereabouts
from portineria.control.console.whereabouts import Place
from portineria.control.estate import queries as estate
from portineria.control.estate.models import Gateway, GatewayState, Machine
from portineria.control.identity import queries as identity
from portineria.control.identity.authority import approves, permitted, works_here
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Organisation, Person, Supplier
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.models import Session, SessionState
from portineria.policy.ending import Reason
from portineria.policy.sight import Sight


def but_notice(denials: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """The notice keeps nobody from what was given: it is read at any time."""
    return tuple(reason for reason in denials if reason is not Reason.NOTICE)


class Seen:
    """A session as a page shows it to this person."""

    def __init__(self, session: Session, actor: Person, place: Place | None = None) -> None:
        self.session = session
        self._actor = actor
        self.place = place or whereabouts.place(actor, session.machine)

    @property
    def mine(self) -> bool:
        return self.session.person_id == self._actor.pk

    @property
    def staff(self) -> bool:
        return self.session.organisation_id in self._actor.sees(Power.WORK)

    @cached_property
    def supplier(self) -> Supplier | None:
        return firm_under(self.session.grant.rule, self.session.person, self.session.organisation_id)

    @cached_property
    def may_cut(self) -> bool:
        return self.mine or permitted(self._actor, self.session.organisation_id, works_here, Power.CUT)

    @property
    def shown_state(self) -> str:
        """An ended session is told apart by how its end was proven.

        A gateway says *finished* of a session that had nothing open when its end was ordered. Only where the
        technician ordered it did they finish.
        """
        session = self.session
        if session.state != SessionState.ENDED:
            return str(session.state)
        if session.ending == "finished" and session.end_why != "finished":
            return "idle"
        return session.ending or "ended"

    @property
    def counts_down_to(self) -> datetime | None:
        return remote_sessions.countdown(self.session).until

    @property
    def draining(self) -> bool:
        return self.session.state == SessionState.DRAINING

    @property
    def cutting(self) -> bool:
        return self.session.state == SessionState.CUTTING

    @property
    def cuttable(self) -> bool:
        return self.session.open and not self.cutting

    @property
    def can_freeze(self) -> bool:
        return self.cuttable and self.staff and self.may_cut and not self.session.frozen

    @property
    def can_thaw(self) -> bool:
        return self.cuttable and self.staff and self.may_cut and self.session.frozen

    @property
    def can_finish(self) -> bool:
        return self.session.state in (SessionState.OPENING, SessionState.LIVE) and self.may_cut

    @cached_property
    def can_extend(self) -> bool:
        """Four eyes: not by whoever works; not after somebody ended it, nor beyond what the rule allows."""
        may = permitted(self._actor, self.session.organisation_id, approves, Power.DECIDE)
        by_itself = self.session.state != SessionState.DRAINING or not self.session.withdrawal
        if not self.session.grant.minutes_left(timezone.now()):
            return False
        return self.cuttable and by_itself and not self.mine and may

    @property
    def can_ask_for_more(self) -> bool:
        """The other eyes of four: who works asks, who approves extends."""
        works = self.mine and self.place.linked and self.session.grant.lasting
        return works and self.session.state in (SessionState.LIVE, SessionState.DRAINING)

    @cached_property
    def can_lock(self) -> bool:
        role = self._actor.role_in(self.session.organisation_id)
        return role is not None and role.administers and not self.mine

    @property
    def can_lock_now(self) -> bool:
        """Whoever is inside, in one click; once they are out, their page and the list of people do."""
        return self.session.open and self.can_lock and self.session.person.enabled

    @cached_property
    def can_revoke(self) -> bool:
        """The permission itself, so that no second session follows this one."""
        grant = self.session.grant
        stands = grant.revoked_at is None and grant.ends_at > timezone.now()
        return self.session.open and stands and self.staff and self.may_cut

    @property
    def ended_because(self) -> list[str]:
        return [texts.reason(word) for word in self.session.end_why.split()]


def seen(sessions: Iterable[Session], actor: Person) -> list[Seen]:
    rows = list(sessions)
    known = whereabouts.places(actor, [session.machine for session in rows])
    return [Seen(session, actor, known[session.machine_id]) for session in rows]


def seen_leaves(actor: Person, *leaves: Page[Any]) -> tuple[Page[Seen], ...]:
    """What may be known about their machines is asked once for all of them."""
    rows = [list(leaf.object_list) for leaf in leaves]
    known = whereabouts.places(actor, [session.machine for sessions in rows for session in sessions])
    for leaf, sessions in zip(leaves, rows, strict=True):
        leaf.object_list = [Seen(session, actor, known[session.machine_id]) for session in sessions]
    return leaves


def is_staff(actor: Person) -> bool:
    """Sees more than what is their own, here or there."""
    return bool(actor.staff_of) or actor.principal is not None


def administers(actor: Person) -> bool:
    """Somewhere; the services ask again for the very object."""
    return any(role.administers for role in identity.roles(actor).values())


def administered(actor: Person) -> list[Organisation]:
    rows = identity.organisations(actor)
    return [row for row in rows if (role := actor.role_in(row.pk)) is not None and role.administers]


def asks_for_access(actor: Person) -> bool:
    """Belongs to an organisation whose machines are reached by asking."""
    return bool(actor.guest_of)


def shown_gateway_state(gateway: Gateway) -> str:
    """An admitted gateway is either there or away; the row comes from estate.queries.gateways."""
    if gateway.state != GatewayState.ADMITTED:
        return str(gateway.state)
    return "connected" if getattr(gateway, "linked", 0) else "away"


@dataclass(frozen=True, slots=True)
class MachineRow:
    sight: MachineSight
    shown_sight: str  # for whoever asks: askable, pending, approved-later, reachable
    inside: list[Session]  # for the owner's people only
    gateway_state: str  # for the owner's people only
    owned: bool

    @property
    def machine(self) -> Machine:
        return self.sight.machine

    @property
    def reachable(self) -> bool:
        return self.sight.sight is Sight.REACHABLE

    @property
    def may_ask(self) -> bool:
        return self.sight.max_minutes is not None

    @property
    def place(self) -> tuple[str, str]:
        """Plant and line; of a machine that may only be asked for nothing but its owner is told."""
        machine = self.machine
        if self.owned or self.reachable:
            return machine.plant.name, machine.line.name if machine.line else ""
        return machine.plant.organisation.name, ""

    @property
    def whereabouts(self) -> Place:
        return whereabouts.place_of(self.machine, self.sight.sight, owned=self.owned)


@dataclass(frozen=True, slots=True)
class Band:
    """Machines of one line of one plant."""

    plant: str
    line: str
    rows: list[MachineRow]

    @property
    def plant_id(self) -> str:
        """Empty where the reader is not told the plant."""
        return self.rows[0].machine.plant.public_id if self.plant and self.rows and self.rows[0].owned else ""


def bands(rows: Iterable[MachineRow]) -> list[Band]:
    found: dict[tuple[str, str], list[MachineRow]] = defaultdict(list)
    for row in rows:
        found[row.place].append(row)
    return [Band(plant, line, there) for (plant, line), there in found.items()]


def machine_rows(actor: Person, sights: list[MachineSight]) -> list[MachineRow]:
    """One leaf of them; the number of queries does not grow with theirs."""
    staff_of = set(actor.sees(Power.ESTATE))
    machines = [row.machine for row in sights]
    own = [machine for machine in machines if machine.plant.organisation_id in staff_of]
    asked_for = [machine for machine in machines if machine.plant.organisation_id not in staff_of]
    inside: dict[int, list[Session]] = defaultdict(list)
    for session in remote_sessions.open_sessions(actor).filter(machine__in=own):
        inside[session.machine_id].append(session)
    behind = estate.gateways(actor).filter(pk__in={machine.gateway_id for machine in machines})
    states = {gateway.pk: shown_gateway_state(gateway) for gateway in behind}
    mine = {"person": actor, "machine__in": asked_for}
    pending = set(access.pending_requests(actor).filter(**mine).values_list("machine", flat=True))
    return [
        MachineRow(
            sight=row,
            shown_sight=shown_sight(row, pending=row.machine.pk in pending),
            inside=inside[row.machine.pk],
            gateway_state=states.get(row.machine.gateway_id, ""),
            owned=row.machine.plant.organisation_id in staff_of,
        )
        for row in sights
    ]


LATER = ((Reason.NOT_YET,), (Reason.BETWEEN_TIMES,))  # approved, and it opens by itself


def shown_sight(row: MachineSight, *, pending: bool) -> str:
    if row.sight is Sight.REACHABLE:
        return "reachable"
    if pending:
        return "pending"
    return "approved-later" if but_notice(row.decision.denials) in LATER else "askable"


_OFFERED = 50  # machines that may be asked for together with one


def askable_besides(actor: Person, seen: MachineSight) -> list[tuple[str, str]]:
    """Id and name of others of the same organisation that the actor may ask for."""
    machines = access.machines_in_sight(actor).filter(plant__organisation=seen.machine.plant.organisation_id)
    rows = list(machines.exclude(pk=seen.machine.pk)[:_OFFERED])
    named = rules_by_machine(rows, Rule.objects.admitting(actor))
    return [(row.public_id, row.name) for row in rows if named.get(row.pk)]
