# SPDX-License-Identifier: Apache-2.0
"""Plants, zones, lines, machines, devices, services. Done as the administrator who is named."""

import ipaddress
from functools import partial
from typing import Any

from portineria.control.declaration.document import (
    Declaration,
    DeclaredDevice,
    DeclaredMachine,
    DeclaredPlant,
    DeclaredService,
)
from portineria.control.declaration.labels import plan_labels
from portineria.control.declaration.people import role_after
from portineria.control.declaration.plan import Plan, Work
from portineria.control.declaration.present import MachineName, Present
from portineria.control.estate import services
from portineria.control.estate.answering import set_answering
from portineria.control.estate.free_reads import clean_free_reads
from portineria.control.estate.models import Device, Gateway, Machine, Service
from portineria.core.ids import Kind


def plan_plants(declaration: Declaration, present: Present, plan: Plan) -> None:
    for i, plant in enumerate(declaration.plant):
        place, row = f"plant[{i}]", present.plants.get(plant.name)
        if row is None:
            plan.add(place, f"plant {plant.name}, {plant.time_zone}", partial(_make_plant, plant=plant))
        elif row.time_zone != plant.time_zone:
            text = f"plant {plant.name}: time zone {row.time_zone} → {plant.time_zone}"
            plan.change(f"{place}.time_zone", text, partial(_change_plant, plant=plant))
        _plan_zones(place, plant, present.zones.get(plant.name, set()), plan)
        _plan_lines(place, plant, present.lines.get(plant.name, {}), plan)
    declared = {plant.name for plant in declaration.plant}
    plan.untouched += [f"plant {name}" for name in present.plants if name not in declared]


def _plan_zones(place: str, plant: DeclaredPlant, there: set[str], plan: Plan) -> None:
    for i, zone in enumerate(plant.zones):
        if zone.name not in there:
            act = partial(_make_zone, plant=plant.name, zone=zone.name)
            plan.add(f"{place}.zones[{i}]", f"zone {zone.name} of plant {plant.name}", act)
    declared = {zone.name for zone in plant.zones}
    plan.untouched += [f"zone {zone} of plant {plant.name}" for zone in sorted(there - declared)]


def _plan_lines(place: str, plant: DeclaredPlant, there: dict[str, str], plan: Plan) -> None:
    """``there``: name of the line, of its zone."""
    for j, line in enumerate(plant.lines):
        if line not in there:
            inside = plant.zone_of(line) or ""
            text = f"line {line} of plant {plant.name}" + (f", in zone {inside}" if inside else "")
            plan.add(f"{place}.lines[{j}]", text, partial(_make_line, plant=plant.name, line=line, zone=inside))
    for i, zone in enumerate(plant.zones):
        for j, line in enumerate(zone.lines):
            where = f"{place}.zones[{i}].lines[{j}]"
            if line not in (*there, *plant.lines):
                plan.faults.append(f"{where}: plant {plant.name} has no line {line}")
            elif there.get(line, zone.name) != zone.name:
                text = f"line {line} of plant {plant.name}: zone {there[line] or 'none'} → {zone.name}"
                plan.change(where, text, partial(_change_line, plant=plant.name, line=line, zone=zone.name))
    plan.untouched += [f"line {line} of plant {plant.name}" for line in sorted(there.keys() - set(plant.lines))]


def plan_machines(declaration: Declaration, present: Present, plan: Plan, *, before_gateways: bool) -> set[MachineName]:
    """Return the machines that wait for their gateway; none without ``before_gateways``."""
    waiting: set[MachineName] = set()
    for i, machine in enumerate(declaration.machine):
        place, name = f"machine[{i}]", (machine.plant, machine.name)
        faults = _unknown(place, machine, declaration, present)
        plan.faults += faults
        if faults:
            continue
        gateway = _gateway(place, machine, present, plan, may_wait=before_gateways)
        if gateway is not None:
            _plan_machine(place, machine, gateway, present, plan)
        elif before_gateways:
            waiting.add(name)
    declared = {(machine.plant, machine.name) for machine in declaration.machine}
    plan.untouched += [f"machine {'/'.join(name)}" for name in present.machines if name not in declared]
    return waiting


def _unknown(place: str, machine: DeclaredMachine, declaration: Declaration, present: Present) -> list[str]:
    """What this machine names and nobody has."""
    plant = next((plant for plant in declaration.plant if plant.name == machine.plant), None)
    if plant is None and machine.plant not in present.plants:
        return [f"{place}.plant: there is no plant {machine.plant}"]
    faults = []
    lines = {*present.lines.get(machine.plant, {}), *(plant.lines if plant else ())}
    if machine.line and machine.line not in lines:
        faults.append(f"{place}.line: plant {machine.plant} has no line {machine.line}")
    for field, email in (("answering", machine.answering), ("deputy", machine.deputy)):
        role = role_after(declaration, present.members.get(email), email) if email is not None else None
        if email is not None and (role is None or not role.staff):
            faults.append(f"{place}.{field}: {email} is nobody of {present.organisation.name}'s staff")
    return faults


