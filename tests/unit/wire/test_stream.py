# SPDX-License-Identifier: Apache-2.0
"""A stream as a conversation: what each end says, what the other makes of it, also over a second leg."""

import struct

import pytest

from portineria.wire.frame import BadFrame
from portineria.wire.stream import (
    DATA_BYTES,
    PIECES,
    PING,
    PONG,
    Ack,
    BadStream,
    Data,
    End,
    Eof,
    Frame,
    FrameReader,
    Hello,
    Inbound,
    Notice,
    Open,
    Outbound,
    Ping,
    Pong,
    Refuse,
    Reset,
    data_head,
    encode_ack,
    encode_control,
    encode_eof,
)

HELLO = Hello(order_sha256=b"o" * 32, stream="str_1", service="srv_1", asset_port=502, resume_from=0)


def read(*parts: bytes) -> list[Frame]:
    reader, frames = FrameReader(), []
    for part in parts:
        frames += reader.receive(memoryview(part))
    return frames


def test_a_whole_conversation_is_read_in_order() -> None:
    end = End(to_device=5, from_device=0)
    said = encode_control(HELLO) + data_head(0, 5) + b"hello" + encode_ack(7) + PING + PONG + encode_eof(5)
    assert read(said + encode_control(end)) == [
        HELLO, Data(0, memoryview(b"hello")), Ack(7), Ping(), Pong(), Eof(5), end,
    ]  # fmt: skip


