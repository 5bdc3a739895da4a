# SPDX-License-Identifier: Apache-2.0
"""The resumable stream against its promise: every byte once, in order, however often and wherever the legs are lost."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from portineria.core.errors import ProtocolError
from portineria.wire.frame import FrameDecoder, encode_frame
from portineria.wire.stream import (
    DATA_BYTES,
    PING,
    PONG,
    Ack,
    Control,
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

IDS, REASONS = st.text(max_size=24), st.text(max_size=64)
COUNTS, OFFSETS = st.integers(0, 2**64 - 1), st.integers(0, 2**63)
CONTROLS: st.SearchStrategy[Control] = st.one_of(
    st.builds(
        Hello, st.binary(min_size=32, max_size=32), IDS, IDS, st.integers(1, 65535), COUNTS, st.booleans(),
        st.just("tcp"),
    ),
    st.builds(Open, COUNTS),
    st.builds(Refuse, REASONS),
    st.builds(Reset, REASONS),
    st.builds(End, COUNTS, COUNTS),
    st.builds(Notice, REASONS, COUNTS),
)  # fmt: skip
FRAMES: st.SearchStrategy[Frame] = st.one_of(
    CONTROLS,
    st.builds(Data, OFFSETS, st.binary(min_size=1, max_size=300).map(memoryview)),
    st.builds(Ack, COUNTS),
    st.builds(Eof, COUNTS),
    st.just(Ping()),
    st.just(Pong()),
)


def encoded(frame: Frame) -> bytes:
    if isinstance(frame, Data):
        return data_head(frame.offset, len(frame.content)) + frame.content
    if isinstance(frame, Ack):
        return encode_ack(frame.offset)
    if isinstance(frame, Eof):
        return encode_eof(frame.offset)
    if isinstance(frame, Ping):
        return PING
    return PONG if isinstance(frame, Pong) else encode_control(frame)


@st.composite
def cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """``data`` in up to nine pieces, some of them empty."""
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


def joined(frames: list[Frame]) -> list[Frame]:
    """Adjoining pieces of DATA as one: where they were cut is nobody's business."""
    whole: list[Frame] = []
    for frame in frames:
        last = whole[-1] if whole else None
        if isinstance(frame, Data) and isinstance(last, Data) and last.offset + len(last.content) == frame.offset:
            whole[-1] = Data(last.offset, memoryview(bytes(last.content) + bytes(frame.content)))
        else:
            whole.append(frame)
    return whole


@given(frames=st.lists(FRAMES, max_size=12), data=st.data())
def test_frames_come_out_as_they_went_in_wherever_they_were_cut(frames: list[Frame], data: st.DataObject) -> None:
    reader, got = FrameReader(), []
    for piece in data.draw(cuts(b"".join(encoded(frame) for frame in frames))):
        got += reader.receive(memoryview(piece))
    assert joined(got) == joined(frames)


def outcome(pieces: list[bytes], receive: Callable[[bytes], list[Frame]]) -> tuple[list[Frame], bool]:
    """What was read in all, and whether it was refused in the end."""
    got: list[Frame] = []
    for piece in pieces:
        try:
            got += receive(piece)
        except ProtocolError:
            return got, True
    return got, False


@given(start=st.lists(FRAMES, max_size=4), rubbish=st.binary(max_size=60), data=st.data())
def test_rubbish_is_refused_wherever_it_was_cut(start: list[Frame], rubbish: bytes, data: st.DataObject) -> None:
    said = b"".join(encoded(frame) for frame in start) + rubbish
    byte_by_byte = [said[at : at + 1] for at in range(len(said))]
    slow, fast = FrameReader(), FrameReader()
    _, refused = outcome(byte_by_byte, lambda piece: slow.receive(memoryview(piece)))
    _, refused_too = outcome(data.draw(cuts(said)), lambda piece: fast.receive(memoryview(piece)))
    assert refused == refused_too


@given(payloads=st.lists(st.binary(min_size=1, max_size=40), max_size=6), behind=st.binary(max_size=3), data=st.data())
def test_link_frames_come_out_as_they_went_in_wherever_they_were_cut(
    payloads: list[bytes], behind: bytes, data: st.DataObject
) -> None:
    decoder, got = FrameDecoder(limit=40), []
    for piece in data.draw(cuts(b"".join(encode_frame(payload) for payload in payloads) + behind)):
        got += decoder.receive(piece)
    assert got == payloads
    assert decoder.rest == behind


# -- the whole stream ----------------------------------------------------------------------------------------


