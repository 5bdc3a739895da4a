# SPDX-License-Identifier: Apache-2.0
"""What a declaration changes of machines and rules that are there: only what the file says."""

from __future__ import annotations

from portineria.control.access.models import Rule
from portineria.control.audit.models import Event
from portineria.control.declaration.operation import carry_out
from portineria.control.estate import services as estate
from portineria.control.estate.models import Machine
from portineria.ledger import leaf
from tests.integration.control.declared import PLC, PRESS, applied, proposal
from tests.integration.control.world import World, admitted_gateway


def test_only_what_the_file_says_of_a_machine_is_changed(world: World) -> None:
    seen = proposal(PRESS + 'drain_s = 30\nhold_s = 60\nanswering = "approver@example.com"\n')
    assert seen.added == ()
    assert seen.changed == (
        "machine North/Press 3: drain_s 600 → 30, answering owner@example.com → approver@example.com",
    )
    carry_out(seen)
    press = Machine.objects.get(pk=world.machine.pk)
    assert (press.drain_s, press.hold_s, press.answering, press.on_silence) == (30, 60, world.approver, "drain")


def test_a_machine_moves_behind_another_gateway_of_its_plant(world: World) -> None:
    other = admitted_gateway(world.owner, world.plant).id
    applied(PRESS.replace("cabinet 4", other))
    assert Machine.objects.get(pk=world.machine.pk).gateway.public_id == other


def test_two_services_exchange_their_ports(world: World) -> None:
    device = world.machine.devices.get()
    estate.add_service(actor=world.owner, device=device.public_id, name="s7", protocol="s7", port=102)
    applied(
        PRESS + PLC + 'services = [{ name = "modbus", protocol = "modbus", port = 102 },'
        ' { name = "s7", protocol = "s7", port = 502 }, { name = "web", protocol = "http", port = 80 }]'
    )
    assert dict(device.services.values_list("name", "port")) == {"modbus": 102, "s7": 502, "web": 80}


def test_a_rule_is_found_again_by_whom_and_which_machines(world: World) -> None:
    rule = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\n'
    assert proposal(rule).empty
    seen = proposal(rule + "max_minutes = 30\nneeds_approval = false\n")
    assert seen.changed == (f"rule {world.rule} for Presses & Co: 480 → 30 minutes, no longer needs approval",)
    carry_out(seen)
    row = Rule.objects.get(public_id=world.rule)
    assert (row.max_minutes, row.needs_approval) == (30, False)


def test_a_rule_whose_machines_change_is_changed_and_not_doubled(world: World) -> None:
    wide = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3", "Press 4"]\n'
    assert proposal(wide).changed == (f"rule {world.rule} for Presses & Co: also North/Press 4",)
    applied(wide)
    narrow = wide.replace('"Press 3", ', "")
    assert proposal(narrow).changed == (f"rule {world.rule} for Presses & Co: no longer North/Press 3",)
    applied(narrow)
    assert [m.name for m in Rule.objects.get(supplier__public_id=world.supplier).machines.all()] == ["Press 4"]
    assert proposal(narrow).empty


def test_a_rule_divided_in_two_keeps_one_and_adds_one(world: World) -> None:
    applied('[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3", "Press 4"]\n')
    two = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\n'
    two += '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 4"]\nneeds_approval = false\n'
    applied(two)
    rules = Rule.objects.filter(supplier__public_id=world.supplier).order_by("pk")
    assert [([m.name for m in rule.machines.all()], rule.needs_approval) for rule in rules] == [
        (["Press 3"], True),
        (["Press 4"], False),
    ]
    assert proposal(two).empty


MOVED = '[[plant]]\nname = "North"\ntime_zone = "UTC"\nlines = ["Line 1"]\n' + PRESS
MOVED += 'line = "Line 1"\ntag = "P3"\n' + PLC.replace(".5", ".6")


def test_what_was_written_wrong_at_first_is_put_right_by_the_same_file(world: World) -> None:
    assert list(proposal(MOVED).changed) == [
        "plant North: time zone Europe/Rome → UTC",
        "machine North/Press 3: line none → Line 1, tag none → P3",
        "device North/Press 3/PLC, sessions that reach it are ended: 192.168.10.5 → 192.168.10.6",
    ]
    applied(MOVED)
    press = Machine.objects.get(name="Press 3")
    assert (press.line and press.line.name, press.tag, press.plant.time_zone) == ("Line 1", "P3", "UTC")
    assert [device.address for device in press.devices.all()] == ["192.168.10.6"]
    noted = {event.code: leaf.decode(bytes(event.leaf))["fields"] for event in Event.objects.order_by("seq")}
    assert noted["estate.plant.changed"]["previous_time_zone"] == "Europe/Rome"
    assert noted["estate.machine.changed"]["changed"] == "line tag"
    assert noted["estate.device.changed"]["device"] == press.devices.get().public_id
    assert proposal(MOVED).empty
    applied(PRESS + 'line = ""\ntag = ""\n')
    press.refresh_from_db()
    assert (press.line, press.tag) == (None, "")
