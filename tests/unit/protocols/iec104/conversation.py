# SPDX-License-Identifier: Apache-2.0
"""What a controlling and a controlled station say to each other, written in hex."""

from __future__ import annotations

from portineria.protocols.iec104 import INFO
from portineria.protocols.iec104.apci import MODULUS
from portineria.protocols.inspection import Answer, Inspection, Request
from portineria.protocols.operation import Operation

START, STARTED = bytes.fromhex("680407000000"), bytes.fromhex("68040b000000")
STOP, TEST, TESTED = bytes.fromhex("680413000000"), bytes.fromhex("680443000000"), bytes.fromhex("680483000000")
SINGLE = "2d 01 06 00 0100 a00f00 01"  # on, object 4000 of station 1
FLOAT = "0d 01 03 00 0100 640000 0000c842 00"  # 100.0, object 100
READ = "66 01 05 00 0100 640000"
INTERROGATION = "64 01 06 00 0100 000000 14"


def frame(asdu: str | bytes, sent: int = 0, received: int = 0) -> bytes:
    body = bytes.fromhex(asdu) if isinstance(asdu, str) else asdu
    numbers = (sent % MODULUS << 1).to_bytes(2, "little") + (received % MODULUS << 1).to_bytes(2, "little")
    return bytes((0x68, len(body) + 4)) + numbers + body


def acknowledge(received: int) -> bytes:
    return b"\x68\x04\x01\x00" + (received % MODULUS << 1).to_bytes(2, "little")


def numbers(data: bytes) -> tuple[int, int]:
    """N(S) and N(R) of an I frame."""
    assert not data[2] & 1
    return int.from_bytes(data[2:4], "little") >> 1, int.from_bytes(data[4:6], "little") >> 1


def cause(answer: str, value: int) -> str:
    """The ASDU with another cause, test and P/N bits included."""
    data = bytearray.fromhex(answer)
    data[2] = value
    return data.hex()


def started() -> Inspection:
    inspection = INFO.begin()
    (request,) = inspection.from_client(START)
    assert inspection.forward(request) == START
    (answer,) = inspection.from_device(STARTED)
    assert (answer.data, answer.to) == (STARTED, request)
    return inspection


def ask(asdu: str | bytes) -> Operation:
    (request,) = started().from_client(frame(asdu))
    (operation,) = request.operations
    return operation


def tell(asdu: str | bytes) -> Answer:
    (answer,) = started().from_device(frame(asdu))
    return answer


def passed(inspection: Inspection, data: bytes) -> bytes:
    return b"".join(inspection.forward(request) for request in inspection.from_client(data))


def one(inspection: Inspection, data: bytes) -> Request:
    (request,) = inspection.from_client(data)
    return request
