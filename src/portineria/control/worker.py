# SPDX-License-Identifier: Apache-2.0
"""What only one process should do at a time: answer gateways, enforce, seal. Run two; the second waits for its turn.

Were two to do it at once for a moment, nothing would be doubled or lost: every answer follows from the database, under
its locks. The lead keeps two from speaking with the relays side by side.
"""

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import structlog
from django.db import DatabaseError, close_old_connections

from portineria.bus.interface import Bus
from portineria.bus.message import RelayUp, ToControl
from portineria.control import operations, readiness
from portineria.control.settings.server import ServerSettings
from portineria.control.web_server import serve_until_signal
from portineria.process import logging
from portineria.process.loop import run

if TYPE_CHECKING:
    from portineria.control.identity.lead import Lead

log = structlog.get_logger()
T = TypeVar("T")
_WAIT_S = 1.0  # between two looks of whoever waits for the lead
_GREETING_S = 10.0  # a relay that has not been heard of for so long after a change of lead has no links


async def serve(settings: ServerSettings, stop: asyncio.Event) -> None:
    """Until ``stop`` is set. Django runs with ``settings`` already, and ``prepare`` has been called."""
    from portineria.control.identity.lead import Lead

    lead = Lead("worker", f"{socket.gethostname()[:24]}:{os.getpid()}:{secrets.token_hex(4)}")
    log.info("worker.waiting")
    try:
        while not stop.is_set():
            if await _asked(lead.take):
                await _Leading(settings, lead).run(stop)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_WAIT_S):
                    await stop.wait()
    finally:
        if lead.held:
            await _asked(lead.give_up)


async def _asked(work: Callable[[], T]) -> T | None:
    """None while the database does not answer."""

    def with_own_connection() -> T | None:
        try:
            return work()
        except DatabaseError as error:
            log.warning("worker.database", why=str(error))
            return None
        finally:
            close_old_connections()

    return await asyncio.to_thread(with_own_connection)


class _Leading:
    """One time in the lead."""

    def __init__(self, settings: ServerSettings, lead: "Lead") -> None:
        from portineria.control.remote_sessions.switchboard import Switchboard

        self._settings, self._lead = settings, lead
        self._switchboard = Switchboard(lead)
        self._over = False

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set or another one has the lead."""
        from portineria.control.audit import news
        from portineria.control.bus import control_bus, share_news
        from portineria.control.estate.relays import settle_relays
        from portineria.control.own_connection import given_back
        from portineria.control.register_care import care_for_registers

        relays = [row.public_id for row in await asyncio.to_thread(given_back(settle_relays))]
        bus = control_bus(self._settings, self._receive)
        await self._switchboard.open(bus, forget=False)
        await bus.open(relays)
        share_news(bus)
        readiness.attach("bus", lambda: bus.connected)
        log.info("worker.leading")
        loop = asyncio.get_running_loop()
        tasks = [
            loop.create_task(stop.wait(), name="stop"),
            loop.create_task(self._keep(), name="lead"),
            loop.create_task(self._switchboard.run(), name="switchboard"),
            *care_for_registers(self._settings),
        ]
        missing = loop.create_task(self._settle(bus, relays), name="settle")
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._over = True
            news.detach()
            readiness.detach()
            for task in (*tasks, missing):
                task.cancel()
            await asyncio.gather(*tasks, missing, return_exceptions=True)
            await bus.close()
            await self._switchboard.close()
        log.info("worker.led")
        for task in done:
            task.result()

    async def _receive(self, message: ToControl) -> None:
        """Whoever was frozen must not act on what was said meanwhile: somebody else has, and knows better."""
        if self._lead.held and not self._over:
            await self._switchboard.receive(message)

    async def _keep(self) -> None:
        """Returns when the lead is lost."""
        from portineria.control.identity.lead import RENEW_S

        while self._lead.held:
            await asyncio.sleep(RENEW_S)
            if await _asked(self._lead.prolong) is False:  # None: the database is away, and the lead goes on to its end
                return

    async def _settle(self, bus: Bus, relays: list[str]) -> None:
        """Links of relays that went away together with the one who led before."""
        await asyncio.sleep(_GREETING_S)
        for relay in set(relays) - set(bus.relays):
            await self._receive(RelayUp(relay, []))


def main(settings: ServerSettings) -> int:
    """Raise BadSettings."""
    logging.set_up(level=settings.log_level, form=settings.log_form)
    settings.check_shared("worker")
    operations.join(settings)
    run(serve_until_signal(serve, settings, part="worker"))
    return 0
