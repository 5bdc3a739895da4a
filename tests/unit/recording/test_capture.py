# SPDX-License-Identifier: Apache-2.0
"""What was said is what is read back, whatever was said and however it was cut into chunks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portineria.recording import pcapng, segment
from portineria.recording.chunk import open_chunk, read_chunk
from portineria.recording.pcapng import BadCapture
from portineria.recording.segment import SEGMENT_BYTES
from tests.unit.recording.recorded import FIRST, NOON_NS, OWNER, SECOND, Recording, at, conversation, deep

ACTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([0, 1]), st.binary(min_size=0, max_size=300)),
        st.tuples(st.just(2), st.integers(1, 5000)),
        st.tuples(st.just(3), st.none()),
        st.tuples(st.just(4), st.none()),
    ),
    max_size=30,
)


def said(chunks: list[bytes], direction: int) -> bytes:
    """The bytes of one direction of all packets, in order."""
    found = b""
    for data in chunks:
        _, capture = open_chunk(read_chunk(data), [OWNER])
        for packet in pcapng.packets(capture):
            read = segment.read(packet.frame)
            if read.direction == direction and read.payload:
                found += packet.frame[-read.payload :]
    return found


@settings(max_examples=60, deadline=None)
@given(ACTS, st.sampled_from(["192.168.10.5", "2001:db8::5"]))
def test_whatever_is_said_comes_back_and_verifies(acts: list[tuple[int, object]], address: str) -> None:
    """Data, holes, seals and pieces that could not be kept, in any order."""
    made = Recording()
    made.open(address=address)
    told, given_up = [b"", b""], False
    kept = ["", ""]
    for act, what in acts:
        if isinstance(what, bytes):
            made.say(FIRST, act, what)
            told[act] += what
            kept[act] = ""
        elif isinstance(what, int):
            made.capture.lost(FIRST, 0, what, made.tick())
        elif act == 3:
            made.seal()
        else:
            piece = made.take()
            given_up |= bool(piece.packets)
            made.capture.give_up(piece, made.tick())
    made.over()
    made.seal(end="session.ended")
    verdict = deep(made.chunks)
    assert verdict.faults == []
    lost = sum(what for act, what in acts if isinstance(what, int))
    assert verdict.streams[FIRST].to_device == len(told[0]) + lost
    assert verdict.streams[FIRST].from_device == len(told[1])
    if not given_up:
        assert [said(made.chunks, 0), said(made.chunks, 1)] == told
        assert verdict.lost == lost


def test_a_large_piece_becomes_several_packets() -> None:
    made, data = Recording(), bytes(range(256)) * 1024
    made.open()
    made.say(FIRST, 1, data)
    piece = made.take()
    assert piece.packets == 3 + len(data) // SEGMENT_BYTES
    made.seal(piece=piece)
    assert said(made.chunks, 1) == data


def test_times_follow_the_monotonic_clock_within_a_piece() -> None:
    """The trusted time is set back meanwhile; the packets still follow each other."""
    made = Recording()
    made.open()
    made.capture.data(FIRST, 0, [memoryview(b"a")], at(5))
    back = at(7)
    made.capture.data(FIRST, 0, [memoryview(b"b")], type(back)(back.wall_ns - 10**12, back.boot_ns))
    times = [packet.at_ns - NOON_NS for packet in pcapng.packets(made.take().capture)]
    assert times == [1_000_000] * 3 + [5_000_000, 7_000_000]


def test_an_operation_that_is_too_long_says_so() -> None:
    made = Recording()
    made.open()
    made.say(FIRST, 0, b"x", function="f" * 20000)
    piece = made.take()
    assert b'"too_long":' in piece.index
    assert len(piece.index) < 1000
    made.over()
    made.seal(piece=piece)
    made.seal(end="session.ended")
    assert deep(made.chunks).faults == []


def test_no_capture_begins_with_an_address_that_is_none() -> None:
    with pytest.raises(BadCapture):
        Recording().open(address="plc.example")


def test_numbers_go_round_after_four_gigabytes() -> None:
    made = Recording()
    made.open()
    made.capture.lost(FIRST, 0, (1 << 32) - 3, made.tick())
    made.say(FIRST, 0, b"over the edge")
    made.over()
    made.seal(end="session.ended")
    verdict = deep(made.chunks)
    assert verdict.faults == []
    assert (verdict.lost, verdict.complete) == ((1 << 32) - 3, False)


def test_a_stream_is_named_once_in_each_chunk_it_appears_in() -> None:
    for number, data in enumerate(conversation().chunks):
        index, _ = open_chunk(read_chunk(data), [OWNER])
        assert index.count(f'"{FIRST}","service"'.encode()) == 1
        assert index.count(f'"{SECOND}","service"'.encode()) == (number > 0)


@settings(deadline=None)
@given(st.binary(max_size=400), st.integers(0, 400))
def test_no_bytes_are_read_as_a_capture_but_ours(noise: bytes, place: int) -> None:
    made = Recording()
    made.open()
    made.say(FIRST, 0, b"request")
    capture = made.take().capture
    mutated = capture[:place] + noise + capture[place + len(noise) :]
    for data in (noise, mutated):
        try:
            for packet in pcapng.packets(data):
                segment.read(packet.frame)
        except BadCapture:
            continue
