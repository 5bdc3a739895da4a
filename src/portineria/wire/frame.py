# SPDX-License-Identifier: Apache-2.0
"""Length-prefixed frames: 4 bytes big-endian length, then that many bytes of MessagePack.

Bytes in, payloads out; no sockets, no clock.
"""

import struct
from typing import Any, Generic, TypeVar

import msgspec

from portineria.core.errors import ProtocolError

_LENGTH = struct.Struct(">I")
LINK_FRAME_BYTES = 1 << 20  # 64 sealed events of at most 8.5 KiB are 544 KiB; a question, alone, is below 256 KiB
FIRST_FRAME_BYTES = 2048  # the largest is a connector's proof: ticket ~600 + key 91 + signature 72 bytes

T = TypeVar("T")


class BadFrame(ProtocolError):
    code = "wire.frame"


def encode_frame(payload: bytes, *, limit: int = LINK_FRAME_BYTES) -> bytes:
    if not 0 < len(payload) <= limit:
        raise BadFrame(f"frame of {len(payload)} bytes, allowed 1..{limit}")
    return _LENGTH.pack(len(payload)) + payload


class FrameDecoder:
    """Collects bytes until they form whole frames. One per direction per connection."""

    def __init__(self, *, limit: int = LINK_FRAME_BYTES) -> None:
        self.limit = limit
        self._buffer = bytearray()

    def receive(self, data: bytes | memoryview) -> list[bytes]:
        """Return the payloads completed by ``data``; raise BadFrame for a length nobody may send."""
        self._buffer += data
        frames = []
        while (frame := self.next_frame()) is not None:
            frames.append(frame)
        return frames

    def feed(self, data: bytes | memoryview) -> None:
        self._buffer += data

    def next_frame(self) -> bytes | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if not 0 < length <= self.limit:
            raise BadFrame(f"frame of {length} bytes, allowed 1..{self.limit}")
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        frame = bytes(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        return frame

    @property
    def rest(self) -> bytes:
        """Bytes received beyond the last whole frame."""
        return bytes(self._buffer)

    def take_rest(self) -> bytes:
        rest, self._buffer = bytes(self._buffer), bytearray()
        return rest


class Codec(Generic[T]):
    """MessagePack for one closed set of messages. Decoders of deep or odd input raise ProtocolError only (WIRE 16)."""

    def __init__(self, shape: Any) -> None:
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(shape)

    def encode(self, message: T) -> bytes:
        return msgspec.msgpack.encode(message)

    def decode(self, payload: bytes) -> T:
        try:
            return self._decoder.decode(payload)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise BadFrame(f"{type(error).__name__} in a message of {len(payload)} bytes") from error

    def frame(self, message: T, *, limit: int = LINK_FRAME_BYTES) -> bytes:
        return encode_frame(self.encode(message), limit=limit)
