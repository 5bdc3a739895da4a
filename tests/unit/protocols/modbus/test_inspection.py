# SPDX-License-Identifier: Apache-2.0
"""Answers find their requests, refusals are Modbus exceptions, and nothing grows without end."""

from __future__ import annotations

import pytest

from portineria.protocols.inspection import Request
from portineria.protocols.modbus import INFO
from portineria.protocols.modbus.frame import BadModbus
from portineria.protocols.modbus.inspection import MOST_IN_FLIGHT, ModbusInspection
from tests.unit.protocols.modbus.conversation import ask, converse, frame

READ_ONE, READ_TWO = "03 0000 0001", "03 0000 0002"
ONE, TWO = "03 02 0001", "03 04 0001 0002"


def sent(inspection: ModbusInspection, *frames: bytes) -> list[Request]:
    requests = inspection.from_client(b"".join(frames))
    for request in requests:
        inspection.forward(request)
    return requests


def test_answers_out_of_order_belong_to_their_transaction_and_unit() -> None:
    inspection = ModbusInspection()
    one, two, other = sent(inspection, frame(READ_ONE, 1), frame(READ_ONE, 2), frame(READ_ONE, 1, unit=18))
    told = frame(ONE, 1, unit=18) + frame(ONE, 2) + frame(ONE, 1)
    assert [answer.to for answer in inspection.from_device(told)] == [other, two, one]


def test_a_transaction_in_use_twice_is_answered_in_order() -> None:
    inspection = ModbusInspection()
    first, second = sent(inspection, frame(READ_ONE), frame(READ_ONE))
    assert [answer.to for answer in inspection.from_device(frame(ONE) + frame(ONE))] == [first, second]


def test_an_answer_passes_over_a_request_that_it_cannot_belong_to() -> None:
    """Clients that number nothing (UMAS tools) go on with the same transaction after an answer was lost."""
    inspection = ModbusInspection()
    lost, answered = sent(inspection, frame(READ_ONE), frame(READ_TWO))
    assert [answer.to for answer in inspection.from_device(frame(TWO))] == [answered]
    assert [answer.to for answer in inspection.from_device(frame(ONE))] == [lost]


@pytest.mark.parametrize(
    "told",
    [
        frame(ONE, 2),
        frame(ONE, unit=18),
        frame(TWO),
        frame("03 02 0001 00"),
        frame("03 03 0001"),
        frame("04 02 0001"),
        frame("83"),
        frame("83 02 00"),
        frame("84 02"),
    ],
)
def test_what_answers_no_request_is_undecodable(told: bytes) -> None:
    inspection = ModbusInspection()
    sent(inspection, frame(READ_ONE))
    with pytest.raises(BadModbus):
        inspection.from_device(told)


def test_an_answer_comes_once() -> None:
    inspection = ModbusInspection()
    sent(inspection, frame(READ_ONE))
    inspection.from_device(frame(ONE))
    with pytest.raises(BadModbus):
        inspection.from_device(frame(ONE))


MISMATCHED = [
    ("01 0000 0009", "01 01 FF"),
    ("05 0001 FF00", "05 0002 FF00"),
    ("07", "07 00 00"),
    ("08 0000 A537", "08 0000 A538"),
    ("08 000B 0000", "08 000C 0000"),
    ("0B", "0B 0000"),
    ("0C", "0C 05 0000 0000 00"),
    ("0F 0013 000A 02 CD01", "0F 0013 000B"),
    ("10 0001 0001 02 000A", "10 0001 0001 02"),
    ("11", "11"),
    ("11", "11 03 00 FF"),
    ("14 07 06 0004 0001 0002", "14 04 03 06 0000"),
    ("14 07 06 0004 0001 0001", "14 08 03 06 0000 03 06 0000"),
    ("14 0E 06 0004 0001 0002 06 0004 0001 0002", "14 06 05 06 0000 0000"),
    ("14 07 06 0004 0001 0002", "14 06 05 07 0000 0000"),
    ("14 07 06 0004 0001 0001", "14 07 03 06 0000 00 06 00"),
    ("17 0000 0001 0000 0001 02 0000", "17 04 0000 0000"),
    ("18 0000", "18 0006"),
    ("18 0000", "18 0004 0002 0000"),
    ("18 0000", "18 0042 0020" + "0000" * 32),
    ("2B 0E 01 00", "2B 0E 01 00"),
    ("2B 0E 01 00", "2B 0E 02 01 00 00 00"),
    ("2B 0E 01 00", "2B 0E 01 04 00 00 00"),
    ("2B 0E 01 00", "2B 0E 01 01 00 00 01"),
    ("2B 0E 01 00", "2B 0E 01 01 00 00 01 00 05 41"),
    ("2B 0E 01 00", "2B 0E 01 01 00 00 01 00 01 41 42"),
    ("2B 0E 01 00", "2B 0D 01"),
    ("5A 00 02", "5A 00 02"),
    ("5A 00 02", "5A 00"),
]


