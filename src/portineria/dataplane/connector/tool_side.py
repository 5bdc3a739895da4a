# SPDX-License-Identifier: Apache-2.0
"""The tool's socket beside a stream: transports and callbacks only, so that it runs on every event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import cast

from portineria.dataplane.aio.outer import reset_on_close
from portineria.dataplane.aio.stream_end import StreamEnd, read_buffer
from portineria.wire.stream import DATA_OVERHEAD

# StreamEnd counts up to 256 KiB that the kernel has not taken as taken. Beyond that it must hear when they are: the
# high mark lies below, so that nothing waits for a call that does not come.
_HIGH, _LOW = 1 << 17, 1 << 16
_JOIN_BELOW = 1 << 16  # event loops make one call of the kernel for each piece


class ToolSide(asyncio.BufferedProtocol):
    """Before ``carry`` it reads at most one buffer. ``on_gone`` is called when the tool leaves before that.

    ``on_first`` is called when there is something in that buffer.
    """

    def __init__(self, sock: socket.socket, on_gone: Callable[[], None]) -> None:
        self._sock = sock
        self._transport: asyncio.Transport | None = None
        self._stream: StreamEnd | None = None
        self._on_gone = on_gone
        self.on_first: Callable[[], None] | None = None
        self._early, self._early_end = bytearray(), False
        self.gone = False

    async def start(self) -> None:
        """Raises OSError when the tool has left already."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: self, self._sock)
        except BaseException:
            self._sock.close()
            raise

    @property
    def first(self) -> memoryview:
        """What it said before ``carry``; it begins the stream."""
        return memoryview(self._early)[DATA_OVERHEAD:]

    def carry(self, stream: StreamEnd) -> None:
        """From now on what the tool says goes into ``stream``."""
        self._stream = stream
        if self._early:
            stream.local_data(self._early, len(self._early) - DATA_OVERHEAD)
            self._early = bytearray()
        if self._early_end:
            stream.local_eof()
        self.resume_reading()

    # -- asyncio's side --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclass
        self._transport.set_write_buffer_limits(high=_HIGH, low=_LOW)

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(read_buffer())[DATA_OVERHEAD:]

    def buffer_updated(self, nbytes: int) -> None:
        if self._stream is None:
            self._early = read_buffer()[: DATA_OVERHEAD + nbytes]
            self.pause_reading()
            if self.on_first is not None:
                self.on_first()
        elif self._stream.over is None:
            self._stream.local_data(read_buffer(), nbytes)

    def eof_received(self) -> bool:
        if self._stream is None:
            self._early_end = True
        else:
            self._stream.local_eof()
        return True  # the other direction goes on

    def resume_writing(self) -> None:
        if self._stream is not None:
            self._stream.local_took()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        if self._stream is None:
            self._on_gone()
        else:
            self._stream.end("tool.reset")

    # -- the stream's side (aio.stream_end.Local) ------------------------------------------------------------

    @property
    def unsent(self) -> int:
        return 0 if self._transport is None or self.gone else self._transport.get_write_buffer_size()

    def write(self, pieces: list[memoryview]) -> None:
        if (transport := self._open) is None:
            return
        if len(pieces) > 1 and sum(map(len, pieces)) < _JOIN_BELOW:
            pieces = [memoryview(b"".join(pieces))]
        for piece in pieces:
            transport.write(piece)

    def write_eof(self) -> None:
        if (transport := self._open) is not None:
            transport.set_write_buffer_limits(high=0)  # the very last byte must be reported as taken
            with contextlib.suppress(OSError):  # the tool is gone: connection_lost tells
                transport.write_eof()

    def pause_reading(self) -> None:
        if self._open is not None:
            self._open.pause_reading()

    def resume_reading(self) -> None:
        if self._open is not None:
            self._open.resume_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._open is not None:
            reset_on_close(self._sock)
            self._open.abort()

    @property
    def _open(self) -> asyncio.Transport | None:
        """The transport while it takes calls: some event loops raise once it closes."""
        transport = self._transport
        return None if transport is None or self.gone or transport.is_closing() else transport
