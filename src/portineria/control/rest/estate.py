# SPDX-License-Identifier: Apache-2.0
"""Plants, zones, lines, machines and gateways, as whoever asks sees them."""

from datetime import datetime
from typing import Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from portineria.control.access import queries as access
from portineria.control.access.profiles import opened_services
from portineria.control.access.queries import MachineSight
from portineria.control.console import rule_queries
from portineria.control.console.queries import shown_gateway_state
from portineria.control.estate import enrolment, queries
from portineria.control.estate.label import LABELS_PER_MACHINE
from portineria.control.estate.labels import set_labels, words_of
from portineria.control.estate.models import Gateway, Line, Plant, Service, Zone
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.control.remote_sessions.second_yes import foreseen
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Confirmed, Given, Id, Reason, acts, reads
from portineria.control.rest.reach import ReachView, reach_views
from portineria.policy.sight import Sight

router = Router(tags=["estate"])


class PlantView(Schema):
    plant: str
    organisation: str
    name: str
    time_zone: str


class ZoneView(Schema):
    plant: str
    name: str


class LineView(Schema):
    plant: str
    name: str
    zone: str | None


class ServiceView(Schema):
    """``address`` is for the owner's people."""

    service: str
    name: str
    protocol: str
    port: int
    device: str
    address: str | None


class MachineView(Schema):
    """Of a machine that may only be asked for: its name and whom to ask, nothing else. ``begin_by``: where the time
    granted, ``lasts_minutes``, counts from the first session and none was opened yet, instead of ``ends_at``.
    """

    machine: str
    name: str
    owner: str
    deputy: str | None
    sight: str
    max_minutes: int | None
    plant: str | None = None
    line: str | None = None
    zone: str | None = None
    tag: str | None = None
    gateway: str | None = None
    criticality: str | None = None
    recording: str | None = None
    grant: str | None = None
    ends_at: datetime | None = None
    begin_by: datetime | None = None
    lasts_minutes: int | None = None


class MachinePage(MachineView):
    """``labels``: for the owner's people."""

    services: list[ServiceView]
    labels: list[str]


class GatewayView(Schema):
    gateway: str
    plant: str
    name: str
    state: str
    version: str
    fingerprint: str
    relays: int
    last_seen_at: datetime | None


class Search(Schema):
    q: str = Field(default="", max_length=100, description="Words that all have to be there.")


def plant_views(rows: list[Plant]) -> list[PlantView]:
    return [
        PlantView(plant=row.public_id, organisation=row.organisation.public_id, name=row.name, time_zone=row.time_zone)
        for row in rows
    ]


@reads(router, "/plants", Leaf[PlantView])
def plants(request: HttpRequest, place: Where) -> Leaf[PlantView]:
    actor = person_of(request)
    return leaf(actor, "plants", queries.plants(actor), place, plant_views)


@reads(router, "/plants/{plant}", PlantView)
def plant(request: HttpRequest, plant: Id) -> PlantView:
    return plant_views([queries.plant(person_of(request), plant)])[0]


def _zone_views(rows: list[Zone]) -> list[ZoneView]:
    return [ZoneView(plant=row.plant.public_id, name=row.name) for row in rows]


@reads(router, "/zones", Leaf[ZoneView])
def zones(request: HttpRequest, place: Where) -> Leaf[ZoneView]:
    actor = person_of(request)
    return leaf(actor, "zones", queries.zones(actor), place, _zone_views)


def _line_views(rows: list[Line]) -> list[LineView]:
    return [
        LineView(plant=row.plant.public_id, name=row.name, zone=row.zone.name if row.zone else None) for row in rows
    ]


@reads(router, "/lines", Leaf[LineView])
def lines(request: HttpRequest, place: Where) -> Leaf[LineView]:
    actor = person_of(request)
    return leaf(actor, "lines", queries.lines(actor), place, _line_views)


def _machine_view(actor: Person, seen: MachineSight) -> MachineView:
    row = seen.machine
    view = MachineView(
        machine=row.public_id,
        name=row.name,
        owner=row.answering.name if row.answering else row.plant.organisation.name,
        deputy=row.deputy.name if row.deputy else None,
        sight=seen.sight.value,
        max_minutes=seen.max_minutes,
    )
    if _staff(actor, seen) or seen.sight is Sight.REACHABLE:
        view.plant, view.line, view.tag = row.plant.name, row.line.name if row.line else None, row.tag
        view.grant, view.ends_at = seen.grant, seen.ends_at
        view.begin_by, view.lasts_minutes = seen.begin_by, seen.lasts_minutes
    if _staff(actor, seen):
        view.zone = row.line.zone.name if row.line and row.line.zone else None
        view.gateway, view.criticality, view.recording = row.gateway.public_id, row.criticality, row.recording
    return view


def _staff(actor: Person, seen: MachineSight) -> bool:
    return seen.machine.plant.organisation_id in actor.sees(Power.ESTATE)