@pytest.mark.parametrize(("asked", "told"), MISMATCHED)
def test_an_answer_of_another_shape_is_undecodable(asked: str, told: str) -> None:
    with pytest.raises(BadModbus):
        converse(asked, told)


@pytest.mark.parametrize(
    ("asked", "told", "error"),
    [
        (READ_ONE, "83 02", "exception 2: illegal data address"),
        ("05 0001 FF00", "85 06", "exception 6: server device busy"),
        ("41 00", "C1 63", "exception 99: unknown"),
        ("5A 00 02", "5A 00 FD 8081", "UMAS error 8081"),
        ("5A 00 02", "5A 00 FD", "UMAS error without a code"),
    ],
)
def test_the_device_says_no_in_its_own_words(asked: str, told: str, error: str) -> None:
    request, answer = converse(asked, told)
    assert (answer.to, answer.error, answer.values) == (request, error, ())


@pytest.mark.parametrize(("asked", "told"), [("06 0001 0003", "86 01"), ("5A 01 41 FF00", "DA 01"), ("7F 00", "FF 01")])
def test_a_refusal_is_the_exception_of_that_very_transaction(asked: str, told: str) -> None:
    inspection = ModbusInspection()
    (request,) = inspection.from_client(frame(asked, 0xBEEF, unit=3))
    refusal = inspection.refuse(request)
    assert (refusal.to_client, refusal.to_device) == (frame(told, 0xBEEF, unit=3), b"")
    with pytest.raises(BadModbus):  # the device never heard of it
        inspection.from_device(frame(told, 0xBEEF, unit=3))


def test_one_may_be_refused_or_held_while_others_pass() -> None:
    inspection = ModbusInspection()
    held, refused, passed = inspection.from_client(frame(READ_ONE, 1) + frame("06 0001 0003", 2) + frame(READ_TWO, 3))
    inspection.forward(passed)
    inspection.refuse(refused)
    inspection.forward(held)
    assert [answer.to for answer in inspection.from_device(frame(ONE, 1) + frame(TWO, 3))] == [held, passed]


def test_what_is_never_answered_is_forgotten_in_the_end() -> None:
    """A write to a whole serial line has no answer: some thousand of them must neither fill memory nor end it."""
    inspection = ModbusInspection()
    for transaction in range(MOST_IN_FLIGHT + 1):
        sent(inspection, frame("06 0001 0003", transaction, unit=0))
    with pytest.raises(BadModbus):
        inspection.from_device(frame("06 0001 0003", 0, unit=0))
    (answer,) = inspection.from_device(frame("06 0001 0003", 1, unit=0))
    assert answer.to is not None
    assert answer.to.data == frame("06 0001 0003", 1, unit=0)


def test_the_unit_is_always_the_route() -> None:
    for unit in (0, 1, 247, 255):
        (request,) = ModbusInspection().from_client(frame("17 0000 0001 0000 0001 02 0000", unit=unit))
        assert [each.route for each in request.operations] == [(f"unit {unit}",)] * 2
    assert ask("2B 0E 01 00").operations[0].route == ask("5A 00 02").operations[0].route == ("unit 17",)


@pytest.mark.parametrize(
    ("beginning", "theirs"),
    [
        (frame(READ_ONE), True),
        (frame(READ_ONE) + b"\xff" * 20, True),
        (frame(READ_ONE)[:8], True),
        (frame("10 0000 0002 04 0000 0000")[:9], True),
        (frame("2B 0E 01 00"), True),
        (frame("5A 00 02"), True),
        (frame("03 0000 00FF"), False),
        (frame("03 0000 0001 00")[:8], False),
        (frame("41 00"), False),
        (frame("41 00 00 00")[:8], False),
        (frame(READ_ONE)[:7], False),
        (b"", False),
        (bytes.fromhex("0300001611e00000001400c1020100c2020102c0010a"), False),  # S7: TPKT and COTP
        (bytes.fromhex("65000400000000000000000000000000"), False),  # EtherNet/IP: register session
        (bytes.fromhex("0100000000010000000d01000004"), False),  # HART-IP: session initiate
        (b"HELF\x20\x00\x00\x00", False),
        (b"GET / HTTP/1.1\r\n", False),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", False),
    ],
)
def test_a_connection_is_known_by_its_first_bytes(beginning: bytes, theirs: bool) -> None:
    assert INFO.recognise(beginning) is theirs
