# SPDX-License-Identifier: Apache-2.0
"""What a page shows together, from the queries of the apps below. Each of those starts from what the actor may see."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.utils import timezone

from portineria.control.access import queries as access
from portineria.control.access.models import AccessRequest, Grant, Rule
from portineria.control.access.queries import MachineSight
from portineria.control.console import texts
from portineria.control.estate import queries as estate
from portineria.control.estate.models import Gateway, GatewayState, Machine, Service
from portineria.control.identity import queries as identity
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.models import Session, SessionState
from portineria.policy.decision import Standing
from portineria.policy.sight import Sight

_RECENT = 10


class Seen:
    """A session as a page shows it to this person."""

    def __init__(self, session: Session, actor: Person) -> None:
        self.session = session
        self._actor = actor

    @property
    def mine(self) -> bool:
        return self.session.person_id == self._actor.pk

    @property
    def staff(self) -> bool:
        return self.session.organisation_id in self._actor.staff_of

    @property
    def shown_state(self) -> str:
        """An ended session is told apart by how its end was proven."""
        session = self.session
        return (session.ending or "ended") if session.state == SessionState.ENDED else str(session.state)

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
    def can_finish(self) -> bool:
        return self.session.state in (SessionState.OPENING, SessionState.LIVE)

    @cached_property
    def can_extend(self) -> bool:
        """Four eyes: not by whoever works; not after somebody ended it, nor beyond what the rule allows."""
        role = self._actor.role_in(self.session.organisation_id)
        by_itself = self.session.state != SessionState.DRAINING or not self.session.withdrawal
        if not self.session.grant.minutes_left(timezone.now()):
            return False
        return self.cuttable and by_itself and not self.mine and role is not None and role.approves

    @property
    def can_ask_for_more(self) -> bool:
        """The other eyes of four: who works asks, who approves extends."""
        return self.mine and self.session.state in (SessionState.LIVE, SessionState.DRAINING)

    @cached_property
    def can_lock(self) -> bool:
        role = self._actor.role_in(self.session.organisation_id)
        return role is not None and role.administers and not self.mine

    @property
    def ended_because(self) -> list[str]:
        return [texts.reason(word) for word in self.session.end_why.split()]


def seen(sessions: Iterable[Session], actor: Person) -> list[Seen]:
    return [Seen(session, actor) for session in sessions]


@dataclass(frozen=True, slots=True)
class Now:
    """The first page."""

    inside: list[Seen]
    decidable: list[AccessRequest]
    mine: list[AccessRequest]
    reachable: list[MachineSight]
    waiting_gateways: list[Gateway]
    away: list[Gateway]
    staff: bool
    administers: bool
    asks: bool
    gateways: int
    machines: int


def now(actor: Person) -> Now:
    staff, asks = is_staff(actor), asks_for_access(actor)
    gateways = list(estate.gateways(actor))
    admitted = [gateway for gateway in gateways if gateway.state in (GatewayState.ADMITTED, GatewayState.QUARANTINED)]
    mine = access.pending_requests(actor).filter(person=actor) if asks else ()
    return Now(
        inside=seen(remote_sessions.open_sessions(actor), actor),
        decidable=list(access.decidable_requests(actor)),
        mine=list(mine),
        reachable=[row for row in access.visible_machines(actor) if row.sight is Sight.REACHABLE] if asks else [],
        waiting_gateways=[gateway for gateway in gateways if gateway.state == GatewayState.WAITING],
        away=[gateway for gateway in admitted if shown_gateway_state(gateway) != "connected"],
        staff=staff,
        administers=administers(actor),
        asks=asks,
        gateways=len(admitted),
        machines=estate.machines(actor).count() if staff else 0,
    )


def is_staff(actor: Person) -> bool:
    return bool(actor.staff_of)


def administers(actor: Person) -> bool:
    """Somewhere; the services ask again for the very object."""
    return any(role.administers for role in identity.roles(actor).values())


def asks_for_access(actor: Person) -> bool:
    """Belongs to an organisation whose machines are reached by asking."""
    return len(actor.staff_of) < len(actor.member_of)


def shown_gateway_state(gateway: Gateway) -> str:
    """An admitted gateway is either there or away; the row comes from estate.queries.gateways."""
    if gateway.state != GatewayState.ADMITTED:
        return str(gateway.state)
    return "connected" if getattr(gateway, "linked", 0) else "away"


@dataclass(frozen=True, slots=True)
class MachineRow:
    sight: MachineSight
    shown_sight: str  # for whoever asks: askable, pending, approved-later, reachable
    inside: list[Session]
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


@dataclass(frozen=True, slots=True)
class Band:
    """Machines of one line of one plant."""

    plant: str
    line: str
    rows: list[MachineRow]


def machine_bands(actor: Person, search: str = "") -> list[Band]:
    rows = _machine_rows(actor, access.visible_machines(actor))
    wanted = search.casefold()
    bands: dict[tuple[str, str], list[MachineRow]] = defaultdict(list)
    for row in rows:
        tag = row.machine.tag if row.owned or row.reachable else ""
        if wanted in " ".join([*row.place, row.machine.name, tag]).casefold():
            bands[row.place].append(row)
    return [Band(plant, line, found) for (plant, line), found in bands.items()]


def _machine_rows(actor: Person, sights: list[MachineSight]) -> list[MachineRow]:
    inside: dict[int, list[Session]] = defaultdict(list)
    for session in remote_sessions.open_sessions(actor):
        inside[session.machine_id].append(session)
    states = {gateway.pk: shown_gateway_state(gateway) for gateway in estate.gateways(actor)}
    pending = set(access.pending_requests(actor).filter(person=actor).values_list("machine", flat=True))
    later = set(
        access.grants(actor)
        .filter(person=actor, revoked_at__isnull=True, starts_at__gt=timezone.now())
        .values_list("machine", flat=True)
    )
    staff_of = set(actor.staff_of)
    return [
        MachineRow(
            sight=row,
            shown_sight=_shown_sight(row, pending, later),
            inside=inside[row.machine.pk],
            gateway_state=states.get(row.machine.gateway_id, ""),
            owned=row.machine.plant.organisation_id in staff_of,
        )
        for row in sights
    ]


def _shown_sight(row: MachineSight, pending: set[int], later: set[int]) -> str:
    if row.sight is Sight.REACHABLE:
        return "reachable"
    if row.machine.pk in pending:
        return "pending"
    return "approved-later" if row.machine.pk in later else "askable"


@dataclass(frozen=True, slots=True)
class MachinePage:
    row: MachineRow
    services: list[Service]
    rules: list[Rule]
    grants: list[Grant]
    pending: list[AccessRequest]
    inside: list[Seen]
    sessions: list[Seen]

    @property
    def shows_details(self) -> bool:
        """Devices, tag and gateway are for the owner's people, and for whoever may reach the machine now."""
        return self.row.owned or self.row.reachable


