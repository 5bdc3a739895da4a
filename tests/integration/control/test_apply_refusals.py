# SPDX-License-Identifier: Apache-2.0
"""What a declaration may not say: every fault with its place, and nothing is changed."""

from __future__ import annotations

from portineria.control.estate import services as estate
from portineria.control.estate.enrolment import revoke_gateway
from portineria.control.estate.models import Gateway
from portineria.control.identity.models import Organisation
from tests.integration.control.declared import ADDED, PERSON, PLC, PRESS, counts, faults, proposal
from tests.integration.control.world import World, admitted_gateway


def test_a_gateway_of_another_plant_is_refused(world: World) -> None:
    south = estate.create_plant(actor=world.owner, organisation=world.organisation, name="South", time_zone="UTC")
    there = admitted_gateway(world.owner, south.public_id).id
    Gateway.objects.filter(public_id=there).update(name="cabinet 9")
    for gateway in ("cabinet 9", there):
        (fault,) = faults(PRESS.replace("cabinet 4", gateway))
        assert fault.startswith(
            f"machine[0].gateway: no gateway of plant North is called {gateway}; one of plant South"
        )
    new = '[[machine]]\nplant = "North"\nname = "Press 5"\ngateway = "' + there + '"\n'
    assert faults(new, before_gateways=True)[0].startswith("machine[0].gateway: no gateway of plant North")


def test_a_gateway_of_another_organisation_does_not_exist(world: World) -> None:
    other = Organisation.objects.get(name="Somebody else's").public_id
    plant = estate.create_plant(actor=world.stranger, organisation=other, name="Theirs", time_zone="UTC").public_id
    theirs = admitted_gateway(world.stranger, plant).id
    (fault,) = faults(PRESS.replace("cabinet 4", theirs))
    assert "Theirs" not in fault
    assert fault.startswith(f"machine[0].gateway: no gateway of plant North is called {theirs}. Enrol it first")


def test_two_gateways_of_one_name_are_told_apart_by_id(world: World) -> None:
    other = admitted_gateway(world.owner, world.plant).id
    (fault,) = faults(PRESS)
    assert fault.startswith("machine[0].gateway: several of plant North are called cabinet 4; write an id: ")
    revoke_gateway(actor=world.owner, gateway=other, reason="stolen")
    assert proposal(PRESS).empty


def test_everything_that_does_not_exist_is_reported_at_once(world: World) -> None:
    text = PRESS.replace("North", "West") + '[[machine]]\nplant = "North"\nname = "Press 5"\ngateway = "cabinet 4"\n'
    text += 'line = "Line 7"\nanswering = "technician@example.com"\n'
    text += PERSON.format("newcomer", "technician") + 'supplier = "Nobody & Co"\n'
    text += '[[rule]]\nsupplier = "Nobody & Co"\nmachines = ["Press 9"]\n'
    text += '[[rule]]\nperson = "stranger@example.com"\nmachines = ["Press 3"]\n'
    assert faults(text) == [
        "person[0].supplier: there is no supplier Nobody & Co",
        "machine[0].plant: there is no plant West",
        "machine[1].line: plant North has no line Line 7",
        "machine[1].answering: technician@example.com is nobody of Owner's plant's staff",
        "rule[0].supplier: there is no supplier Nobody & Co",
        "rule[0].machines[0]: there is no machine Press 9",
        "rule[1].person: there is no person stranger@example.com",
        "rule[1].machines[0]: several are called Press 3; write one of North/Press 3, West/Press 3",
    ]


def test_a_line_that_does_not_exist_is_refused(world: World) -> None:
    assert faults(PRESS + 'line = "Line 8"\n') == ["machine[0].line: plant North has no line Line 8"]


def test_a_port_of_a_service_outside_the_file_is_not_taken(world: World) -> None:
    text = PRESS + PLC + 'services = [{ name = "other", protocol = "modbus", port = 502 }]'
    assert faults(text) == [
        "machine[0].device[0].services[0].port: 502 belongs to modbus, which is there already",
    ]


def test_a_refusal_of_a_service_names_its_place_and_takes_everything_back(world: World) -> None:
    """The 257th service: only the service that adds it counts those which are not in the file."""
    many = ", ".join(f"{{ name = 's{port}', protocol = 'tcp', port = {port} }}" for port in range(1000, 1256))
    before = counts()
    assert faults(ADDED + PRESS + PLC + f"services = [{many}]") == [
        "machine[1].device[0].services[255]: device: a machine has at most 256 services",
    ]
    assert counts() == before
