# SPDX-License-Identifier: Apache-2.0
"""Between the bus and the database. One message of a gateway at a time, gateways side by side.

Events in the order they came; a question for a lease goes before them, so that a flood of events delays no session.

What has to be said follows from the database, so that nothing depends on this process having been up when it was
decided: news make it quick, the timer makes it sure.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import structlog
from django.db import OperationalError
from django.utils import timezone

from portineria.bus.interface import Bus
from portineria.bus.message import (
    DropGateway,
    FromGateway,
    LegsClosed,
    LinkDown,
    LinkUp,
    RelayUp,
    SetAdmitted,
    ToControl,
    ToRelay,
)
from portineria.control.access.closing import look_after_requests
from portineria.control.access.maintaining import settle_maintenance
from portineria.control.audit import news
from portineria.control.audit.news_of_others import NewsOfOthers
from portineria.control.estate import introduction, links, signers
from portineria.control.identity.lead import Lead
from portineria.control.own_connection import given_back
from portineria.control.remote_sessions import glances, letters, outgoing, presence, reports, services
from portineria.control.remote_sessions.directory_ends import settle_directory_ends
from portineria.control.remote_sessions.emergency_terms import Spread
from portineria.control.remote_sessions.inbox import Inbox
from portineria.control.remote_sessions.reminder import Reminder
from portineria.control.remote_sessions.signal_desk import SignalDesk, is_signals
from portineria.control.statistics import refresh_statistics
from portineria.core.errors import PortineriaError

log = structlog.get_logger()
T = TypeVar("T")
_THREADS = 4  # SQLite has one writer; more threads would only wait for each other
_GATEWAYS = 30_000  # as many as one relay links (its own limit); more names than that are invented
_TICK_S = 1.0
_AWAY_S = 1.0  # before the database is asked again
_LIST_S = 3600.0  # relays forget the admitted list after a day (WIRE 4)
# News after which somebody may have lost a permission, or gained an extension.
_ENFORCE = (
    "identity.person.disabled",
    "identity.supplier.disabled",
    "identity.membership.removed",
    "identity.membership.closed",
    "identity.second-factor.removed",
    "identity.provider.factor-changed",
    "estate.gateway.",
    "estate.machine.changed",
    "estate.device.changed",
    "estate.service.removed",
    "access.grant.",
    "access.rule.",
    "access.lock.",
    "access.maintenance.",
    "access.signal.",
    "remote_sessions.directory-end.",
)
_LIST_CHANGES = (
    "estate.gateway.admitted",
    "estate.gateway.revoked",
    "estate.gateway.quarantined",
    "estate.gateway.renewed",
)
_TRUST_GREW = "identity.key.created"
_IDLE = (
    "estate.gateway.connected",
    "estate.gateway.disconnected",
    "estate.gateway.enrolled",
    "estate.gateway.introduced",
)


class Switchboard:
    """``bus`` is given later because the two need each other. ``lead``: where several processes take turns."""

    def __init__(self, lead: Lead | None = None) -> None:
        self._lead = lead
        self._bus: Bus | None = None
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="switchboard")
        self._queues: dict[str, Inbox] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._reminder, self._terms, self._signals = Reminder(), Spread(), SignalDesk()
        self._enforce, self._trust_grew = asyncio.Event(), asyncio.Event()
        self._list_at = 0.0

    async def open(self, bus: Bus, *, forget: bool = True) -> None:
        """``forget``: who is linked now is unknown. Not after a change of lead, where the relays went on."""
        self._bus = bus
        loop = asyncio.get_running_loop()
        if forget:
            await self._in_thread(links.forget_all)
        await self._in_thread(self._signals.open)
        outgoing.attach(lambda message: loop.call_soon_threadsafe(self._publish_all, message))

    async def run(self) -> None:
        """Until cancelled: news and timer."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_news(), name="news")
            tasks.create_task(NewsOfOthers().run(), name="news of others")
            tasks.create_task(self._tick(), name="tick")
            tasks.create_task(self._enforce_when_asked(), name="enforce")
            tasks.create_task(self._spread_trust(), name="trust")

    async def close(self) -> None:
        outgoing.detach()
        glances.detach()
        for worker in self._workers.values():
            worker.cancel()
        await asyncio.gather(*self._workers.values(), return_exceptions=True)
        await asyncio.to_thread(self._pool.shutdown)

    async def _in_thread(self, work: Callable[..., T], *given: Any) -> T:
        """The database is never touched from the loop's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, given_back(work), *given)

    async def _stored(self, work: Callable[..., T], *given: Any) -> T:
        """What a relay says once, written only by whoever listens to the relays now."""
        return await self._in_thread(work if self._lead is None else self._lead.leading(work), *given)

    def _publish_all(self, message: ToRelay) -> None:
        if self._bus is not None:
            self._bus.publish_all(message)

    def _publish(self, relay: str, messages: Sequence[ToRelay]) -> None:
        if self._bus is not None:
            for message in messages:
                self._bus.publish(relay, message)

    # -- from the relays ----------------------------------------------------------------------------------------

    async def receive(self, message: ToControl) -> None:
        """The bus's receiver. Only what concerns a whole relay is waited for here."""
        if isinstance(message, RelayUp):
            await self._in_the_end(partial(self._relay_up, message), relay=message.relay)
        elif isinstance(message, LegsClosed):
            closed = self._in_thread(presence.legs_closed, message.relay, message.session, timezone.now())
            await self._guarded(closed, relay=message.relay, session=message.session)
        else:
            self._queue(message)

    async def _relay_up(self, message: RelayUp) -> None:
        await self._stored(links.relay_up, message.relay, message.gateways)
        self._publish(message.relay, [await self._in_thread(presence.admitted)])
        if message.gateways:  # they stayed linked while we were away, and this start may have brought a relay
            self._trust_grew.set()

    def _queue(self, message: LinkUp | LinkDown | FromGateway) -> None:
        inbox = self._queues.get(message.gateway)
        if inbox is None:
            if len(self._queues) >= _GATEWAYS:
                log.warning("switchboard.full", relay=message.relay)
                return
            inbox = self._queues[message.gateway] = Inbox()
            work = self._work(message.gateway, inbox)
            self._workers[message.gateway] = asyncio.get_running_loop().create_task(work, name=message.gateway)
        if not inbox.put(message):
            log.warning("switchboard.behind", gateway=message.gateway)

    async def _work(self, gateway: str, inbox: Inbox) -> None:
        """Ends when there is nothing more to do, so that an idle gateway costs nothing."""
        try:
            while (message := inbox.take()) is not None:
                if isinstance(message, LinkUp):
                    await self._in_the_end(partial(self._link_up, message), gateway=gateway)
                elif isinstance(message, LinkDown):
                    down = partial(self._stored, links.link_down, message.relay, gateway)
                    await self._in_the_end(down, gateway=gateway)
                elif isinstance(message, FromGateway):
                    await self._guarded(self._from_gateway(message), gateway=gateway)
        finally:
            # However it ended: the next message finds a new worker. No await between here and the last look into the
            # inbox: nobody can have put anything in.
            del self._queues[gateway], self._workers[gateway]

    async def _link_up(self, message: LinkUp) -> None:
        said = await self._stored(presence.link_up, message.relay, message.gateway, message.spki_sha256, message.peer)
        self._publish(message.relay, said)

    async def _from_gateway(self, message: FromGateway) -> None:
        answer = await self._in_thread(_answer, message.gateway, message.sealed, self._signals)
        if answer is None:
            # Its sessions are cut before it is sent away: on the way out it can still hear so.
            await self._in_thread(services.enforce, timezone.now())
            self._publish_all(DropGateway(message.gateway))
        else:
            self._publish(message.relay, answer)

    async def _guarded(self, work: Any, **about: str) -> None:
        """A message that cannot be dealt with now is dropped: it is not acknowledged, so it comes again.

        What nobody foresaw is logged and dropped as well: the trouble of one gateway must not become that of all.
        """
        try:
            await work
        except PortineriaError as error:
            log.warning("switchboard.refused", code=error.code, why=str(error), **about)
        except OperationalError as error:
            log.error("switchboard.database", why=str(error), **about)
        except Exception as error:
            log.error("switchboard.broken", code=PortineriaError.code, exc_info=error, **about)

    async def _in_the_end(self, work: Callable[[], Awaitable[object]], **about: str) -> None:
        """Relays say once who comes and goes: while the database is away it waits here, in its order."""

        async def until_it_is_there() -> None:
            while True:
                try:
                    await work()
                    return
                except OperationalError as error:
                    log.error("switchboard.database", why=str(error), **about)
                await asyncio.sleep(_AWAY_S)

        await self._guarded(until_it_is_there(), **about)

    # -- by itself ----------------------------------------------------------------------------------------------

    async def _read_news(self) -> None:
        with news.subscription(everything=True) as fresh:
            async for item in fresh:
                if item.code in _LIST_CHANGES:
                    await self._guarded(self._in_thread(services.enforce, timezone.now()))
                    self._list_at = 0.0
                    await self._guarded(self._admitted())
                if item.code.startswith(_ENFORCE) and item.code not in _IDLE:
                    self._enforce.set()
                if item.code == _TRUST_GREW:
                    self._trust_grew.set()

    async def _enforce_when_asked(self) -> None:
        while True:
            await self._enforce.wait()
            self._enforce.clear()
            await self._guarded(self._in_thread(services.enforce, timezone.now()))

    async def _spread_trust(self) -> None:
        """Whom and what to believe from now on, said at once: an idle gateway asks for the time every six hours only.

        One gateway after the other, so that what others say goes between.
        """
        while True:
            await self._trust_grew.wait()
            self._trust_grew.clear()
            await self._guarded(self._say_additions())

    async def _say_additions(self) -> None:
        for gateway in await self._in_thread(links.linked):
            await self._guarded(self._say_additions_to(gateway), gateway=gateway)

    async def _say_additions_to(self, gateway: str) -> None:
        self._publish_all(await self._in_thread(presence.additions, gateway))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._enforce.set()
            await self._guarded(self._say_again())
            await self._guarded(self._in_thread(_look_after, timezone.now()))
            await self._guarded(self._admitted())

    async def _admitted(self) -> None:
        if time.monotonic() - self._list_at < _LIST_S and self._list_at:
            return
        self._list_at = time.monotonic()
        message: SetAdmitted = await self._in_thread(presence.admitted)
        self._publish_all(message)
        await self._in_thread(_settle, timezone.now())

    async def _say_again(self) -> None:
        due = self._reminder.due(await self._in_thread(_unanswered), time.monotonic())
        for message in await self._in_thread(_standing, due, self._terms, self._signals):
            self._publish_all(message)


