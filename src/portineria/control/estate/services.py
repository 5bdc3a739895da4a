# SPDX-License-Identifier: Apache-2.0
"""Building the estate: plants, machines, devices, services."""

import ipaddress
from collections.abc import Iterable
from typing import Any

from django.db import transaction

from portineria.control.audit.services import record
from portineria.control.estate.free_reads import clean_free_reads
from portineria.control.estate.models import (
    Criticality,
    Device,
    Gateway,
    GatewayState,
    Line,
    Machine,
    OnSilence,
    Plant,
    RecordingMode,
    Service,
    Zone,
)
from portineria.control.identity.authority import administers, organisation_of, require
from portineria.control.identity.models import STAFF_PEOPLE, Membership, Person
from portineria.control.identity.services import BadField, NameTaken, clean_name
from portineria.core.errors import NotFound
from portineria.core.time_zones import time_zones

SERVICES_PER_MACHINE = 256  # wire.statement.Order holds no more assets
CLIENT_TIMEOUT_S = 600  # nobody's tool waits longer for one answer


@transaction.atomic
def create_plant(*, actor: Person, organisation: str, name: str, time_zone: str) -> Plant:
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    name = clean_name(name)
    _check_time_zone(time_zone)
    if Plant.objects.filter(organisation=owner, name=name).exists():
        raise NameTaken(f"plant {name!r}")
    plant = Plant.objects.create(organisation=owner, name=name, time_zone=time_zone)
    record(
        "estate.plant.created",
        organisation=owner.public_id,
        actor=actor.public_id,
        plant=plant.public_id,
        name=name,
        time_zone=time_zone,
    )
    return plant


def _check_time_zone(time_zone: str) -> None:
    if time_zone not in time_zones():
        raise BadField("time_zone", "not a name of the tz database")


@transaction.atomic
def change_plant(*, actor: Person, plant: str, time_zone: str) -> Plant:
    """Only how times are written changes; a grant begins and ends at the same moments as before."""
    row = plant_to_change(actor, plant)
    _check_time_zone(time_zone)
    before, row.time_zone = row.time_zone, time_zone
    row.save(update_fields=["time_zone"])
    record(
        "estate.plant.changed",
        organisation=row.organisation.public_id,
        actor=actor.public_id,
        plant=plant,
        time_zone=time_zone,
        previous_time_zone=before,
    )
    return row


def plant_to_change(actor: Person, plant: str) -> Plant:
    found = Plant.objects.visible_to(actor).select_related("organisation").filter(public_id=plant).first()
    if found is None:
        raise NotFound(f"plant {plant}")
    require(actor, found.organisation_id, administers)
    return found


@transaction.atomic
def create_zone(*, actor: Person, plant: str, name: str) -> Zone:
    place, name = plant_to_change(actor, plant), clean_name(name)
    if place.zones.filter(name=name).exists():
        raise NameTaken(f"zone {name!r}")
    zone = Zone.objects.create(plant=place, name=name)
    record(
        "estate.zone.created",
        organisation=place.organisation.public_id,
        actor=actor.public_id,
        plant=plant,
        name=name,
    )
    return zone


@transaction.atomic
def create_line(*, actor: Person, plant: str, name: str, zone: str = "") -> Line:
    """``zone`` is the name of one of this plant."""
    place, name = plant_to_change(actor, plant), clean_name(name)
    if place.lines.filter(name=name).exists():
        raise NameTaken(f"line {name!r}")
    line = Line.objects.create(plant=place, zone=_zone_of(place, zone), name=name)
    record(
        "estate.line.created",
        organisation=place.organisation.public_id,
        actor=actor.public_id,
        plant=plant,
        name=name,
        zone=zone,
    )
    return line


@transaction.atomic
def change_line(*, actor: Person, plant: str, name: str, zone: str) -> Line:
    """Its machines stand in the other zone with it, and so do rules that name a zone. An empty ``zone``: in none."""
    place = plant_to_change(actor, plant)
    line = place.lines.select_for_update(of=("self",), no_key=True).select_related("zone").filter(name=name).first()
    if line is None:
        raise NotFound(f"line {name!r}")
    before, line.zone = line.zone, _zone_of(place, zone)
    line.save(update_fields=["zone"])
    record(
        "estate.line.changed",
        organisation=place.organisation.public_id,
        actor=actor.public_id,
        plant=plant,
        name=name,
        zone=zone,
        previous_zone=before.name if before else "",
    )
    return line


def _zone_of(plant: Plant, zone: str) -> Zone | None:
    row = plant.zones.filter(name=zone).first() if zone else None
    if zone and row is None:
        raise NotFound(f"zone {zone!r}")
    return row


