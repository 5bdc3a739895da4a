# SPDX-License-Identifier: Apache-2.0
"""A leg in use: one TCP connection with the end-to-end TLS on it, or that inside the relay's TLS (nested).

Callbacks instead of streams: bulk data passes without a task switch per chunk, and a slow side is answered by
``pause``/``resume``.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import cast

from portineria.core.errors import ProtocolError
from portineria.dataplane.aio.tls import HANDSHAKE_S, Pieces, TlsLayer, Truncated

RECEIVE_BYTES = 1 << 17
WRITE_HIGH, WRITE_LOW = 1 << 20, 1 << 18  # of ciphertext waiting for the kernel, per leg
QUEUE_BYTES = 8 << 20  # resending a whole window of 4 MiB fits; an end that only asks (PING) and never reads does not
GOODBYE_S = 30.0  # for what is still queued when we close: a window at 1.2 Mbit/s


class OuterClosed(ProtocolError):
    code = "leg.outer-closed"


class NotRead(ProtocolError):
    code = "leg.not-read"


class _Shared(threading.local):
    """One buffer for all legs of an event loop: what is read into it is decrypted before the next read."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(RECEIVE_BYTES))


_SHARED = _Shared()


class Channel(asyncio.BufferedProtocol):
    """``start``, ``begin``, then ``write``. ``on_data`` gets lists of plaintext, ``on_lost`` comes once, at the end."""

    def __init__(self, layers: list[TlsLayer]) -> None:
        self._layers = layers
        self._transport: asyncio.Transport | None = None
        self._handshaken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._early: Pieces = []
        self._error: Exception | None = None
        self._goodbye: asyncio.TimerHandle | None = None
        self.writable = True
        self.closed, self._leaving = False, False
        self.on_data: Callable[[Pieces], None] | None = None
        self.on_lost: Callable[[Exception | None], None] | None = None
        self.on_writable: Callable[[], None] | None = None
        self.last_received = 0.0

    async def start(
        self, sock: socket.socket, context: ssl.SSLContext, *, server_side: bool, early: bytes = b""
    ) -> TlsLayer:
        """Take over the socket, do the end-to-end handshake and return its layer. Fails within HANDSHAKE_S.

        ``early``: bytes of the end-to-end session that were read together with the relay's last frame.
        """
        inner = TlsLayer(context, server_side=server_side)
        inner.feed(early)
        self._layers.append(inner)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self, sock=sock)
        except BaseException:
            sock.close()
            raise
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                self._received(b"")  # speaks first as client; as server looks at what is there already
                await self._handshaken
        except BaseException:
            if not self._leaving:  # else an alert is on its way
                self.abort()
            raise
        return inner

    def begin(self, on_data: Callable[[Pieces], None], on_lost: Callable[[Exception | None], None]) -> None:
        """From now on deliver: first what came with the handshake."""
        self.on_data, self.on_lost = on_data, on_lost
        early, self._early = self._early, []
        if early:
            on_data(early)
        if self.closed:
            on_lost(self._error)

    # -- asyncio's side --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclass
        self._transport.set_write_buffer_limits(high=WRITE_HIGH, low=WRITE_LOW)
        self.last_received = asyncio.get_running_loop().time()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _SHARED.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.last_received = asyncio.get_running_loop().time()
        if not self._leaving:
            self._received(_SHARED.buffer[:nbytes])

    def _received(self, data: bytes | memoryview) -> None:
        try:
            self._layers[0].feed(data)
            self._deliver()
        except ProtocolError as error:
            self._fail(error)

    def _deliver(self) -> None:
        inner = self._layers[-1]
        for outer in self._layers[:-1]:
            for piece in outer.read():
                inner.feed(piece)
        self._shake()
        if self._handshaken.done():
            self._hand_on(inner)
        # Last: an honest end's goodbye of the inner session comes in the same read as that of the outer layer.
        if any(outer.peer_closed for outer in self._layers[:-1]) and not inner.peer_closed:
            raise OuterClosed("the relay closed the outer layer")

    def _hand_on(self, inner: TlsLayer) -> None:
        pieces = inner.read()
        self._flush()  # reading may have made an answer: a KeyUpdate asks for ours
        if pieces:
            if self.on_data is None:
                self._early += pieces
            else:
                self.on_data(pieces)
        if inner.peer_closed:
            self.close()

    def _shake(self) -> None:
        if self._handshaken.done():
            return
        done = self._layers[-1].handshake()
        self._flush()
        if done:
            self._handshaken.set_result(None)

    def eof_received(self) -> bool:
        if not self._leaving and not self._layers[-1].peer_closed:
            self._error = self._error or Truncated("the leg ended without its goodbye")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._goodbye is not None:
            self._goodbye.cancel()
        if not self._layers[-1].peer_closed:  # after its goodbye it may be gone before ours: still a clean end
            self._error = self._error or exc
        if not self._handshaken.done():
            self._handshaken.set_exception(self._error or Truncated("the leg ended during its handshake"))
            self._handshaken.exception()  # whoever awaits it sees it; nobody else must be warned
        if self.on_lost is not None:
            self.on_lost(self._error)

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        if self.on_writable is not None:
            self.on_writable()

    # -- our side --------------------------------------------------------------------------------------------

    def write(self, *parts: bytes | bytearray | memoryview) -> None:
        """Encrypt and send now. A leg that is closed drops it: the stream keeps what was not acknowledged."""
        if self.closed or self._leaving or self._transport is None or self._transport.is_closing():
            return
        try:
            for part in parts:
                self._layers[-1].write(part)
            self._flush()
        except ProtocolError as error:
            self._fail(error)

    def _flush(self) -> None:
        data = self._layers[-1].take_outgoing()
        for layer in reversed(self._layers[:-1]):
            if data:
                layer.write(data)
            data = layer.take_outgoing()
        if data and self._transport is not None:
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > QUEUE_BYTES:
                self._error = self._error or NotRead("the other end of the leg does not read")
                self._transport.abort()

    def _fail(self, error: Exception) -> None:
        self._error = error
        self._flush()  # the TLS alert, so that the other side learns why
        if not self._handshaken.done():
            self._handshaken.set_exception(error)
            self._handshaken.exception()
        self.close()

    def close(self) -> None:
        """Send what is written, say goodbye, then close.

        Until the other side closes too, what it sends is read and dropped: closing over unread bytes would reset the
        connection, and our last words (RESET, REFUSE, END) would be lost on their way.
        """
        if self._leaving or self._transport is None or self._transport.is_closing():
            return
        self._leaving = True
        for layer in reversed(self._layers):
            with contextlib.suppress(ProtocolError):  # broken already: there is nobody to say goodbye to
                layer.unwrap()
                self._flush()
        if not self._transport.is_closing():
            self._transport.write_eof()
            self._goodbye = asyncio.get_running_loop().call_later(GOODBYE_S, self._transport.abort)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
