# SPDX-License-Identifier: Apache-2.0
"""Whatever comes: the same outcome however it is split, nothing but Undecodable, and what passes is what came."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from portineria.protocols.inspection import Undecodable
from portineria.protocols.operation import MAX_VALUES
from portineria.protocols.s7comm import INFO
from tests.unit.protocols.s7comm.conversation import CONFIRM, CONNECT, job, message, opened, packet, told, userdata

READ = "0401120a10020001000584000000"
FETCH = packet(message(1, "1b00000000000000095f3041303030303150", reference=9))
REQUESTS = [
    job(READ),
    job("0501120a10020002000584000000", "0004001000b4"),
    job("0401 120c b0 02 02004a006c 04004c0194"),
    job("0401 120e b2ff 8a0e 0001 12345678 20000009"),
    job("290000000000 09 505f50524f4752414d"),
    job("28000000000000fd 000a 0100 3041303030303150 05 5f494e5345"),
    job("1a00010000000000 09 5f3041303030303150 0d 31303030303530303030303430"),
    job("1d00000000000000 09 5f3041303030303141"),
    job("1e00000000000007"),
    userdata(4, 1, "00110000"),
    userdata(2, 1, "00010102120a10020004000584000000"),
    userdata(7, 2, "00192608231145120001"),
    told("1b00", "000200fb0102", reference=9),
    packet(message(1, READ)[:9], last=False) + packet(message(1, READ)[9:]),
    bytes.fromhex("0300000702f000"),
    packet(b"\x72\x01\x00\x20" + bytes(40)),
    bytes.fromhex("0300000b06800002000100"),
]
ANSWERS = [
    told("0401", "ff04000801"),
    told("0501", "ff"),
    packet(message(2, "", error=0xD241)),
    told("1d00010000000007", ""),
    told("f0000001000103c0"),
    userdata(4, 1, "0011000000020001aabb", kind=0x80, method=0x12),
    userdata(4, 3, "00", kind=0),
    FETCH,
    CONFIRM,
]
parts = st.lists(st.integers(1, 40), max_size=60)
streams = st.lists(st.sampled_from(REQUESTS[:-1]), max_size=8)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    return [*pieces, data[at:]]


@given(streams, parts)
def test_splitting_changes_nothing(stream: list[bytes], sizes: list[int]) -> None:
    whole, split, data = opened(), opened(), b"".join(stream)
    for inspection in (whole, split):
        inspection.from_device(FETCH)
    first = whole.from_client(data)
    second = [request for piece in cut(data, sizes) for request in split.from_client(piece)]
    assert [(each.operations, each.data) for each in first] == [(each.operations, each.data) for each in second]
    assert [whole.forward(each) for each in first] == [split.forward(each) for each in second]


@given(streams)
def test_what_is_forwarded_is_what_came(stream: list[bytes]) -> None:
    """Byte for byte; fragments in one piece, which reads as the same."""
    inspection = opened()
    requests = inspection.from_client(b"".join(stream))
    passed = b"".join(inspection.forward(request) for request in requests)
    assert passed == b"".join(packet(message(1, READ)) if each == REQUESTS[13] else each for each in stream)
    assert [each.operations for each in opened().from_client(passed)] == [each.operations for each in requests]


def play(steps: list[tuple[bool, bytes]], decisions: list[bool]) -> None:
    inspection = opened()
    choices = iter(decisions)
    for from_client, data in steps:
        if not from_client:
            inspection.from_device(data)
            continue
        for request in inspection.from_client(data):
            assert request.operations
            assert all(len(each.values) <= MAX_VALUES for each in request.operations)
            if next(choices, True):
                inspection.forward(request)
            else:
                inspection.refuse(request)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(REQUESTS + ANSWERS)))
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(1, len(data)))]) if draw(st.booleans()) else bytes(data)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Lengths that fit, contents that need not."""
    rosctr = draw(st.sampled_from([1, 2, 3, 7]))
    head = (
        b"\0\1\x12"
        if rosctr == 7
        else bytes((draw(st.sampled_from([4, 5, 0x1A, 0x1B, 0x1D, 0x1E, 0x28, 0x29, 0xF0])),))
    )
    parameter, data = head + draw(st.binary(max_size=40)), draw(st.binary(max_size=60))
    return packet(
        message(rosctr, parameter.hex(), data.hex(), error=draw(st.integers(0, 65535)) if rosctr in (2, 3) else None)
    )


@settings(max_examples=400)
@given(
    st.lists(st.tuples(st.booleans(), mutated() | messages() | st.binary(max_size=80)), max_size=8),
    st.lists(st.booleans()),
)
def test_nothing_but_undecodable_comes_out(steps: list[tuple[bool, bytes]], decisions: list[bool]) -> None:
    with suppress(Undecodable):
        play(steps, decisions)


@given(st.binary(max_size=64))
def test_recognising_never_raises(first: bytes) -> None:
    INFO.recognise(first)
    INFO.recognise(CONNECT[: len(first)] + first)


def test_memory_is_bounded_whatever_comes() -> None:
    """Half a message, uploads, blocks that are fetched, answers to be continued: none grows with the traffic."""
    inspection = opened()

    def round_trip(number: int) -> None:
        reference = number & 0xFFFF
        begin = job("1d00000000000000095f3041303030303141", reference=reference)
        (request,) = inspection.from_client(begin)
        inspection.forward(request)
        inspection.from_device(told(f"1d000100{number:08x}", reference=reference))
        inspection.from_device(packet(message(1, "1b00000000000000095f3041303030303150", reference=reference)))
        inspection.from_device(told("0401", "ff04000801", reference=reference))

    for number in range(200):
        round_trip(number)
    tracemalloc.start()
    for number in range(200, 3200):
        round_trip(number)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 64 * 1024
