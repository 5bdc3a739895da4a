# SPDX-License-Identifier: Apache-2.0
"""Moves the bytes of one leg pair between two plain sockets, without ever holding them: ``splice(2)`` through a pipe.

An end of file is passed on as a half-close after its own bytes; both sockets close after both directions (WIRE 14).
"""

import asyncio
import os
import socket
from collections.abc import Callable

_CHUNK = 1 << 20  # an upper bound for one call; the pipe's own size (64 KiB) is what limits it
_TURNS = 4  # calls per wake-up, so that one fast pair does not starve the others
_AGAIN = (BlockingIOError, InterruptedError)


class PipePool:
    """At most ``limit`` pipes of default size. Larger ones fail for unprivileged processes after 32 legs (WIRE 14)."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._free: list[tuple[int, int]] = []
        self._made = 0

    def take(self) -> tuple[int, int] | None:
        if self._free:
            return self._free.pop()
        if self._made >= self._limit:
            return None
        try:
            pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:  # out of descriptors: the leg is copied, not refused
            return None
        self._made += 1
        return pipe

    @property
    def made(self) -> int:
        """Pipes there are, in use or free."""
        return self._made

    def give_back(self, pipe: tuple[int, int], *, empty: bool) -> None:
        if empty:
            self._free.append(pipe)
            return
        os.close(pipe[0])  # bytes of a session must not reach the next one
        os.close(pipe[1])
        self._made -= 1


class Direction:
    """One way: from ``source`` to ``sink``."""

    def __init__(self, source: socket.socket, sink: socket.socket, pool: PipePool, ended: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._source, self._sink = source, sink
        self._in, self._out = source.fileno(), sink.fileno()
        self._pool = pool
        self._pipe = pool.take()
        self._waiting = 0  # bytes in the pipe, or in _copied
        self._copied = memoryview(b"")
        self._eof = self._reading = self._again = False
        self._ended = ended
        self.moved = 0
        self.done = False
        self.broken = False

    def start(self) -> None:
        self._read(True)

    def _read(self, wanted: bool) -> None:
        self._reading = wanted
        if wanted:
            self._loop.add_reader(self._in, self._readable)
        else:
            self._loop.remove_reader(self._in)

    def _readable(self) -> None:
        if not self._reading:
            return
        try:
            for _ in range(_TURNS):
                if not self._fill() or not self._drain():
                    return
            # Until EAGAIN, by turns: where data and a reset arrive together libuv calls once and never again.
            if not self._again:  # one turn more, however often the loop calls meanwhile
                self._again = True
                self._loop.call_soon(self._go_on)
        except _AGAIN:
            return
        except OSError:
            self._ended_badly()

    def _go_on(self) -> None:
        self._again = False
        self._readable()

    def _fill(self) -> bool:
        """Take from the source; return whether there may be more."""
        if self._pipe is not None:
            count = os.splice(self._in, self._pipe[1], _CHUNK)
        else:
            self._copied = memoryview(self._source.recv(65536))
            count = len(self._copied)
        if count == 0:
            self._eof = True
            self._read(False)
            self._finish()
            return False
        self._waiting += count
        return True

    def _drain(self) -> bool:
        """Give to the sink; return whether all is given. Otherwise the source waits until the sink can take more."""
        if self._give():
            return True
        self._read(False)
        self._loop.add_writer(self._out, self._writable)
        return False

    def _give(self) -> bool:
        try:
            while self._waiting:
                if self._pipe is not None:
                    count = os.splice(self._pipe[0], self._out, self._waiting)
                else:
                    count = self._sink.send(self._copied)
                    self._copied = self._copied[count:]
                self._waiting -= count
                self.moved += count
        except _AGAIN:
            return False
        return True

    def _writable(self) -> None:
        try:
            if not self._give():
                return
        except OSError:
            self._ended_badly()
            return
        self._loop.remove_writer(self._out)
        if self._eof:
            self._finish()
        else:
            self._read(True)

    def _finish(self) -> None:
        if self._waiting:
            self._loop.add_writer(self._out, self._writable)
            return
        try:
            self._sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._ended_badly()
            return
        self.done = True
        self._ended()

    def _ended_badly(self) -> None:
        self.done = self.broken = True
        self._ended()

    def close(self) -> None:
        self._read(False)
        self._loop.remove_writer(self._out)
        if self._pipe is not None:
            self._pool.give_back(self._pipe, empty=self._waiting == 0)
            self._pipe = None


class SplicedPair:
    """Both directions. ``run`` returns when both are finished or one broke; the sockets are then closed."""

    def __init__(self, connector: socket.socket, gateway: socket.socket, pool: PipePool) -> None:
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sockets = (connector, gateway)
        self._to_gateway = Direction(connector, gateway, pool, self._one_ended)
        self._to_connector = Direction(gateway, connector, pool, self._one_ended)

    @property
    def moved(self) -> tuple[int, int]:
        return self._to_gateway.moved, self._to_connector.moved

    def _one_ended(self) -> None:
        both = (self._to_gateway, self._to_connector)
        if (all(way.done for way in both) or any(way.broken for way in both)) and not self._done.done():
            self._done.set_result(None)

    async def run(self, from_connector: bytes, from_gateway: bytes) -> None:
        """``from_*``: what came behind the goodbye of the outer layer and has to go first."""
        loop = asyncio.get_running_loop()
        connector, gateway = self._sockets
        try:
            await loop.sock_sendall(gateway, from_connector)
            await loop.sock_sendall(connector, from_gateway)
            self._to_gateway.start()
            self._to_connector.start()
            await self._done
        finally:
            self._to_gateway.close()
            self._to_connector.close()
