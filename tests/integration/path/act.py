# SPDX-License-Identifier: Apache-2.0
"""Somebody of the plant changes something, in a process of their own: ``STATE ACT [WORD …]``; prints JSON.

``STATE`` alone: one act after another, each a line of JSON on standard input. To start Django costs a second.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def drain_seconds(machine: str, seconds: str) -> Any:
    from portineria.control.estate.services import change_machine

    return change_machine(actor=_owner(), machine=_machine(machine), drain_s=int(seconds)).drain_s


def hold_seconds(machine: str, seconds: str) -> Any:
    from portineria.control.estate.services import change_machine

    return change_machine(actor=_owner(), machine=_machine(machine), hold_s=int(seconds)).hold_s


def record_machine(machine: str, mode: str) -> Any:
    from portineria.control.estate.services import change_machine

    return change_machine(actor=_owner(), machine=_machine(machine), recording=mode).recording


def kept(session: str) -> Any:
    """How each recording of a session ended, as far as it is on the server."""
    from portineria.control.remote_sessions.models import Recording

    rows = Recording.objects.visible_to(_owner()).filter(session__public_id=session).order_by("pk")
    return [row.end for row in rows]


def look(session: str, mail: str) -> Any:
    """Somebody asks to look through a recording, and the owner, who is guardian here, says yes."""
    from portineria.control.identity.models import Person
    from portineria.control.privacy.duties import appoint
    from portineria.control.privacy.models import Duty
    from portineria.control.remote_sessions import playback

    reader, owner = Person.objects.get(email=mail), _owner()
    organisation = owner.memberships.get().organisation.public_id
    appoint(actor=owner, organisation=organisation, person=reader.public_id, duty=Duty.READER)
    appoint(actor=owner, organisation=organisation, person=owner.public_id, duty=Duty.GUARDIAN)
    asked = playback.ask(actor=reader, session=session, reason="fault", reference="INC-1", hours=4)
    return playback.decide(actor=owner, playback=asked.public_id, allowed=True).public_id


def revoke_grants(machine: str) -> Any:
    from portineria.control.access.queries import live_grants
    from portineria.control.access.services import revoke

    found = [grant.public_id for grant in live_grants(_owner()) if grant.machine.name == machine]
    for grant in found:
        revoke(actor=_owner(), grant=grant, reason="work is done")
    return found


def set_supplier(name: str, enabled: str) -> Any:
    from portineria.control.identity.queries import suppliers
    from portineria.control.identity.services import set_supplier_enabled

    supplier = next(row for row in suppliers(_owner()) if row.name == name)
    set_supplier_enabled(actor=_owner(), supplier=supplier.public_id, enabled=enabled == "yes", reason="test")
    return supplier.public_id


def chain(*_: str) -> Any:
    """How many events the organisation's chain has; raises when it is broken."""
    from portineria.control.audit.verification import verify_chain

    return verify_chain(_owner().memberships.get().organisation.public_id)


def inspected(like: str, name: str, profile: str) -> Any:
    """A machine of the controller and the drives of ``like``, under a profile and without approval."""
    from portineria.control.access.services import create_rule
    from portineria.control.estate.queries import machine, machines
    from portineria.control.estate.services import add_device, add_service, create_machine
    from portineria.control.identity.queries import suppliers

    row = next(row for row in machines(_owner()) if row.name == like)
    made = create_machine(
        actor=_owner(), plant=row.plant.public_id, gateway=row.gateway.public_id, name=name, drain_s=60
    ).public_id
    for protocol, own in (("modbus", ["unit 1"]), ("s7", []), ("opcua", [])):
        found = machine(_owner(), row.public_id).devices.get(services__protocol=protocol)
        device = add_device(actor=_owner(), machine=made, name=found.name, address=found.address).public_id
        port = found.services.get(protocol=protocol).port
        add_service(actor=_owner(), device=device, name=protocol, protocol=protocol, port=port, own_routes=own)
    rule = create_rule(
        actor=_owner(), organisation=row.plant.organisation.public_id, machines=[made], needs_approval=False,
        supplier=next(iter(suppliers(_owner()))).public_id, profile=profile,
    )  # fmt: skip
    return {"machine": made, "rule": rule.public_id}


