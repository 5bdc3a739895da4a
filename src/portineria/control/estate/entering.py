# SPDX-License-Identifier: Apache-2.0
"""A whole machine in one act: with its line, its first device and what is spoken there."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from portineria.control.estate.models import Gateway, Machine, Service
from portineria.control.estate.services import add_device, add_service, create_line, create_machine, machine_to_change
from portineria.control.identity.models import Person
from portineria.control.identity.services import BadField
from portineria.core.errors import NotFound

# What is spoken at a device, as a service names it, and its registered port.
USUAL = {
    "modbus": 502, "s7comm": 102, "opcua": 4840, "cip": 44818, "iec104": 2404, "dnp3": 20000,
    "ssh": 22, "https": 443, "http": 80, "rdp": 3389, "vnc": 5900,
}  # fmt: skip
MOST_AT_ONCE = 32  # services of a machine that is entered by hand


@dataclass(frozen=True, slots=True)
class Spoken:
    """``port`` 0: the registered one. ``name``: empty for that of the protocol."""

    protocol: str
    port: int = 0
    name: str = ""


@transaction.atomic
def enter_machine(
    *, actor: Person, gateway: str, name: str, address: str, speaks: Iterable[Spoken], line: str = "", tag: str = ""
) -> Machine:
    """Behind this gateway, in its plant. A ``line`` of which the plant has none yet is made. Raise NotFound, BadField,
    NameTaken; then nothing of it was made.
    """
    wanted = list(speaks)
    if not 1 <= len(wanted) <= MOST_AT_ONCE:
        raise BadField("services", f"1 to {MOST_AT_ONCE}: without any nobody can reach the machine")
    row = Gateway.objects.filter(plant__organisation__in=actor.staff_of, public_id=gateway).first()
    if row is None:
        raise NotFound(f"gateway {gateway}")
    plant, line = row.plant, line.strip()
    if line and not plant.lines.filter(name=line).exists():
        line = create_line(actor=actor, plant=plant.public_id, name=line).name
    machine = create_machine(
        actor=actor, plant=plant.public_id, gateway=gateway, name=name, line=line, tag=tag.strip()
    )  # fmt: skip
    device = add_device(actor=actor, machine=machine.public_id, name=machine.name, address=address)
    for one in wanted:
        _speak(actor, device.public_id, one)
    return machine


@transaction.atomic
def enter_service(*, actor: Person, machine: str, address: str, spoken: Spoken) -> Service:
    """At the machine's device with this address, which is made if there is none."""
    row = machine_to_change(actor, machine)
    device = next((each for each in row.devices.order_by("pk") if str(each.address) == address.strip()), None)
    if device is None:
        taken = row.devices.filter(name=row.name).exists()
        named = address.strip() if taken else row.name
        device = add_device(actor=actor, machine=machine, name=named, address=address)
    return _speak(actor, device.public_id, spoken)


def _speak(actor: Person, device: str, spoken: Spoken) -> Service:
    port = spoken.port or USUAL.get(spoken.protocol, 0)
    return add_service(
        actor=actor, device=device, name=spoken.name or spoken.protocol, protocol=spoken.protocol, port=port
    )
