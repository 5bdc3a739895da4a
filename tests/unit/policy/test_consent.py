# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portineria.policy.consent import Opened, Reading, SetBy, beyond_observing, set_by
from portineria.policy.function_profile import (
    BUILT_IN,
    ENGINEER,
    FIRMWARE,
    OBSERVE,
    TRIAL,
    Clause,
    Meter,
    Place,
    Profile,
    judge,
    operate,
)
from portineria.policy.profile_text import parse_clause
from portineria.protocols.operation import Kind, Operation, Target

PLC = "192.168.10.7"
COIL = Reading("modbus", PLC, "coil", 17)
INPUT = Reading("modbus", PLC, "discrete", 17)
NODE = Reading("opcua", PLC, "node", name="ns=2;s=Guard closed")
MODBUS, OPCUA, SSH = Opened(PLC, "modbus"), Opened(PLC, "opcua"), Opened(PLC, "")


def lines(*clauses: str) -> Profile:
    return operate("own", [parse_clause(line) for line in clauses])


@pytest.mark.parametrize(
    ("reading", "opened", "profiles", "found"),
    [
        (COIL, [MODBUS], [], SetBy.UNINSPECTED),
        (COIL, [MODBUS], [TRIAL], SetBy.UNINSPECTED),
        (COIL, [SSH], [], SetBy.UNINSPECTED),
        (COIL, [SSH], [OBSERVE], None),  # left out under a profile: nobody can open it
        (COIL, [Opened("192.168.10.8", "modbus")], [], None),
        (COIL, [MODBUS], [OBSERVE], None),
        (COIL, [MODBUS], [ENGINEER], SetBy.SAME_TARGET),
        (COIL, [MODBUS], [ENGINEER, OBSERVE], None),
        (COIL, [OPCUA], [ENGINEER], SetBy.OTHER_PROTOCOL),
        (COIL, [OPCUA], [lines("write on coil 17 of modbus")], None),
        (COIL, [MODBUS], [lines("write on coil 10-20")], SetBy.SAME_TARGET),
        (COIL, [MODBUS], [lines("write on coil 10-16, holding 17")], None),
        (COIL, [MODBUS], [lines("function write-multiple-coils")], SetBy.SAME_TARGET),
        (COIL, [MODBUS], [lines("function read-coils")], None),
        (COIL, [MODBUS], [lines("function nobody-knows-this")], SetBy.SAME_TARGET),
        (COIL, [MODBUS], [Profile("held", (), hold=(parse_clause("write on coil 17"),))], SetBy.SAME_TARGET),
        (INPUT, [MODBUS], [lines("write")], None),
        (INPUT, [MODBUS], [ENGINEER], SetBy.SAME_TARGET),  # a program may do what it likes
        (NODE, [OPCUA], [lines('write on node "ns=2;s=Guard*"')], SetBy.SAME_TARGET),
        (NODE, [OPCUA], [lines('write on node "ns=2;s=Guard closed [0]"')], SetBy.SAME_TARGET),
        (NODE, [OPCUA], [lines('write on node "s=Guard closed;nsu=urn:x"')], SetBy.SAME_TARGET),
        (NODE, [OPCUA], [lines('write on node "ns=2;s=Setpoint"')], None),
        (NODE, [OPCUA], [lines('write on node "ns=2;s=Guard closed"')], SetBy.SAME_TARGET),
        (NODE, [OPCUA], [lines('write on node "ns=2;s=Guard"')], None),
        (NODE, [OPCUA], [lines('write on node "ns=2;s=Set*"')], None),
        (NODE, [OPCUA], [lines('write on tag "ns=2;s=Guard closed"')], None),
        (NODE, [OPCUA], [lines("write on node 1-5")], SetBy.SAME_TARGET),  # nobody knows its number
        (COIL, [MODBUS], [lines("write on coil")], SetBy.SAME_TARGET),
        (COIL, [MODBUS], [lines("write on coil 17-20")], SetBy.SAME_TARGET),
        (COIL, [MODBUS], [lines("write on coil 10-17")], SetBy.SAME_TARGET),
        (COIL, [MODBUS], [lines("write on coil 18-20")], None),
        (COIL, [MODBUS], [operate("half", [Clause((Kind.WRITE,), targets=(Place("coil", 90),))])], SetBy.SAME_TARGET),
        (COIL, [OPCUA], [lines("function read of opcua")], None),
        (COIL, [OPCUA], [lines("function read")], None),
        (COIL, [SSH, OPCUA, MODBUS], [lines("write of opcua")], SetBy.OTHER_PROTOCOL),
        (COIL, [SSH, OPCUA, MODBUS], [lines("write of modbus")], SetBy.SAME_TARGET),
        (COIL, [SSH, OPCUA, MODBUS], [TRIAL, OBSERVE], None),
        (COIL, [SSH, OPCUA, MODBUS], [TRIAL, lines("write of modbus")], SetBy.SAME_TARGET),
        (Reading("", ""), [MODBUS, SSH], [], None),
    ],
)
def test_what_the_work_itself_could_set_is_no_consent(
    reading: Reading, opened: list[Opened], profiles: list[Profile], found: SetBy | None
) -> None:
    assert set_by(reading, opened, profiles) is found


