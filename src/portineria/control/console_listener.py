# SPDX-License-Identifier: Apache-2.0
"""A port of the console's own, for a web process beside which no relay shares one."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

import structlog

from portineria.control.settings.server import split_address
from portineria.core.errors import PortineriaError, Unavailable
from portineria.process.behind import read_peer

log = structlog.get_logger()
_BACKLOG = 512
_HEADER_S = 5.0  # WIRE 16
_PAUSE_S = 1.0  # when descriptors have run out
_UNKNOWN = 1024  # connections of load balancers that have not said for whom yet

LetIn = Callable[[socket.socket, str, str], Awaitable[None]]


class NoConsolePort(Unavailable):
    code = "console.port"


class ConsoleListener:
    def __init__(self, addresses: Sequence[str], balancers: Sequence[str], let_in: LetIn) -> None:
        """``let_in`` takes a connection, our address and the one behind it, and owns the connection from then on."""
        self._addresses, self._balancers, self._let_in = addresses, balancers, let_in
        self._listeners: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Raise NoConsolePort."""
        for address in self._addresses:
            host, port = split_address(address)
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            try:
                listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
            except OSError as error:
                why = str(error.strerror).partition(" (")[0]
                raise NoConsolePort(
                    f"nobody can come in at {address}: {why}. If another program holds the port, end it (ss -ltnp "
                    "names it), or choose another one in web_listen of portineria.toml"
                ) from error
            listener.setblocking(False)
            self._listeners.append(listener)
            self._spawn(self._accept(listener))

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)  # noqa: TID251 - kept and ended in close
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listener)
            except OSError as error:
                log.warning("console.accept.failed", why=str(error), again_in_s=_PAUSE_S)
                await asyncio.sleep(_PAUSE_S)
                continue
            if len(self._tasks) > _UNKNOWN:
                sock.close()
                continue
            self._spawn(self._take(sock))

    async def _take(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        try:
            async with asyncio.timeout(_HEADER_S):
                peer = await read_peer(sock, self._balancers)
            ours = sock.getsockname()[0]
        except (PortineriaError, OSError, TimeoutError) as error:
            log.info("console.refused", why=f"{type(error).__name__}: {error}")
            sock.close()
            return
        except asyncio.CancelledError:
            sock.close()
            raise
        await self._let_in(sock, ours, peer)

    async def close(self) -> None:
        for listener in self._listeners:
            listener.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
