# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portineria.dataplane.gateway.functions import TEXT_CHARACTERS, Functions, fields_of
from portineria.policy.function_profile import Clause, Denial, Profile, Rate, Why, encode_profile
from portineria.protocols.operation import Kind, Operation, Target

WRITE = Operation("modbus", "write", "6", Kind.WRITE)


def told(operation: Operation) -> dict[str, object]:
    return fields_of(Denial(operation, (Why.TARGET, Why.VALUE)))


def test_an_event_says_target_route_and_every_reason() -> None:
    operation = Operation("cip", "write-tag", "0x4d", Kind.WRITE, (Target("tag", name="Speed"),), (), ("slot 1", "2"))
    assert told(operation) == {
        "protocol": "cip", "function": "write-tag", "code": "0x4d", "operation": "write", "targets": "tag Speed",
        "route": "slot 1 > 2", "reason": "target value",
    }  # fmt: skip


def test_what_no_font_shows_is_written_as_its_number() -> None:
    hostile = Operation("cip", "f\x00", "1", Kind.WRITE, (Target("tag", name="a\u202eb\nc"),))
    assert told(hostile)["targets"] == "tag a\\u202eb\\u000ac"
    assert told(hostile)["function"] == "f\\u0000"


def test_many_targets_are_counted_and_not_listed() -> None:
    many = Operation("cip", "read", "1", Kind.READ, tuple(Target("coil", number) for number in range(100)))
    assert str(told(many)["targets"]).endswith("coil 7 +92")


@given(st.text(max_size=3000), st.lists(st.text(max_size=500), max_size=8), st.text(max_size=500))
def test_whatever_a_client_calls_things_an_event_stays_small_and_printable(
    name: str, route: list[str], function: str
) -> None:
    fields = told(Operation("cip", function, name, Kind.WRITE, (Target("tag", name=name),) * 9, (), tuple(route)))
    for value in fields.values():
        assert len(str(value)) <= TEXT_CHARACTERS + 6
        assert str(value).isprintable()


def test_what_one_profile_refuses_costs_nothing_of_the_others_rate() -> None:
    functions = Functions()
    slow, none = Profile("slow", (Clause((Kind.WRITE,), rate=Rate(1, 600)),)), Profile("none")
    functions.take([encode_profile(slow), encode_profile(none)])
    assert functions.decide([WRITE]).refused
    functions.take([encode_profile(slow)])
    assert not functions.decide([WRITE]).refused
    assert functions.decide([WRITE]).refused


def test_a_profile_that_stays_keeps_what_was_counted() -> None:
    functions = Functions()
    slow = encode_profile(Profile("slow", (Clause((Kind.WRITE,), rate=Rate(1, 600)),)))
    functions.take([slow])
    assert not functions.decide([WRITE]).refused
    functions.take([slow, encode_profile(Profile("all", (Clause(),)))])
    assert [name for name, _ in functions.decide([WRITE]).refused] == ["slow"]
