# SPDX-License-Identifier: Apache-2.0
"""Asks the systems that keep tickets whether these still cover the work, and tells them when it is over.

In one process of an installation at a time. A system that is away changes nothing: what it said last counts, and what
it never said opens nothing.
"""

import asyncio
import contextlib
import os
import secrets
import socket
from collections import defaultdict
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TypeVar

import structlog
from django.db import DatabaseError
from django.utils import timezone

from portineria.control.access import services, tickets
from portineria.control.access.models import AccessRequest
from portineria.control.identity.lead import Lead
from portineria.control.own_connection import given_back
from portineria.control.remote_sessions.ticket_notes import write_notes
from portineria.control.sinks import notes, progress, secret
from portineria.control.sinks.models import Sink, TicketNote
from portineria.core.errors import Conflict, PortineriaError
from portineria.sinks.catalogue import kind_of
from portineria.sinks.kind import Away, Refused
from portineria.sinks.ticket import Standing, standing
from portineria.sinks.ticketing import Tickets

log = structlog.get_logger()
T = TypeVar("T")
LOOK_S = 2.0
MOST = 50  # questions, and as many comments, in one look
ASK_S = 20.0  # one question
AT_ONCE = 8  # systems
LONGEST_S = 300.0  # between two attempts


class Ticketing:
    """``address``: of the console, as links to it begin."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._lead = Lead("tickets", f"{socket.gethostname()[:24]}:{os.getpid()}:{secrets.token_hex(4)}")
        self._not_before: dict[str, float] = {}  # by the loop's clock, which nobody sets
        self._failures: dict[str, int] = {}
        self._without_answer: dict[int, int] = {}  # requests → how often: they come last, and hold nobody else up
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                with contextlib.suppress(DatabaseError):
                    await self.round()
                await asyncio.sleep(LOOK_S)
        finally:
            if self._lead.held:
                with contextlib.suppress(DatabaseError):
                    await _in_thread(self._lead.give_up)

    async def round(self) -> None:
        """Raise DatabaseError."""
        if not await _in_thread(tickets.any_kept):
            return
        await _in_thread(self._lead.prolong if self._lead.held else self._lead.take)
        if not self._lead.held:
            return
        now = timezone.now()
        await _in_thread(tickets.forget_removed)
        await _in_thread(partial(write_notes, self._address, now))
        asked: dict[str, list[AccessRequest]] = defaultdict(list)
        for request in await _in_thread(partial(tickets.to_ask, now, MOST)):
            asked[request.ticket_system].append(request)
        told: dict[str, list[TicketNote]] = defaultdict(list)
        for note in await _in_thread(partial(notes.waiting, MOST)):
            told[note.sink.public_id].append(note)
        await asyncio.gather(*(self._visit(system, asked[system], told[system]) for system in {*asked, *told}))

    async def _visit(self, system: str, asked: list[AccessRequest], told: list[TicketNote]) -> None:
        """Raise DatabaseError."""
        clock = asyncio.get_running_loop().time
        if self._not_before.get(system, 0.0) > clock():
            return
        async with self._places:
            try:
                await self._talk(system, asked, told)
            except PortineriaError as error:
                times = self._failures[system] = self._failures.get(system, 0) + 1
                wait = max(min(LONGEST_S, 2.0 ** min(times, 10)), error.retry_after_s if isinstance(error, Away) else 0)
                self._not_before[system] = clock() + wait
                await _in_thread(partial(progress.note_away, system, str(error)))
                return
        if self._failures.pop(system, 0):
            await _in_thread(partial(progress.note_reached, system))

    async def _talk(self, system: str, asked: list[AccessRequest], told: list[TicketNote]) -> None:
        """Raise Away, WrongMasterKey, NoSuchKind, BadSetting."""
        row = await _in_thread(Sink.objects.filter(public_id=system).first)
        kind = kind_of(row.kind) if row is not None else None
        if row is None or kind is None or kind.tickets is None:
            return
        settings = await _in_thread(partial(secret.settings_of, row))
        keeper = kind.tickets(settings)
        try:
            for request in sorted(asked, key=lambda one: self._without_answer.get(one.pk, 0)):
                self._without_answer[request.pk] = self._without_answer.get(request.pk, 0) + 1
                await self._ask(keeper, request, settings["states"])
            for note in told:
                await self._tell(keeper, note)
        finally:
            await keeper.close()

    async def _ask(self, keeper: Tickets, request: AccessRequest, states: str) -> None:
        try:
            found = await _in_time(keeper.find(request.reference))
        except Refused:  # no number of theirs: whoever typed it must not keep others from being asked for
            found = None
        self._without_answer.pop(request.pk, None)
        said = standing(found, tickets.covered(request), states)
        state = found.state if found is not None else ""
        await _in_thread(partial(tickets.note, request.pk, said, state, timezone.now()))
        if said is Standing.HOLDS and not request.rule.needs_approval:
            with contextlib.suppress(Conflict):  # a yes would open nothing for another reason: it waits, and says so
                await _in_thread(partial(services.give_for_ticket, request.pk))

    async def _tell(self, keeper: Tickets, note: TicketNote) -> None:
        """Twice where we were stopped between saying it and noting so: a comment has no number that we give."""
        try:
            await _in_time(keeper.comment(note.ticket, note.text))
        except Refused as error:
            await _in_thread(partial(notes.give_up, note, str(error)))
        else:
            await _in_thread(partial(notes.done, note))


async def _in_time(question: Coroutine[None, None, T]) -> T:
    """Raise Away."""
    try:
        async with asyncio.timeout(ASK_S):
            return await question
    except TimeoutError as error:
        raise Away("no answer in time") from error


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(given_back(work))