def machine_page(actor: Person, name_or_id: str) -> MachinePage:
    """Raise NotFound for what is absent for this person, exactly as for what does not exist."""
    [row] = _machine_rows(actor, [access.visible_machine(actor, name_or_id)])
    machine = row.machine
    details = row.owned or row.reachable
    grants = access.grants(actor).filter(machine=machine, revoked_at__isnull=True, ends_at__gt=timezone.now())
    return MachinePage(
        row=row,
        services=estate.services_of(machine) if details else [],
        rules=list(access.rules(actor).filter(machines=machine)) if row.owned else [],
        grants=list(grants),
        pending=list(access.pending_requests(actor).filter(machine=machine)),
        inside=seen(row.inside, actor),
        sessions=seen(remote_sessions.sessions(actor).filter(machine=machine, state="ended")[:_RECENT], actor),
    )


@dataclass(frozen=True, slots=True)
class RequestPage:
    """What somebody has to know before saying yes."""

    request: AccessRequest
    decidable: bool
    mine: bool
    staff: bool
    services: list[Service]
    standing: Standing | None
    last_time: Session | None
    times: int
    inside: list[Session]
    gateway_linked: bool
    starts: datetime
    ends: datetime
    approver: bool

    @property
    def pending(self) -> bool:
        return self.request.state == AccessRequest.State.PENDING

    @property
    def grant(self) -> Grant | None:
        return getattr(self.request, "grant", None)

    @property
    def grant_state(self) -> str:
        grant, at = self.grant, timezone.now()
        if grant is None or grant.revoked_at is not None:
            return "revoked" if grant else ""
        if at < grant.starts_at:
            return "later"
        return "live" if at < grant.ends_at else "ended"

    @property
    def can_extend(self) -> bool:
        return self.approver and not self.mine


def request_page(actor: Person, public_id: str) -> RequestPage:
    row = access.request(actor, public_id)
    staff, role = row.organisation_id in actor.staff_of, actor.role_in(row.organisation_id)
    before = remote_sessions.sessions(actor).filter(machine=row.machine, person=row.person)
    starts = max(row.starts_at, timezone.now()) if row.starts_at else timezone.now()
    return RequestPage(
        request=row,
        decidable=access.decidable_requests(actor).filter(pk=row.pk).exists(),
        mine=row.person_id == actor.pk,
        staff=staff,
        services=estate.services_of(row.machine) if staff else [],
        standing=identity.standing(row.person, row.organisation_id) if staff else None,
        last_time=before.first(),
        times=before.count(),
        inside=list(remote_sessions.open_sessions(actor).filter(machine=row.machine)) if staff else [],
        gateway_linked=bool(remote_sessions.links_of(row.machine.gateway)) if staff else False,
        starts=starts,
        ends=(row.starts_at or timezone.now()) + timedelta(minutes=row.minutes),
        approver=role is not None and role.approves,
    )
