# SPDX-License-Identifier: Apache-2.0
"""Messages of EtherNet/IP, put together by hand."""

from __future__ import annotations

import struct

from portineria.protocols.cip import INFO
from portineria.protocols.inspection import Answer, Request
from portineria.protocols.operation import Operation

CONTEXT = b"_context"
SESSION = 77
ROUTER = "2002 2401"
MANAGER = "2006 2401"


def path(text: str) -> bytes:
    return bytes.fromhex(text)


def symbol(name: str) -> bytes:
    return bytes([0x91, len(name)]) + name.encode() + b"\0" * (len(name) % 2)


def request(service: int, where: bytes | str, data: bytes | str = b"") -> bytes:
    where = path(where) if isinstance(where, str) else where
    data = bytes.fromhex(data) if isinstance(data, str) else data
    return bytes([service, len(where) // 2]) + where + data


def wrapped(command: int, body: bytes, context: bytes = CONTEXT, status: int = 0) -> bytes:
    return struct.pack("<HHII8sI", command, len(body), SESSION, status, context, 0) + body


def unconnected(message: bytes, context: bytes = CONTEXT) -> bytes:
    return wrapped(0x6F, struct.pack("<IHHHHHH", 0, 10, 2, 0, 0, 0xB2, len(message)) + message, context)


def connected(connection: int, sequence: int, message: bytes, context: bytes = CONTEXT) -> bytes:
    inner = struct.pack("<H", sequence) + message
    return wrapped(0x70, struct.pack("<IHHHHIHH", 0, 0, 2, 0xA1, 4, connection, 0xB1, len(inner)) + inner, context)


def bundle(*requests: bytes, where: str = ROUTER) -> bytes:
    at, places = 2 + 2 * len(requests), []
    for each in requests:
        places.append(at)
        at += len(each)
    return request(0x0A, where, struct.pack(f"<H{len(places)}H", len(places), *places) + b"".join(requests))


def sent_on(message: bytes, route: str = "0100") -> bytes:
    data = struct.pack("<BBH", 10, 5, len(message)) + message + b"\0" * (len(message) % 2)
    way = path(route)
    return request(0x52, MANAGER, data + bytes([len(way) // 2, 0]) + way)


def forward_open(
    where: str = "0100 2002 2401", *, transport: int = 0xA3, to_client: int = 0x2000, serial: int = 7, kind: int = 2
) -> bytes:
    way, parameters = path(where), kind << 13 | 500
    head = struct.pack(
        "<BBIIHHIB3xIHIHB", 10, 5, 0, to_client, serial, 9, 99, 1, 10000, parameters, 10000, parameters, transport
    )
    return request(0x54, MANAGER, head + bytes([len(way) // 2]) + way)


def forward_close(where: str = "0100 2002 2401", serial: int = 7) -> bytes:
    way = path(where)
    return request(0x4E, MANAGER, struct.pack("<BBHHIBB", 10, 5, serial, 9, 99, len(way) // 2, 0) + way)


def ask(message: bytes) -> Request:
    (found,) = INFO.begin().from_client(unconnected(message))
    return found


def operation(message: bytes) -> Operation:
    (found,) = ask(message).operations
    return found


def converse(message: bytes, told: bytes) -> Answer:
    inspection = INFO.begin()
    (asked,) = inspection.from_client(unconnected(message))
    assert inspection.forward(asked) == asked.data == unconnected(message)
    (answer,) = inspection.from_device(unconnected(told))
    assert answer.to is asked
    return answer
