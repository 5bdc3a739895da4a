# SPDX-License-Identifier: Apache-2.0
"""Messages of a conversation without security, as small as they may be."""

from __future__ import annotations

import struct

from portineria.protocols.inspection import Inspection
from portineria.protocols.opcua import INFO

HEADER = bytes(2) + bytes(8) + struct.pack("<I", 7) + bytes(4) + b"\xff" * 4 + bytes(4) + bytes(3)
RESULT = bytes(8) + struct.pack("<II", 7, 0) + b"\0" + b"\xff" * 4 + bytes(3)
POLICY = b"http://opcfoundation.org/UA/SecurityPolicy#None"
OPENING = struct.pack("<Ii", 0, len(POLICY)) + POLICY + b"\xff" * 8
DENIED = struct.pack("<I", 0x801F0000)


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", 8 + len(body)) + body


def service(number: int, body: bytes) -> bytes:
    return b"\1\0" + struct.pack("<H", number) + body


def hello(receives: int = 65535, sends: int = 65535, message: int = 0, chunks: int = 0) -> bytes:
    return chunk(b"HELF", struct.pack("<5Ii", 0, receives, sends, message, chunks, -1))


def acknowledge(receives: int = 65535, sends: int = 65535, message: int = 0, chunks: int = 0) -> bytes:
    return chunk(b"ACKF", struct.pack("<5I", 0, receives, sends, message, chunks))


def opening(number: int = 1, renew: int = 0, mode: int = 1) -> bytes:
    body = service(446, HEADER) + struct.pack("<IIIiI", 0, renew, mode, -1, 60000)
    return chunk(b"OPNF", OPENING + struct.pack("<II", number, number) + body)


def opened_as(number: int = 1, token: int = 6, asked: int | None = None) -> bytes:
    body = service(449, RESULT) + struct.pack("<IIIqIi", 0, 5, token, 0, 60000, -1)
    return chunk(b"OPNF", OPENING + struct.pack("<II", number, asked or number) + body)


def opened(greeting: bytes = b"", greeted: bytes = b"") -> Inspection:
    inspection = INFO.begin()
    for asked, told in ((greeting or hello(), greeted or acknowledge()), (opening(), opened_as())):
        (request,) = inspection.from_client(asked)
        assert inspection.forward(request) == asked
        assert [answer.data for answer in inspection.from_device(told)] == [told]
    return inspection


def message(number: int, body: bytes, kind: bytes = b"MSGF", *, request: int | None = None, token: int = 6) -> bytes:
    return chunk(kind, struct.pack("<IIII", 5, token, number, number if request is None else request) + body)


def reading(*nodes: bytes) -> bytes:
    """A read of the values of ``nodes``, which are encoded."""
    places = b"".join(node + struct.pack("<Ii", 13, -1) + b"\0\0" + b"\xff" * 4 for node in nodes)
    return service(631, HEADER + bytes(12) + struct.pack("<i", len(nodes)) + places)


def told(*values: bytes) -> bytes:
    """The answer to a read, each value a variant."""
    return service(634, RESULT + struct.pack("<i", len(values)) + b"".join(b"\1" + each for each in values) + b"\0" * 4)


def writing(node: bytes, value: bytes, attribute: int = 13) -> bytes:
    place = node + struct.pack("<Ii", attribute, -1)
    return service(673, HEADER + struct.pack("<i", 1) + place + b"\1" + value)


def sequence_at(data: bytes) -> int:
    """Where in a chunk the sequence number stands, before the request id."""
    return 24 + struct.unpack_from("<i", data, 12)[0] if data[:3] == b"OPN" else 16


# Of a file: opened to be read and written, both, closed. As variants: a mode, a handle, how much, what.
HANDLE, OCTETS = b"\x07\x07\0\0\0", b"\x0f\x02\0\0\0ab"
FILE_CALLS = [
    (b"\1\0" + struct.pack("<H", 11580), b"\x03\x07"),
    (b"\1\0" + struct.pack("<H", 11585), HANDLE, b"\x06\x02\0\0\0"),
    (b"\1\0" + struct.pack("<H", 11588), HANDLE, OCTETS),
    (b"\1\0" + struct.pack("<H", 11583), HANDLE),
]


def calling(node: bytes, method: bytes, *given: bytes) -> bytes:
    """One method; ``given``: variants."""
    return service(712, HEADER + struct.pack("<i", 1) + node + method + struct.pack("<i", len(given)) + b"".join(given))


def called(*back: bytes, result: int = 0) -> bytes:
    """The answer to that."""
    told = struct.pack("<Iiii", result, -1, -1, len(back)) + b"".join(back)
    return service(715, RESULT + struct.pack("<i", 1) + told + struct.pack("<i", -1))
