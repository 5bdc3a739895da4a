# SPDX-License-Identifier: Apache-2.0
"""Takes over console connections that a relay received on the shared port, as file descriptors.

So the web process sees the visitor's own address, and the relay never sees inside the connection.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import structlog

log = structlog.get_logger()
_BACKLOG = 512
_WAIT_S = 2.0  # a relay sends the descriptor in the same breath as it connects
_HANDSHAKE_S = 5.0  # WIRE 16
Factory = Callable[[], asyncio.Protocol]


class ConsoleDoor:
    def __init__(self, path: Path, factory: Factory, context: ssl.SSLContext | None) -> None:
        self._path = path
        self._factory = factory
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None

    def open(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(str(self._path))
        os.chmod(self._path, 0o600)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener.fileno(), self._ready)

    def _ready(self) -> None:
        if self._listener is None:
            return
        try:
            way, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:  # out of descriptors: the relay's connection waits in the backlog
            log.warning("console.accept.failed", why=str(error))
            return
        way.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._take(way), name="console connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, way: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with way:
            taken = await self._receive(loop, way)
        if taken is None:
            return
        taken.setblocking(False)
        handshake = _HANDSHAKE_S if self._context else None
        try:
            await loop.connect_accepted_socket(self._factory, taken, ssl=self._context, ssl_handshake_timeout=handshake)
        except (OSError, TimeoutError) as error:
            log.info("console.handshake.failed", why=f"{type(error).__name__}: {error}")
            taken.close()

    async def _receive(self, loop: asyncio.AbstractEventLoop, way: socket.socket) -> socket.socket | None:
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(way.fileno(), _settle, ready)
        try:
            async with asyncio.timeout(_WAIT_S):
                await ready
            _, descriptors, _, _ = socket.recv_fds(way, 1, 1)
        except (OSError, TimeoutError):
            return None
        finally:
            loop.remove_reader(way.fileno())
        return socket.socket(fileno=descriptors[0]) if descriptors else None

    async def close(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._path.unlink(missing_ok=True)


def _settle(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
