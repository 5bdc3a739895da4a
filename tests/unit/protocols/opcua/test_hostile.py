# SPDX-License-Identifier: Apache-2.0
"""Whatever comes, nothing but Undecodable comes out; and how bytes are split changes nothing."""

from __future__ import annotations

import struct
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.protocols.inspection import Inspection, Undecodable
from portineria.protocols.opcua import INFO
from portineria.protocols.opcua.binary import Reader
from portineria.protocols.opcua.services import SERVICES
from portineria.protocols.opcua.session import LONGEST_MESSAGE

HEADER = bytes(2) + bytes(8) + struct.pack("<I", 7) + bytes(4) + b"\xff" * 4 + bytes(4) + bytes(3)
POLICY = b"http://opcfoundation.org/UA/SecurityPolicy#None"
OPENING = struct.pack("<Ii", 0, len(POLICY)) + POLICY + b"\xff" * 8


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", 8 + len(body)) + body


def service(number: int, body: bytes) -> bytes:
    return b"\1\0" + struct.pack("<H", number) + body


HELLO = chunk(b"HELF", struct.pack("<5Ii", 0, 65535, 65535, 0, 0, -1))
ACKNOWLEDGE = chunk(b"ACKF", struct.pack("<5I", 0, 65535, 65535, 0, 0))
OPEN = chunk(
    b"OPNF", OPENING + struct.pack("<II", 1, 1) + service(446, HEADER) + struct.pack("<IIIiI", 0, 0, 1, -1, 60000)
)
OPENED = chunk(
    b"OPNF",
    OPENING
    + struct.pack("<II", 1, 1)
    + service(449, bytes(8) + struct.pack("<II", 7, 0) + b"\0" + b"\xff" * 4 + bytes(3))
    + struct.pack("<IIIqIi", 0, 5, 6, 0, 60000, -1),
)


def opened() -> Inspection:
    inspection = INFO.begin()
    for asked, told in ((HELLO, ACKNOWLEDGE), (OPEN, OPENED)):
        (request,) = inspection.from_client(asked)
        assert inspection.forward(request) == asked
        assert [answer.data for answer in inspection.from_device(told)] == [told]
    return inspection


def message(number: int, body: bytes, kind: bytes = b"MSGF") -> bytes:
    return chunk(kind, struct.pack("<IIII", 5, 6, number, number) + body)


bodies = st.binary(max_size=60)
requests = st.builds(lambda number, rest: service(number, HEADER + rest), st.sampled_from(sorted(SERVICES)), bodies)


@given(st.lists(requests | bodies, max_size=3), st.lists(st.integers(0, 400), max_size=4))
def test_any_split_has_the_same_outcome(messages: list[bytes], places: list[int]) -> None:
    stream = b"".join(message(number, body) for number, body in enumerate(messages, 2))
    cuts = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})

    def outcome(pieces: list[bytes]) -> list[tuple[object, bytes]]:
        inspection, found = opened(), []
        with suppress(Undecodable):
            for piece in pieces:
                for request in inspection.from_client(piece):
                    found.append((request.operations, request.data))
                    assert inspection.forward(request) == request.data
        return found

    bytewise = outcome([stream[at : at + 1] for at in range(len(stream))])
    # What was complete in the same piece as bad bytes is not told either: the connection ends.
    split = outcome([stream[start:end] for start, end in pairwise(cuts)])
    assert split == bytewise[: len(split)]


@given(bodies, st.booleans())
def test_bytes_raise_nothing_else(data: bytes, begun: bool) -> None:
    for feed in ("from_client", "from_device"):
        inspection = opened() if begun else INFO.begin()
        with suppress(Undecodable):
            getattr(inspection, feed)(message(2, data) if begun else data)


def test_endless_chunks_end() -> None:
    inspection, numbers, each = opened(), iter(range(2, 100)), 200_000
    for _ in range(LONGEST_MESSAGE // (each + 24)):
        part = message(2, b"", b"MSGC")[8:16] + struct.pack("<II", next(numbers), 2) + bytes(each)
        assert inspection.from_client(chunk(b"MSGC", part)) == []
    part = struct.pack("<IIII", 5, 6, next(numbers), 2) + bytes(each)
    with pytest.raises(Undecodable, match="a message of"):
        inspection.from_client(chunk(b"MSGC", part))


@pytest.mark.parametrize("nested", [b"\x18" * 1000, b"\x19" + b"\x40" * 1000, b"\x17" + b"\x01\x17" * 1000])
def test_nested_values_end(nested: bytes) -> None:
    with pytest.raises(Undecodable, match="nested deeper"):
        Reader(nested).variant()


def test_chunks_of_two_messages_are_never_mixed() -> None:
    inspection = opened()
    inspection.from_client(message(2, b"", b"MSGC"))
    with pytest.raises(Undecodable, match="mixed"):
        inspection.from_client(message(3, b""))