def _gateway(
    place: str, machine: DeclaredMachine, present: Present, plan: Plan, *, may_wait: bool
) -> Gateway | None:  # fmt: skip
    """None when there is a fault, or when the machine has to wait for it."""
    called = [row for row in present.gateways if machine.gateway in (row.public_id, row.name)]
    here = [row for row in called if row.plant.name == machine.plant]
    if len(here) == 1:
        return here[0]
    place, by_id = f"{place}.gateway", machine.gateway.startswith(f"{Kind.GATEWAY}_")
    if here:
        ids = ", ".join(row.public_id for row in here)
        plan.faults.append(
            f"{place}: several of plant {machine.plant} are called {machine.gateway}; write an id: {ids}"
        )
    elif may_wait and not by_id and (machine.plant, machine.name) not in present.machines:
        plan.waiting.append(f"machine {machine.plant}/{machine.name} waits for gateway {machine.gateway}")
        return None
    else:
        elsewhere = f"; one of plant {called[0].plant.name} is" if called else ""
        plan.faults.append(
            f"{place}: no gateway of plant {machine.plant} is called {machine.gateway}{elsewhere}. "
            "Enrol it first, or leave its machines for later with --before-gateways"
        )
    return None


def _plan_machine(place: str, machine: DeclaredMachine, gateway: Gateway, present: Present, plan: Plan) -> None:
    name = (machine.plant, machine.name)
    row = present.machines.get(name)
    if row is None:
        text = f"machine {'/'.join(name)}, behind gateway {gateway.name}"
        plan.add(place, text, partial(_make_machine, machine=machine, gateway=gateway.public_id))
    else:
        _plan_behaviour(place, machine, gateway, row, plan)
    devices = {device.name: device for device in row.devices.all()} if row else {}
    plan_labels(place, machine, row, plan)
    for i, device in enumerate(machine.device):
        _plan_device(f"{place}.device[{i}]", name, device, devices.get(device.name), plan)
    declared = {device.name for device in machine.device}
    plan.untouched += [f"device {'/'.join((*name, other))}" for other in devices if other not in declared]


def _plan_behaviour(place: str, machine: DeclaredMachine, gateway: Gateway, row: Machine, plan: Plan) -> None:
    changes = [
        f"{field} {is_now or 'none'} → {wanted or 'none'}"
        for field, is_now in (("line", row.line.name if row.line else ""), ("tag", row.tag))
        if (wanted := getattr(machine, field)) not in (None, is_now)
    ]
    changes += [
        f"{field} {getattr(row, field)} → {wanted}"
        for field, wanted in _behaviour(machine).items()
        if wanted != getattr(row, field)
    ]
    if row.gateway_id != gateway.pk:
        changes.append(f"gateway {row.gateway.name} ({row.gateway.public_id}) → {gateway.name} ({gateway.public_id})")
    for field, email in (("answering", machine.answering), ("deputy", machine.deputy)):
        now = found.email if (found := getattr(row, field)) else "nobody"
        if email is not None and email != now:
            changes.append(f"{field} {now} → {email}")
    if changes:
        text = f"machine {machine.plant}/{machine.name}: {', '.join(changes)}"
        moved = gateway.public_id if row.gateway_id != gateway.pk else ""
        plan.change(place, text, partial(_change_machine, machine=machine, gateway=moved))


def _behaviour(machine: DeclaredMachine) -> dict[str, Any]:
    """Only what the file says."""
    fields = ("criticality", "drain_s", "hold_s", "on_silence", "recording")
    return {field: given for field in fields if (given := getattr(machine, field)) is not None}


def _plan_device(place: str, machine: MachineName, device: DeclaredDevice, row: Device | None, plan: Plan) -> None:
    path = (*machine, device.name)
    if row is None:
        text = f"device {'/'.join(path)} at {device.address}"
        plan.add(place, text, partial(_add_device, machine=machine, device=device))
    elif ipaddress.ip_address(row.address) != ipaddress.ip_address(device.address):
        text = f"device {'/'.join(path)}, sessions that reach it are ended: {row.address} → {device.address}"
        plan.change(f"{place}.address", text, partial(_change_device, path=path, address=device.address))
    there = {service.name: service for service in row.services.all()} if row else {}
    declared = {service.name for service in device.services}
    left = {service.port: service.name for service in there.values() if service.name not in declared}
    for i, service in enumerate(device.services):
        if service.port in left:
            inside = f"{place}.services[{i}].port"
            plan.faults.append(f"{inside}: {service.port} belongs to {left[service.port]}, which is there already")
    _plan_services(place, path, device, there, plan)
    plan.untouched += [f"service {'/'.join((*path, name))}" for name in left.values()]


