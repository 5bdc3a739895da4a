# SPDX-License-Identifier: Apache-2.0
"""Legs of one session: over whichever of its relays works, at most sixteen being set up at a time, one always ready.

A ready leg is one on which the end-to-end session stands and HELLO has not been said: a new connection of the tool then
costs one round trip to the device.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace

import structlog

from portineria.core.errors import ProtocolError, Unavailable
from portineria.dataplane.aio.channel import Channel
from portineria.dataplane.aio.leg import LegRefused, Way, dial_leg
from portineria.dataplane.aio.task import Tasks
from portineria.dataplane.aio.tls import Pieces
from portineria.dataplane.connector.admission import Admission
from portineria.wire.leg import Challenge, ConnectorLeg, prove
from portineria.wire.statement import RelayAddress

log = structlog.get_logger()
AT_ONCE = 16  # leg set-ups; the relay lets 256 from one address and 256 to one gateway wait
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 2.0
_AFTER_TAKEN_S = 0.05  # the connection that took the ready leg goes first: setting up a leg costs 13 ms of CPU
_IDLE_PAUSE_S = 30.0  # between attempts at a ready leg that nobody waits for
_STEADY_S = 5.0  # a ready leg that lives shorter was turned away rather than lost


class NoLeg(Unavailable):
    """No relay gave a leg. ``code`` is the reason of the last one tried, ``why`` its words."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code, self.why = code, why


class _Unanswered(Unavailable):
    """The relay joined the leg with one of the gateway's from which nothing came."""

    code = "leg.unreachable"


class Legs:
    """``on_refused`` hears the code when not even a ready leg can be had."""

    def __init__(self, admission: Admission, way: Way, on_refused: Callable[[str], None]) -> None:
        self._admission = admission
        self._way = way
        self._on_refused = on_refused
        self._preferred = 0
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tasks = Tasks()
        self._ready: Channel | None = None
        self._wanted = asyncio.Event()
        self._lost = False

    def start(self, first: Channel) -> None:
        """Keep ``first`` ready, and from then on always one."""
        self._set_ready(first)
        self._tasks.spawn(self._keep_ready(), "ready leg")

    async def close(self) -> None:
        await self._tasks.close()
        if self._ready is not None:
            self._ready.on_lost = None
            self._ready.close()

    def renew(self, relays: tuple[RelayAddress, ...], tickets: tuple[bytes, ...]) -> None:
        self._admission = replace(self._admission, relays=relays, tickets=tickets)
        self._preferred %= len(relays)

    def certify(self, certificate: str | None, gateway_spki_sha256: str | None) -> None:
        """Legs made from now on use these; raise Mismatch."""
        self._admission = self._admission.renewed(certificate, gateway_spki_sha256)

    @property
    def has_ready(self) -> bool:
        return self._ready is not None

    async def take(self) -> Channel:
        """The ready leg, else a new one; raise NoLeg. It may have died meanwhile: look at ``closed``."""
        if self._ready is not None:
            leg, self._ready = self._ready, None
            leg.on_data, leg.on_lost = None, None
            self._wanted.set()
            return leg
        return await self.make()

    async def make(self) -> Channel:
        """A new leg over the relay that worked last, else over the next one; raise NoLeg when none gives one."""
        async with self._places:
            failure = NoLeg("leg.unreachable", "no relay")
            count = len(self._admission.relays)
            for step in range(count):
                number = (self._preferred + step) % count
                try:
                    leg = await self._over(number)
                except (LegRefused, ProtocolError, Unavailable, OSError) as error:  # TimeoutError is an OSError
                    failure = _failure(error, failure)
                    log.info(
                        "leg.failed", relay=self._admission.relays[number].relay, code=failure.code, why=failure.why
                    )
                else:
                    self._preferred = number
                    return leg
            raise failure

    async def _over(self, number: int) -> Channel:
        """What the gateway kept at the relay may be dead without anybody having noticed: the next one is dialled."""
        try:
            return await self._joined(number)
        except _Unanswered:
            return await self._joined(number)

    async def _joined(self, number: int) -> Channel:
        admission = self._admission
        relay, ticket = admission.relays[number], admission.tickets[number]

        def introduce(challenge: Challenge, nested: bool) -> ConnectorLeg:
            return ConnectorLeg(ticket, admission.key_der, prove(admission.key, challenge, "leg"), nested)

        ready = await dial_leg(relay, self._way, introduce)
        leg = Channel(ready.layers)
        try:
            layer = await leg.start(ready.sock, admission.context, server_side=False, early=ready.early)
        except (TimeoutError, ConnectionError) as error:
            raise _Unanswered("the gateway's leg says nothing") from error
        try:
            admission.check_gateway(layer, self._way.unix_ms())
        except ProtocolError:
            leg.abort()
            raise
        return leg

    async def _keep_ready(self) -> None:
        pause_s, made_at, loop = FIRST_PAUSE_S, 0.0, asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self._lost and loop.time() - made_at < _STEADY_S:
                await asyncio.sleep(jittered(pause_s))
                pause_s = min(2 * pause_s, _IDLE_PAUSE_S)
            elif not self._lost:
                await asyncio.sleep(_AFTER_TAKEN_S)
            self._lost = False
            try:
                leg = await self.make()
            except NoLeg as error:
                self._on_refused(error.code)
                self._lost, made_at = True, loop.time()
                self._wanted.set()
                continue
            if loop.time() - made_at >= _STEADY_S:
                pause_s = FIRST_PAUSE_S
            made_at = loop.time()
            self._set_ready(leg)

    def _set_ready(self, leg: Channel) -> None:
        def spoke(_pieces: Pieces) -> None:
            leg.abort()  # nobody may speak before HELLO

        def lost(_error: Exception | None) -> None:
            if self._ready is leg:
                self._ready, self._lost = None, True
                self._wanted.set()

        self._ready = leg
        leg.begin(spoke, lost)


def jittered(pause_s: float) -> float:
    """Half of it to all of it: connectors that lost the same relay do not come back in step."""
    return pause_s * random.uniform(0.5, 1)  # noqa: S311 - not a secret


def _failure(error: Exception, before: NoLeg) -> NoLeg:
    """What to tell. That a session ended is believed only when every relay that answers says so."""
    if isinstance(error, (ProtocolError, Unavailable)):
        failure = NoLeg(error.code, str(error))
    else:
        failure = NoLeg("leg.unreachable", str(error) or type(error).__name__)
    if failure.code == "session.ended" and before.why != "no relay":
        return before
    return failure
