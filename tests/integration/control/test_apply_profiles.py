# SPDX-License-Identifier: Apache-2.0
"""Function profiles in a declaration."""

from __future__ import annotations

from portineria.control.access.models import FunctionProfile, Rule
from portineria.control.estate.free_reads import free_nodes, free_reads
from portineria.control.estate.models import Service
from portineria.policy.function_profile import OBSERVING, Profile
from portineria.policy.profile_text import parse_clause
from tests.integration.control.declared import PLC, PRESS, applied, faults, proposal
from tests.integration.control.world import World

LINE = "write on holding 100-119 between 0 and 500"
PROFILE = f'[[profile]]\nname = "setpoints"\nallow = ["{LINE}"]\n'
RULE = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\n'


def test_a_profile_is_declared_and_a_rule_names_it(world: World) -> None:
    seen = proposal(PROFILE + RULE + 'profile = "setpoints"\n')
    assert seen.added == ("profile setpoints: 3 clauses",)
    assert seen.changed == (f"rule {world.rule} for Presses & Co: NO inspection → profile setpoints",)
    applied(PROFILE + RULE + 'profile = "setpoints"\n')
    row = Rule.objects.get(public_id=world.rule).profile
    assert row is not None
    assert row.profile == Profile("setpoints", (*OBSERVING, parse_clause(LINE)))
    assert proposal(PROFILE + RULE + 'profile = "setpoints"\n').empty
    assert proposal(RULE).empty  # what is left out says nothing
    assert proposal(RULE + 'profile = ""\n').changed[0].endswith("profile setpoints → NO inspection")


def test_a_profile_declared_otherwise_becomes_its_next_version(world: World) -> None:
    applied(PROFILE)
    other = PROFILE.replace("500", "50")
    assert proposal(other).changed == ("profile setpoints: 3 clauses, version 2, holds at once for what runs",)
    applied(other)
    assert list(FunctionProfile.objects.order_by("version").values_list("version", flat=True)) == [1, 2]


def test_a_line_that_is_not_understood_is_a_fault_with_its_place(world: World) -> None:
    [fault] = faults(PROFILE.replace("holding", "holding holding holding"))
    assert fault.startswith("profile[0].allow: ")
    [fault] = faults(PROFILE.replace("setpoints", "observe"))
    assert fault == "profile[0].name: observe is built in"
    [fault] = faults(RULE + 'profile = "setpoint"\n')
    assert fault.startswith("rule[0].profile: there is no profile setpoint; one of engineer, firmware, ")


def test_what_holds_and_how_long_a_tool_waits_are_declared_too(world: World) -> None:
    holding = PROFILE + 'hold = ["stop, program-write"]\n'
    [fault] = faults(holding.replace("stop,", "halt,"))
    assert fault.startswith("profile[0].hold: 'halt' is no kind of operation")
    assert proposal(holding).added[0] == "profile setpoints: 3 clauses, 1 that hold"
    applied(holding)
    row = FunctionProfile.objects.get(name="setpoints")
    assert row.profile.hold == (parse_clause("stop, program-write"),)
    service = '{ name = "modbus", protocol = "modbus", port = 502, client_timeout = 30, free_reads = FREE }'
    declared = PRESS + PLC + f"services = [{service}]\n"
    for wrong in ("input 7", "db 1 9-8", "node Speed", "node ns=0;i=5", "node ns=2;s=a, holding 1", "node ns=2;i=07"):
        [fault] = faults(declared.replace("FREE", f'["{wrong}"]'))
        assert f"'{wrong}'" in fault
    marked = ["holding 100-119", "coil 0", "db 1 0-99", "node ns=2;s=Press.Speed 1", "node i=2258"]
    applied(declared.replace("FREE", str(marked).replace("'", '"')))
    made = Service.objects.get(name="modbus", device__machine=world.machine)
    assert (made.client_timeout_s, made.free_reads) == (30, ", ".join(marked))
    assert free_reads(made.free_reads) == [("holding", 100, 119), ("coil", 0, 0), ("db 1", 0, 99)]
    assert free_nodes(made.free_reads) == ["ns=2;s=Press.Speed 1", "i=2258"]


def test_a_profile_over_what_nobody_can_decode_is_refused_before_anything_is_changed(world: World) -> None:
    shell = PRESS + PLC + 'services = [{ name = "shell", protocol = "ssh", port = 22 }]\n'
    [fault] = faults(shell + RULE + 'profile = "observe"\n')
    assert "nothing can be decoded of Press 3: shell (ssh)" in fault
    applied(shell + RULE + 'profile = "observe"\nonly_decoded = true\n')
    assert Rule.objects.get(public_id=world.rule).only_decoded


def test_routes_that_mean_the_device_itself_are_declared_with_its_service(world: World) -> None:
    service = '{ name = "modbus", protocol = "modbus", port = 502, own_routes = ["unit 1"] }'
    declared = PRESS + PLC + f"services = [{service}]\n"
    assert proposal(declared).changed == (
        "services of North/Press 3/PLC, sessions that reach them are ended: modbus modbus 502 → "
        "modbus 502 (itself unit 1)",
    )
    applied(declared)
    assert Service.objects.get(name="modbus", device__machine=world.machine).own_routes == "unit 1"
    assert proposal(declared).empty
    assert "own_routes" in faults(declared.replace("unit 1", "unit, 1"))[0]
