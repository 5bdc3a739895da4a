# SPDX-License-Identifier: Apache-2.0
"""One conversation with the NATS server, over nats-py. It is never resumed: whoever needs another opens another.

nats-py would reconnect by itself and then send what it had kept, before anybody could greet. So it may not.
"""

import asyncio
import base64
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from portineria.bus.nats_access import NatsAccess
from portineria.bus.nkey import public_text
from portineria.bus.persistence import heed_cancellation
from portineria.core.errors import Unavailable
from portineria.process.settings import BadSettings

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

log = structlog.get_logger()
# A relay's admitted list of 25,000 gateways is about 2 MB, its greeting with 30,000 links 1 MB. The server has it too.
PAYLOAD_BYTES = 4 << 20
QUEUE_BYTES = 16 << 20  # a server that does not take this much is not there
BEAT_S = 2.0  # how often relay and server are looked at
SILENT_BEATS = 3  # so many missed ones, and it is gone
_CONNECT_S = 5
_CLOSE_S = 1.0
_AGAIN_S = 0.1
_LONG_S = 3600  # we look ourselves
_MESSAGES = 1 << 16  # waiting in nats-py; what we do with one takes microseconds


class BusAway(Unavailable):
    code = "bus.away"


class Connection:
    """``open``, ``hear``, ``send`` while it lasts, and ``close`` whatever happened."""

    def __init__(self, access: NatsAccess, *, beat_s: float) -> None:
        self._access = access
        self._beat_s = beat_s
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._queued = 0
        self._why: asyncio.Future[str] = self._loop.create_future()
        self._tasks: list[asyncio.Task[None]] = []
        self._client = self._make_client()

    def _make_client(self) -> "Client":
        try:
            from nats.aio.client import Client
        except ImportError as error:
            raise BadSettings("a bus over NATS needs more of Portineria: pip install 'portineria[nats]'") from error
        client = Client()
        # nats-py takes the name of a key only from its own reader of seeds, which needs one more library.
        client._public_nkey = public_text(self._access.key)
        return client

    async def open(self) -> None:
        """Raise BusAway."""
        from nats.errors import Error, NoServersError

        try:
            async with asyncio.timeout(_CONNECT_S):
                await self._client.connect(
                    self._access.url, allow_reconnect=False, max_reconnect_attempts=1, reconnect_time_wait=0,
                    connect_timeout=_CONNECT_S, ping_interval=_LONG_S, no_echo=True, signature_cb=self._sign,
                    tls=self._access.tls(), tls_handshake_first=self._access.url.startswith("tls:"),
                    error_cb=self._failed, closed_cb=self._closed,
                )  # fmt: skip
        except NoServersError as error:
            raise BusAway(self.why or str(error)) from error
        except (Error, OSError, TimeoutError) as error:
            raise BusAway(str(error) or type(error).__name__) from error
        self._tasks = [
            self._loop.create_task(self._send_queued(), name="bus-send"),
            self._loop.create_task(self._look(), name="bus-look"),
        ]

    def _sign(self, nonce: str) -> bytes:
        return base64.b64encode(self._access.key.sign(nonce.encode()))

    async def _failed(self, error: Exception) -> None:
        """Also for a message that nats-py had no place for, and for one that our side could not deal with."""
        self.end(str(error) or type(error).__name__)

    async def _closed(self) -> None:
        self.end("the server closed it")

    async def hear(self, subject: str, receive: Callable[[bytes], None]) -> None:
        """``receive`` must not take long, and raises nothing."""

        async def heard(message: "Msg") -> None:
            receive(message.data)

        await self._client.subscribe(
            subject, cb=heard, pending_msgs_limit=_MESSAGES, pending_bytes_limit=QUEUE_BYTES
        )  # fmt: skip

    @property
    def limit(self) -> int:
        """Bytes of the longest message that passes: ours, or the server's when that is configured lower."""
        return min(PAYLOAD_BYTES, self._client.max_payload)

    def send(self, subject: str, payload: bytes) -> bool:
        """Return whether it was taken."""
        if self._why.done() or self._queued + len(payload) > QUEUE_BYTES:
            return False
        self._queued += len(payload)
        self._queue.put_nowait((subject, payload))
        return True

    async def _send_queued(self) -> None:
        from nats.errors import Error

        try:
            while not self._why.done():
                subject, payload = await self._queue.get()
                await self._client.publish(subject, payload)
                self._queued -= len(payload)
        except (Error, OSError) as error:
            self.end(str(error) or type(error).__name__)

    async def _look(self) -> None:
        """A server that does not answer a ping is gone, though TCP says nothing."""
        while not self._why.done():
            await asyncio.sleep(self._beat_s)
            asked = self._loop.create_task(self._client.rtt(timeout=_LONG_S))
            # In turns: when we were held up ourselves, the answer is read before the next is over.
            try:
                for _ in range(SILENT_BEATS - 1):
                    await asyncio.wait([asked], timeout=self._beat_s)
            finally:
                asked.cancel()
            if not asked.done():
                self.end("the server is silent")
            elif not asked.cancelled() and (error := asked.exception()) is not None:
                self.end(str(error))

    def end(self, why: str) -> None:
        if not self._why.done():
            self._why.set_result(why)

    @property
    def why(self) -> str:
        """Why it ended; empty before."""
        return self._why.result() if self._why.done() else ""

    async def ended(self, *, within_s: float) -> bool:
        heed_cancellation()
        await asyncio.wait([self._why], timeout=within_s)
        return self._why.done()

    async def close(self) -> None:
        self.end("closed here")
        while left := [task for task in self._tasks if not task.done()]:
            for task in left:
                task.cancel()  # more than once: nats-py swallows it where it waits for a frozen server
            await asyncio.wait(left, timeout=_AGAIN_S)
        await _let_go(self._client)


async def _let_go(client: "Client") -> None:
    """End it though the server is frozen: nats-py's own way waits until everything was sent."""
    from nats.errors import Error

    writer = getattr(client._transport, "_io_writer", None)
    if writer is not None:
        writer.transport.abort()
    client._pending_data_size = 0
    for subscription in client._subs.values():
        subscription._stop_processing()
    with contextlib.suppress(Error, OSError, TimeoutError):
        async with asyncio.timeout(_CLOSE_S):
            await client.close()
