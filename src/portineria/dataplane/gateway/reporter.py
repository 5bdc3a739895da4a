# SPDX-License-Identifier: Apache-2.0
"""What the gateway says upwards: events until they are acknowledged, and questions for time and leases."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

import portineria
from portineria.dataplane.gateway.clock import TrustedClock
from portineria.dataplane.gateway.inspections import INSPECTED_HERE
from portineria.dataplane.gateway.link import Link
from portineria.dataplane.gateway.settings import GatewaySettings
from portineria.dataplane.gateway.spool import Spool
from portineria.wire.feature import UNDERSTOOD
from portineria.wire.leg import Letters
from portineria.wire.report import (
    GLANCE_SEQ,
    KNOWN_SIGNERS,
    QUESTION_STREAMS,
    SIGNALS_SEQ,
    Context,
    Glance,
    Question,
    SignalValues,
    StreamTraffic,
    write_report,
)
from portineria.wire.statement import OpeningKey

log = structlog.get_logger()
TOGETHER = 64  # reports in one frame: 64 x 8.5 KiB stay below its 1 MiB
UNDERWAY = 256  # events sent and not acknowledged
TRAFFIC_S = 10.0  # how often running streams are counted: the console shows the work as it goes on
_NOTHING = bytes(32)


class Reporter:
    def __init__(
        self, settings: GatewaySettings, spool: Spool, clock: TrustedClock, *, gateway: str, key: Ed25519PrivateKey,
        opening_key: Callable[[], OpeningKey], links: Callable[[], list[Link]],
        leased: Callable[[], dict[str, float]], traffic: Callable[[], list[StreamTraffic]],
        signers: Callable[[], list[str]], register: Callable[[bytes], int | None],
        emergency: Callable[[], bytes],
    ) -> None:  # fmt: skip
        self._settings, self._spool, self._clock, self._gateway, self._key = settings, spool, clock, gateway, key
        self._opening_key, self._links, self._leased, self._traffic = opening_key, links, leased, traffic
        self._signers, self._register, self._emergency = signers, register, emergency
        self._events, self._question = asyncio.Event(), asyncio.Event()
        self._link: Link | None = None
        self._sent = 0
        self._heard, self._progress_at = 0, 0.0  # the newest acknowledgement, and when it came or waiting for it began
        self._answered = False
        self._counted_at, self._turn = -TRAFFIC_S, 0
        spool.on_recorded = self._events.set

    def links_changed(self) -> None:
        """Ask at once on a new link, and send again what went over a lost one."""
        if self._link not in self._links():
            self._link, self._sent = None, self._spool.acknowledged
        self._events.set()
        self.ask()

    # -- events ------------------------------------------------------------------------------------------------

    async def report(self) -> None:
        """For ever. Events go over one link at a time, so that they arrive in order."""
        self._sent = self._spool.acknowledged
        while True:
            self._events.clear()
            if self._overdue():
                self._send_again()
            if not await self._send_some():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(self._overdue_at()):
                        await self._events.wait()

    def _overdue(self) -> bool:
        """No acknowledgement for too long; what is recorded meanwhile does not prolong the wait."""
        now, acknowledged = asyncio.get_running_loop().time(), self._spool.acknowledged
        if acknowledged != self._heard or not self._underway():
            self._heard, self._progress_at = acknowledged, now
        return now >= self._progress_at + self._settings.acknowledge_s

    def _overdue_at(self) -> float | None:
        return self._progress_at + self._settings.acknowledge_s if self._underway() else None

    def _underway(self) -> bool:
        return self._link is not None and self._sent > self._spool.acknowledged

    async def _send_some(self) -> bool:
        """Whether anything was sent."""
        links = self._links()
        if self._link not in links:
            self._link, self._sent = (links[0] if links else None), self._spool.acknowledged
        self._sent = max(self._sent, self._spool.acknowledged)
        room = min(TOGETHER, UNDERWAY - (self._sent - self._spool.acknowledged))
        if self._link is None or room <= 0:
            return False
        rows = await self._spool.unsent(self._sent, room)
        if not rows or self._link not in self._links():
            return False
        self._sent = rows[-1][0]
        self._link.send(Letters([report for _, report in rows]))
        return True

    def _send_again(self) -> None:
        """Nobody acknowledged: what was sent may be lost, or this relay drops it. Try the next link."""
        links = self._links()
        if self._link in links:
            self._link = links[(links.index(self._link) + 1) % len(links)]
        self._sent = self._spool.acknowledged
        self._progress_at = asyncio.get_running_loop().time()
        log.info("events.again", acknowledged=self._sent)

    # -- questions ---------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Soon, together with whatever else wants to be asked."""
        self._question.set()

    def answered(self) -> None:
        self._answered = True

    async def question(self) -> None:
        """For ever: time and leases; while sessions live every third of the shortest lease, at least every
        ``TRAFFIC_S``.
        """
        while True:
            if self._links():
                self._ask_now()
            await self._until_next(asyncio.get_running_loop().time())
            self._question.clear()

    async def _until_next(self, asked: float) -> None:
        """Until somebody wants to ask, or it is time again: how soon depends on whether an answer comes meanwhile."""
        while (interval := self._interval_s()) is None or asyncio.get_running_loop().time() < asked + interval:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(None if interval is None else asked + interval):
                    await self._question.wait()
                    await asyncio.sleep(0)  # what changes in the same turn is asked in one question
                    return

    def _interval_s(self) -> float | None:
        if not self._links():
            return None
        shortest = min(self._leased().values(), default=None)
        every = self._settings.time_every_s
        if shortest is not None:
            every = min(shortest / 3, every, TRAFFIC_S)
        return every if self._answered else min(every, self._settings.ask_again_s)

    def _ask_now(self) -> None:
        self._answered = False
        nonce, recipient = secrets.token_bytes(32), self._opening_key()
        question = Question(
            self._spool.boot, nonce, sorted(self._leased()), portineria.__version__, spooled=self._spool.count,
            heard_ms=self._clock.heard_ms,
            traffic=self._counted(), signers=self._signers()[-KNOWN_SIGNERS:],
            register_size=self._register(nonce), acknowledged=self._spool.acknowledged,
            inspects=sorted(INSPECTED_HERE), holds=True,
            emergency=self._emergency(), understands=list(UNDERSTOOD),
        )  # fmt: skip
        report = self._outside_the_chain(question, 0, recipient)
        self._clock.asked(nonce)
        for link in self._links():  # over every link: a relay that drops it must not end sessions
            link.send(Letters([report]))

    def _outside_the_chain(self, body: Question | Glance | SignalValues, seq: int, recipient: OpeningKey) -> bytes:
        context = Context(recipient.key_id, self._gateway, self._spool.epoch, seq, _NOTHING)
        opening = X25519PublicKey.from_public_bytes(recipient.key)
        return write_report(body, context, key=self._key, recipient=opening)[0]

    def show(self, shown: Glance | SignalValues) -> bool:
        """For who looks on, over one link that takes it now; what signals are over every such link: a relay that drops
        it must not drain what runs. False when there is none, and then it is lost.
        """
        links = [link for link in self._links() if not link.behind]
        seq = GLANCE_SEQ if isinstance(shown, Glance) else SIGNALS_SEQ
        for link in links[: 1 if seq == GLANCE_SEQ else None]:
            link.send(Letters([self._outside_the_chain(shown, seq, self._opening_key())]))
        return bool(links)

    def _counted(self) -> list[StreamTraffic]:
        """Now and then only: with short leases questions are asked more often than anybody reads figures."""
        now, running = asyncio.get_running_loop().time(), self._traffic()
        if now < self._counted_at + TRAFFIC_S / 2 or not running:
            return []
        self._counted_at, first = now, self._turn % len(running)
        self._turn = first + QUESTION_STREAMS if len(running) > QUESTION_STREAMS else 0  # more than fit take turns
        return (running[first:] + running[:first])[:QUESTION_STREAMS]
