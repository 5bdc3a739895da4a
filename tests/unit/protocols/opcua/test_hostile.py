# SPDX-License-Identifier: Apache-2.0
"""Whatever comes, nothing but Undecodable comes out; and how bytes are split changes nothing."""

from __future__ import annotations

import struct
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.protocols.inspection import Undecodable
from portineria.protocols.opcua import INFO
from portineria.protocols.opcua.binary import Reader
from portineria.protocols.opcua.services import SERVICES
from portineria.protocols.opcua.session import LONGEST_MESSAGE, MOST_HELD, MOST_OPEN
from tests.unit.protocols.opcua.conversation import (
    HEADER,
    RESULT,
    acknowledge,
    chunk,
    hello,
    message,
    opened,
    reading,
    service,
)

bodies = st.binary(max_size=60)
requests = st.builds(lambda number, rest: service(number, HEADER + rest), st.sampled_from(sorted(SERVICES)), bodies)


@given(st.lists(requests | bodies, max_size=3), st.lists(st.integers(0, 400), max_size=4))
def test_any_split_has_the_same_outcome(messages: list[bytes], places: list[int]) -> None:
    stream = b"".join(message(number, body) for number, body in enumerate(messages, 2))
    cuts = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})

    def outcome(pieces: list[bytes]) -> list[tuple[object, bytes]]:
        inspection, found = opened(), list[tuple[object, bytes]]()
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
    inspection, numbers, each = opened(), iter(range(2, 100)), 60_000
    for _ in range(LONGEST_MESSAGE // each):
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


def test_requests_without_an_answer_end() -> None:
    """Forwarded or undecided, by number and by size; one that is answered or refused makes room."""
    inspection = opened()
    for number in range(2, MOST_OPEN + 2):
        (request,) = inspection.from_client(message(number, service(826, HEADER)))
        inspection.forward(request) if number % 2 else None
    with pytest.raises(Undecodable, match="open"):
        inspection.from_client(message(MOST_OPEN + 2, service(826, HEADER)))
    inspection, number, big = opened(), 2, service(826, HEADER + bytes(60_000))
    for number in range(2, MOST_HELD // (len(big) + 24) + 2):
        (request,) = inspection.from_client(message(number, big))
        inspection.forward(request)
    inspection.from_device(message(2, service(829, RESULT), request=2))
    (request,) = inspection.from_client(message(number + 1, big))
    inspection.refuse(request)
    inspection.from_client(message(number + 2, big))
    with pytest.raises(Undecodable, match="open"):
        inspection.from_client(message(number + 3, big) + message(number + 4, big))


def test_a_request_id_in_use_ends_it_before_anybody_decides() -> None:
    inspection = opened()
    inspection.from_client(message(2, reading()))
    with pytest.raises(Undecodable, match="in use"):
        inspection.from_client(message(3, reading(), request=2))


def test_an_answer_before_the_decision_is_to_nothing() -> None:
    inspection = opened()
    inspection.from_client(message(2, reading()))
    with pytest.raises(Undecodable, match="nothing that was asked"):
        inspection.from_device(message(2, service(397, bytes(24)), request=2))


def test_more_nodes_than_any_server_takes_end_it() -> None:
    with pytest.raises(Undecodable, match="the most"):
        opened(hello(1 << 20, 1 << 20), acknowledge(1 << 20, 1 << 20)).from_client(
            message(2, reading(*[b"\0\1"] * 10_001))
        )


LIMITS = {
    "hello: chunks of the client": (hello(sends=8192), acknowledge(), True, [8193]),
    "acknowledge: chunks of the client": (hello(), acknowledge(receives=8192), True, [8193]),
    "acknowledge: a message": (hello(), acknowledge(message=20_000), True, [15_000, 15_000]),
    "acknowledge: how many chunks": (hello(), acknowledge(chunks=2), True, [100, 100, 100]),
    "hello: chunks of the server": (hello(receives=8192), acknowledge(), False, [8193]),
    "acknowledge: chunks of the server": (hello(), acknowledge(sends=8192), False, [8193]),
    "hello: a message": (hello(message=20_000), acknowledge(), False, [15_000, 15_000]),
    "hello: how many chunks": (hello(chunks=2), acknowledge(), False, [100, 100, 100]),
}


@pytest.mark.parametrize(("greeting", "greeted", "asks", "sizes"), LIMITS.values(), ids=LIMITS)
def test_limits_that_were_agreed_hold(greeting: bytes, greeted: bytes, asks: bool, sizes: list[int]) -> None:
    """Each of ``sizes`` is that of one chunk; only the last is too much."""
    inspection = opened(greeting, greeted)
    feed = inspection.from_client if asks else inspection.from_device
    for number, size in enumerate(sizes, 2):
        part = message(number, bytes(size - 24), b"MSGC", request=2)
        if number < len(sizes) + 1:
            assert feed(part) == []
            continue
        with pytest.raises(Undecodable, match=r"a chunk b'MSGC' of 8193|a message of"):
            feed(part)


def test_a_large_chunk_byte_by_byte_is_copied_once() -> None:
    """A mebibyte so takes less than a second; copied with each byte it would be half a tebibyte."""
    size = 1 << 20
    inspection = opened(hello(size, size), acknowledge(size, size))
    whole = message(2, service(826, HEADER + bytes(size - 24 - 4 - len(HEADER))))
    assert len(whole) == size
    found = [request for at in range(size) for request in inspection.from_client(whole[at : at + 1])]
    assert [request.data for request in found] == [whole]
