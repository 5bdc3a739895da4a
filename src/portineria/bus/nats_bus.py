# SPDX-License-Identifier: Apache-2.0
import asyncio

import structlog

from portineria.bus.interface import Hearer, Receiver
from portineria.bus.message import NEWS, News, ToControls, ToRelay
from portineria.bus.nats_access import NatsAccess
from portineria.bus.nats_connection import BEAT_S, BusAway, Connection
from portineria.bus.nats_line import Line
from portineria.bus.persistence import for_ever
from portineria.core.errors import ProtocolError
from portineria.wire.frame import BadFrame

log = structlog.get_logger()
NEWS_SUBJECT = "news"
_NEWS_BYTES = 1024  # six ids, a code and a number
_GLANCED_BYTES = 256 << 10  # a few reports of at most 60 KiB; the server takes 1 MiB


class NatsBus:
    """The control plane's end on a NATS server. ``receive`` None: publishes only, and another process listens.

    Whoever hands the listening over to another process closes this one first: closing says that every relay is gone.
    """

    def __init__(
        self, access: NatsAccess, receive: Receiver | None, hear: Hearer | None = None, *, beat_s: float = BEAT_S
    ) -> None:
        self._access = access
        self._receive = receive
        self._hear = hear
        self._beat_s = beat_s
        self._lines: dict[str, Line] = {}
        self._news: Connection | None = None
        self._reading: asyncio.Task[None] | None = None

    async def open(self, relays: list[str]) -> None:
        for relay in relays:
            self._lines[relay] = Line(relay, self._access, self._receive, beat_s=self._beat_s)
        self._reading = asyncio.get_running_loop().create_task(for_ever(self._exchange_news), name="bus news")

    @property
    def relays(self) -> list[str]:
        return [relay for relay, line in self._lines.items() if line.there]

    @property
    def connected(self) -> bool:
        return self._news is not None

    async def arrival(self, relay: str) -> None:
        await self._lines[relay].arrived.wait()

    def publish(self, relay: str, message: ToRelay) -> bool:
        line = self._lines.get(relay)
        return line is not None and line.there and line.publish(message)

    def publish_all(self, message: ToRelay) -> None:
        for relay in self.relays:
            self.publish(relay, message)

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await asyncio.gather(*(line.close() for line in self._lines.values()))
        self._lines = {}

    # -- news ----------------------------------------------------------------------------------------------------

    def tell(self, told: ToControls) -> None:
        data = NEWS.encode(told)
        limit = _NEWS_BYTES if isinstance(told, News) else _GLANCED_BYTES
        if len(data) > limit:
            raise BadFrame(f"news of {len(data)} bytes, allowed {limit}")
        if self._news is not None:
            self._news.send(NEWS_SUBJECT, data)

    async def _exchange_news(self) -> None:
        connection = Connection(self._access, beat_s=self._beat_s)
        try:
            await connection.open()
            if self._hear is not None:
                await connection.hear(NEWS_SUBJECT, self._heard)
            self._news = connection
            while not await connection.ended(within_s=self._beat_s):
                pass
            log.warning("bus.news.lost", why=connection.why)
        except BusAway as error:
            log.warning("bus.news.away", why=str(error))
        finally:
            self._news = None
            await connection.close()

    def _heard(self, data: bytes) -> None:
        assert self._hear is not None  # noqa: S101 - else nothing is heard
        try:
            if len(data) > _GLANCED_BYTES:
                raise BadFrame(f"news of {len(data)} bytes, allowed {_GLANCED_BYTES}")
            self._hear(NEWS.decode(data))
        except ProtocolError as error:  # of a newer process, while an update goes through
            log.warning("bus.news.unreadable", code=error.code, why=str(error))
