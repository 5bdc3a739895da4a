# SPDX-License-Identifier: Apache-2.0
"""Answers find their requests, refusals are what the device itself could have said, connections keep their route."""

from __future__ import annotations

import struct

import pytest

from portineria.protocols.cip import INFO
from portineria.protocols.cip.session import MAX_WAITING, CipInspection
from portineria.protocols.inspection import Answer, Inspection, Request, Undecodable
from portineria.protocols.operation import Kind
from tests.unit.protocols.cip.conversation import (
    CONTEXT,
    SESSION,
    ask,
    bundle,
    connected,
    converse,
    forward_close,
    forward_open,
    request,
    sent_on,
    symbol,
    unconnected,
    wrapped,
)

READ = request(0x4C, symbol("Speed"), "0100")
WRITE = request(0x4D, symbol("Speed"), "c400 0100 78000000")
STOP = request(0x07, "208e 2401")
OPENED = struct.pack("<BBBBIIHHIIIBB", 0xD4, 0, 0, 0, 0x1000, 0x2000, 7, 9, 99, 10000, 10000, 0, 0)


def refused(message: bytes) -> bytes:
    """The CIP answer that the client gets."""
    inspection = INFO.begin()
    (asked,) = inspection.from_client(unconnected(message))
    refusal = inspection.refuse(asked)
    assert refusal.to_device == b""
    command, length, session, status, context, options = struct.unpack_from("<HHII8sI", refusal.to_client)
    assert (command, length, session, status, context, options) == (
        0x6F, len(refusal.to_client) - 24, SESSION, 0, CONTEXT, 0,
    )  # fmt: skip
    assert refusal.to_client[24:38] == struct.pack("<IHHHHH", 0, 0, 2, 0, 0, 0xB2)
    assert int.from_bytes(refusal.to_client[38:40], "little") == len(refusal.to_client) - 40
    return refusal.to_client[40:]


def opened(where: str = "0100 2002 2401", transport: int = 0xA3) -> Inspection:
    """A connection 0x1000 towards the device, 0x2000 towards the client."""
    inspection = INFO.begin()
    exchange(inspection, unconnected(forward_open(where, transport=transport)), unconnected(OPENED))
    return inspection


def exchange(inspection: Inspection, asked: bytes, told: bytes) -> tuple[Request, Answer]:
    (sent,) = inspection.from_client(asked)
    assert inspection.forward(sent) == asked
    (answer,) = inspection.from_device(told)
    assert answer.data == told
    return sent, answer


def test_a_refused_request_is_a_privilege_violation_of_that_very_service() -> None:
    assert refused(WRITE) == bytes([0xCD, 0, 0x0F, 0])
    assert refused(sent_on(STOP)) == bytes([0x87, 0, 0x0F, 0])


def test_a_refused_bundle_has_an_answer_to_each_of_its_parts() -> None:
    no = bytes([0xCC, 0, 0x0F, 0])
    inner = bytes([0x8A, 0, 0x1E, 0]) + struct.pack("<HH", 1, 4) + no
    whole = bytes([0x8A, 0, 0x1E, 0]) + struct.pack("<HHH", 2, 6, 6 + len(inner)) + inner + bytes([0x87, 0, 0x0F, 0])
    assert refused(bundle(bundle(READ), STOP)) == whole


@pytest.mark.parametrize(("transport", "extended"), [(0xA3, 0x0113), (0x01, 0x0103)])
def test_a_refused_connection_fails_with_its_own_serial_number(transport: int, extended: int) -> None:
    body = struct.pack("<BBBBHHHIBB", 0xD4, 0, 1, 1, extended, 7, 9, 99, 0, 0)
    assert refused(forward_open(transport=transport)) == body


def test_refusals_on_a_connection_bear_the_identifier_and_the_count_that_the_client_knows() -> None:
    inspection = opened()
    (asked,) = inspection.from_client(connected(0x1000, 513, WRITE))
    assert asked.operations[0].route == ("port 1 link 0",)
    refusal = inspection.refuse(asked)
    told = connected(0x2000, 513, bytes([0xCD, 0, 0x0F, 0]))
    assert refusal.to_client == told
    assert refusal.to_device == b""


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (wrapped(0x65, b"\1\0\0\0"), wrapped(0x65, b"", status=1)),
        (wrapped(0x01, b""), wrapped(0x01, b"", status=1)),
        (wrapped(0x6F, struct.pack("<IHH", 0, 0, 0)), wrapped(0x6F, b"", status=3)),
        (wrapped(0x66, b""), b""),
        (wrapped(0x00, b""), b""),
        (connected(5, 1, READ), b""),  # nobody knows how the client calls that connection
    ],
)
def test_what_has_no_answer_of_cip_is_refused_by_the_encapsulation(asked: bytes, told: bytes) -> None:
    inspection = INFO.begin()
    (found,) = inspection.from_client(asked)
    assert inspection.refuse(found).to_client == told


def test_a_tag_that_was_read_is_told_by_its_values() -> None:
    answer = converse(READ, struct.pack("<BBBBHi", 0xCC, 0, 0, 0, 0xC4, 120))
    assert (answer.values, answer.error) == (((120,),), "")


def test_the_no_of_the_device_is_told_in_its_words() -> None:
    answer = converse(READ, bytes([0xCC, 0, 0xFF, 1, 0x05, 0x21]))
    assert (answer.values, answer.error) == ((), "general status 0xff: general error, extended 0x2105")
    inspection = INFO.begin()
    _, other = exchange(inspection, unconnected(READ), wrapped(0x6F, b"", status=0x64))
    assert other.error == "encapsulation status 0x0064: invalid session handle"