@transaction.atomic
def create_machine(
    *, actor: Person, plant: str, gateway: str, name: str, line: str = "", tag: str = "",
    criticality: str = "normal", answering: str = "", drain_s: int = 600, hold_s: int = 60, on_silence: str = "drain",
    recording: str = "none",
) -> Machine:  # fmt: skip
    """``line`` is the name of one of this plant, ``answering`` a person of the owner's staff."""
    place, name = plant_to_change(actor, plant), clean_name(name)
    if place.machines.filter(name=name).exists():
        raise NameTaken(f"machine {name!r}")
    machine = Machine(plant=place, name=name)
    machine.gateway = _gateway_of(place, gateway)
    machine.line, machine.tag = _line_of(place, line), _clean_tag(tag)
    machine.answering = answering_of(place, answering)
    _set_behaviour(machine, criticality=criticality, drain_s=drain_s, hold_s=hold_s, on_silence=on_silence,
                   recording=recording)  # fmt: skip
    machine.save()
    record(
        "estate.machine.created",
        organisation=place.organisation.public_id,
        actor=actor.public_id,
        machine=machine.public_id,
        plant=plant,
        line=line,
        name=name,
        tag=machine.tag,
        gateway=gateway,
    )
    return machine


def _gateway_of(plant: Plant, gateway: str) -> Gateway:
    found = plant.gateways.exclude(state__in=[GatewayState.REFUSED, GatewayState.REVOKED]).filter(public_id=gateway)
    row = found.first()
    if row is None:
        raise NotFound(f"gateway {gateway}")
    return row


def _line_of(plant: Plant, line: str) -> Line | None:
    row = plant.lines.filter(name=line).first() if line else None
    if line and row is None:
        raise NotFound(f"line {line!r}")
    return row


def _clean_tag(tag: str) -> str:
    return clean_name(tag, "tag", characters=60) if tag else ""


def answering_of(plant: Plant, person: str) -> Person | None:
    if not person:
        return None
    members = Membership.objects.filter(
        organisation=plant.organisation_id, role__in=STAFF_PEOPLE, person__public_id=person,
        person__disabled_at__isnull=True,
    )  # fmt: skip
    found = members.select_related("person").first()
    if found is None:
        raise NotFound(f"person {person}")
    return found.person


def _set_behaviour(
    machine: Machine, *, criticality: str, drain_s: int, hold_s: int, on_silence: str, recording: str
) -> None:
    if criticality not in Criticality.values:
        raise BadField("criticality", "low, normal or high")
    if on_silence not in OnSilence.values:
        raise BadField("on_silence", "drain, cut or until_expiry")
    if not 0 <= drain_s <= 86400:
        raise BadField("drain_s", "0 to 86400 seconds")
    if not 0 <= hold_s <= 3600:
        raise BadField("hold_s", "0 to 3600 seconds")
    if recording not in RecordingMode.values:
        raise BadField("recording", "none, full or strict")
    machine.recording = recording
    machine.criticality, machine.drain_s, machine.hold_s, machine.on_silence = criticality, drain_s, hold_s, on_silence


def machine_to_change(actor: Person, machine: str) -> Machine:
    found = (
        Machine.objects.visible_to(actor)
        .select_for_update(of=("self",), no_key=True)
        .select_related("plant__organisation")
    )
    row = found.filter(public_id=machine).first()
    if row is None:
        raise NotFound(f"machine {machine}")
    require(actor, row.plant.organisation_id, administers)
    return row


@transaction.atomic
def change_machine(
    *, actor: Person, machine: str, gateway: str = "", criticality: str | None = None, drain_s: int | None = None,
    hold_s: int | None = None, on_silence: str | None = None, line: str | None = None, tag: str | None = None,
    recording: str | None = None,
) -> Machine:  # fmt: skip
    """What is not given stays; an empty ``line`` or ``tag`` takes it away. Sessions behind another gateway drain."""
    row = machine_to_change(actor, machine)
    given: dict[str, Any] = {
        "criticality": criticality, "drain_s": drain_s, "hold_s": hold_s, "on_silence": on_silence,
        "recording": recording,
    }  # fmt: skip
    wanted = {name: getattr(row, name) if value is None else value for name, value in given.items()}
    _set_behaviour(row, **wanted)
    changed = [name for name, value in given.items() if value is not None]
    if gateway:
        row.gateway = _gateway_of(row.plant, gateway)
        changed.append("gateway")
    if line is not None:
        row.line = _line_of(row.plant, line)
        changed.append("line")
    if tag is not None:
        row.tag = _clean_tag(tag)
        changed.append("tag")
    row.save()
    record(
        "estate.machine.changed",
        organisation=row.plant.organisation.public_id,
        actor=actor.public_id,
        machine=machine,
        changed=" ".join(changed),
    )
    return row


