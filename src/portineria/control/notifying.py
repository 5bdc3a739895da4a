# SPDX-License-Identifier: Apache-2.0
"""Tells people what concerns them: reads on in every register, and brings what they chose by mail and webhook.

In one process of an installation at a time, by a lead of its own. Nothing of access waits for it.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar

import structlog
from django.db import DatabaseError
from django.utils import timezone

from portineria.control.console import notice_chat, notice_letter
from portineria.control.identity.lead import Lead, LeadLost
from portineria.control.notification import collecting, sending, services
from portineria.control.notification.back import collect_back
from portineria.control.notification.models import Channel, Delivery, DeliveryState
from portineria.control.notification.sponsors import collect_stays
from portineria.control.notification.standings import collect_standings
from portineria.control.notification.unused import collect_unused
from portineria.control.own_connection import given_back
from portineria.control.settings.mail import mail_server
from portineria.control.settings.server import ServerSettings
from portineria.core.errors import PortineriaError
from portineria.sinks.http import Http
from portineria.sinks.kind import Away, Refused
from portineria.sinks.mail.post import post
from portineria.sinks.setting import BadSetting, Setting, Shape
from portineria.sinks.trust import client_tls
from portineria.sinks.webhook.message import headers, secret_of

log = structlog.get_logger()
T = TypeVar("T")
LOOK_S = 1.0
CLOCK_S = 15.0  # between two looks at what ends soon
DAYS_S = 3600.0  # at what ends on a day
AT_ONCE = 8  # mails and webhooks, one after the other
FAULT_S = 300.0  # until what met a fault of ours is tried again
_NEVER = (400, 410, 413, 422)  # these bytes, or this receiver, however often they come
_JSON = {"Content-Type": "application/json"}
_RECIPIENT = Setting("recipient", Shape.MAIL)


class Notifying:
    """Raise BadSettings for a mail server that is none."""

    def __init__(self, settings: ServerSettings) -> None:
        self._lead = Lead("notifications", f"{socket.gethostname()[:24]}:{os.getpid()}:{secrets.token_hex(4)}")
        self._sender = _Sender(settings.public_url.rstrip("/"), mail_server(settings))
        self._looked_s = 0.0
        self._looked_days_s = -DAYS_S
        self._not_before: dict[str, float] = {}  # organisations, by a clock that nobody sets

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._guarded(self._round(), "round")
                await asyncio.sleep(LOOK_S)
        finally:
            if self._lead.held:
                with contextlib.suppress(DatabaseError):
                    await _asked(self._lead.give_up)

    async def _round(self) -> None:
        """Raise DatabaseError, LeadLost: the next one goes on from where this one was."""
        behind = await _asked(collecting.behind)
        due = await _asked(partial(sending.due, timezone.now(), AT_ONCE))
        clock = time.monotonic() - self._looked_s > CLOCK_S
        if not (behind or due or clock):
            return  # what nobody waits for needs no lead, whose every second is written to the disk
        if not await _asked(self._lead.prolong if self._lead.held else self._lead.take):
            return
        for organisation in behind:
            if self._not_before.get(organisation, 0.0) <= time.monotonic():
                read = partial(collecting.collect, organisation, timezone.now(), mail=self._sender.mails)
                await self._guarded(self._led(read), organisation)
        if clock:
            self._looked_s = time.monotonic()
            for read_clock in (collecting.collect_ends, collect_back):
                await self._led(partial(read_clock, timezone.now(), mail=self._sender.mails))
            await self._led(partial(collecting.forget, timezone.now()))
            if time.monotonic() - self._looked_days_s > DAYS_S:
                for look in (collect_standings, collect_unused, collect_stays):
                    await self._led(partial(look, timezone.now(), mail=self._sender.mails))
                self._looked_days_s = time.monotonic()
        if behind or clock:  # those that came of it
            due = await _asked(partial(sending.due, timezone.now(), AT_ONCE))
        for delivery in due:
            if not self._lead.held:
                return
            if not await self._guarded(self._sender.bring(delivery), f"delivery {delivery}"):
                await _asked(partial(sending.put_off, delivery, timezone.now(), FAULT_S))

    async def _led(self, work: Callable[[], object]) -> None:
        await _asked(self._lead.leading(work))

    async def _guarded(self, work: Coroutine[Any, Any, None], what: str) -> bool:
        """A fault of ours in one register or one mail is said, and stops neither the others nor the server."""
        ends = await asyncio.gather(work, return_exceptions=True)
        fault: BaseException | None = ends[0]
        if fault is None or isinstance(fault, (DatabaseError, LeadLost)):
            return True
        log.error("notification.fault", what=what, kind=type(fault).__name__, exc_info=fault)
        self._not_before[what] = time.monotonic() + FAULT_S
        return False


class _Sender:
    def __init__(self, public_url: str, mail: Mapping[str, str] | None) -> None:
        self._public_url, self._mail = public_url, mail
        self._tls = client_tls(mail) if mail is not None else None

    @property
    def mails(self) -> bool:
        return self._mail is not None

    async def bring(self, delivery: int) -> None:
        """Raise DatabaseError."""
        row = await _asked(partial(sending.waiting, delivery))
        if row is None:
            return
        if await _asked(partial(sending.moot, row, timezone.now())):
            await self._note(row, DeliveryState.MOOT)
            return
        try:
            await (self._by_mail(row) if row.channel == Channel.MAIL else self._by_webhook(row))
        except Away as away:
            pause = max(away.retry_after_s, sending.pause_s(row.attempts, secrets.SystemRandom().random()))
            await _asked(partial(sending.note_away, row, timezone.now(), str(away), pause))
        except Refused as refused:
            await self._note(row, DeliveryState.GIVEN_UP, str(refused))
        except PortineriaError as error:  # another master key, a request that they may not see any more
            await self._note(row, DeliveryState.GIVEN_UP, error.code)
        else:
            await self._note(row, DeliveryState.SENT)

    async def _note(self, row: Delivery, state: DeliveryState, why: str = "") -> None:
        await _asked(partial(sending.note, row.pk, state, timezone.now(), why))

    async def _by_mail(self, row: Delivery) -> None:
        if self._mail is None or self._tls is None:
            raise Away("there is no mail server")
        try:
            _RECIPIENT.check(row.person.email)
        except BadSetting as error:
            raise Refused("an address that no mail server takes") from error
        text = await _asked(partial(notice_letter.mail, row.notification, self._mail["sender"], self._public_url))
        await post(self._mail, self._tls, row.person.email, text)

    async def _by_webhook(self, row: Delivery) -> None:
        hook = row.person.notification_webhook
        address, secret = services.opened(hook)
        services.require_allowed(address)
        body = await _asked(partial(notice_chat.BODIES[hook.form], row.notification, self._public_url))
        http = Http({})
        try:
            signed = headers(secret_of(secret), row.notification.public_id, int(time.time()), body) if secret else _JSON
            answer = await http.post(address, body, signed)
        finally:
            await http.close()
        if answer.status in _NEVER:
            raise Refused(f"HTTP {answer.status}")
        if not answer.good:
            raise answer.away()


async def _asked(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(given_back(work))
