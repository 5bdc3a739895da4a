# SPDX-License-Identifier: Apache-2.0
"""What stations answer, what they do by themselves, and what is said in their place."""

from __future__ import annotations

import pytest

from portineria.protocols.operation import Kind, Target
from portineria.protocols.s7comm.errors import BadS7
from tests.unit.protocols.s7comm.conversation import (
    CONFIRM,
    CONNECT,
    converse,
    job,
    message,
    opened,
    packet,
    told,
    userdata,
)

ITEMS = "120a 1004 0001 0005 84 000000 120a 1001 0001 0000 83 000000 120a 1008 0001 0005 84 000000"
READ = job(f"0403 {ITEMS}")
FETCH = "1b00000000000000 09 5f3041303030303150"


def refused(sent: bytes) -> bytes:
    inspection = opened()
    (request,) = inspection.from_client(sent)
    return inspection.refuse(request).to_client


def test_what_was_read_stands_item_by_item() -> None:
    _, answer = converse(opened(), READ, told("0403", "ff04 0010 00b4  ff03 0001 01 00  ff07 0004 3fc00000"))
    assert (answer.error, answer.values) == ("", ((180,), (True,), (1.5,)))


def test_an_item_that_failed_has_no_value() -> None:
    _, answer = converse(opened(), READ, told("0403", "ff04 0010 00b4  0a00 0004  ff07 0004 3fc00000"))
    assert (answer.error, answer.values) == ("item 2: 0x0a object does not exist", ((180,), (None,), (1.5,)))


def test_a_write_that_failed_says_which_item() -> None:
    write = job("0502 120a10020001000584000000 120a10020001000584000000", "0004000801 00 0004000801")
    _, answer = converse(opened(), write, told("0502", "ff05"))
    assert answer.error == "item 2: 0x05 invalid address"


def test_an_error_of_the_header_is_told_in_words() -> None:
    stop = job("290000000000 09 505f50524f4752414d")
    _, answer = converse(opened(), stop, packet(message(2, "", error=0x8104)))
    assert answer.error == "error 0x8104: service not implemented or wrong frame"


@pytest.mark.parametrize("data", ["", "ff04 0010 00b4", "ff04 0100 00b4", "ff08 0001 00"])
def test_an_answer_must_hold_what_was_asked(data: str) -> None:
    with pytest.raises(BadS7):
        converse(opened(), READ, told("0403", data))


def test_variables_are_refused_item_by_item() -> None:
    assert refused(READ) == told("0403", "03000000" * 3)
    write = job("0502 120a10020001000584000000 120a10020001000584000000", "0004000801 00 0004000801")
    assert refused(write) == told("0502", "0303")


@pytest.mark.parametrize("parameter", ["290000000000 09 505f50524f4752414d", "f00000010001 00f0", "ab"])
def test_other_jobs_are_refused_by_protection_level(parameter: str) -> None:
    assert refused(job(parameter)) == packet(message(2, "", error=0xD241))


@pytest.mark.parametrize(("group", "error"), [(7, "d241"), (4, "d241"), (1, "d0a1"), (5, "d241")])
def test_userdata_is_refused_as_its_own_answer(group: int, error: str) -> None:
    parameter = f"00011208 12{0x80 | group:02x}0200 0000{error}"
    assert refused(userdata(group, 2, "00192608231145120001")) == packet(message(7, parameter, "0a000000"))


def test_where_no_answer_is_due_a_refusal_is_silent() -> None:
    assert refused(userdata(7, 2, "00", kind=0)) == b""
    assert refused(bytes.fromhex("0300000702f080")) == b""


def test_a_station_fetches_the_blocks_of_a_download() -> None:
    inspection = opened()
    (asked,) = inspection.from_device(packet(message(1, FETCH, reference=9)))
    assert (asked.to, asked.operations[0].targets) == (None, (Target("block", name="db 1"),))
    piece = told("1b00", "0002 00fb 0102", reference=9)
    (request,) = inspection.from_client(piece)
    (found,) = request.operations
    assert (found.function, found.kind, found.targets) == (
        "download-block",
        Kind.PROGRAM_WRITE,
        asked.operations[0].targets,
    )
    assert (found.values, request.expects_answer) == ((bytes.fromhex("000200fb0102"),), False)
    assert inspection.forward(request) == piece


def test_a_refused_block_makes_the_station_give_up() -> None:
    inspection = opened()
    inspection.from_device(packet(message(1, FETCH, reference=9)))
    (request,) = inspection.from_client(told("1b00", "0002 00fb 0102", reference=9))
    refusal = inspection.refuse(request)
    assert (refusal.to_client, refusal.to_device) == (b"", told("1b", error=0xD241, reference=9))


def test_an_answer_that_no_station_waits_for_is_unknown_and_moves_nothing() -> None:
    inspection = opened()
    (request,) = inspection.from_client(told("1b00", "0002 00fb 0102", reference=9))
    assert (request.operations[0].function, request.operations[0].kind) == ("answer", Kind.UNKNOWN)
    refusal = inspection.refuse(request)
    assert (refusal.to_client, refusal.to_device) == (b"", b"")


def test_a_report_that_nobody_asked_for_is_told() -> None:
    inspection = opened()
    (answer,) = inspection.from_device(userdata(4, 3, "00", kind=0))
    assert (answer.to, answer.operations[0].function) == (None, "diagnostic-message")
    (other,) = inspection.from_device(packet(message(7, "0100101000000000")))
    assert (other.to, other.operations) == (None, ())


def test_an_answer_of_another_function_is_no_answer() -> None:
    inspection = opened()
    for sent in (READ, userdata(4, 1, "00110000")):
        (request,) = inspection.from_client(sent)
        inspection.forward(request)
    other = [told("0501", "ff"), userdata(4, 2, "00", kind=0x80, method=0x12)]
    assert [answer.to for each in other for answer in inspection.from_device(each)] == [None, None]
    (answer,) = inspection.from_device(userdata(4, 1, "00110000", kind=0x80, method=0x12))
    assert answer.to is request


def test_each_request_is_decided_once() -> None:
    inspection = opened()
    (request,) = inspection.from_client(READ)
    inspection.refuse(request)
    with pytest.raises(KeyError):
        inspection.forward(request)


@pytest.mark.parametrize(
    "came",
    [CONFIRM, CONNECT, told("f000000100011001", reference=8)],
    ids=["confirmed twice", "a request", "a PDU too large"],
)
def test_a_station_must_keep_to_the_order(came: bytes) -> None:
    inspection = opened()
    (request,) = inspection.from_client(job("f0000001000100f0", reference=8))
    inspection.forward(request)
    with pytest.raises(BadS7):
        inspection.from_device(came)
