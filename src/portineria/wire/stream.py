# SPDX-License-Identifier: Apache-2.0
"""One TCP connection of the tool, carried end to end inside TLS, outliving the legs that carry it (WIRE 13).

Frames: 1 byte kind, 4 bytes length, then the body. DATA carries the offset of its first byte; ACK says up to where
the other side may forget. Nothing here does I/O: bytes in, frames out.

Flow control is the acknowledgement: a sender keeps at most WINDOW unacknowledged bytes, a receiver acknowledges what
its local socket took. So a leg is always read, PING is always answered, and a slow reader costs at most WINDOW.
"""

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, cast

import msgspec
from msgspec import Meta

from portineria.core.errors import ProtocolError
from portineria.wire.frame import Codec
from portineria.wire.statement import Id, Sha256

WINDOW = 4 << 20  # per direction; covers 100 Mbit/s at 300 ms (3.75 MB)
DATA_BYTES = 1 << 18  # one read of a local socket; a frame is 5 + 8 bytes more
CONTROL_BYTES = 2048
PIECES = 1 << 14  # kept apart at about 300 bytes each: 5 MB beside the window for a device that talks byte by byte
_HEAD = struct.Struct(">BI")
_DATA_HEAD = struct.Struct(">BIQ")
DATA_OVERHEAD = _DATA_HEAD.size
_OFFSET = struct.Struct(">Q")
_DATA, _ACK, _EOF, _PING, _PONG, _CONTROL = 1, 2, 3, 4, 5, 6


class BadStream(ProtocolError):
    code = "wire.stream"


class _Control(msgspec.Struct, frozen=True, tag_field="is", forbid_unknown_fields=True):
    pass


class Hello(_Control, frozen=True, tag="hello"):
    """connector → gateway, first frame. ``resume_from``: up to where the connector has received, 0 for a new stream."""

    order_sha256: Sha256
    stream: Id
    service: Id
    asset_port: Annotated[int, Meta(ge=1, le=65535)]
    resume_from: Annotated[int, Meta(ge=0)]
    resume: bool = False
    transport: Literal["tcp"] = "tcp"


class Open(_Control, frozen=True, tag="open"):
    resume_from: Annotated[int, Meta(ge=0)]


class Refuse(_Control, frozen=True, tag="refuse"):
    reason: Annotated[str, Meta(max_length=64)]


class Reset(_Control, frozen=True, tag="reset"):
    """The local socket of the sender is gone, or permission is: the stream is over."""

    reason: Annotated[str, Meta(max_length=64)]


class End(_Control, frozen=True, tag="end"):
    """Both directions are finished; without it a stream counts as truncated. Bytes as the sender counted them."""

    to_device: Annotated[int, Meta(ge=0)]
    from_device: Annotated[int, Meta(ge=0)]


class Notice(_Control, frozen=True, tag="notice"):
    """gateway → connector: the permission drains; what runs ends in ``seconds_left``. None: the drain was lifted."""

    reason: Annotated[str, Meta(max_length=64)]
    seconds_left: Annotated[int, Meta(ge=0)] | None


Control = Hello | Open | Refuse | Reset | End | Notice
_CONTROLS: Codec[Control] = Codec(Control)


@dataclass(frozen=True, slots=True)
class Data:
    """A piece of a DATA frame; one frame may arrive as several pieces."""

    offset: int
    content: memoryview


@dataclass(frozen=True, slots=True)
class Ack:
    offset: int


@dataclass(frozen=True, slots=True)
class Eof:
    offset: int


@dataclass(frozen=True, slots=True)
class Ping:
    pass


@dataclass(frozen=True, slots=True)
class Pong:
    pass


Frame = Data | Ack | Eof | Ping | Pong | Control

PING = _HEAD.pack(_PING, 0)
PONG = _HEAD.pack(_PONG, 0)


def encode_control(control: Control) -> bytes:
    body = _CONTROLS.encode(control)
    return _HEAD.pack(_CONTROL, len(body)) + body


def encode_ack(offset: int) -> bytes:
    return _HEAD.pack(_ACK, _OFFSET.size) + _OFFSET.pack(offset)


def encode_eof(offset: int) -> bytes:
    return _HEAD.pack(_EOF, _OFFSET.size) + _OFFSET.pack(offset)


def data_head(offset: int, length: int) -> bytes:
    return _DATA_HEAD.pack(_DATA, _OFFSET.size + length, offset)


def _content_length(length: int) -> int:
    """Of a DATA frame whose head says ``length``."""
    if not _OFFSET.size < length <= _OFFSET.size + DATA_BYTES:
        raise BadStream(f"DATA of {length} bytes")
    return length - _OFFSET.size