@dataclass
class OneEnd:
    """What one end keeps over all its legs: its two halves, and its local socket as two byte strings."""

    window: int
    said: bytearray = field(default_factory=bytearray)  # by the local socket
    waiting: bytearray = field(default_factory=bytearray)  # received, not yet taken by the local socket
    taken: bytearray = field(default_factory=bytearray)
    heard_end: bool = False

    def __post_init__(self) -> None:
        self.out, self.into = Outbound(self.window), Inbound(self.window)
        self.reader = FrameReader()
        self.line = bytearray()  # what this leg carries to this end, and has not delivered

    def receive(self, data: bytes) -> None:
        for frame in self.reader.receive(memoryview(data)):
            if isinstance(frame, Data):
                self.waiting += self.into.accept(frame)
            elif isinstance(frame, Ack):
                self.out.acknowledge(frame.offset)
            elif isinstance(frame, Eof) and not self.into.ended:
                self.into.end(frame.offset)
                self.heard_end = True

    def acknowledgement(self) -> bytes:
        return encode_ack(self.into.take_ack(len(self.taken)))

    def start_again(self, peer_received: int) -> bytes:
        """What is said first on a new leg."""
        self.reader, self.line = FrameReader(), bytearray()
        again = b"".join(data_head(at, len(part)) + part for at, part in self.out.from_offset(peer_received))
        return again + (encode_eof(self.out.offset) if self.out.ended else b"") + self.acknowledgement()


class ResumedStream(RuleBasedStateMachine):
    """Two ends, one leg at a time; legs are lost with what they carry, local sockets take what they like."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = (OneEnd(window=64), OneEnd(window=64))
        self.connected = True

    def _say(self, who: int, words: bytes) -> None:
        if self.connected:
            self.ends[1 - who].line += words

    @rule(who=st.integers(0, 1), content=st.binary(min_size=1, max_size=40))
    def the_local_socket_speaks(self, who: int, content: bytes) -> None:
        end = self.ends[who]
        content = content[: end.out.room]
        if content and not end.out.ended:
            end.said += content
            offset = end.out.push(memoryview(content))
            self._say(who, data_head(offset, len(content)) + content)

    @rule(who=st.integers(0, 1))
    def the_local_socket_ends(self, who: int) -> None:
        end = self.ends[who]
        if not end.out.ended:
            end.out.ended = True
            self._say(who, encode_eof(end.out.offset))

    @rule(who=st.integers(0, 1), count=st.integers(1, 200))
    def the_leg_delivers(self, who: int, count: int) -> None:
        end = self.ends[who]
        part, end.line = bytes(end.line[:count]), end.line[count:]
        end.receive(part)

    @rule(who=st.integers(0, 1), count=st.integers(1, 64))
    def the_local_socket_takes(self, who: int, count: int) -> None:
        end = self.ends[who]
        part, end.waiting = end.waiting[:count], end.waiting[count:]
        end.taken += part
        self._say(who, end.acknowledgement())

    @precondition(lambda self: self.connected)
    @rule()
    def the_leg_is_lost_with_what_it_carries(self) -> None:
        self.connected = False
        for end in self.ends:
            end.line.clear()

    @precondition(lambda self: not self.connected)
    @rule()
    def a_new_leg_is_there(self) -> None:
        self.connected = True
        one, other = self.ends
        first, second = one.start_again(other.into.received), other.start_again(one.into.received)
        self._say(0, first)
        self._say(1, second)

    @invariant()
    def what_arrived_is_a_beginning_of_what_was_said(self) -> None:
        for mine, peer in (self.ends, self.ends[::-1]):
            assert peer.said.startswith(mine.taken + mine.waiting)
            assert not mine.heard_end or mine.taken + mine.waiting == peer.said

    @invariant()
    def nobody_keeps_more_than_the_window(self) -> None:
        for end in self.ends:
            assert end.out.settled or 0 <= end.out.room <= end.window
            assert len(end.waiting) <= end.window

    def teardown(self) -> None:
        """In the end a leg holds: then everything arrives, and both directions settle."""
        if not self.connected:
            self.a_new_leg_is_there()
        for who in (0, 1):
            self.the_local_socket_ends(who)
        for _ in range(4):
            for who in (0, 1):
                self.the_leg_delivers(who, len(self.ends[who].line))
                self.the_local_socket_takes(who, 64)
        for mine, peer in (self.ends, self.ends[::-1]):
            assert mine.taken == peer.said
            assert mine.out.settled


ResumedStream.TestCase.settings = settings(stateful_step_count=40)  # the rest as in tests/conftest.py
TestResumedStream = ResumedStream.TestCase


@given(window=st.integers(1, 1 << 22), offset=st.integers(0, 2**64 - 1), content=st.binary(max_size=64))
def test_no_data_at_any_offset_does_more_than_be_refused(window: int, offset: int, content: bytes) -> None:
    into = Inbound(window)
    into.accept(Data(0, memoryview(b"x")))
    try:
        new = into.accept(Data(offset, memoryview(content)))
    except ProtocolError:
        assert into.received == 1
    else:
        assert offset <= 1
        assert into.received == 1 + len(new)


@given(length=st.integers(0, 2**32 - 1))
def test_a_data_frame_is_refused_by_its_length_alone(length: int) -> None:
    reader = FrameReader()
    head = b"\x01" + length.to_bytes(4, "big")
    try:
        assert reader.receive(memoryview(head)) == []
        reader.receive(memoryview(b"\0"))  # the length is judged with the next byte at the latest
    except ProtocolError:
        assert not 8 < length <= 8 + DATA_BYTES
    else:
        assert 8 < length <= 8 + DATA_BYTES
