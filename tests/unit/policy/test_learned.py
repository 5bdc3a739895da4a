# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.policy.function_profile import Meter, Profile, judge
from portineria.policy.learned import Learner
from portineria.policy.profile_text import LINE
from portineria.protocols.operation import Kind, Operation, Target, Value

OWN = frozenset({("unit 255",)})


def write(first: int, *values: Value, count: int = 1, route: tuple[str, ...] = ("unit 255",)) -> Operation:
    target = Target("holding", first, count)
    return Operation("modbus", "write-multiple-registers", "16", Kind.WRITE, (target,), values, route)


def learned(*operations: Operation) -> Learner:
    made = Learner()
    made.take(operations, OWN)
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
    assert len(learned(read, write(1, 1)).lines()) == 1


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
    assert len(learned(strange, write(1, 1)).lines()) == 1
    assert made.left_out == {"modbus function-99 (99)": 2, "cip write-tag (0x4d)": 1}


def test_many_places_become_one_range() -> None:
    made = learned(*(write(2 * number, 1) for number in range(100)))
    assert made.lines() == ["function write-multiple-registers on holding 0-198 between 1 and 1 of modbus"]


def done(
    *targets: Target, values: tuple[Value, ...] = (), function: str = "w", route: tuple[str, ...] = ()
) -> Operation:
    return Operation("cip", function, "0x4d", Kind.WRITE, targets, values, route)


A, B_C = Target("tag", name="A"), Target("tag", name="B C")
NAMES = [Target("t", name=f"n{number:02}") for number in range(65)]
EVERY_OTHER = [Target("t", 10 + 2 * number) for number in range(65)]


@pytest.mark.parametrize(
    ("operations", "line"),
    [
        ([done(A, values=(1,)), done(B_C, values=(2.5, -1))], 'on tag "B C", tag A between -1 and 2.5'),
        ([done(A, values=(1,)), done(values=(2,))], "between 1 and 2"),  # that it has no target no line can say
        ([done(values=(2,)), done(A, values=(1,))], "between 1 and 2"),
        ([done(A, values=("x",)), done(A, values=(2,))], "on tag A"),
        ([done(A, values=(2, "x"))], "on tag A"),
        ([done(A, values=(2,)), done(A)], "on tag A"),
        ([done(A), done(A, values=(2,))], "on tag A"),
        ([done(A, values=(True, 10**15 - 1))], "on tag A between 1 and 999999999999999"),
        ([done(A, values=(-(10**15),))], "on tag A"),
        ([done(A, values=(float("nan"),))], "on tag A"),
        ([done(Target("tag"), A)], "on tag, tag A"),
        (
            [
                done(Target("db 5", 10, 3), Target("db 5", 0, 3), Target("db 5", 1)),
                done(Target("db 5", 3), Target("m", 5)),
            ],
            'on "db 5" 0-3, "db 5" 10-12, m 5',
        ),
        ([done(Target("t", 1, 9), Target("t", 2, 1), Target("t", 11))], "on t 1-9, t 11"),
        ([done(Target("on", 1), route=("port 1", "link"))], 'on "on" 1 through "port 1" > link'),
        ([done(*NAMES[:64])], "on " + ", ".join(f"t n{number:02}" for number in range(64))),
        ([done(*NAMES)], ""),
        ([done(*EVERY_OTHER[:64])], "on " + ", ".join(sorted(f"t {10 + 2 * number}" for number in range(64)))),
        ([done(Target("t", 1, 3), *EVERY_OTHER, Target("X", 1), A)], "on X 1, t 1-138, tag A"),
        ([done(*EVERY_OTHER), done()], ""),
        ([done(*(Target("t", name=f"{number:0248}x") for number in range(8)), values=(1,))], "between 1 and 1"),
    ],
)  # fmt: skip
def test_a_line_says_all_that_was_done_and_no_more_than_it_must(operations: list[Operation], line: str) -> None:
    made = learned(*operations)
    assert made.lines() == [" ".join(part for part in ("function w", line, "of cip") if part)]
    assert made.left_out == {}
    assert all(admits(made, operation) for operation in operations)


def test_a_line_is_as_long_as_a_line_may_be() -> None:
    def named(length: int) -> Operation:
        rest = [Target("t", name=str(number) * 255 + "x") for number in range(7)]
        return done(*rest, Target("t", name="n" * length), values=(1,), route=("r",))

    longest = 100 + LINE - len(learned(named(100)).lines()[0])
    assert len(learned(named(longest)).lines()[0]) == LINE
    assert learned(named(longest + 1)).lines() == ["function w between 1 and 1 through r of cip"]


WORD, NAME = "w" * 64, "n" * 256


@pytest.mark.parametrize(
    ("operation", "sayable"),
    [
        (done(Target(WORD, 1), Target("t", name=NAME), function=WORD, route=(WORD,)), True),
        (done(function=WORD + "w"), False),
        (done(Target(WORD + "w", 1)), False),
        (done(A, route=(WORD + "w",)), False),
        (done(Target("t", name=NAME + "n")), False),
        (done(Target("", 1)), False),
        (done(A, Target("t", 1, 0)), False),
        (done(A, Target("t", 1, name="12*")), True),  # the address counts
        *((done(A, Target("t", name=name)), False) for name in ("Press.*", "12", "12-", "12-13", 'a"b', "a\n")),
        *((done(Target("t", name=name)), True) for name in ("-1", "1-2-3", "x12", "12x", "*a", "a,", "x>y", "ü", "")),
        (done(Target('"', 1)), False),
        (done(function="a\x00"), False),
        (done(A, route=("r", "\x7f")), False),
    ],
)
def test_what_no_line_can_say_is_left_out_and_counted(operation: Operation, sayable: bool) -> None:
    made = learned(operation, operation)
    assert made.left_out == ({} if sayable else {f"cip {operation.function} (0x4d)": 2})
    assert admits(made, operation) == sayable


def test_functions_and_routes_have_lines_of_their_own_in_order() -> None:
    made = learned(done(function="z"), done(function="a", route=("unit 9",)), done(function="a"), write(1, 1))
    assert made.lines() == [
        "function a of cip", 'function a through "unit 9" of cip', "function z of cip",
        "function write-multiple-registers on holding 1 between 1 and 1 of modbus",
    ]  # fmt: skip


words = st.sampled_from(["holding", "db 5", "on", "at", "x>y", "a,", "Press.*", "12", "12-", "of", "-", "ü"])
places = st.builds(Target, words, st.none() | st.integers(0, 99), st.integers(0, 4), words | st.text(max_size=4))
values = st.integers(-(10**16), 10**16) | st.floats() | st.booleans() | st.text(max_size=2) | st.none()
operations = st.builds(
    Operation, st.just("modbus"), words, st.just("1"), st.sampled_from(list(Kind)),
    st.lists(places, max_size=3).map(tuple), st.lists(values, max_size=3).map(tuple),
    st.sampled_from([(), ("unit 255",), ("unit 3",), ("port 1", "link 0")]),
)  # fmt: skip


@given(st.lists(operations, max_size=12))
def test_under_what_was_learned_all_of_it_would_have_passed(before: list[Operation]) -> None:
    made = learned(*before)
    left_out = sum(made.left_out.values())
    assert sum(not admits(made, operation) for operation in before) <= left_out
    assert left_out <= sum(not admits(Learner(), operation) for operation in before)