def _plan_services(
    place: str, path: tuple[str, ...], device: DeclaredDevice, there: dict[str, Service], plan: Plan
) -> None:  # fmt: skip
    other = [
        (there[wanted.name], wanted)
        for wanted in device.services
        if wanted.name in there and _spoken_there(there[wanted.name]) != _spoken(wanted)
    ]
    if other:
        # In one step, the old ones first: two services may exchange their ports.
        text = ", ".join(f"{w.name} {_text(*_spoken_there(row))} → {_text(*_spoken(w))}" for row, w in other)
        gone = tuple(row.public_id for row, _ in other)
        act = partial(_replace_services, path=path, gone=gone, services_=tuple(wanted for _, wanted in other))
        plan.change(place, f"services of {'/'.join(path)}, sessions that reach them are ended: {text}", act)
    for i, service in enumerate(device.services):
        if service.name not in there:
            itself = f", itself {', '.join(service.own_routes)}" if service.own_routes else ""
            text = f"service {'/'.join((*path, service.name))}: {service.protocol} on port {service.port}{itself}"
            plan.add(f"{place}.services[{i}]", text, partial(_add_service, path=path, service=service))


Spoken = tuple[str, int, str, int, str]


def _spoken(service: DeclaredService) -> Spoken:
    routes, free = services.clean_routes(service.own_routes), clean_free_reads(service.free_reads)
    return service.protocol, service.port, routes, service.client_timeout, free


def _spoken_there(row: Service) -> Spoken:
    return row.protocol, row.port, row.own_routes, row.client_timeout_s, row.free_reads


def _text(protocol: str, port: int, own_routes: str, client_timeout: int, free_reads: str) -> str:
    itself = f" (itself {own_routes})" if own_routes else ""
    patience = f" (tools wait {client_timeout} s)" if client_timeout else ""
    free = f" (read freely {free_reads})" if free_reads else ""
    return f"{protocol} {port}{itself}{patience}{free}"


def _make_plant(work: Work, *, plant: DeclaredPlant) -> None:
    made = services.create_plant(
        actor=work.actor, organisation=work.organisation, name=plant.name, time_zone=plant.time_zone
    )
    work.ids["plant", plant.name] = made.public_id


def _change_plant(work: Work, *, plant: DeclaredPlant) -> None:
    services.change_plant(actor=work.actor, plant=work.ids["plant", plant.name], time_zone=plant.time_zone)


def _make_zone(work: Work, *, plant: str, zone: str) -> None:
    services.create_zone(actor=work.actor, plant=work.ids["plant", plant], name=zone)


def _make_line(work: Work, *, plant: str, line: str, zone: str) -> None:
    services.create_line(actor=work.actor, plant=work.ids["plant", plant], name=line, zone=zone)


def _change_line(work: Work, *, plant: str, line: str, zone: str) -> None:
    services.change_line(actor=work.actor, plant=work.ids["plant", plant], name=line, zone=zone)


def _make_machine(work: Work, *, machine: DeclaredMachine, gateway: str) -> None:
    made = services.create_machine(
        actor=work.actor,
        plant=work.ids["plant", machine.plant],
        gateway=gateway,
        name=machine.name,
        line=machine.line or "",
        tag=machine.tag or "",
        **_behaviour(machine),
    )
    work.ids["machine", machine.plant, machine.name] = made.public_id
    _set_answering(work, machine)


def _set_answering(work: Work, machine: DeclaredMachine) -> None:
    named = {"answering": machine.answering, "deputy": machine.deputy}
    given = {field: work.ids["person", email] for field, email in named.items() if email is not None}
    if given:
        set_answering(actor=work.actor, machine=work.ids["machine", machine.plant, machine.name], **given)


def _change_machine(work: Work, *, machine: DeclaredMachine, gateway: str) -> None:
    services.change_machine(
        actor=work.actor,
        machine=work.ids["machine", machine.plant, machine.name],
        gateway=gateway,
        line=machine.line,
        tag=machine.tag,
        **_behaviour(machine),
    )
    _set_answering(work, machine)


def _add_device(work: Work, *, machine: MachineName, device: DeclaredDevice) -> None:
    made = services.add_device(
        actor=work.actor, machine=work.ids["machine", *machine], name=device.name, address=device.address
    )
    work.ids["device", *machine, device.name] = made.public_id


def _change_device(work: Work, *, path: tuple[str, ...], address: str) -> None:
    services.change_device(actor=work.actor, device=work.ids["device", *path], address=address)


def _add_service(work: Work, *, path: tuple[str, ...], service: DeclaredService) -> None:
    services.add_service(
        actor=work.actor,
        device=work.ids["device", *path],
        name=service.name,
        protocol=service.protocol,
        port=service.port,
        own_routes=service.own_routes,
        client_timeout_s=service.client_timeout,
        free_reads=service.free_reads,
    )


def _replace_services(
    work: Work, *, path: tuple[str, ...], gone: tuple[str, ...], services_: tuple[DeclaredService, ...]
) -> None:  # fmt: skip
    for service in gone:
        services.remove_service(actor=work.actor, service=service)
    for declared in services_:
        _add_service(work, path=path, service=declared)