def test_content_is_handed_on_before_the_whole_frame_is_there() -> None:
    frame = data_head(1000, 6) + b"abcdef"
    assert read(frame[:15], frame[15:17], frame[17:]) == [
        Data(1000, memoryview(b"ab")), Data(1002, memoryview(b"cd")), Data(1004, memoryview(b"ef")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "control", [HELLO, Open(3), Refuse("x"), Reset("cut"), End(1, 2), Notice("x", 600), Notice("x", None)]
)
def test_every_control_message_survives_arriving_byte_by_byte(control: Frame) -> None:
    said = encode_control(control)  # type: ignore[arg-type]
    assert read(*(said[at : at + 1] for at in range(len(said)))) == [control]


@pytest.mark.parametrize(
    "said",
    [
        data_head(0, 0),
        data_head(0, DATA_BYTES + 1),
        struct.pack(">BI", 1, 7),
        struct.pack(">BI", 2, 9),
        struct.pack(">BI", 3, 0xFFFFFFFF),
        struct.pack(">BI", 4, 1),
        struct.pack(">BI", 6, 2049),
        struct.pack(">BI", 7, 0),
        struct.pack(">BI", 0, 0),
    ],
    ids=[
        "empty",
        "too long",
        "no offset",
        "odd ACK",
        "endless EOF",
        "PING with a body",
        "long control",
        "kind 7",
        "kind 0",
    ],
)
def test_an_impossible_head_is_refused_at_once(said: bytes) -> None:
    with pytest.raises(BadStream):
        read(said)


@pytest.mark.parametrize("length", [0, 3])
def test_an_acknowledgement_without_a_whole_offset_is_refused(length: int) -> None:
    with pytest.raises(BadStream):
        read(struct.pack(">BI", 2, length) + bytes(length) + PING)


def test_a_control_message_that_is_none_is_refused() -> None:
    with pytest.raises(BadFrame):
        read(struct.pack(">BI", 6, 2) + b"\xff\xff")


# -- what is sent is kept until it arrived ------------------------------------------------------------------------


def sending(*pieces: bytes, window: int = 100) -> Outbound:
    out = Outbound(window)
    for piece in pieces:
        out.push(memoryview(piece))
    return out


def test_what_was_acknowledged_is_forgotten_and_makes_room() -> None:
    out = sending(b"abcde", b"fgh")
    assert out.room == 92
    out.acknowledge(5)
    assert out.room == 97
    assert [(at, bytes(piece)) for at, piece in out.from_offset(5)] == [(5, b"fgh")]


def test_a_new_leg_begins_in_the_middle_of_a_piece() -> None:
    out = sending(b"abcde", b"fgh")
    out.acknowledge(1)
    assert [(at, bytes(piece)) for at, piece in out.from_offset(3)] == [(3, b"de"), (5, b"fgh")]
    assert out.acknowledged == 1  # received is not yet taken: the window must not open by it


def test_a_slow_reader_stays_within_the_window_over_a_new_leg() -> None:
    out, into = sending(b"0123456789", window=10), Inbound(window=10)
    into.accept(Data(0, memoryview(b"0123456789")))  # its local socket took nothing yet
    assert list(out.from_offset(into.received)) == []
    assert out.room == 0
    out.acknowledge(into.take_ack(consumed=4))  # less than was received, and no error
    into.accept(Data(out.push(memoryview(b"abcd")), memoryview(b"abcd")))
    assert out.room == 0


def test_a_device_that_talks_byte_by_byte_is_stopped_before_its_pieces_cost_more_than_the_window() -> None:
    out = Outbound()
    while out.room:
        out.push(memoryview(b"x"))
    assert out.offset == PIECES
    out.acknowledge(1)
    assert out.room > 0


@pytest.mark.parametrize("offset", [0, 9])
def test_a_new_leg_can_neither_go_back_behind_what_was_forgotten_nor_ahead(offset: int) -> None:
    out = sending(b"abcde", b"fgh")
    out.acknowledge(5)
    with pytest.raises(BadStream):
        list(out.from_offset(offset))


def test_only_the_acknowledged_end_settles_a_direction() -> None:
    out = sending(b"abc")
    out.ended = True
    out.acknowledge(3)
    assert not out.settled
    out.acknowledge(4)
    assert out.settled


@pytest.mark.parametrize("offset", [2, 4])
def test_an_acknowledgement_never_goes_back_nor_beyond_what_was_sent(offset: int) -> None:
    out = sending(b"abc")
    out.acknowledge(3)
    with pytest.raises(BadStream):
        out.acknowledge(offset)


def test_the_end_is_sent_again_to_a_leg_that_missed_it() -> None:
    out = sending(b"abc")
    out.ended = True
    out.acknowledge(4)
    assert list(out.from_offset(3)) == []
    assert out.settled


# -- what is received is taken in order, once ---------------------------------------------------------------------


def piece(offset: int, content: bytes) -> Data:
    return Data(offset, memoryview(content))


def test_what_a_new_leg_repeats_is_taken_once() -> None:
    inbound = Inbound(100)
    assert bytes(inbound.accept(piece(0, b"abcd"))) == b"abcd"
    assert bytes(inbound.accept(piece(2, b"cdef"))) == b"ef"
    assert bytes(inbound.accept(piece(0, b"ab"))) == b""
    assert inbound.received == 6


def test_a_gap_is_refused() -> None:
    with pytest.raises(BadStream, match="gap"):
        Inbound(100).accept(piece(1, b"b"))


def test_more_than_the_window_is_refused_until_something_was_acknowledged() -> None:
    inbound = Inbound(4)
    inbound.accept(piece(0, b"abcd"))
    with pytest.raises(BadStream, match="window"):
        inbound.accept(piece(4, b"e"))
    assert inbound.take_ack(2) == 2
    assert bytes(inbound.accept(piece(4, b"e"))) == b"e"


def test_nothing_comes_behind_the_end_but_its_repetition() -> None:
    inbound = Inbound(100)
    inbound.accept(piece(0, b"abc"))
    inbound.end(3)
    assert bytes(inbound.accept(piece(1, b"bc"))) == b""
    with pytest.raises(BadStream, match="behind the end"):
        inbound.accept(piece(3, b"d"))


def test_an_end_that_does_not_fit_what_came_is_refused() -> None:
    inbound = Inbound(100)
    inbound.accept(piece(0, b"abc"))
    with pytest.raises(BadStream):
        inbound.end(2)


def test_the_end_counts_as_one_byte_once_everything_was_taken() -> None:
    inbound = Inbound(100)
    inbound.accept(piece(0, b"abc"))
    inbound.end(3)
    assert (inbound.due(2), inbound.due(3)) == (2, 4)
    assert inbound.take_ack(3) == 4
    assert inbound.take_ack(1) == 4