def _look_after(at: datetime) -> None:
    """What ends by itself, to the second."""
    look_after_requests(at)
    settle_maintenance(at)
    settle_directory_ends(at)


def _settle(at: datetime) -> None:
    """What time alone brings about in the estate and in the database."""
    signers.settle(at)
    introduction.expire(at)
    refresh_statistics()


def _answer(gateway: str, sealed: list[bytes], signals: SignalDesk) -> list[ToRelay] | None:
    """None: it must not stay connected."""
    if is_signals(sealed[0]):
        signals.receive(gateway, sealed)
        return []
    if glances.is_glance(sealed[0]):  # the inbox keeps them apart
        glances.receive(gateway, sealed)
        return []
    answer = reports.receive(gateway, sealed)
    if answer.quarantined:
        return None
    if not answer.letters:
        return []
    return [letters.sealed(answer.gateway, *answer.letters)]


def _unanswered() -> list[str]:
    return [session.public_id for session in services.unanswered()]


def _standing(sessions: set[str], terms: Spread, signals: SignalDesk) -> list[ToRelay]:
    rows = [session for session in services.unanswered() if session.public_id in sessions] if sessions else []
    messages = signals.due() + terms.due()
    for session in rows:
        try:
            messages += letters.standing_messages(session)
        except PortineriaError as error:  # its gateway's own trouble; the others are told all the same
            log.error("letter.not-written", session=session.public_id, code=error.code, why=str(error))
    return messages