@reads(router, "/machines", Leaf[MachineView])
def machines(request: HttpRequest, place: Where, search: Query[Search]) -> Leaf[MachineView]:
    """A part may hold fewer than its limit: what is not to be seen is left out."""
    actor = person_of(request)
    found = access.machines_in_sight(actor, search.q)
    return leaf(
        actor, f"machines {search.q}", found, place,
        lambda rows: [_machine_view(actor, seen) for seen in access.sights(actor, rows)],
    )  # fmt: skip


def _service_view(row: Service, *, staff: bool) -> ServiceView:
    return ServiceView(
        service=row.public_id, name=row.name, protocol=row.protocol, port=row.port, device=row.device.name,
        address=str(row.device.address) if staff else None,
    )  # fmt: skip


@reads(router, "/machines/{machine}", MachinePage)
def machine(request: HttpRequest, machine: Id) -> MachinePage:
    """By id or exact name."""
    return machine_page(person_of(request), machine)


def machine_page(actor: Person, machine: str) -> MachinePage:
    seen = access.visible_machine(actor, machine)
    staff = _staff(actor, seen)
    told = staff or seen.sight is Sight.REACHABLE
    rows = queries.services_of(seen.machine) if told else []
    opened = rows if staff else opened_services(seen.grant, rows)
    services = [_service_view(row, staff=staff) for row in opened]
    labels = words_of(seen.machine) if staff else []
    return MachinePage(**_machine_view(actor, seen).model_dump(), services=services, labels=labels)


class Labels(Confirmed):
    """All of them anew: words of letters, digits, dots and hyphens."""

    labels: list[str] = Field(max_length=LABELS_PER_MACHINE)


@acts(router, "/machines/{machine}/labels", MachinePage, Scope.ADMINISTER)
def machine_labels(request: HttpRequest, machine: Id, given: Labels) -> MachinePage:
    """By its id. Rules that name one of them hold for this machine at once; more than five open sessions that rest on
    one taken away end only with a second yes.
    """
    actor = person_of(request)
    foreseen(
        lambda: set_labels(actor=actor, machine=machine, labels=given.labels), actor=actor,
        organisation=queries.machine(actor, machine).plant.organisation_id, confirmed=given.confirm,
    )  # fmt: skip
    return machine_page(actor, machine)


@reads(router, "/machines/{machine}/who", Leaf[ReachView])
def who(request: HttpRequest, machine: Id, place: Where) -> Leaf[ReachView]:
    """Everybody whom a rule lets ask for it, what each holds now, and what each rule would give."""
    actor = person_of(request)
    row = queries.machine(actor, machine)
    return leaf(
        actor, f"who {row.public_id}", rule_queries.could_reach(actor, row), place,
        lambda members: reach_views([(member, member.person, row) for member in members], timezone.now()),
    )  # fmt: skip


def _gateway_views(rows: list[Gateway]) -> list[GatewayView]:
    return [
        GatewayView(
            gateway=row.public_id, plant=row.plant.public_id, name=row.name, state=shown_gateway_state(row),
            version=row.version, fingerprint=row.fingerprint, relays=row.__dict__["linked"],  # by ``queries.gateways``
            last_seen_at=row.last_seen_at,
        )
        for row in rows
    ]  # fmt: skip


@reads(router, "/gateways", Leaf[GatewayView])
def gateways(request: HttpRequest, place: Where) -> Leaf[GatewayView]:
    actor = person_of(request)
    return leaf(actor, "gateways", queries.gateways(actor), place, _gateway_views)


def _gateway(actor: Person, gateway: str) -> GatewayView:
    return _gateway_views([queries.gateway(actor, gateway)])[0]


@reads(router, "/gateways/{gateway}", GatewayView)
def gateway(request: HttpRequest, gateway: Id) -> GatewayView:
    return _gateway(person_of(request), gateway)


class Admission(Given):
    compared: Literal[True] = Field(description="That the fingerprint is the one that the gateway shows.")


@acts(router, "/gateways/{gateway}/admit", GatewayView, Scope.ADMINISTER)
def gateway_admit(request: HttpRequest, gateway: Id, given: Admission) -> GatewayView:
    actor = person_of(request)
    enrolment.admit_gateway(actor=actor, gateway=gateway)
    return _gateway(actor, gateway)


@acts(router, "/gateways/{gateway}/refuse", GatewayView, Scope.ADMINISTER)
def gateway_refuse(request: HttpRequest, gateway: Id, given: Reason) -> GatewayView:
    actor = person_of(request)
    enrolment.refuse_gateway(actor=actor, gateway=gateway, reason=given.reason)
    return _gateway(actor, gateway)


@acts(router, "/gateways/{gateway}/revoke", GatewayView, Scope.ADMINISTER)
def gateway_revoke(request: HttpRequest, gateway: Id, given: Reason) -> GatewayView:
    """Its connections are closed and its sessions cut."""
    actor = person_of(request)
    enrolment.revoke_gateway(actor=actor, gateway=gateway, reason=given.reason)
    return _gateway(actor, gateway)
