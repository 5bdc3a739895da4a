# SPDX-License-Identifier: Apache-2.0
"""Brings each organisation's register to its sinks, each by itself: none waits for another, and nothing for them.

In one process of an installation at a time, by a lead of its own: two that were started by mistake would mix the order.
"""

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import structlog
from django.db import DatabaseError

from portineria.control.identity.lead import Lead, LeadLost
from portineria.control.own_connection import given_back
from portineria.control.sinks import progress, secret
from portineria.control.sinks.models import Sink
from portineria.control.sinks.progress import Batch
from portineria.core.errors import PortineriaError
from portineria.sinks.catalogue import kind_of
from portineria.sinks.kind import Away, Refused, Sender, Taken

log = structlog.get_logger()
T = TypeVar("T")
LOOK_S = 1.0
SEND_S = 90.0  # of one batch; every sink has shorter limits of its own
AT_ONCE = 16  # sinks; each holds one batch in memory
LONGEST_S = 300.0  # between two attempts
ATTEMPTS = 3  # at an event that is refused alone
MOST_DEAD = 20  # in a row: then it is the receiver, not the events
_LEAST_SHARE = 0.5  # of the pause before the next attempt; the rest is chance, so that not all come back at once


class Delivering:
    """``source``: the host name of the console, as receivers see it."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lead = Lead("sinks", f"{socket.gethostname()[:24]}:{os.getpid()}:{secrets.token_hex(4)}")
        self._running: dict[int, asyncio.Task[None]] = {}
        self._not_before: dict[int, float] = {}  # by the loop's clock, which nobody sets
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._round()
                await asyncio.sleep(LOOK_S)
        finally:
            await self._stop()
            if self._lead.held:
                await _asked(self._lead.give_up)

    async def _round(self) -> None:
        self._bury()
        waiting = await _asked(progress.due) or []
        if not (waiting or self._running):
            return
        led = await _asked(self._lead.prolong if self._lead.held else self._lead.take)
        if not self._lead.held or led is False:
            await self._stop()
            return
        now = asyncio.get_running_loop().time()
        for sink in waiting:
            if sink not in self._running and self._not_before.get(sink, 0.0) <= now:
                self._running[sink] = asyncio.get_running_loop().create_task(self._deliver(sink), name=f"sink {sink}")

    def _bury(self) -> None:
        """A fault of ours in one sink is said, and stops neither the others nor the server."""
        for sink, task in list(self._running.items()):
            if task.done():
                del self._running[sink]
                if not task.cancelled() and (error := task.exception()) is not None:
                    log.error("sink.fault", sink=sink, kind=type(error).__name__, exc_info=error)
                    self._not_before[sink] = asyncio.get_running_loop().time() + LONGEST_S

    async def _stop(self) -> None:
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        self._bury()

    async def _deliver(self, sink: int) -> None:
        async with self._places:
            try:
                failed = await self._bring_all(sink)
            except DatabaseError as error:
                log.warning("sink.database", sink=sink, why=str(error))
                return
            except LeadLost:
                return
            if failed is not None:
                times = await _asked(partial(progress.note_failed, sink, str(failed))) or 1
                pause = max(_pause_s(times), failed.retry_after_s)
                self._not_before[sink] = asyncio.get_running_loop().time() + pause

    async def _bring_all(self, sink: int) -> Away | None:
        row = await asyncio.to_thread(given_back(progress.running), sink)
        kind = kind_of(row.kind) if row is not None else None
        if row is None:
            return None
        try:
            sender = await asyncio.to_thread(given_back(secret.sender), row)
        except PortineriaError as error:  # another master key, another version, a setting of ours that fits no more
            return Away(f"cannot be opened: {error.code}")
        try:
            await _Line(self._lead, row, sender, kind.most_events if kind else 1, self._source).bring_all()
        except Away as away:
            return away
        finally:
            await sender.close()
        return None


class _Line:
    """One sink, from where it stands to the end of its register."""

    def __init__(self, lead: Lead, row: Sink, sender: Sender, most: int, source: str) -> None:
        self._lead, self._sink, self._sender, self._source = lead, row.pk, sender, source
        self._version = row.version
        self._most = self._together = most
        self._attempts = 0

    async def bring_all(self) -> None:
        """Raise Away, LeadLost, DatabaseError."""
        while True:
            read = partial(progress.next_batch, self._sink, self._together, self._source)
            batch = await asyncio.to_thread(given_back(read))
            if batch is None or batch.version != self._version:  # changed: opened anew by the next round
                return
            if not await self._bring(batch):
                return

    async def _bring(self, batch: Batch) -> bool:
        """False when somebody moved the cursor meanwhile: the next round begins from there."""
        if not batch.events:
            return await self._note(batch, batch.end, [], sent=0)
        try:
            taken = await self._sent(batch)
        except Refused as error:
            return await self._refused(batch, str(error))
        moved = await self._heed(batch, taken)
        if taken.away is not None:
            raise taken.away
        self._together, self._attempts = min(self._most, self._together * 2), 0
        return moved

    async def _sent(self, batch: Batch) -> Taken:
        if not self._lead.held:
            raise LeadLost("somebody else brings events now")
        try:
            async with asyncio.timeout(SEND_S):
                return await self._sender.send(batch.events)
        except TimeoutError as error:
            raise Away("no answer in time") from error

    async def _heed(self, batch: Batch, taken: Taken) -> bool:
        """Up to the last event that was taken or refused; behind all of them, to the end of what was looked at."""
        if not taken.count:
            return True
        dead = [(batch.events[index].seq, why) for index, why in taken.refused.items()]
        end = batch.end if taken.count == len(batch.events) else batch.events[taken.count - 1].seq
        return await self._note(batch, end, dead, sent=taken.count - len(dead))

    async def _refused(self, batch: Batch, why: str) -> bool:
        """Fewer at a time until it is one, which is put aside when it was refused often enough."""
        if len(batch.events) > 1:
            self._together = max(1, len(batch.events) // 2)
            return True
        self._together = 1
        self._attempts += 1
        if self._attempts < ATTEMPTS:
            await asyncio.sleep(_pause_s(self._attempts) / 4)
            return True
        if await asyncio.to_thread(given_back(progress.dead_in_a_row), self._sink) >= MOST_DEAD:
            raise Away(f"refuses everything: {why}")
        self._attempts = 0
        return await self._note(batch, batch.end, [(batch.events[0].seq, why)], sent=0)

    async def _note(self, batch: Batch, end: int, dead: list[tuple[int, str]], *, sent: int) -> bool:
        note = partial(progress.note_taken, batch, end, dead, sent=sent)
        return await asyncio.to_thread(given_back(self._lead.leading(note)))


def _pause_s(times: int) -> float:
    longest = min(LONGEST_S, 2.0 ** min(times, 10))
    return longest * (_LEAST_SHARE + (1 - _LEAST_SHARE) * secrets.SystemRandom().random())


async def _asked(work: Callable[[], T]) -> T | None:
    """None while the database does not answer."""
    with contextlib.suppress(DatabaseError):
        return await asyncio.to_thread(given_back(work))
    return None