def test_each_part_of_a_bundle_has_its_own_values_and_errors() -> None:
    parts = struct.pack("<BBBBHi", 0xCC, 0, 0, 0, 0xC4, 120), bytes([0x87, 0, 0x10, 0])
    told = bytes([0x8A, 0, 0x1E, 0]) + struct.pack("<HHH", 2, 6, 6 + len(parts[0])) + b"".join(parts)
    answer = converse(bundle(READ, STOP), told)
    assert (answer.values, answer.error) == (((120,), ()), "2: general status 0x10: device state conflict")


def test_a_router_may_answer_for_whom_it_did_not_reach() -> None:
    answer = converse(sent_on(READ), bytes([0xD2, 0, 1, 1, 0x04, 0x02, 1, 0]))
    assert answer.error == "general status 0x01: connection failure, extended 0x0204"


def test_who_is_there_is_told_by_vendor_product_and_name() -> None:
    identity = struct.pack("<H16sHHHBBHIB", 1, b"", 1, 12, 58, 4, 3, 0x30, 0x524D8E, 4) + b"ENBT\3"
    told = wrapped(0x63, struct.pack("<HHH", 1, 0x0C, len(identity)) + identity)
    _, answer = exchange(INFO.begin(), wrapped(0x63, b""), told)
    assert answer.values == ((1, 12, 58, "4.3", 0x524D8E, "ENBT"),)


def test_answers_to_one_context_are_told_apart_by_service_and_order() -> None:
    """pycomm3 uses one sender context for everything."""
    inspection = INFO.begin()
    asked = [each for message in (READ, STOP, READ) for each in inspection.from_client(unconnected(message))]
    for each in asked:
        inspection.forward(each)
    no = bytes([0, 8, 0])
    told = unconnected(b"\x87" + no) + unconnected(b"\xcc" + no) + unconnected(b"\xcc" + no) + unconnected(b"\xcc" + no)
    assert [answer.to for answer in inspection.from_device(told)] == [asked[1], asked[0], asked[2], None]


def test_answers_on_a_connection_are_found_by_its_count() -> None:
    inspection = opened()
    one, two = inspection.from_client(connected(0x1000, 1, READ) + connected(0x1000, 2, READ))
    inspection.forward(two)
    inspection.forward(one)
    no = bytes([0xCC, 0, 8, 0])
    (first, second) = inspection.from_device(connected(0x2000, 1, no) + connected(0x2000, 2, no))
    assert (first.to, second.to) == (one, two)


def test_a_connection_that_was_closed_leads_nowhere() -> None:
    inspection = opened()
    closed = struct.pack("<BBBBHHIBB", 0xCE, 0, 0, 0, 7, 9, 99, 0, 0)
    exchange(inspection, unconnected(forward_close()), unconnected(closed))
    (asked,) = inspection.from_client(connected(0x1000, 1, READ))
    assert asked.operations[0].route == ("a connection whose opening was not seen",)


@pytest.mark.parametrize(
    "told",
    [
        OPENED[:2] + b"\1" + OPENED[3:],  # not opened
        OPENED.replace(struct.pack("<H", 7), struct.pack("<H", 8)),  # another one was
        OPENED[:10],
    ],
)
def test_only_a_connection_that_was_opened_has_a_route(told: bytes) -> None:
    inspection = INFO.begin()
    exchange(inspection, unconnected(forward_open()), unconnected(told))
    (asked,) = inspection.from_client(connected(0x1000, 1, READ))
    assert asked.operations[0].route == ("a connection whose opening was not seen",)


def test_a_connection_opened_at_a_device_behind_is_not_one_of_ours() -> None:
    inspection = INFO.begin()
    exchange(inspection, unconnected(sent_on(forward_open())), unconnected(OPENED))
    (asked,) = inspection.from_client(connected(0x1000, 1, READ))
    assert asked.operations[0].route == ("a connection whose opening was not seen",)


def test_what_travels_to_another_object_than_the_router_is_unknown() -> None:
    inspection = opened("0100 2067 2401")
    asked, answer = exchange(inspection, connected(0x1000, 1, READ), connected(0x2000, 1, b"\1"))
    (found,) = asked.operations
    assert (found.function, found.kind, found.route) == ("connected-data", Kind.UNKNOWN, ("port 1 link 0",))
    assert answer.to is asked


@pytest.mark.parametrize(
    "told",
    [
        unconnected(b"\xcc\0\0"),
        unconnected(b"\xcc\0\0\5"),
        unconnected(b"\x4c\0\0\0"),
        wrapped(0x6F, b"\0"),
        struct.pack("<HH", 0x6F, 65512) + bytes(20),
    ],
)
def test_impossible_answers_are_refused(told: bytes) -> None:
    inspection = INFO.begin()
    inspection.forward(inspection.from_client(unconnected(READ))[0])
    with pytest.raises(Undecodable):
        inspection.from_device(told)


def test_a_device_that_never_answers_costs_no_more_than_a_bound() -> None:
    inspection = CipInspection()
    asked = [each for _ in range(MAX_WAITING + 5) for each in inspection.from_client(unconnected(READ))]
    for each in asked:
        inspection.forward(each)
    told = unconnected(bytes([0xCC, 0, 8, 0]))
    answers = inspection.from_device(told * (MAX_WAITING + 5))
    assert [answer.to for answer in answers] == asked[5:] + [None] * 5


def test_a_request_of_somebody_else_is_not_taken() -> None:
    with pytest.raises(TypeError):
        INFO.begin().forward(Request(ask(READ).operations, b""))
