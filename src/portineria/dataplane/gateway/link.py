# SPDX-License-Identifier: Apache-2.0
"""The control link to one relay: proof, heartbeat, letters and dial requests; and who keeps links up."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from portineria.core.errors import PortineriaError, Unavailable
from portineria.dataplane.aio.dial import BadProxy
from portineria.dataplane.aio.leg import Way, reach
from portineria.dataplane.aio.outer import Outer, is_far
from portineria.dataplane.aio.task import Tasks, both
from portineria.dataplane.aio.tls import Truncated
from portineria.dataplane.gateway.settings import GatewaySettings
from portineria.wire.frame import LINK_FRAME_BYTES, BadFrame, FrameDecoder
from portineria.wire.leg import (
    FROM_RELAY,
    LINK_ALPN,
    TO_RELAY,
    Challenge,
    Dial,
    FromRelay,
    GatewayProof,
    Letters,
    Ping,
    Pong,
    Prove,
    Refused,
    ToRelay,
    Welcome,
    first_frame,
)
from portineria.wire.statement import RelayAddress

log = structlog.get_logger()
QUEUE_BYTES = 4 << 20  # towards a relay that does not read: the link is given up
BEHIND_BYTES = 256 << 10
_RECEIVE = 1 << 16
_MISSES = 3  # heartbeats without a sign of life
# For the handshake, and again for the proof. Nobody waits for a link as a person waits for a leg; and of a relay that
# has thousands back at once, whoever gives up early has used its time in vain and comes again (decision 0020).
_PATIENCE_S = 20.0


class LinkRefused(Unavailable):
    """``code`` is the relay's: link.not-admitted, link.revoked, link.replaced."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the relay answered {code}")
        self.code = code


class LinkSilent(Unavailable):
    code = "link.silent"


class Link:
    """One connection, after its proof. ``busy`` says whether a session lives: then the heartbeat is the quick one."""

    def __init__(self, relay: RelayAddress, outer: Outer, opened_by: str | None, busy: Callable[[], bool]) -> None:
        self.relay, self.opened_by = relay, opened_by
        self._outer, self._busy = outer, busy
        self._loop = asyncio.get_running_loop()
        self._decoder = FrameDecoder(limit=LINK_FRAME_BYTES)
        self._queue = bytearray()
        self._wake = asyncio.Event()
        self._heard = self._loop.time()
        self._welcome = Welcome(55, 15)
        self.since = self._loop.time()

    async def prove(self, challenge: Challenge, prove: Prove) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            await self._outer.send(first_frame(GatewayProof(*prove(challenge, "link"))))
            answer = FROM_RELAY.decode(await self._outer.receive())
        if isinstance(answer, Refused):
            raise LinkRefused(answer.code)
        if not isinstance(answer, Welcome):
            raise BadFrame(f"{type(answer).__name__} instead of Welcome")
        self._welcome = answer
        self._decoder.feed(self._outer.take_early())

    @property
    def far(self) -> bool:
        return is_far(self._outer.sock)

    @property
    def behind(self) -> bool:
        """Something waits to be written: what may be lost is better not added."""
        return len(self._queue) > BEHIND_BYTES

    def send(self, message: ToRelay) -> None:
        self._queue += TO_RELAY.frame(message)
        self._wake.set()

    async def run(self, receive: Callable[["Link", FromRelay], None]) -> None:
        """Until the link ends, which it does by raising."""
        await both(both(self._read(receive), self._write()), self._beat())

    async def _read(self, receive: Callable[["Link", FromRelay], None]) -> None:
        while True:
            while (frame := self._decoder.next_frame()) is not None:
                self._take(FROM_RELAY.decode(frame), receive)
            data = await self._loop.sock_recv(self._outer.sock, _RECEIVE)
            if not data:
                raise Truncated("the relay ended the link")
            self._heard = self._loop.time()
            self._outer.layer.feed(data)
            for piece in self._outer.layer.read():
                self._decoder.feed(piece)
            if self._outer.layer.peer_closed and self._decoder.rest == b"":
                raise Truncated("the relay closed the link")
            self._wake.set()  # reading may have made the TLS layer answer

    def _take(self, message: FromRelay, receive: Callable[["Link", FromRelay], None]) -> None:
        if isinstance(message, Ping):
            self.send(Pong())
        elif isinstance(message, Refused):
            raise LinkRefused(message.code)
        elif isinstance(message, Letters | Dial):
            receive(self, message)
        elif not isinstance(message, Pong):
            raise BadFrame(f"{type(message).__name__} on a link")

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if len(self._queue) > QUEUE_BYTES:
                raise LinkSilent("the relay does not read its link")
            if self._queue:
                self._outer.layer.write(bytes(self._queue))
                self._queue.clear()
            await self._outer.flush()

    async def _beat(self) -> None:
        """The gateway is the one that pings: it keeps the way through firewalls open."""
        pinged = self._loop.time()
        while True:
            busy, now = self._busy(), self._loop.time()
            beat = self._welcome.busy_heartbeat_s if busy else self._welcome.idle_heartbeat_s
            if now - self._heard > _MISSES * beat:
                raise LinkSilent(f"nothing from the relay for {round(now - self._heard)} s")
            if now - pinged >= beat:
                self.send(Ping())
                pinged = now
            # A session may begin at any time: look often enough to change to the quick beat.
            await asyncio.sleep(min(self._welcome.busy_heartbeat_s, max(pinged + beat - now, 0.01)))

    def close(self) -> None:
        self._outer.abort()


