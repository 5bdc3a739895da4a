# SPDX-License-Identifier: Apache-2.0
"""What is the same when it is asked again: everything but what numbers and dates a request."""

from __future__ import annotations

import struct

from portineria.protocols.dnp3 import INFO as DNP3
from portineria.protocols.inspection import Inspection
from portineria.protocols.opcua import INFO
from tests.unit.protocols.dnp3 import conversation as dnp3
from tests.unit.protocols.opcua import conversation as opcua
from tests.unit.protocols.s7comm import conversation as s7

NODE = b"\1\2\x07\0"
PUT = "05 01 12 0a 10 02 0001 0001 84 000320"  # one byte of DB 1


def content(inspection: Inspection, data: bytes) -> bytes:
    [request] = inspection.from_client(data)
    return inspection.content(request)


def dated(value: int, at: int, mask: int = 5) -> bytes:
    """A write of a byte with the time stamp of whoever sends it, and the picoseconds where ``mask`` says so."""
    body = opcua.writing(NODE, bytes((3, value)))
    return body[:-3] + bytes((mask, 3, value)) + struct.pack("<q", at) + (b"\7\0" if mask & 0x10 else b"")


def test_a_write_of_opc_ua_is_the_same_at_another_time_and_another_with_another_value() -> None:
    inspection = opcua.opened()
    first = content(inspection, opcua.message(2, dated(5, 1000)))
    assert content(inspection, opcua.message(3, dated(5, 2000))) == first
    assert content(inspection, opcua.message(4, dated(6, 1000))) != first
    assert content(inspection, opcua.message(5, opcua.writing(NODE, b"\3\5"))) != first
    assert content(inspection, opcua.message(6, dated(5, 1000, 0x15))) != first
    status = opcua.writing(NODE, b"\3\5")[:-3] + b"\3\3\5" + bytes(4)
    other = status[:-1] + b"\x80"
    assert content(inspection, opcua.message(7, status)) != content(inspection, opcua.message(8, other))


def test_a_job_of_s7_is_the_same_under_another_reference() -> None:
    inspection = s7.opened()
    first = content(inspection, s7.job(PUT, "00 04 0008 22", reference=8))
    assert content(inspection, s7.job(PUT, "00 04 0008 22", reference=9)) == first
    assert content(inspection, s7.job(PUT, "00 04 0008 33", reference=8)) != first


def test_an_operate_of_dnp3_is_the_same_under_other_numbers() -> None:
    inspection, operate = DNP3.begin(), f"c5 05 {dnp3.CROB}"
    first = content(inspection, dnp3.asks(operate))
    again = content(inspection, dnp3.asks(dnp3.with_sequence(operate, 6), segment=1))
    assert again == first
    other = operate.replace("0300 03", "0400 03")
    assert content(inspection, dnp3.asks(dnp3.with_sequence(other, 7), segment=2)) != first


def test_what_has_no_number_counts_whole() -> None:
    inspection = INFO.begin()
    assert content(inspection, opcua.hello()) == opcua.hello()