class FrameReader:
    """One per leg and direction. Content of DATA is handed on in pieces, without waiting for the whole frame."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._left = 0  # bytes of the present DATA frame still to come
        self._offset = 0

    def receive(self, data: memoryview) -> list[Frame]:
        """Return what ``data`` completes, in order; raise BadStream or BadFrame. Pieces point into ``data``."""
        frames: list[Frame] = []
        at, end = 0, len(data)
        while at < end:
            if self._left:
                piece = data[at : at + self._left]
                frames.append(Data(self._offset, piece))
                self._left -= len(piece)
                self._offset += len(piece)
                at += len(piece)
            elif not self._head and end - at >= DATA_OVERHEAD and data[at] == _DATA:
                _, length, self._offset = cast(tuple[int, int, int], _DATA_HEAD.unpack_from(data, at))
                self._left = _content_length(length)
                at += DATA_OVERHEAD
            else:
                at += self._take_head(data, at, frames)
        return frames

    def _take_head(self, data: memoryview, at: int, frames: list[Frame]) -> int:
        """Collect one head (and the body of a control frame); return how many bytes of ``data`` it took."""
        taken = 0
        while True:
            need = self._needed() - len(self._head)
            if need == 0:
                break
            part = data[at + taken : at + taken + need]
            self._head += part
            taken += len(part)
            if len(part) < need:
                return taken
        head, self._head = bytes(self._head), bytearray()
        frame = self._parse(head)
        if frame is not None:
            frames.append(frame)
        return taken

    def _needed(self) -> int:
        """How many bytes of head and control body make the next step possible."""
        if len(self._head) < _HEAD.size:
            return _HEAD.size
        kind, length = cast(tuple[int, int], _HEAD.unpack_from(self._head))
        if kind == _DATA:
            _content_length(length)
            return _DATA_HEAD.size
        limit = CONTROL_BYTES if kind == _CONTROL else _OFFSET.size if kind in (_ACK, _EOF) else 0
        if kind not in (_ACK, _EOF, _PING, _PONG, _CONTROL) or length > limit:
            raise BadStream(f"frame kind {kind} of {length} bytes")
        return _HEAD.size + length

    def _parse(self, head: bytes) -> Frame | None:
        kind, length = _HEAD.unpack_from(head)
        body = head[_HEAD.size :]
        if kind == _DATA:
            (self._offset,) = _OFFSET.unpack(body)
            self._left = length - _OFFSET.size
            return None
        if kind in (_ACK, _EOF):
            if len(body) != _OFFSET.size:
                raise BadStream(f"an offset of {len(body)} bytes")
            (offset,) = _OFFSET.unpack(body)
            return Ack(offset) if kind == _ACK else Eof(offset)
        if kind == _CONTROL:
            return _CONTROLS.decode(body)
        return Ping() if kind == _PING else Pong()


class Outbound:
    """What we send: keeps every byte until the other side acknowledged it, so that a new leg can resume.

    The end counts as one more byte, as in TCP: only so does its sender know that it arrived.
    """

    def __init__(self, window: int = WINDOW) -> None:
        self._window = window
        self._kept: deque[tuple[int, memoryview]] = deque()
        self.offset = 0
        self.acknowledged = 0
        self.ended = False

    @property
    def room(self) -> int:
        return self._window - (self.offset - self.acknowledged) if len(self._kept) < PIECES else 0

    @property
    def settled(self) -> bool:
        """Everything, the end included, has arrived."""
        return self.ended and self.acknowledged == self.offset + 1

    def push(self, content: memoryview) -> int:
        """Keep ``content`` (the caller must not change it any more) and return its offset."""
        at = self.offset
        self._kept.append((at, content))
        self.offset += len(content)
        return at

    def acknowledge(self, offset: int) -> None:
        last = self.offset + 1 if self.ended else self.offset
        if not self.acknowledged <= offset <= last:
            raise BadStream(f"ACK {offset}, expected {self.acknowledged}..{last}")
        self.acknowledged = offset
        while self._kept and self._kept[0][0] + len(self._kept[0][1]) <= offset:
            self._kept.popleft()

    def from_offset(self, offset: int) -> Iterator[tuple[int, memoryview]]:
        """What has to be sent again on a new leg whose other end has received up to ``offset``."""
        if not min(self.acknowledged, self.offset) <= offset <= self.offset:
            raise BadStream(f"resume from {offset}, can do {self.acknowledged}..{self.offset}")
        # Received is not acknowledged: what its local socket has not taken still counts against the window.
        for at, content in self._kept:
            skip = max(0, offset - at)
            if skip < len(content):
                yield at + skip, content[skip:]


class Inbound:
    """What we receive: in order, without gaps, never twice."""

    def __init__(self, window: int = WINDOW) -> None:
        self._window = window
        self.received = 0
        self.acknowledged = 0
        self.ended = False

    def accept(self, data: Data) -> memoryview:
        """Return the part of ``data`` that is new; raise BadStream for a gap, for data behind the end or too much."""
        if data.offset > self.received:
            raise BadStream(f"gap: offset {data.offset}, expected {self.received}")
        new = data.content[self.received - data.offset :]
        if new and self.ended:
            raise BadStream("data behind the end")
        if self.received + len(new) - self.acknowledged > self._window:
            raise BadStream("more than the window")
        self.received += len(new)
        return new

    def end(self, offset: int) -> None:
        if offset != self.received:
            raise BadStream(f"EOF at {offset}, received {self.received}")
        self.ended = True

    def due(self, consumed: int) -> int:
        """How much can be newly acknowledged once the local socket took ``consumed`` bytes in all."""
        return self._target(consumed) - self.acknowledged

    def take_ack(self, consumed: int) -> int:
        """The offset to acknowledge now."""
        self.acknowledged = max(self.acknowledged, self._target(consumed))
        return self.acknowledged

    def _target(self, consumed: int) -> int:
        return consumed + 1 if self.ended and consumed == self.received else consumed
