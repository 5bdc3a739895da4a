# SPDX-License-Identifier: Apache-2.0
"""One opening at this machine: a listener for one client of the plant's network, one connection, one device, then over.

Its end is reckoned on CLOCK_BOOTTIME, which nobody sets. It lives in this process alone: a restart brings no listener
back, and says in the next process how it ended.
"""

import asyncio
import ipaddress
import socket
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import structlog

from portineria.core.ids import Kind, new_id
from portineria.dataplane.aio.outer import LEG_IDLE_S, abort_socket, keep_alive, reset_on_close
from portineria.dataplane.gateway.clock import boot_s
from portineria.dataplane.gateway.device import DeviceFailed, DeviceSocket, connect_device
from portineria.dataplane.gateway.emergency_join import Join
from portineria.dataplane.gateway.rate import PerMinute
from portineria.dataplane.gateway.recorded import RecordedDevice
from portineria.dataplane.gateway.recorder import SessionRecorder
from portineria.dataplane.gateway.seen import forget_stream, remember_stream
from portineria.dataplane.gateway.session import Surroundings
from portineria.dataplane.gateway.spool import Also
from portineria.dataplane.gateway.store import StoreFull
from portineria.wire.statement import Asset, EmergencyService

log = structlog.get_logger()
SCHEMA = """
CREATE TABLE IF NOT EXISTS emergency_open (opening TEXT PRIMARY KEY);
"""
STRANGERS_PER_MINUTE = 10  # that are told of
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
End = Literal["finished", "expired", "cut-locally", "emergency.withdrawn", "emergency.closed", "gateway.stopped"]


@dataclass(frozen=True, slots=True)
class What:
    """``opening``: an id of the form of a session's, as recordings and events name it."""

    opening: str
    machine: str
    service: EmergencyService
    client: Network
    ends: float  # on CLOCK_BOOTTIME


class Opening:
    """``begin`` it when it is told; ``over`` is called once."""

    def __init__(
        self, what: What, recorder: SessionRecorder, around: Surroundings, over: Callable[["Opening"], None]
    ) -> None:  # fmt: skip
        self.what, self._recorder, self._around, self._on_over = what, recorder, around, over
        self._strangers = PerMinute(STRANGERS_PER_MINUTE)
        self._listener = listen_for(what.client)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._join: Join | None = None
        self._stream = new_id(Kind.STREAM)
        self.ended = False

    def begin(self, spawn: Callable[..., "asyncio.Task[None]"]) -> None:
        self._task = spawn(self._wait(), f"emergency {self.what.opening}")
        # Not before it has let go of the socket: its number may be another's by then.
        self._task.add_done_callback(lambda _: self._listener.close())
        self.review()

    def review(self) -> None:
        """End it when its time has come, and come back then; the loop's clock stands still in suspend."""
        if self.ended:
            return
        left = self.what.ends - boot_s()
        if left <= 0:
            self.end("expired")
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(left + 0.001, self.review)

    def _allowed(self) -> bool:
        return not self.ended and boot_s() < self.what.ends

    # -- the one connection ------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        while self._join is None:
            client, name = await loop.sock_accept(self._listener)
            if ipaddress.ip_address(name[0]) not in self.what.client:
                abort_socket(client)
                self._stranger(str(name[0]))
                continue
            try:
                client.setblocking(False)
                keep_alive(client, LEG_IDLE_S)
                reset_on_close(client)
                why = await self._connect(client)
            except OSError:  # gone already
                abort_socket(client)
                continue
            except BaseException:
                abort_socket(client)
                raise
            if why is not None:
                abort_socket(client)
                self._tell("stream.refused", **self._about(), reason=why)

    def _stranger(self, address: str) -> None:
        log.warning("emergency.stranger", opening=self.what.opening, address=address)
        if self._strangers.take():
            self._tell("emergency.refused", machine=self.what.machine, service=self.what.service.service,
                       why="client.refused", client=address)  # fmt: skip

    async def _connect(self, client: socket.socket) -> str | None:
        """The code of why there is no connection. Once there is one nobody else is listened for."""
        service, settings = self.what.service, self._around.settings
        if (why := self._around.reach.refuses(service.address, service.port)) is not None:
            return why
        if (why := await self._recorder.ready(settings.order_wait_s)) is not None:
            return why
        try:
            sock = await connect_device(
                service.address, service.port, timeout_s=settings.connect_s, own=settings.loopback_devices
            )
        except DeviceFailed as error:
            return error.code
        try:
            await self._around.spool.record(
                "stream.opened", self.what.opening, must=False,
                also=remember_stream(self.what.opening, self._stream), stream=self._stream, **self._about(),
            )  # fmt: skip
        except StoreFull:
            abort_socket(sock)
            return "spool.full"
        except BaseException:
            abort_socket(sock)
            raise
        self._listener.close()
        self._joined(client, sock)
        return None

    def _joined(self, client: socket.socket, sock: socket.socket) -> None:
        service = self.what.service
        asset = Asset(service.service, service.address, service.port)
        tool = DeviceSocket(client, self._allowed, self.review)
        device = RecordedDevice(DeviceSocket(sock, self._allowed, self.review), self._recorder.tap(self._stream, asset))
        self._join = Join(tool, device, self._connection_over)
        device.begin(self._join.device)
        tool.begin(self._join.client)

    def _about(self) -> dict[str, str | int]:
        service = self.what.service
        return {"service": service.service, "address": service.address, "port": service.port, "transport": "tcp"}

    # -- ends --------------------------------------------------------------------------------------------------

    @property
    def carried(self) -> tuple[int, int]:
        """Bytes to the device, and from it."""
        return (self._join.client.carried, self._join.device.carried) if self._join is not None else (0, 0)

    def _connection_over(self, how: str) -> None:
        to_device, from_device = self.carried
        self._recorder.over(self._stream, how)
        self._tell("stream.closed", stream=self._stream, to_device=to_device, from_device=from_device, how=how,
                   also=forget_stream(self._stream))  # fmt: skip
        self.end(how)

    def end(self, how: str) -> None:
        """One use: whatever ended it, it does not come back."""
        if self.ended:
            return
        self.ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        else:
            self._listener.close()
        if self._join is not None:
            self._join.end(how)
        self._recorder.finish("session.ended")
        to_device, from_device = self.carried
        self._tell("emergency.ended", how=how, to_device=to_device, from_device=from_device,
                   also=forget(self.what.opening))  # fmt: skip
        log.warning("emergency.ended", opening=self.what.opening, how=how)
        self._on_over(self)

    def _tell(self, code: str, **fields: object) -> None:
        self._around.spool.record(code, self.what.opening, **fields)  # type: ignore[arg-type]


def listen_for(client: Network) -> socket.socket:
    """On the address of this machine from which that client is reached, and on no other. Raise OSError."""
    family = socket.AF_INET6 if client.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((str(client.network_address if client.num_addresses == 1 else client[1]), 9))
        own = probe.getsockname()[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.bind((own, 0))
        listener.listen(4)
    except BaseException:
        listener.close()
        raise
    return listener


def remember(opening: str) -> Also:
    def write(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO emergency_open VALUES (?)", (opening,))

    return write


def forget(opening: str) -> Also:
    def write(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM emergency_open WHERE opening = ?", (opening,))

    return write


def left_open(db: sqlite3.Connection) -> list[str]:
    """What the process before this one did not end."""
    return [opening for (opening,) in db.execute("SELECT opening FROM emergency_open ORDER BY opening")]
