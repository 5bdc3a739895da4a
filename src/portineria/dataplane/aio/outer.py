# SPDX-License-Identifier: Apache-2.0
"""The outer layer of a leg on a plain socket: handshake, first frames, and taking the layer off again (WIRE 12)."""

import asyncio
import contextlib
import socket
import ssl
import struct
import sys
from typing import Any

from portineria.dataplane.aio.tls import TlsLayer, Truncated
from portineria.wire.frame import FIRST_FRAME_BYTES, BadFrame, FrameDecoder

_RECEIVE = 16384 + 256
CLOSE_S = 3.0


class Outer:
    """One connection during its set-up. Not for bulk data: afterwards the socket is given on (``release``)."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, *, server_side: bool, name: str = "") -> None:
        """``name``: of the server, said in clear so that a load balancer knows where to."""
        sock.setblocking(False)
        self.sock = sock
        self.layer = TlsLayer(context, server_side=server_side, name=name)
        self._frames = FrameDecoder(limit=FIRST_FRAME_BYTES)
        self._loop = asyncio.get_running_loop()

    async def handshake(self) -> None:
        while not self.layer.handshake():
            await self.flush()
            await self._receive()
        await self.flush()

    async def flush(self) -> None:
        if data := self.layer.take_outgoing():
            await self._loop.sock_sendall(self.sock, data)

    async def _receive(self) -> None:
        data = await self._loop.sock_recv(self.sock, _RECEIVE)
        if not data:
            raise Truncated("the connection ended during set-up")
        self.layer.feed(data)

    async def send(self, frame: bytes | memoryview) -> None:
        self.layer.write(frame)
        await self.flush()

    async def receive(self) -> bytes:
        """The next frame; raise BadFrame beyond 2 KiB, Truncated when the other side leaves."""
        while (frame := self._frames.next_frame()) is None:
            for piece in self.layer.read():
                self._frames.feed(piece)
            frame = self._frames.next_frame()
            if frame is not None:
                return frame
            if self.layer.peer_closed:
                raise Truncated("the other side closed during set-up")
            await self._receive()
        return frame

    async def take_off_as_relay(self) -> bytes:
        """Close the layer after our last record; return the bytes of the end-to-end session that came behind it.

        The layer is then let go of: its buffers would take 45 KB for as long as the leg lives.
        """
        async with asyncio.timeout(CLOSE_S):
            while not self.layer.unwrap():
                await self.flush()
                await self._receive()
            await self.flush()
        self._nothing_left()
        rest = self.layer.take_rest()
        del self.layer
        return rest

    async def take_off_as_end(self) -> None:
        """Answer the relay's goodbye with ours. The relay forwards nothing before it has read that."""
        async with asyncio.timeout(CLOSE_S):
            while not self.layer.peer_closed:
                if self.layer.read():
                    raise BadFrame("data between the relay's last frame and its goodbye")
                if not self.layer.peer_closed:
                    await self._receive()
            self.layer.unwrap()
            await self.flush()
        self._nothing_left()
        if self.layer.take_rest():
            raise BadFrame("data before our own goodbye was sent")

    def take_early(self) -> bytes:
        """Nested mode: what followed the last frame inside the outer layer, and is the end-to-end session's."""
        return self._frames.take_rest()

    def _nothing_left(self) -> None:
        if self._frames.rest:
            raise BadFrame("bytes behind the last frame")

    def abort(self) -> None:
        """Close at once, without waiting for unsent bytes."""
        abort_socket(self.sock)


def abort_socket(sock: socket.socket) -> None:
    """Close with a reset: what is still in the send buffer is dropped (a plain close would deliver it, WIRE 17)."""
    reset_on_close(sock)
    sock.close()


def reset_on_close(sock: socket.socket) -> None:
    """The same for a socket that a transport is going to close."""
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # struct linger {1, 0}
    with contextlib.suppress(OSError):  # already closed
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


LEG_IDLE_S = 15
# A link is idle nearly always: after 15 s from both ends it took 36 MB a month for these alone, of the 30 it may have.
# One from each end between two heartbeats of 55 s makes about 20 MB with them, and a dead path is noticed after 45 s.
LINK_IDLE_S = 30


# A spare leg is idle still longer, and is let go with its link: one probe a minute, from the gateway alone, is 4.5 MB.
SPARE_IDLE_S = 60
FAR_S = 0.1  # of a round trip: from here on one of them costs more than copying what is sent
_MIN_RTT = struct.Struct("=148xI")  # tcp_info.tcpi_min_rtt of Linux, in µs, all bits set while there is none


def is_far(sock: socket.socket, *, from_s: float = FAR_S) -> bool:
    """Whether the shortest round trip that the kernel saw on it is so long. False where no kernel says it."""
    option: Any = getattr(socket, "TCP_INFO", None)
    if option is None or sys.platform != "linux":
        return False
    try:
        told = sock.getsockopt(socket.IPPROTO_TCP, option, _MIN_RTT.size)
    except OSError:  # closed meanwhile; a sandbox whose kernel is none
        return False
    if len(told) < _MIN_RTT.size:
        return False
    [shortest] = _MIN_RTT.unpack(told)
    return bool(from_s * 1e6 <= shortest < 0xFFFFFFFF)


def keep_alive(sock: socket.socket, idle_s: int) -> None:
    """When idle, then every 5 s, 3 times. No TCP_USER_TIMEOUT: a 5 s one killed a live but slow reader (WIRE 15)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    options: list[tuple[str, int]] = [("TCP_KEEPIDLE", idle_s), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)]
    for name, value in options:
        option: Any = getattr(socket, name, None)  # macOS names the first one otherwise
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
