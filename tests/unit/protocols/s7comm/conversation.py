# SPDX-License-Identifier: Apache-2.0
"""What a client and a station say to each other, written in hex."""

from __future__ import annotations

from portineria.protocols.inspection import Answer, Inspection, Request
from portineria.protocols.operation import Operation
from portineria.protocols.s7comm import INFO

CONNECT = bytes.fromhex("0300001611e00000000100c0010ac1020100c2020102")
CONFIRM = bytes.fromhex("0300001611d00001000200c0010ac1020100c2020102")


def packet(message: bytes, last: bool = True) -> bytes:
    return b"\3\0" + (len(message) + 7).to_bytes(2, "big") + b"\2\xf0" + (b"\x80" if last else b"\0") + message


def message(rosctr: int, parameter: str, data: str = "", *, reference: int = 7, error: int | None = None) -> bytes:
    first, second = bytes.fromhex(parameter), bytes.fromhex(data)
    told = b"" if error is None else error.to_bytes(2, "big")
    lengths = len(first).to_bytes(2, "big") + len(second).to_bytes(2, "big")
    return bytes((0x32, rosctr, 0, 0)) + reference.to_bytes(2, "big") + lengths + told + first + second


def job(parameter: str, data: str = "", *, reference: int = 7) -> bytes:
    return packet(message(1, parameter, data, reference=reference))


def told(parameter: str, data: str = "", *, reference: int = 7, error: int = 0) -> bytes:
    return packet(message(3, parameter, data, reference=reference, error=error))


def userdata(group: int, function: int, payload: str, *, kind: int = 0x40, method: int = 0x11) -> bytes:
    content = f"ff09{len(bytes.fromhex(payload)):04x}{payload}" if payload else "0a000000"
    return packet(message(7, f"00011204{method:02x}{kind | group:02x}{function:02x}00", content))


def opened(connect: bytes = CONNECT, size: int = 960) -> Inspection:
    """Connected, and agreed on PDUs of ``size`` bytes."""
    inspection = INFO.begin()
    (request,) = inspection.from_client(connect)
    inspection.forward(request)
    inspection.from_device(CONFIRM)
    converse(inspection, job(f"f00000010001{size:04x}"), told(f"f00000010001{size:04x}"))
    return inspection


def ask(sent: bytes) -> Request:
    (request,) = opened().from_client(sent)
    return request


def operation(sent: bytes) -> Operation:
    (found,) = ask(sent).operations
    return found


def converse(inspection: Inspection, sent: bytes, came: bytes) -> tuple[Request, Answer]:
    (request,) = inspection.from_client(sent)
    assert inspection.forward(request) == request.data == sent
    (answer,) = inspection.from_device(came)
    assert answer.data == came
    return request, answer
