# SPDX-License-Identifier: Apache-2.0
"""Fills an empty installation for the demo: ``python -m portineria.demo.seed STATE ACT [WORD …]``.

Runs in a process of its own, through the same services as the console, and prints JSON on stdout.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portineria.demo.plant.layout import Place, places

if TYPE_CHECKING:
    from portineria.control.estate.models import Plant
    from portineria.control.identity.models import Organisation, Person

ORGANISATION = "Demo Presses"
PLANTS = (("Torino", "Europe/Rome"), ("Nagoya", "Asia/Tokyo"))
LINE = "Line 3"
PASSWORD = "gatehouse demo only"  # noqa: S105 - printed by the demo; there is no other place where it opens anything
# A second factor that everybody can read is none: the demo says so. Base32, 160 bits.
PEOPLE = (
    ("Owner", "owner@example.com", "administrator", "", "PORTINERIADEMOOWNERAAAAAAAAAAAAA"),
    ("Shift leader", "approver@example.com", "approver", "", "PORTINERIADEMOAPPROVERAAAAAAAAAA"),
    ("Technician", "technician@example.com", "technician", "Drive Works", "PORTINERIADEMOTECHNICIANAAAAAAAA"),
    ("Rival", "rival@example.com", "technician", "Other Drives", "PORTINERIADEMORIVALAAAAAAAAAAAAA"),
)
PROTOCOLS = {
    "modbus": ("controller", "Modbus/TCP", "modbus"),
    "s7": ("drives", "S7 communication", "s7"),
    "opcua": ("press", "OPC UA", "opcua"),
    "ssh": ("maintenance-pc", "SSH", "ssh"),
    "http": ("panel", "Operator panel", "http"),
}


def people() -> dict[str, Any]:
    """The organisation, its suppliers and people, its plants, once; return one enrolment code per plant."""
    from portineria.control.estate import services as estate
    from portineria.control.identity import services as identity
    from portineria.control.identity.authority import Operator
    from portineria.control.identity.models import Role

    organisation = identity.create_organisation(actor=Operator(), name=ORGANISATION)
    suppliers: dict[str, str] = {"": ""}
    for name, mail, role, supplier, secret in PEOPLE:
        if supplier not in suppliers:
            made = identity.create_supplier(actor=Operator(), organisation=organisation.public_id, name=supplier)
            suppliers[supplier] = made.public_id
        person = identity.create_person(
            actor=Operator(),
            organisation=organisation.public_id,
            name=name,
            email=mail,
            role=Role(role),
            supplier=suppliers[supplier],
        )
        _give_credentials(person, secret)
    owner = _owner()
    for name, zone in PLANTS:
        plant = estate.create_plant(actor=owner, organisation=organisation.public_id, name=name, time_zone=zone)
        estate.create_line(actor=owner, plant=plant.public_id, name=LINE)
    return _codes(owner, organisation)


def _give_credentials(person: "Person", secret: str) -> None:
    from portineria.control.identity.authority import Operator
    from portineria.control.identity.first_run import set_password, set_totp

    set_password(actor=Operator(), person=person.public_id, password=PASSWORD)
    set_totp(actor=Operator(), person=person.public_id, secret=secret)


def _owner() -> "Person":
    from portineria.control.identity.models import Person

    return Person.objects.get(email=PEOPLE[0][1])


def _organisation() -> "Organisation":
    from portineria.control.identity.models import Organisation

    return Organisation.objects.get(name=ORGANISATION)


def _codes(owner: "Person", organisation: "Organisation") -> dict[str, Any]:
    from portineria.control.estate.enrolment import offer_enrolment

    return {row.name: offer_enrolment(actor=owner, plant=row.public_id)[0] for row in organisation.plants.all()}


def admit(*fingerprints: str) -> dict[str, Any]:
    """Admit the gateways that show these fingerprints, as the owner does after comparing; plant → id of its gateway."""
    from portineria.control.estate.enrolment import admit_gateway
    from portineria.control.estate.queries import waiting_gateways

    owner, admitted = _owner(), {}
    for row in waiting_gateways(owner).select_related("plant"):
        if row.fingerprint in fingerprints:
            admit_gateway(actor=owner, gateway=row.public_id)
            admitted[row.plant.name] = row.public_id
    return admitted


def machines(base: str, ports: str, *gateways: str) -> dict[str, Any]:
    """One machine per gateway, and the rule under which the first supplier may ask for them.

    ``base`` and ``ports`` ("standard" or "high") say where the devices are: see ``layout.places``.
    """
    from portineria.control.access.services import create_rule
    from portineria.control.estate.models import Plant
    from portineria.control.identity.models import Supplier

    owner, organisation = _owner(), _organisation()
    made = []
    devices = places(base, high_ports=ports == "high")
    for gateway in gateways:
        plant = Plant.objects.get(organisation=organisation, gateways__public_id=gateway)
        made.append(_machine(owner, plant, gateway, devices))
    supplier = Supplier.objects.get(organisation=organisation, name=PEOPLE[2][3])
    create_rule(
        actor=owner,
        organisation=organisation.public_id,
        machines=made,
        supplier=supplier.public_id,
        max_minutes=240,
        needs_approval=True,
    )
    return {"machines": made}


def single(gateway: str, address: str, port: str, name: str, drain_s: str = "0") -> dict[str, Any]:
    """One more machine with one plain TCP service, which the first supplier may use without an approval."""
    from portineria.control.access.services import create_rule
    from portineria.control.estate.models import Gateway
    from portineria.control.estate.services import add_device, add_service, create_machine
    from portineria.control.identity.models import Supplier

    owner, plant = _owner(), Gateway.objects.get(public_id=gateway).plant
    machine = create_machine(
        actor=owner, plant=plant.public_id, gateway=gateway, name=name, drain_s=int(drain_s)
    ).public_id
    device = add_device(actor=owner, machine=machine, name="device", address=address)
    add_service(actor=owner, device=device.public_id, name="raw", protocol="tcp", port=int(port))
    supplier = Supplier.objects.get(organisation=plant.organisation, name=PEOPLE[2][3])
    create_rule(
        actor=owner,
        organisation=plant.organisation.public_id,
        machines=[machine],
        supplier=supplier.public_id,
        max_minutes=480,
        needs_approval=False,
    )
    return {"machine": machine}


def _machine(owner: "Person", plant: "Plant", gateway: str, devices: tuple[Place, ...]) -> str:
    from portineria.control.estate.services import add_device, add_service, create_machine

    machine = create_machine(
        actor=owner,
        plant=plant.public_id,
        gateway=gateway,
        name=f"{plant.name} press 3",
        line=LINE,
        tag=f"{plant.name[0]}-L3-P3",
        criticality="high",
        answering=owner.public_id,
        drain_s=120,
    ).public_id
    for place in devices:
        device_name, service_name, protocol = PROTOCOLS[place.protocol]
        device = add_device(actor=owner, machine=machine, name=device_name, address=place.address)
        add_service(actor=owner, device=device.public_id, name=service_name, protocol=protocol, port=place.port)
    return machine


def main(state: str, what: str, *more: str) -> int:
    from portineria.control.operations import open_state

    open_state(Path(state))
    acts: dict[str, Callable[..., dict[str, Any]]] = {act.__name__: act for act in (people, admit, machines, single)}
    sys.stdout.write(json.dumps(acts[what](*more)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
