# SPDX-License-Identifier: Apache-2.0
import asyncio

import structlog

from portineria.bus import envelope
from portineria.bus.envelope import Envelope
from portineria.bus.interface import Receiver
from portineria.bus.message import TO_CONTROL, TO_RELAY_OR_GREET, Greet, RelayUp, ToControl, ToRelay
from portineria.bus.nats_access import NatsAccess
from portineria.bus.nats_connection import SILENT_BEATS, BusAway, Connection
from portineria.bus.persistence import for_ever
from portineria.core.errors import ProtocolError
from portineria.wire.frame import BadFrame

log = structlog.get_logger()
_WAITING = 1 << 16  # messages; 25,000 gateways that come at once are below it
_WAITING_BYTES = 32 << 20
_AT_ONCE, _PER_S = _WAITING, 2000  # messages; 4000 leg pairs whose leases are asked for every ten seconds say 400


class Line:
    """The control plane's end for one relay, with a connection of its own: a flood of one relay is in nobody's way.

    ``receive`` None: it only publishes, and takes the relay for being there while the server is.
    """

    def __init__(self, relay: str, access: NatsAccess, receive: Receiver | None, *, beat_s: float) -> None:
        self._relay = relay
        self._access = access
        self._receive = receive
        self._beat_s = beat_s
        self._loop = asyncio.get_running_loop()
        self._connection: Connection | None = None
        self._latest: tuple[bytes, int] | None = None  # boot and talk of the last greeting
        self._next: int | None = None  # number expected in that talk; None: nothing counts but a greeting
        self._missed = 0  # beats; counted, not timed: we may have been held up ourselves
        self._allowance, self._allowed_at = float(_AT_ONCE), self._loop.time()
        self._inbox: asyncio.Queue[tuple[ToControl, int] | None] = asyncio.Queue()
        self._waiting_bytes = 0
        self._there = False
        self.arrived = asyncio.Event()
        self._tasks = [
            self._loop.create_task(for_ever(self._converse), name=f"bus {relay}"),
            self._loop.create_task(self._work(), name=f"bus work {relay}"),
        ]

    @property
    def there(self) -> bool:
        return self._connection is not None if self._receive is None else self._there

    def publish(self, message: ToRelay | Greet) -> bool:
        payload = TO_RELAY_OR_GREET.encode(message)
        connection = self._connection
        if connection is None:
            return False
        if len(payload) > connection.limit:
            raise BadFrame(f"message of {len(payload)} bytes, allowed {connection.limit}")
        return connection.send(f"relay.{self._relay}.down", payload)

    async def close(self) -> None:
        conversing, working = self._tasks
        conversing.cancel()
        await asyncio.gather(conversing, return_exceptions=True)
        self._inbox.put_nowait(None)
        await working

    async def _converse(self) -> None:
        connection = Connection(self._access, beat_s=self._beat_s)
        try:
            await connection.open()
            if self._receive is not None:
                await connection.hear(f"relay.{self._relay}.up", self._heard)
            self._connection = connection
            if self._receive is None:
                self.arrived.set()
            else:
                self.publish(Greet())
            while not await connection.ended(within_s=self._beat_s):
                self._look()
            log.warning("bus.relay.lost", relay=self._relay, why=connection.why)
        except BusAway as error:
            log.warning("bus.away", relay=self._relay, why=str(error))
        finally:
            self._connection = None
            self._gone()
            await connection.close()

    def _look(self) -> None:
        if self._receive is None:
            return
        self._missed += 1
        if self._there and self._missed > SILENT_BEATS:
            log.warning("bus.relay.silent", relay=self._relay)
            self._gone()
        if self._next is None:
            self.publish(Greet())

    # -- what it says --------------------------------------------------------------------------------------------

    def _heard(self, data: bytes) -> None:
        if self._connection is None or self._connection.why:
            return
        try:
            self._count()
            self._take(envelope.decode(data))
        except ProtocolError as error:
            self._connection.end(str(error))

    def _count(self) -> None:
        """Messages cost time that all relays share, also those that are in order or of no use."""
        now = self._loop.time()
        self._allowance = min(_AT_ONCE, self._allowance + (now - self._allowed_at) * _PER_S)
        self._allowed_at = now
        if self._allowance < 1:
            raise ProtocolError("it says more than a relay has to say")
        self._allowance -= 1

    def _take(self, said: Envelope) -> None:
        """Raise ProtocolError for what no relay of ours says, in kind or in number."""
        talk = (said.boot, said.talk)
        if said.number == 0 and said.payload:
            if self._latest is not None and said.boot == self._latest[0] and said.talk < self._latest[1]:
                return  # of an earlier connection
            self._begin(talk, self._read(said))
        elif talk != self._latest or said.number != self._next:
            self._miss(talk)
            return
        elif said.payload:
            self._next += 1
            self._put(self._read(said), len(said.payload))
        self._missed = 0

    def _read(self, said: Envelope) -> ToControl:
        message = TO_CONTROL.decode(said.payload)
        if message.relay != self._relay:
            raise ProtocolError(f"{self._relay} speaks for {message.relay}")
        return message

    def _begin(self, talk: tuple[bytes, int], greeting: ToControl) -> None:
        if not isinstance(greeting, RelayUp):
            raise ProtocolError(f"{type(greeting).__name__} is no greeting")
        self._latest, self._next = talk, 1
        self._forget()
        self._there = True
        self.arrived.set()
        self._put(greeting, 0)

    def _miss(self, talk: tuple[bytes, int]) -> None:
        """Something was lost, or comes from before our time: only its greeting helps, which ``_look`` asks for."""
        if talk == self._latest and self._next is not None:
            self._next = None
            self.publish(Greet())

    def _put(self, message: ToControl, size: int) -> None:
        if self._inbox.qsize() >= _WAITING or self._waiting_bytes + size > _WAITING_BYTES:
            raise ProtocolError("it says more than can be dealt with")
        self._waiting_bytes += size
        self._inbox.put_nowait((message, size))

    def _forget(self) -> None:
        while not self._inbox.empty():
            self._inbox.get_nowait()
        self._waiting_bytes = 0

    def _gone(self) -> None:
        self._next = None
        if self._there:
            self._there = False
            self._forget()
            self._put(RelayUp(self._relay, []), 0)

    async def _work(self) -> None:
        """Until ``close``. A receiver that fails ends the conversation, and the next greeting finds it again."""
        while (item := await self._inbox.get()) is not None:
            message, size = item
            self._waiting_bytes = max(self._waiting_bytes - size, 0)
            assert self._receive is not None  # noqa: S101 - else nothing is heard
            work = self._loop.create_task(self._receive(message))
            await asyncio.wait([work])
            if not work.cancelled() and (error := work.exception()) is not None:
                self._loop.call_exception_handler({"message": f"{self._relay} was not heard", "exception": error})
                if self._connection is not None:
                    self._connection.end("the receiver failed")
