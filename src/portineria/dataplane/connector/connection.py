# SPDX-License-Identifier: Apache-2.0
"""One connection of the technician's tool, from its acceptance to its end, over as many legs as that takes."""

import asyncio
import socket
from typing import TYPE_CHECKING

import structlog

from portineria.core.errors import PortineriaError, ProtocolError
from portineria.core.ids import Kind, new_id
from portineria.dataplane.aio.channel import Channel
from portineria.dataplane.aio.stream_end import StreamEnd
from portineria.dataplane.connector.door import Service
from portineria.dataplane.connector.hello import FirstWords, Opened, StreamRefused, say_hello
from portineria.dataplane.connector.legs import FIRST_PAUSE_S, LONGEST_PAUSE_S, NoLeg, jittered
from portineria.dataplane.connector.tool_side import ToolSide
from portineria.wire.stream import Hello

if TYPE_CHECKING:
    from portineria.dataplane.connector.session import Session

log = structlog.get_logger()
_UNKNOWN = "hold.expired"  # the gateway has no such stream (any more)
# What may be over in a moment: tried again within the hold time when a stream resumes.
_PASSING = frozenset({"order.unknown", "order.stale", "lease.missing", "time.unknown"})


class Connection:
    def __init__(self, session: "Session", service: Service, sock: socket.socket) -> None:
        self._session = session
        self.service = service
        self.stream_id = new_id(Kind.STREAM)
        self._tool = ToolSide(sock, self._tool_left)
        self._first = FirstWords(self._tool)
        self._stream: StreamEnd | None = None
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._opening: asyncio.Task[object] | None = None
        self._resuming, self._without_leg = False, False

    async def run(self) -> None:
        """Until the connection is over. Says in one line why when it does not come to be."""
        try:
            await self._tool.start()
        except OSError:
            return
        self._opening = asyncio.current_task()
        try:
            opened = await self._open()
        except StreamRefused as error:
            self._refused(error.code, str(error))
        except NoLeg as error:
            self._refused(error.code, error.why)
            self._session.leg_refused(error.code)
        except (ProtocolError, OSError) as error:
            self._refused("leg.answer", str(error) or type(error).__name__)
        except BaseException:
            self._tool.abort()
            raise
        else:
            self._opening = None
            await self._carry(opened)

    def cut(self, reason: str) -> None:
        if self._stream is not None:
            self._stream.end(reason)
        else:
            self._tool.abort()

    # -- opening ---------------------------------------------------------------------------------------------

    async def _open(self) -> Opened:
        """OPEN for a new stream. A leg that dies before the answer is replaced once, an outdated order learnt anew."""
        try:
            return await self._first_open()
        except StreamRefused as error:
            if error.code != "order.stale" or not await self._session.refresh():
                raise
        return await self._begin(await self._session.legs.make())

    async def _begin(self, leg: Channel) -> Opened:
        return await say_hello(leg, self._hello(resume=False), self._first)

    async def _first_open(self) -> Opened:
        """The gateway may have heard HELLO before the leg died: the device must not see two connections, nor hear what
        the tool said first a second time.
        """
        try:
            return await self._begin(await self._session.legs.take())
        except (ConnectionError, TimeoutError):
            pass
        try:
            return await say_hello(await self._session.legs.make(), self._hello(resume=True))
        except StreamRefused as error:
            if error.code != _UNKNOWN or self._first.said:
                raise
        self.stream_id = new_id(Kind.STREAM)  # a late HELLO under the old name opens nothing any more
        return await self._begin(await self._session.legs.make())

    def _hello(self, *, resume: bool) -> Hello:
        received = self._stream.received if self._stream is not None else 0
        return Hello(
            order_sha256=self._session.order_sha256, stream=self.stream_id, service=self.service.service,
            asset_port=self.service.port, resume_from=received, resume=resume,
        )  # fmt: skip

    def _refused(self, code: str, why: str) -> None:
        self._tool.abort()
        self._session.tell(code, service=self.service.name, why=why)

    def _tool_left(self) -> None:
        if self._opening is not None:
            self._opening.cancel()

    # -- carrying --------------------------------------------------------------------------------------------

    async def _carry(self, opened: Opened) -> None:
        stream = self._stream = StreamEnd(
            self._tool, gateway_side=False, on_over=self._finished, on_leg_lost=self._leg_lost,
            on_notice=self._session.noticed,
        )  # fmt: skip
        self._tool.carry(stream)
        if self._tool.gone:
            stream.end("tool.reset")
            opened.leg.close()
        else:
            self._attach(opened)
        try:
            how = await self._over
        except asyncio.CancelledError:
            stream.end("tool.reset")
            raise
        if how not in ("finished", "tool.reset", "device.reset"):
            self._session.tell(how, service=self.service.name)

    def _attach(self, opened: Opened) -> None:
        assert self._stream is not None  # noqa: S101 - set before any leg is attached
        self._without_leg = False
        try:
            opened.attach(self._stream)
        except ProtocolError as error:
            log.warning("stream.broken", stream=self.stream_id, code=error.code, why=str(error))
            self._stream.end("protocol")

    def _finished(self, how: str) -> None:
        self._session.released(self)
        if not self._over.done():
            self._over.set_result(how)

    def _leg_lost(self) -> None:
        self._without_leg = True
        if self._session.hold_s == 0:
            self.cut("hold.expired")
            return
        if self._resuming:  # the loop that attached this leg sees it gone
            return
        self._resuming = True
        self._session.interrupted(self)
        self._session.tasks.spawn(self._resume(), f"resume {self.stream_id}")

    async def _resume(self) -> None:
        """Over a new leg, at once and then ever more seldom, until the hold time is over."""
        stream = self._stream
        assert stream is not None  # noqa: S101
        deadline, pause_s = asyncio.get_running_loop().time() + self._session.hold_s, FIRST_PAUSE_S
        try:
            async with asyncio.timeout_at(deadline):
                while self._without_leg and self._alive():
                    opened = await self._resume_once()
                    if opened is None:
                        await asyncio.sleep(jittered(pause_s))
                        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                    elif self._alive():
                        self._attach(opened)
                    else:
                        opened.leg.close()
        except TimeoutError:
            stream.end("hold.expired")
        finally:
            self._resuming = False
        if not self._without_leg and self._alive():
            self._session.restored(self)

    def _alive(self) -> bool:
        return self._stream is not None and self._stream.over is None

    async def _resume_once(self) -> Opened | None:
        """None: try again. Ends the stream when trying again is in vain."""
        assert self._stream is not None  # noqa: S101
        try:
            return await say_hello(await self._session.legs.make(), self._hello(resume=True))
        except StreamRefused as error:
            if error.code not in _PASSING:
                self._stream.end(error.code)
            elif error.code == "order.stale":
                await self._session.refresh()
        except NoLeg as error:
            self._session.leg_refused(error.code)
        except (PortineriaError, OSError) as error:
            log.info("stream.resume.failed", stream=self.stream_id, why=str(error) or type(error).__name__)
        return None