def pause_s(settings: GatewaySettings, attempt: int, *, stood: bool, busy: bool) -> float:
    """Before the next dialling. Full jitter: thousands of gateways that lost one relay must not come back in step.

    ``stood``: a link was lost, not an attempt to get one. Whoever carries a session hurries then; the others leave a
    relay that restarted the time to set all of them up (decision 0020).
    """
    longest = min(settings.retry_max_s, settings.retry_min_s * 2 ** min(attempt, 16))
    if stood and not busy:
        longest = max(longest, settings.spread_s)
    shortest = 0.0 if stood else settings.retry_min_s / 2
    return max(random.uniform(0, longest), shortest)  # noqa: S311 - spreads load, guards nothing


class Links:
    """Keeps links to as many relays as the settings say, each with its own pauses."""

    def __init__(
        self, settings: GatewaySettings, way: Callable[[], Way], relays: Callable[[], list[RelayAddress]],
        prove: Prove, *, receive: Callable[[Link, FromRelay], None],
        changed: Callable[[], None], busy: Callable[[], bool], beside: Callable[[Link], Coroutine[Any, Any, None]],
    ) -> None:  # fmt: skip
        """``beside``: what goes on as long as one link stands."""
        self._settings, self._way, self._relays, self._prove = settings, way, relays, prove
        self._receive, self._changed, self._busy, self._beside = receive, changed, busy, beside
        self._taken: set[str] = set()
        self.up: list[Link] = []
        self.faults: dict[str, str] = {}  # relay → why there is no link, for the status

    async def run(self) -> None:
        tasks = Tasks()
        try:
            for place in range(self._settings.links):
                tasks.spawn(self._keep(place), f"link {place}")
            await asyncio.get_running_loop().create_future()
        finally:
            await tasks.close()

    async def _keep(self, place: int) -> None:
        """For ever: take a relay that nobody has, hold its link, pause, take the next one."""
        attempt, turn = 0, place
        while True:
            free = [relay for relay in self._relays() if relay.relay not in self._taken]
            stood_s = 0.0
            if free:
                relay = free[turn % len(free)]
                self._taken.add(relay.relay)
                try:
                    stood_s = await self._hold(relay)
                finally:
                    self._taken.discard(relay.relay)
                turn += 1
                attempt = 0 if stood_s >= self._settings.settled_s else attempt + 1
            else:
                attempt = 6  # nothing to do here: look again after the longest pause
            await asyncio.sleep(pause_s(self._settings, attempt, stood=stood_s > 0, busy=self._busy()))

    async def _hold(self, relay: RelayAddress) -> float:
        """One link until it ends; return for how many seconds it stood."""
        loop = asyncio.get_running_loop()
        try:
            outer, challenge, opened_by = await reach(relay, self._way(), LINK_ALPN, patience_s=_PATIENCE_S)
        except (PortineriaError, OSError, TimeoutError, BadProxy) as error:
            self._fault(relay, error)
            return 0.0
        link, up_since = Link(relay, outer, opened_by, self._busy), None
        try:
            await link.prove(challenge, self._prove)
            up_since = loop.time()
            self.faults.pop(relay.relay, None)
            self.up.append(link)
            log.info("link.opened", relay=relay.relay, opened_by=opened_by)
            self._changed()
            await both(link.run(self._receive), self._beside(link))
        except (PortineriaError, OSError, TimeoutError) as error:
            self._fault(relay, error)
        finally:
            link.close()
            if link in self.up:
                self.up.remove(link)
                self._changed()
        return 0.0 if up_since is None else loop.time() - up_since

    def _fault(self, relay: RelayAddress, error: Exception) -> None:
        code = error.code if isinstance(error, PortineriaError) else type(error).__name__
        self.faults[relay.relay] = f"{code}: {error}"
        log.warning("link.lost", relay=relay.relay, code=code, why=str(error))
