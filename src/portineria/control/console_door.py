# SPDX-License-Identifier: Apache-2.0
"""Takes over console connections that a relay received on the shared port, as file descriptors.

So the web process sees the visitor's own address, and the relay never sees inside the connection.
"""

import asyncio
import os
import socket
import ssl
from pathlib import Path

import structlog

from portineria.control.console_certificate import console_context
from portineria.control.console_connection import Factory
from portineria.control.console_places import Place, Places
from portineria.control.settings.server import ServerSettings, is_loopback

log = structlog.get_logger()
_BACKLOG = 512
_ADDRESS_BYTES = 64  # an IPv6 address with its scope is 45 and a name of an interface
_WAIT_S = 2.0  # a relay sends the descriptor in the same breath as it connects
_HANDSHAKE_S = 5.0  # WIRE 16
_FAREWELL_S = 2.0  # for the other side's close_notify; asyncio's own default is 30
_PAUSE_S = 1.0  # when descriptors have run out: connections wait in the backlog, those in use go on


class ConsoleDoor:
    def __init__(self, path: Path, factory: Factory, settings: ServerSettings, places: int) -> None:
        """``places``: so many connections at a time."""
        self._path = path
        self._factory = factory
        self._settings = settings
        self._context = console_context(settings)
        self.places = Places(places)
        self._resume: asyncio.TimerHandle | None = None
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
        except OSError as error:
            self._pause(str(error))
            return
        way.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._take(way), name="console connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _pause(self, why: str) -> None:
        """The listener stays readable while nothing can be accepted: looking again at once would be a busy loop."""
        loop = asyncio.get_running_loop()
        if self._listener is not None:
            loop.remove_reader(self._listener.fileno())
            self._resume = loop.call_later(_PAUSE_S, self._look_again)
        log.warning("console.accept.failed", why=why, again_in_s=_PAUSE_S, strangers=self.places.strangers)

    def _look_again(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().add_reader(self._listener.fileno(), self._ready)

    async def _take(self, way: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with way:
            taken, said = await self._receive(loop, way)
        if taken is None:
            return
        taken.setblocking(False)
        try:
            ours, peer = taken.getsockname()[0], said or taken.getpeername()[0]
        except OSError:  # gone already
            taken.close()
            return
        await self.let_in(taken, ours, peer)

    async def let_in(self, taken: socket.socket, ours: str, peer: str) -> None:
        """A connection to ``ours`` with ``peer`` behind it, from here on ours."""
        plain = not self._settings.secure and is_loopback(ours) and is_loopback(peer)
        if not (plain or self._settings.secure or self._settings.inside(peer)):
            log.info("console.refused", why="plain http is for loopback only", address=peer)
            taken.close()
            return
        await self._connect(taken, self.places.take(peer), None if plain else self._context)

    async def _connect(self, taken: socket.socket, place: Place, context: ssl.SSLContext | None) -> None:
        task = asyncio.current_task()
        if task is not None:
            place.give_way = task.cancel  # until the connection stands and gives way by itself
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._factory(place), taken, ssl=context,
                ssl_handshake_timeout=_HANDSHAKE_S if context else None,
                ssl_shutdown_timeout=_FAREWELL_S if context else None,
            )  # fmt: skip
        except (OSError, TimeoutError) as error:
            log.info("console.handshake.failed", why=f"{type(error).__name__}: {error}")
            place.leave()
            taken.close()
        except asyncio.CancelledError:
            place.leave()
            taken.close()
            raise

    async def _receive(self, loop: asyncio.AbstractEventLoop, way: socket.socket) -> tuple[socket.socket | None, str]:
        """The connection, and who is behind it as the relay says: it took the load balancer's word off."""
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(way.fileno(), _settle, ready)
        try:
            async with asyncio.timeout(_WAIT_S):
                await ready
            said, descriptors, _, _ = socket.recv_fds(way, _ADDRESS_BYTES, 1)
        except (OSError, TimeoutError):
            return None, ""
        finally:
            loop.remove_reader(way.fileno())
        if not descriptors:
            return None, ""
        # A relay of the release before, which a restarted server found running, says "c" and no address.
        return socket.socket(fileno=descriptors[0]), "" if said == b"c" else said.decode("ascii", "replace")

    async def close(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None
        if self._resume is not None:
            self._resume.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._path.unlink(missing_ok=True)


def _settle(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
