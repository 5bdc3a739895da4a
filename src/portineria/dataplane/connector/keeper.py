# SPDX-License-Identifier: Apache-2.0
"""Keeps a session supplied by the control plane: tickets, the newest order, its state. Open work needs none of it."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import msgspec

from portineria.core.errors import Conflict, Denied, NotFound, PortineriaError, ProtocolError, Unavailable
from portineria.dataplane.connector.admission import Mismatch, RelayAnswer, read_time, relays_and_tickets
from portineria.dataplane.connector.api import Api, decode
from portineria.dataplane.connector.legs import jittered
from portineria.dataplane.connector.session import Session
from portineria.dataplane.connector.text import why_text
from portineria.wire.certificate import BadCertificate
from portineria.wire.envelope import read_signed
from portineria.wire.statement import Ticket

RENEW_AT = 0.6  # of a ticket's life: two more attempts fit before it ends
POLL_S = 20.0
_TICKET_S = 300.0  # WIRE 11; also when the ticket itself cannot be read
_RETRY_S, _LONGEST_RETRY_S = 2.0, 30.0
_GOODBYE_S = 3.0
_RECEIPT_S, _RECEIPT_POLL_S = 5.0, 0.5  # a gateway whose line is up has signed within a second
T = TypeVar("T")


class StateAnswer(msgspec.Struct):
    """What every answer about a session carries. ``ending`` is as the gateway signed for it: cut, drained, expired…"""

    state: str
    ending: str | None = None
    ends_at: str | None = None
    drain_until: str | None = None
    end_why: str = ""  # codes, each of text.WHYS
    end_reason: str = ""  # what somebody wrote
    order_sha256: str | None = None
    certificate: str | None = None
    gateway_spki_sha256: str | None = None
    watched: bool | None = None  # not said by servers from before, nor in other answers


class TicketsAnswer(StateAnswer, kw_only=True):
    relays: list[RelayAnswer]
    tickets: list[str]


class Keeper:
    def __init__(self, api: Api, tickets: tuple[bytes, ...]) -> None:
        self._api = api
        self._tickets_end_ms = self._end_of(tickets)
        self._away = False
        self._session: Session | None = None
        self._draining = self._watched = False
        self._end: StateAnswer | None = None

    async def keep(self, session: Session) -> None:
        """Until cancelled, or the session is over."""
        self._session = session
        session.tasks.spawn(self._renew(session), "tickets")
        while not session.over.done():
            await asyncio.wait([session.over], timeout=POLL_S)
            if not session.over.done():
                await self.refresh()

    async def refresh(self) -> bool:
        """Ask for the session's state; return whether its order is a newer one."""
        session = self._session
        if session is None:
            return False
        path = f"/api/v1/sessions/{session.id}"
        return bool(await self._ask(session, "GET", path, StateAnswer, self._learn))

    def _learn(self, session: Session, answer: StateAnswer) -> bool:
        """Return whether the order is a newer one."""
        if answer.state == "ended":
            self._end = answer
            session.end(answer.ending or "unproven")
        self._note_drain(session, answer)
        if answer.watched is not None and answer.watched is not self._watched:
            self._watched = answer.watched
            session.tell("session.watched" if answer.watched else "session.unwatched")
        if answer.ends_at is not None:
            self._note_end(session, read_time(answer.ends_at))
        session.legs.certify(answer.certificate, answer.gateway_spki_sha256)
        if answer.order_sha256 is None or (newest := decode(answer.order_sha256)) == session.order_sha256:
            return False
        session.order_sha256 = newest
        return True

    def _note_end(self, session: Session, ends_at: datetime) -> None:
        if ends_at > session.ends_at:
            session.tell("permission.extended", at=local_time(ends_at))
        session.ends_at = ends_at

    def _note_drain(self, session: Session, answer: StateAnswer) -> None:
        if answer.state == "draining" and answer.drain_until is not None:
            self._draining = True
            left_s = read_time(answer.drain_until).timestamp() - self._api.unix_ms / 1000
            session.drains(answer.end_why, answer.end_reason, max(0.0, left_s))
        elif answer.state in ("opening", "live") and self._draining:  # what the gateway began by itself is its to lift
            self._draining = False
            session.resumed()

    async def ended(self, session: Session) -> tuple[str, str]:
        """Wait for the end; return how the session ended and, for people, why.

        That a relay closed it proves nothing: the server is asked for what the gateway signed, for a few seconds.
        """
        how = await session.over
        deadline = asyncio.get_running_loop().time() + _RECEIPT_S
        while self._end is None and asyncio.get_running_loop().time() < deadline:
            await self.refresh()
            if self._away:
                break
            if self._end is None:
                await asyncio.sleep(_RECEIPT_POLL_S)
        if self._end is None:
            return how, ""
        return self._end.ending or "unproven", why_text(self._end.end_why, self._end.end_reason)

    async def _renew(self, session: Session) -> None:
        pause_s = _RETRY_S
        while True:
            life_s = (self._tickets_end_ms - self._api.unix_ms) / 1000
            await asyncio.sleep(max(0.0, min(life_s, _TICKET_S) * RENEW_AT))
            path = f"/api/v1/sessions/{session.id}/tickets"
            if await self._ask(session, "POST", path, TicketsAnswer, self._take_tickets) is None:
                await asyncio.sleep(jittered(pause_s))
                pause_s = min(2 * pause_s, _LONGEST_RETRY_S)
            else:
                pause_s = _RETRY_S

    def _take_tickets(self, session: Session, answer: TicketsAnswer) -> bool:
        relays, tickets = relays_and_tickets(answer.relays, answer.tickets)
        self._tickets_end_ms = self._end_of(tickets)
        session.legs.renew(relays, tickets)
        return self._learn(session, answer)

    async def _ask(
        self, session: Session, method: str, path: str, shape: type[T], learn: Callable[[Session, T], bool]
    ) -> bool | None:
        """What ``learn`` says of the answer; None when there is none now, or none that may be believed."""
        try:
            answer = await self._api.in_thread(method, path, shape)
            newer = learn(session, answer)
        except Unavailable:
            if not self._away:
                self._away = True
                minutes = max(0, (self._tickets_end_ms - self._api.unix_ms) // 60_000)
                session.tell("control.away", minutes=minutes)
            return None
        except (Mismatch, BadCertificate) as error:
            session.tell(Mismatch.code, why=str(error))
            return None
        except (NotFound, Denied, Conflict):  # what the control plane refuses is settled by the gateway anyway
            return None
        if self._away:
            self._away = False
            session.tell("control.back")
        return newer

    def _end_of(self, tickets: tuple[bytes, ...]) -> int:
        """When the first of them ends, by the server's clock. Only the relay verifies them."""
        try:
            return min(msgspec.msgpack.decode(read_signed(t).statement, type=Ticket).not_after_ms for t in tickets)
        except (ProtocolError, msgspec.DecodeError):
            return self._api.unix_ms + round(_TICKET_S * 1000)


def local_time(at: datetime) -> str:
    """As the clock on the technician's wall has it."""
    return at.astimezone().strftime("%H:%M" if abs((at - datetime.now(at.tzinfo)).days) < 1 else "%Y-%m-%d %H:%M")


async def finish(api: Api, session: str) -> bool:
    """Tell the control plane that the connector is done; return whether it heard. Else the session ends by itself."""
    try:
        async with asyncio.timeout(_GOODBYE_S):
            await api.in_thread("POST", f"/api/v1/sessions/{session}/end", msgspec.Raw)
    except (Unavailable, TimeoutError):
        return False
    except PortineriaError:  # it has ended already, or our sign-in has: there is nothing left to end
        return True
    return True
