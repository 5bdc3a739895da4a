# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portineria.policy.function_profile import Meter, Profile, judge
from portineria.policy.learned import Learner
from portineria.protocols.operation import Kind, Operation, Target, Value

OWN = frozenset({("unit 255",)})


def write(first: int, *values: Value, count: int = 1, route: tuple[str, ...] = ("unit 255",)) -> Operation:
    target = Target("holding", first, count)
    return Operation("modbus", "write-multiple-registers", "16", Kind.WRITE, (target,), values, route)


def learned(*operations: Operation) -> Learner:
    made = Learner()
    for operation in operations:
        made.take([operation], OWN)
    return made


def admits(learner: Learner, operation: Operation) -> bool:
    profile = Profile("learned", learner.clauses())
    return not judge(profile, [operation], Meter(profile), 0.0, OWN).denials


def test_what_was_written_is_said_as_short_as_it_can_be() -> None:
    made = learned(write(104, 120), write(105, 180, 3, count=2), write(200, 7))
    assert made.lines() == [
        "function write-multiple-registers on holding 104-106, holding 200 between 3 and 180 of modbus"
    ]
    assert admits(made, write(106, 50))
    assert not admits(made, write(107, 50))
    assert not admits(made, write(104, 181))


def test_what_observe_admits_is_not_learned() -> None:
    read = Operation("modbus", "read-coils", "1", Kind.READ, (Target("coil", 0, 8),), (), ("unit 255",))
    made = learned(read)
    assert (made.lines(), admits(made, read)) == ([], True)


def test_another_device_behind_is_said() -> None:
    made = learned(write(1, 1, route=("unit 3",)))
    assert made.lines() == [
        'function write-multiple-registers on holding 1 between 1 and 1 through "unit 3" of modbus'
    ]  # fmt: skip
    assert not admits(made, write(1, 1))


def test_unknown_functions_and_names_that_no_line_can_say_are_left_out() -> None:
    strange = Operation("modbus", "function-99", "99", Kind.UNKNOWN)
    quoted = Operation("cip", "write-tag", "0x4d", Kind.WRITE, (Target("tag", name='a"b\n'),), (1,))
    made = learned(strange, strange, quoted)
    assert made.lines() == []
    assert made.left_out == {"modbus function-99 (99)": 2, "cip write-tag (0x4d)": 1}


def test_many_places_become_one_range() -> None:
    made = learned(*(write(2 * number, 1) for number in range(100)))
    assert made.lines() == ["function write-multiple-registers on holding 0-198 between 1 and 1 of modbus"]


words = st.sampled_from(["holding", "db 5", "on", "at", "x>y", "a,", "Press.*", "12", "12-", "of", "-", "ü"])
places = st.builds(Target, words, st.none() | st.integers(0, 99), st.integers(0, 4), words | st.text(max_size=4))
values = st.integers(-(10**16), 10**16) | st.floats() | st.booleans() | st.text(max_size=2) | st.none()
operations = st.builds(
    Operation, st.just("modbus"), words, st.just("1"), st.sampled_from(list(Kind)),
    st.lists(places, max_size=3).map(tuple), st.lists(values, max_size=3).map(tuple),
    st.sampled_from([(), ("unit 255",), ("unit 3",), ("port 1", "link 0")]),
)  # fmt: skip


@given(st.lists(operations, max_size=12))
def test_under_what_was_learned_all_of_it_would_have_passed(done: list[Operation]) -> None:
    made = learned(*done)
    left_out = sum(made.left_out.values())
    assert sum(not admits(made, operation) for operation in done) <= left_out
    assert left_out <= sum(not admits(Learner(), operation) for operation in done)
