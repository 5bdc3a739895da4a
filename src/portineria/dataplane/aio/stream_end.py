# SPDX-License-Identifier: Apache-2.0
"""One end of a stream: a local socket on one side, a leg on the other, or none for the moment (WIRE 13).

The same at both ends of the path. The owner attaches legs, decides how long to wait for the next one, and learns the
outcome once.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from portineria.core.errors import ProtocolError
from portineria.dataplane.aio.channel import Channel
from portineria.dataplane.aio.tls import Pieces
from portineria.wire.stream import (
    DATA_BYTES,
    DATA_OVERHEAD,
    PING,
    PONG,
    WINDOW,
    Ack,
    BadStream,
    Data,
    End,
    Eof,
    Frame,
    FrameReader,
    Inbound,
    Notice,
    Outbound,
    Ping,
    Pong,
    Reset,
    data_head,
    encode_ack,
    encode_control,
    encode_eof,
)

_SLACK = 1 << 18  # what a local socket may still hold and count as taken: it keeps the socket busy between two ACKs
_ACK_EVERY = WINDOW // 16
_ACK_WITHIN_S = 0.02  # a lone small answer is acknowledged together with its successors
_FRAME_BYTES = DATA_BYTES  # head included, so that a full frame fills sixteen TLS records exactly
_COPY_BELOW = _FRAME_BYTES // 2  # a buffer that is mostly empty is not kept for its few bytes
PING_S, DEAD_S = 5.0, 15.0
# What a connector may say of its own end. At the gateway a reason is evidence: it must not claim a cut or a good end.
_FROM_CONNECTOR = frozenset({"tool.reset", "hold.expired", "protocol"})


class Local(Protocol):
    """The socket beside this end: the tool's or the device's."""

    @property
    def unsent(self) -> int:
        """Bytes written here that the kernel has not taken yet."""

    def write(self, pieces: list[memoryview]) -> None: ...
    def write_eof(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None:
        """After what is written."""

    def abort(self) -> None:
        """At once, with a reset: what is unsent never arrives."""


class _Shared(threading.local):
    """The buffer of all local sockets of one event loop: a thousand idle connections would keep 256 MB of their own."""

    buffer: bytearray | None = None


_SHARED = _Shared()


def read_buffer() -> bytearray:
    """For one read of a local socket; read into it behind DATA_OVERHEAD, then give it to ``local_data`` at once."""
    if _SHARED.buffer is None:
        _SHARED.buffer = bytearray(_FRAME_BYTES)
    return _SHARED.buffer


class Acknowledgements:
    """When to say how much the local socket took: often enough to keep the other side sending, seldom for little."""

    def __init__(self, inbound: Inbound, local: Local, write: Callable[[bytes], None]) -> None:
        self._in, self._local, self._write = inbound, local, write
        self._timer: asyncio.TimerHandle | None = None

    def local_took(self) -> None:
        due = self._in.due(self._consumed())
        if due >= _ACK_EVERY or (due > 0 and self._in.ended):
            self.send()
        elif due > 0 and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_ACK_WITHIN_S, self.send)

    def send(self) -> None:
        self.close()
        self._write(encode_ack(self._in.take_ack(self._consumed())))

    def _consumed(self) -> int:
        unsent = self._local.unsent
        limit = 0 if self._in.ended else _SLACK
        return self._in.received if unsent <= limit else self._in.received - unsent

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Pulse:
    """Inner PING finds a black hole that keeps TCP open; a leg that is silent for DEAD_S is given up."""

    def __init__(self, leg: Callable[[], Channel | None], *, asks: bool) -> None:
        self._leg, self._asks = leg, asks
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(PING_S, self._beat)

    def _beat(self) -> None:
        self._timer = self._loop.call_later(PING_S, self._beat)
        leg = self._leg()
        if leg is None:
            return
        if self._loop.time() - leg.last_received > DEAD_S:
            leg.abort()
        elif self._asks:
            leg.write(PING)

    def close(self) -> None:
        self._timer.cancel()


def _believed(reason: str, *, gateway_side: bool) -> str:
    honest = reason in _FROM_CONNECTOR if gateway_side else reason != "finished"
    return reason if honest else "reset"


class StreamEnd:
    """``on_over(how)`` is called once: finished, reset, truncated or what the owner gave to ``end``."""

    def __init__(
        self, local: Local, *, gateway_side: bool, on_over: Callable[[str], None], on_leg_lost: Callable[[], None],
        on_notice: Callable[[Notice], None] | None = None,
    ) -> None:  # fmt: skip
        self._local = local
        self._gateway_side = gateway_side
        self._on_over, self._on_leg_lost, self._on_notice = on_over, on_leg_lost, on_notice
        self._leg: Channel | None = None
        self._reader = FrameReader()
        self._out, self._in = Outbound(), Inbound()
        self._reading = True
        self._acks = Acknowledgements(self._in, local, self._write)
        self._pulse = Pulse(lambda: self._leg, asks=not gateway_side)
        self.over: str | None = None

    @property
    def received(self) -> int:
        """Offset to resume from."""
        return self._in.received

    @property
    def attached(self) -> bool:
        """Whether the other end can be heard now."""
        return self._leg is not None

    @property
    def bytes_each_way(self) -> tuple[int, int]:
        """(to the device, from the device)."""
        there, back = self._in.received, self._out.offset
        return (there, back) if self._gateway_side else (back, there)

    # -- legs ------------------------------------------------------------------------------------------------

    def attach(self, leg: Channel, reader: FrameReader, peer_received: int) -> None:
        """Go on over this leg, from where the other end says it has received. Raises BadStream if that is impossible.

        ``reader`` has read the leg so far; frames that came behind the opening one go to ``handle``.
        """
        resend = list(self._out.from_offset(peer_received))
        if self._leg is not None:
            self._detach().abort()
        self._leg, self._reader = leg, reader
        leg.on_data, leg.on_lost, leg.on_writable = self._leg_data, self._leg_lost, self._gate
        for offset, content in resend:
            leg.write(data_head(offset, len(content)), content)
        if self._out.ended:
            leg.write(encode_eof(self._out.offset))
        self._acks.send()
        self._gate()

    def _detach(self) -> Channel:
        leg, self._leg = self._leg, None
        assert leg is not None  # noqa: S101 - callers checked
        leg.on_data = leg.on_lost = leg.on_writable = None
        return leg

    def _leg_lost(self, error: Exception | None) -> None:
        if self._leg is None:
            return
        self._detach()
        if self.over is not None:
            return
        if self._out.settled and self._in.ended and not self._gateway_side:
            self._finish("finished")  # only END is missing; the gateway still waits until the device took the rest
            return
        self._gate()
        self._on_leg_lost()

    def _leg_data(self, pieces: Pieces) -> None:
        try:
            for piece in pieces:
                if self.over is None:  # what follows RESET in the same read must not reach the local socket
                    self.handle(self._reader.receive(memoryview(piece)))
        except ProtocolError:
            self.end("protocol")

    def handle(self, frames: Iterable[Frame]) -> None:
        """Frames of the attached leg, in order; raise BadStream for what no honest end sends."""
        content: list[memoryview] = []
        wrote = False
        for frame in frames:
            if isinstance(frame, Data):
                content.append(self._in.accept(frame))
                continue
            if content:
                self._local.write(content)
                content, wrote = [], True
            self._control(frame)
            if self.over is not None:
                return
        if content:
            self._local.write(content)
        if content or wrote:
            self.local_took()

    def _control(self, frame: Frame) -> None:
        if isinstance(frame, Ack):
            self._out.acknowledge(frame.offset)
            self._gate()
            self._check_finished()
        elif isinstance(frame, Ping):
            self._write(PONG)
        elif isinstance(frame, Eof):
            if not self._in.ended:
                self._in.end(frame.offset)
                self._local.write_eof()
            self._acks.send()
            self._check_finished()
        elif isinstance(frame, Reset):
            self._local.abort()
            self._finish(_believed(frame.reason, gateway_side=self._gateway_side))
        elif isinstance(frame, End):
            self._finish("finished" if self._out.settled and self._in.ended else "truncated")
        elif isinstance(frame, Notice):
            if self._on_notice is not None:
                self._on_notice(frame)
        elif not isinstance(frame, Pong):
            raise BadStream(f"{type(frame).__name__} on an open stream")

    def _write(self, *parts: bytes | bytearray | memoryview) -> None:
        if self._leg is not None:
            self._leg.write(*parts)

    # -- the local socket ------------------------------------------------------------------------------------

    def local_data(self, buffer: bytearray, count: int) -> None:
        """``count`` bytes were read into ``buffer`` behind DATA_OVERHEAD. The buffer is ours or reused from now on."""
        head = data_head(self._out.offset, count)
        if count >= _COPY_BELOW:
            _SHARED.buffer = None
            buffer[:DATA_OVERHEAD] = head
            frame = memoryview(buffer)[: DATA_OVERHEAD + count]
        else:
            frame = memoryview(head + memoryview(buffer)[DATA_OVERHEAD : DATA_OVERHEAD + count])
        self._out.push(frame[DATA_OVERHEAD:])
        self._write(frame)
        self._gate()

    def local_eof(self) -> None:
        if not self._out.ended and self.over is None:
            self._out.ended = True
            self._write(encode_eof(self._out.offset))

    def local_lost(self, reason: str) -> None:
        """The local socket broke: the other end resets its own."""
        self.end(reason)

    def local_took(self) -> None:
        """The local socket took some of what was written."""
        if self.over is None:
            self._acks.local_took()
            self._check_finished()

    def _gate(self) -> None:
        """Read the local socket only while there is room to keep what it says, and the leg is not choked."""
        open_now = self._out.room >= DATA_BYTES and (self._leg is None or self._leg.writable)
        if open_now == self._reading or self._out.ended or self.over is not None:
            return
        self._reading = open_now
        if open_now:
            self._local.resume_reading()
        else:
            self._local.pause_reading()

    # -- ends ------------------------------------------------------------------------------------------------

    def _check_finished(self) -> None:
        if not (self._out.settled and self._in.ended and self._in.acknowledged == self._in.received + 1):
            return
        if self._gateway_side and self._leg is not None:  # without a leg neither ACK nor END arrive: wait for the next
            to_device, from_device = self.bytes_each_way
            self._write(encode_control(End(to_device, from_device)))
            self._finish("finished")

    def notify(self, notice: Notice) -> None:
        self._write(encode_control(notice))

    def end(self, reason: str) -> None:
        """Over now, at both ends: the local socket is reset, the other end told why."""
        if self.over is None:
            self._local.abort()
            self._write(encode_control(Reset(reason)))
            self._finish(reason)

    def _finish(self, how: str) -> None:
        if self.over is not None:
            return
        self.over = how
        self._pulse.close()
        self._acks.close()
        if self._leg is not None:
            self._detach().close()
        if how == "finished":
            self._local.close()
        else:
            self._local.abort()
        self._on_over(how)