def test_what_goes_beyond_observing() -> None:
    assert {name for name, profile in BUILT_IN.items() if beyond_observing(profile)} == {
        ENGINEER.name, FIRMWARE.name, TRIAL.name,
    }  # fmt: skip
    assert beyond_observing(None)
    assert beyond_observing(lines("write on holding 1"))
    assert not beyond_observing(lines("read on holding 1", "program-read", "function read-coils of modbus"))
    assert beyond_observing(lines("function read-coils"))  # of any protocol, and in another it may be anything
    assert beyond_observing(Profile("held", OBSERVE.clauses, hold=(parse_clause("stop"),)))


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_changes_something_or_does_not(kind: Kind) -> None:
    harmless = {Kind.IDENTIFY, Kind.READ, Kind.SESSION, Kind.PROGRAM_READ, Kind.DIAGNOSTIC}
    assert beyond_observing(Profile("one", (Clause((kind,)),))) == (kind not in harmless)


places = st.builds(
    lambda area, first, more: Place(area, first, first + more),
    st.sampled_from(["coil", "holding"]), st.integers(0, 30), st.integers(0, 10),
)  # fmt: skip
clauses = st.builds(
    Clause,
    kinds=st.lists(st.sampled_from(Kind), max_size=3).map(tuple),
    functions=st.lists(st.sampled_from(["write-single-coil", "write-multiple-coils", "read-coils"]), max_size=2).map(
        tuple
    ),
    protocol=st.sampled_from(["", "modbus", "opcua"]),
    targets=st.lists(places, max_size=2).map(tuple),
)
profiles = st.builds(
    Profile,
    st.just("p"),
    st.lists(clauses, max_size=3).map(tuple),
    st.booleans(),
    st.lists(clauses, max_size=1).map(tuple),
)


@settings(max_examples=60)
@given(st.lists(profiles, max_size=3))
def test_whatever_profiles_let_pass_is_found(held: list[Profile]) -> None:
    """Against the very judgement that decides at the gateway."""
    write = Operation("modbus", "write-single-coil", "5", Kind.WRITE, (Target("coil", 17),), (True,))
    passes = all(profile.notes_only or not judge(profile, [write], Meter(profile), 0.0).denials for profile in held)
    if passes:
        assert set_by(COIL, [MODBUS], held) is not None


@settings(max_examples=60)
@given(
    st.lists(profiles, max_size=3),
    profiles.filter(lambda one: not one.notes_only),
    st.sampled_from([COIL, INPUT, NODE]),
)
def test_another_profile_never_makes_more_signals_settable(
    held: list[Profile], more: Profile, reading: Reading
) -> None:
    if set_by(reading, [MODBUS, OPCUA], held) is None:
        assert set_by(reading, [MODBUS, OPCUA], [*held, more]) is None
