# SPDX-License-Identifier: Apache-2.0
"""What the plant says of its machines: maintenance, and consent signals."""

from datetime import datetime
from typing import Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import AwareDatetime, Field

from portineria.control.access import maintaining, plant_state
from portineria.control.access import signals as services
from portineria.control.access.models import Maintenance, Signal
from portineria.control.identity.models import Person
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, Id, Reason, acts, reads
from portineria.core.errors import NotFound

router = Router(tags=["plant"])
Signals = Literal["lock-out", "guard", "key", "button"]  # policy.consent.SignalKind


class MaintenanceView(Schema):
    """Of a machine, or of a whole line: `id of its plant/name`. ``ends_at``: by itself; null: when somebody ends it."""

    maintenance: str
    organisation: str
    machine: str | None
    line: str | None
    reason: str
    begun_by: str
    begun_at: datetime
    ends_at: datetime | None
    ended_by: str | None
    ended_at: datetime | None
    ended_reason: str


def _view(row: Maintenance) -> MaintenanceView:
    return MaintenanceView(
        maintenance=row.public_id, organisation=row.organisation.public_id,
        machine=row.machine.public_id if row.machine else None,
        line=f"{row.line.plant.public_id}/{row.line.name}" if row.line else None,
        reason=row.reason, begun_by=row.begun_by.public_id, begun_at=row.begun_at, ends_at=row.ends_at,
        ended_by=row.ended_by.public_id if row.ended_by else None, ended_at=row.ended_at,
        ended_reason=row.ended_reason,
    )  # fmt: skip


class WhichMaintenance(Schema):
    holding: bool = False


@reads(router, "/maintenance", Leaf[MaintenanceView])
def maintenances(request: HttpRequest, place: Where, which: Query[WhichMaintenance]) -> Leaf[MaintenanceView]:
    """Newest first."""
    actor = person_of(request)
    found = plant_state.maintenance(actor)
    return leaf(
        actor, f"maintenance {which.holding}", found.holding(timezone.now()) if which.holding else found, place,
        lambda rows: [_view(row) for row in rows], newest_first=True,
    )  # fmt: skip


def _one(actor: Person, public_id: str) -> MaintenanceView:
    row = plant_state.maintenance(actor).filter(public_id=public_id).first()
    if row is None:
        raise NotFound(f"maintenance {public_id}")
    return _view(row)


@reads(router, "/maintenance/{maintenance}", MaintenanceView)
def maintenance(request: HttpRequest, maintenance: Id) -> MaintenanceView:
    return _one(person_of(request), maintenance)


class NewMaintenance(Reason):
    """Either a machine, by id, or a line, as `id of its plant/name`."""

    organisation: str = Field(max_length=24)
    machine: str = Field(default="", max_length=24)
    line: str = Field(default="", max_length=200)
    ends_at: AwareDatetime | None = None


@acts(router, "/maintenance", MaintenanceView, Scope.OPERATE)
def maintenance_begin(request: HttpRequest, given: NewMaintenance) -> MaintenanceView:
    """Rules that ask for it open."""
    actor = person_of(request)
    made = maintaining.begin_maintenance(
        actor=actor, organisation=given.organisation, machine=given.machine, line=given.line, reason=given.reason,
        ends_at=given.ends_at,
    )  # fmt: skip
    return _one(actor, made.public_id)


@acts(router, "/maintenance/{maintenance}/end", MaintenanceView, Scope.OPERATE)
def maintenance_end(request: HttpRequest, maintenance: Id, given: Reason) -> MaintenanceView:
    """What runs under rules that ask for it may finish."""
    actor = person_of(request)
    maintaining.end_maintenance(actor=actor, maintenance=maintenance, reason=given.reason)
    return _one(actor, maintenance)


class SignalView(Schema):
    """Of a machine, or of a whole line: `id of its plant/name`. ``state``: on, off, lost (not heard for five seconds),
    unheard (the server has just started). ``number``: of a coil or discrete input, from 0; ``place``: file or node.
    """

    signal: str
    organisation: str
    machine: str | None
    line: str | None
    gateway: str
    kind: str
    name: str
    source: str
    address: str
    port: int
    unit: int
    number: int
    place: str
    inverted: bool
    state: str
    state_at: datetime
    fault: str


def _signal_view(row: Signal) -> SignalView:
    return SignalView(
        signal=row.public_id, organisation=row.organisation.public_id,
        machine=row.machine.public_id if row.machine else None,
        line=f"{row.line.plant.public_id}/{row.line.name}" if row.line else None, gateway=row.gateway.public_id,
        kind=row.kind, name=row.name, source=row.source, address=row.address, port=row.port, unit=row.unit,
        number=row.number, place=row.place, inverted=row.inverted, state=row.state, state_at=row.state_at,
        fault=row.fault,
    )  # fmt: skip


@reads(router, "/signals", Leaf[SignalView])
def signals(request: HttpRequest, place: Where) -> Leaf[SignalView]:
    """Those that stand."""
    actor = person_of(request)
    found = plant_state.signals(actor).order_by("pk")
    return leaf(actor, "signals", found, place, lambda rows: [_signal_view(row) for row in rows])


def _signal(actor: Person, public_id: str) -> SignalView:
    row = plant_state.signals(actor).filter(public_id=public_id).first()
    if row is None:
        raise NotFound(f"signal {public_id}")
    return _signal_view(row)


@reads(router, "/signals/{signal}", SignalView)
def signal(request: HttpRequest, signal: Id) -> SignalView:
    return _signal(person_of(request), signal)


class NewSignal(Given):
    """Either of a machine, or of a line with the gateway that reads it."""

    organisation: str = Field(max_length=24)
    machine: str = Field(default="", max_length=24)
    line: str = Field(default="", max_length=200)
    gateway: str = Field(default="", max_length=24)
    kind: Signals
    name: str = Field(min_length=1, max_length=60)
    source: Literal["file", "modbus-coil", "modbus-discrete", "opcua-node"]
    address: str = Field(default="", max_length=45)
    port: int = Field(default=0, ge=0, le=65535)
    unit: int = Field(default=0, ge=0, le=255)
    number: int = Field(default=0, ge=0, le=65535)
    place: str = Field(default="", max_length=120)
    inverted: bool = False


@acts(router, "/signals", SignalView, Scope.ADMINISTER)
def signal_add(request: HttpRequest, given: NewSignal) -> SignalView:
    """Its gateway reads it from now on, each second."""
    actor = person_of(request)
    where = services.Where(
        given.source, given.address, given.port, given.unit, given.number, given.place, given.inverted
    )
    made = services.add_signal(
        actor=actor, organisation=given.organisation, kind=given.kind, name=given.name, where=where,
        machine=given.machine, line=given.line, gateway=given.gateway,
    )  # fmt: skip
    return _signal(actor, made.public_id)


class SignalRemoved(Schema):
    signal: str


@acts(router, "/signals/{signal}/remove", SignalRemoved, Scope.ADMINISTER)
def signal_remove(request: HttpRequest, signal: Id, given: Reason) -> SignalRemoved:
    """Rules that ask for its kind have one less there."""
    services.remove_signal(actor=person_of(request), signal=signal, reason=given.reason)
    return SignalRemoved(signal=signal)