def inspected_single(gateway: str, address: str, port: str, name: str) -> Any:
    """A machine with one Modbus service, strictly recorded, under what ``observe`` admits and some setpoints."""
    from portineria.control.access.services import create_rule
    from portineria.control.estate.models import Gateway
    from portineria.control.estate.services import add_device, add_service, change_machine, create_machine
    from portineria.control.identity.queries import suppliers

    plant = Gateway.objects.get(public_id=gateway).plant
    make_profile("setpoints", "write on holding 100-119 between 0 and 500 at most 1000000 per 1 s", "stop")
    made = create_machine(actor=_owner(), plant=plant.public_id, gateway=gateway, name=name).public_id
    device = add_device(actor=_owner(), machine=made, name="device", address=address).public_id
    add_service(actor=_owner(), device=device, name="modbus", protocol="modbus", port=int(port))
    change_machine(actor=_owner(), machine=made, recording="strict")
    return create_rule(
        actor=_owner(), organisation=plant.organisation.public_id, machines=[made], needs_approval=False,
        max_minutes=480, supplier=next(iter(suppliers(_owner()))).public_id, profile="setpoints",
    ).public_id  # fmt: skip


def make_profile(name: str, allow: str, hold: str) -> Any:
    """What ``observe`` admits, and one line of each kind."""
    from portineria.control.access.profiles import set_profile
    from portineria.policy.function_profile import OBSERVING
    from portineria.policy.profile_text import parse_clause

    owner, allowed, held = _owner(), parse_clause(allow), parse_clause(hold)
    organisation = owner.memberships.get().organisation.public_id
    return set_profile(
        actor=owner, organisation=organisation, name=name, clauses=[*OBSERVING, allowed], hold=[held]
    ).public_id


def add_service_to(name: str, protocol: str, port: str, own: str) -> Any:
    """Another service of the controller of this machine. ``own``: the route that means the device itself."""
    from portineria.control.estate.queries import machine
    from portineria.control.estate.services import add_service

    device = machine(_owner(), _machine(name)).devices.get(name="controller").public_id
    made = add_service(
        actor=_owner(), device=device, name=protocol, protocol=protocol, port=int(port), own_routes=[own]
    )
    return made.public_id


def consent(machine: str, rule: str) -> Any:
    """A button, read from a file at the gateway, which its rule asks for, and a coil of the machine's controller."""
    from portineria.control.access.rules import Conditions, change_rule
    from portineria.control.access.signals import Where, add_signal
    from portineria.control.estate.queries import machine as machine_of

    row = machine_of(_owner(), machine)
    device = row.devices.get(services__protocol="modbus")
    coil = Where("modbus-coil", device.address, device.services.get(protocol="modbus").port, 1, 0)
    for kind, where in (("button", Where("file", place="button")), ("guard", coil)):
        add_signal(actor=_owner(), organisation=row.plant.organisation.public_id, kind=kind, name=kind, where=where,
                   machine=machine)  # fmt: skip
    return change_rule(actor=_owner(), rule=rule, conditions=Conditions(signals="button")).signals


def set_rule_profile(rule: str, profile: str) -> Any:
    from portineria.control.access.services import change_rule

    return str(change_rule(actor=_owner(), rule=rule, profile=profile).profile)


def told(session: str, code: str) -> Any:
    """The fields of the events of this kind, oldest first."""
    from portineria.control.audit import queries

    found = queries.events(_owner(), session=session).filter(code=code)
    return [dict(view.fields) for view in queries.views(found[:100])][::-1]


def events(session: str) -> Any:
    from portineria.control.audit import queries

    return [event.code for event in queries.events(_owner(), session=session)][::-1]


def codes(gateway: str) -> Any:
    """Of what its register says about this gateway."""
    from portineria.control.audit import queries

    return [event.code for event in queries.events(_owner(), gateway=gateway)]


def links(machine: str) -> Any:
    """Over how many relays the server knows the machine's gateway to be there."""
    from portineria.control.estate.queries import machines

    row = next(row for row in machines(_owner()) if row.name == machine)
    return row.gateway.links.count()


def _owner() -> Any:
    from portineria.control.identity.models import Person

    return Person.objects.get(email="owner@example.com")


def _machine(name: str) -> str:
    from portineria.control.estate.queries import machines

    return next(str(row.public_id) for row in machines(_owner()) if row.name == name)


_ACTS = (drain_seconds, hold_seconds, revoke_grants, set_supplier, chain, events, links, look)


def main(state: str, *command: str) -> None:
    from django.db import connections

    from portineria.control.operations import open_state

    open_state(Path(state))
    known = (*_ACTS, codes, record_machine, kept, inspected, set_rule_profile, told, make_profile, add_service_to,
             consent, inspected_single)  # fmt: skip
    acts: dict[str, Callable[..., Any]] = {act.__name__: act for act in known}
    for what, *words in [command] if command else map(json.loads, sys.stdin):
        print(json.dumps(acts[what](*words)), flush=True)
        connections.close_all()  # whoever puts another database in its place is not in the way of this one


if __name__ == "__main__":
    main(*sys.argv[1:])
