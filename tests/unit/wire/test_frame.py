# SPDX-License-Identifier: Apache-2.0
import msgspec
import pytest

from portineria.wire.frame import FIRST_FRAME_BYTES, BadFrame, Codec, FrameDecoder, encode_frame

PING = bytes.fromhex("00000004 70696e67")
PONG = bytes.fromhex("00000004 706f6e67")


def test_two_frames_arriving_in_three_pieces() -> None:
    decoder = FrameDecoder()
    assert decoder.receive(PING[:3]) == []
    assert decoder.receive(PING[3:] + PONG[:6]) == [b"ping"]
    assert decoder.rest == PONG[:6]
    assert decoder.receive(PONG[6:]) == [b"pong"]
    assert decoder.rest == b""


def test_a_frame_is_its_length_and_its_payload() -> None:
    assert encode_frame(b"ping") == PING


@pytest.mark.parametrize("payload", [b"", bytes(2049)], ids=["empty", "one byte too long"])
def test_what_may_not_be_received_is_not_sent_either(payload: bytes) -> None:
    with pytest.raises(BadFrame):
        encode_frame(payload, limit=FIRST_FRAME_BYTES)


@pytest.mark.parametrize("length", [0, 2049, 0xFFFFFFFF])
def test_an_impossible_length_is_refused_before_its_bytes_arrive(length: int) -> None:
    decoder = FrameDecoder(limit=FIRST_FRAME_BYTES)
    with pytest.raises(BadFrame):
        decoder.receive(length.to_bytes(4, "big"))


def test_the_longest_frame_passes() -> None:
    longest = bytes(range(256)) * 8
    assert FrameDecoder(limit=FIRST_FRAME_BYTES).receive(encode_frame(longest)) == [longest]


def test_what_follows_the_first_frame_can_be_taken_over_once() -> None:
    decoder = FrameDecoder()
    decoder.feed(PING + b"\x16\x03\x01")
    assert decoder.next_frame() == b"ping"
    assert decoder.take_rest() == b"\x16\x03\x01"
    assert decoder.take_rest() == b""


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str


NOTE: Codec[Note] = Codec(Note)


def test_a_message_comes_back_as_it_was() -> None:
    assert NOTE.decode(NOTE.encode(Note("è"))) == Note("è")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x81\xa4text\xa2\xff\xfe",  # no UTF-8: leaves msgspec as UnicodeDecodeError
        b"\x91" * 100_000,  # nested too deep: as RecursionError where nothing limits it
        b"\x81\xa4text\x01",
        b"\x82\xa4text\xa1a\xa4more\xa1b",
        NOTE.encode(Note("a")) + b"\x00",
    ],
    ids=["nothing", "no text", "endless nesting", "another type", "an unknown field", "trailing byte"],
)
def test_bytes_that_are_no_message_are_a_bad_frame(payload: bytes) -> None:
    with pytest.raises(BadFrame):
        NOTE.decode(payload)


def test_nesting_without_a_shape_is_a_bad_frame_too() -> None:
    anything: Codec[object] = Codec(object)
    with pytest.raises(BadFrame, match="RecursionError"):
        anything.decode(b"\x91" * 100_000)