@transaction.atomic
def add_device(*, actor: Person, machine: str, name: str, address: str) -> Device:
    row, name = machine_to_change(actor, machine), clean_name(name)
    if row.devices.filter(name=name).exists():
        raise NameTaken(f"device {name!r}")
    address = _clean_address(address)
    device = Device.objects.create(machine=row, name=name, address=address)
    record(
        "estate.device.created",
        organisation=row.plant.organisation.public_id,
        actor=actor.public_id,
        machine=machine,
        device=device.public_id,
        name=name,
        address=address,
    )
    return device


def _clean_address(text: str) -> str:
    try:
        parsed = ipaddress.ip_address(text.strip())
    except ValueError as error:
        raise BadField("address", "an IPv4 or IPv6 address; gateways ask no name server") from error
    if parsed.is_multicast or parsed.is_unspecified:
        raise BadField("address", "not the address of one device")
    return str(parsed)


@transaction.atomic
def change_device(*, actor: Person, device: str, address: str) -> Device:
    """Sessions that reach it drain: they were granted for what stood at the old address."""
    found = Device.objects.filter(machine__plant__organisation__in=actor.staff_of, public_id=device).first()
    if found is None:
        raise NotFound(f"device {device}")
    machine = machine_to_change(actor, found.machine.public_id)
    before, found.address = found.address, _clean_address(address)
    found.save(update_fields=["address"])
    record(
        "estate.device.changed",
        organisation=machine.plant.organisation.public_id,
        actor=actor.public_id,
        machine=machine.public_id,
        device=device,
        name=found.name,
        address=found.address,
        previous_address=before,
    )
    return found


@transaction.atomic
def add_service(
    *, actor: Person, device: str, name: str, protocol: str, port: int, own_routes: Iterable[str] = (),
    client_timeout_s: int = 0, free_reads: Iterable[str] = (),
) -> Service:  # fmt: skip
    """``own_routes``: which mean the device itself, where its protocol does not say so ("unit 1").

    ``client_timeout_s``: how long the technician's tool waits for an answer, where somebody knows.
    ``free_reads``: what may be read without a side effect ("holding 100-119").
    """
    found = Device.objects.filter(machine__plant__organisation__in=actor.staff_of, public_id=device).first()
    if found is None:
        raise NotFound(f"device {device}")
    machine = machine_to_change(actor, found.machine.public_id)
    name, protocol = clean_name(name, characters=60), clean_name(protocol, "protocol", characters=24)
    if not 1 <= port <= 65535:
        raise BadField("port", "1 to 65535")
    if not 0 <= client_timeout_s <= CLIENT_TIMEOUT_S:
        raise BadField("client_timeout", f"0 to {CLIENT_TIMEOUT_S} seconds")
    if found.services.filter(port=port).exists() or found.services.filter(name=name).exists():
        raise NameTaken(f"service {name!r} or port {port}")
    if Service.objects.filter(device__machine=machine).count() >= SERVICES_PER_MACHINE:
        raise BadField("device", f"a machine has at most {SERVICES_PER_MACHINE} services")
    told: dict[str, Any] = {
        "name": name, "protocol": protocol, "port": port, "own_routes": clean_routes(own_routes),
        "client_timeout_s": client_timeout_s, "free_reads": clean_free_reads(free_reads),
    }  # fmt: skip
    service = Service.objects.create(device=found, **told)
    record(
        "estate.service.created", organisation=machine.plant.organisation.public_id, actor=actor.public_id,
        machine=machine.public_id, device=device, service=service.public_id, transport=service.transport, **told,
    )  # fmt: skip
    return service


def clean_routes(routes: Iterable[str]) -> str:
    """Apart by commas. Raise BadField."""
    named = [clean_name(route, "own_routes", characters=64) for route in routes]
    joined = ", ".join(named)
    if any("," in route for route in named) or len(joined) > 200 or len(named) > 16:
        raise BadField("own_routes", "at most 16 routes without commas, 200 characters in all")
    return joined


@transaction.atomic
def remove_service(*, actor: Person, service: str) -> None:
    """Sessions that reach it drain."""
    row = Service.objects.filter(device__machine__plant__organisation__in=actor.staff_of, public_id=service).first()
    if row is None:
        raise NotFound(f"service {service}")
    machine = machine_to_change(actor, row.device.machine.public_id)
    record(
        "estate.service.removed",
        organisation=machine.plant.organisation.public_id,
        actor=actor.public_id,
        machine=machine.public_id,
        device=row.device.public_id,
        service=service,
        name=row.name,
    )
    row.delete()
