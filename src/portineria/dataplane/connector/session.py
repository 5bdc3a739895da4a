# SPDX-License-Identifier: Apache-2.0
"""One session on the technician's side: doors for the tool, connections, and what the technician is told meanwhile."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from portineria.dataplane.aio.leg import Way
from portineria.dataplane.aio.outer import abort_socket
from portineria.dataplane.aio.task import Tasks
from portineria.dataplane.connector.admission import Admission
from portineria.dataplane.connector.connection import Connection
from portineria.dataplane.connector.door import Door
from portineria.dataplane.connector.legs import Legs
from portineria.dataplane.connector.same_person import same_person
from portineria.dataplane.connector.text import UNSUPPLIED, duration, why_text
from portineria.wire.stream import Notice

log = structlog.get_logger()
CONNECTIONS = 4096  # as many as an order can allow legs; 256 KiB of address space each, touched only where data passes
_TELL_EVERY_S, _SOON_S = 10.0, 0.5
_MARKS_S = (600, 300, 120, 60, 30, 10)  # when the countdown is said again
_SAME_DRAIN_S = 2.0  # streams hear of one drain a moment apart, and again on a new leg, in whole seconds


class Tell(Protocol):
    """Says one line to the technician: a code of ``text`` and its values."""

    def __call__(self, code: str, **values: object) -> None: ...


class Session:
    """``refresh`` asks the control plane for a newer order; it returns whether there is one."""

    def __init__(
        self, admission: Admission, way: Way, tell: Tell, refresh: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:  # fmt: skip
        self.id = admission.session
        self.legs = Legs(admission, way, self.leg_refused)
        self.order_sha256 = admission.order_sha256
        self.ends_at: datetime = admission.ends_at
        self.hold_s = admission.hold_s
        self.tell = tell
        self.tasks = Tasks()
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._refresh = refresh
        self._connections: set[Connection] = set()
        self._interrupted: dict[Connection, float] = {}
        self._drains_at: float | None = None
        self._drain_told, self._drain_of_server = False, False
        self._countdown: asyncio.Task[object] | None = None
        self._blip: asyncio.Task[object] | None = None

    @property
    def connections(self) -> int:
        return len(self._connections)

    async def begin(self, doors: list[Door]) -> None:
        """Make the first leg, then accept; raise NoLeg when the gateway cannot be reached at all."""
        self.legs.start(await self.legs.make())
        for door in doors:
            self.tasks.spawn(self._accept(door), f"door {door.port}")

    async def close(self) -> None:
        """Reset what is still open and let every leg go."""
        for connection in list(self._connections):
            connection.cut("tool.reset")
        await self.tasks.close()
        await self.legs.close()

    def end(self, reason: str) -> None:
        """The session is over for everybody: its connections are cut."""
        if not self.over.done():
            self.over.set_result(reason)
        for connection in list(self._connections):
            connection.cut(reason)

    async def refresh(self) -> bool:
        return self._refresh is not None and await self._refresh()

    # -- doors -----------------------------------------------------------------------------------------------

    async def _accept(self, door: Door) -> None:
        loop = asyncio.get_running_loop()
        with door.listener as listener:
            while True:
                try:
                    sock, _ = await loop.sock_accept(listener)
                except OSError as error:  # out of descriptors: what is open goes on, the next ones wait
                    log.warning("door.accept.failed", why=str(error))
                    await asyncio.sleep(0.1)
                    continue
                if self._admits(sock):
                    self.tasks.spawn(self._serve(door, sock), f"connection to {door.service.name}")
                else:
                    abort_socket(sock)

    def _admits(self, sock: socket.socket) -> bool:
        if not same_person(sock):
            self.tell("stranger.refused")
            return False
        if len(self._connections) >= CONNECTIONS:
            self.tell("local.full")
            return False
        return not self.over.done()

    async def _serve(self, door: Door, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(self, door.service, sock)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            if not self._connections and not self._drain_of_server:
                self._forget_drain()  # nothing runs whose time could be counted, and nobody is left to lift it

    # -- what connections report -----------------------------------------------------------------------------

    def leg_refused(self, code: str) -> None:
        """The relay may say so by itself, or because of a cut: only the gateway can sign for that (WIRE 17)."""
        if code == "session.ended":
            self.end("relay.closed")

    def interrupted(self, connection: Connection) -> None:
        self._interrupted[connection] = asyncio.get_running_loop().time() + self.hold_s
        if self._blip is None:
            self._blip = self.tasks.spawn(self._tell_of_blip(), "blip")

    def restored(self, connection: Connection) -> None:
        if self.released(connection):
            self.tell("line.restored")

    def released(self, connection: Connection) -> bool:
        """The connection waits no more, whatever became of it. Return whether it was the last one that did."""
        if self._interrupted.pop(connection, None) is None or self._interrupted:
            return False
        if self._blip is not None:
            self._blip.cancel()
            self._blip = None
        return True

    async def _tell_of_blip(self) -> None:
        """One calm line for all connections together, again every ten seconds."""
        await asyncio.sleep(0)  # all connections of a leg's relay lose it in the same turn of the loop
        while self._interrupted:
            left = min(self._interrupted.values()) - asyncio.get_running_loop().time()
            count = len(self._interrupted)
            held = "the connection is" if count == 1 else f"{count} connections are"
            if left > _SOON_S:  # the very end is told by each connection itself
                self.tell("line.interrupted", held=held, seconds=round(left))
            await asyncio.sleep(min(_TELL_EVERY_S, max(left, _SOON_S)))

    def noticed(self, notice: Notice) -> None:
        """The gateway says on every stream that the permission drains, or no longer does: said once."""
        if notice.seconds_left is None:
            self.resumed()
            return
        ends = asyncio.get_running_loop().time() + notice.seconds_left
        if self._drains_at is None or abs(ends - self._drains_at) >= _SAME_DRAIN_S:
            self._tell_drain(notice.reason, "", notice.seconds_left)

    def drains(self, why: str, said: str, left_s: float) -> None:
        """The server says so: all that a session without streams hears. The gateway's word is the exact one."""
        self._drain_of_server = True
        if not self._drain_told:
            self._tell_drain(why, said, left_s)

    def resumed(self) -> None:
        if self._drain_told:
            self.tell("drain.lifted")
        self._drain_told, self._drain_of_server = False, False
        self._forget_drain()

    def _tell_drain(self, why: str, said: str, left_s: float) -> None:
        self._forget_drain()
        at = (datetime.now(UTC) + timedelta(seconds=left_s)).astimezone().strftime("%H:%M:%S")
        code = "drain.unsupplied" if why in UNSUPPLIED else "drain.begun"
        self.tell(code, reason=why_text(why, said), at=at, left=duration(left_s))
        self._drain_told = True
        self._drains_at = ends = asyncio.get_running_loop().time() + left_s
        self._countdown = self.tasks.spawn(self._count_down(ends), "countdown")

    def _forget_drain(self) -> None:
        self._drains_at = None
        if self._countdown is not None:
            self._countdown.cancel()
            self._countdown = None

    async def _count_down(self, ends: float) -> None:
        loop = asyncio.get_running_loop()
        for mark in _MARKS_S:
            if (wait := ends - loop.time() - mark) > 0:
                await asyncio.sleep(wait)
                self.tell("drain.left", left=duration(mark))
