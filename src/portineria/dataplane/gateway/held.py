# SPDX-License-Identifier: Apache-2.0
"""Requests that wait for somebody's yes: asked about once, answered once, never sent late.

A request is held for a part of the time for which its client waits, then refused in its protocol. A yes that comes
later *arms* it: exactly that request of this session, asked once more within two minutes, passes once. What is exact
is a hash of device, functions, route, targets, values and the request's own bytes without what numbers them.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from portineria.dataplane.gateway.clock import boot_s
from portineria.dataplane.gateway.functions import Fields, Refusals, Verdict, fields_of, printable
from portineria.dataplane.gateway.rate import PerMinute
from portineria.dataplane.gateway.spool import Spool
from portineria.protocols.inspection import Request
from portineria.protocols.operation import Kind, Operation, Value
from portineria.wire.statement import Asset, HoldAnswer, sha256

log = structlog.get_logger()
LONGEST_S = 20.0  # that a request is held, whatever its client bears
SHARE = 0.6  # of its client's time-out: what is left is for the way there and back
ANSWER_S = 120.0  # after it nobody is asked any more
ARMED_S = 120.0  # after a late yes
# Of one session. Whoever decides has to be able to read them, and a client that tries every value must not fill the
# register.
QUESTIONS = 8
PER_MINUTE = 12
TOGETHER = 16  # connections that wait for the same answer
VALUES, ALSO = 16, 3
HELD, HOLD_REFUSED, ARMED = "operation.held", "operation.hold-refused", "operation.armed"
RELEASED, HOLD_EXPIRED = "operation.released", "operation.hold-expired"
# What may be a secret, and helps nobody to decide.
_UNSAID = frozenset({Kind.MODE, Kind.SESSION, Kind.UNKNOWN})


def hold_s(client_timeout_s: float) -> float:
    return min(LONGEST_S, SHARE * client_timeout_s)


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests of one connection go. ``allowed``: what the profiles say now of what somebody said yes to."""

    stream: str
    asset: Asset
    patience_s: float
    allowed: Callable[[tuple[Operation, ...]], Verdict]


@dataclass(slots=True, eq=False)
class Held:
    """One request on one connection, until ``until``. ``decided`` is told once whether it passes.

    ``alive``: whether whoever asked is still there, as far as anybody can know.
    """

    request: Request
    content: bytes
    verdict: Verdict
    place: Place
    until: float
    alive: Callable[[], bool]
    decided: Callable[["Held", bool], None]
    timer: asyncio.TimerHandle | None = None

    def settle(self, *, passes: bool) -> None:
        self.forget()
        self.decided(self, passes)

    def forget(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


@dataclass(slots=True, eq=False)
class _Question:
    number: bytes
    sha256: bytes
    asked: float
    until: float
    waiting: list[Held] = field(default_factory=list)
    allowed: bool | None = None
    timer: asyncio.TimerHandle | None = None


class Holds:
    """Of one session, over all its connections. ``linked``: whether there is anybody to ask."""

    def __init__(self, session: str, spool: Spool, refusals: Refusals, linked: Callable[[], bool]) -> None:
        self._session, self._spool, self._refusals, self._linked = session, spool, refusals, linked
        self._questions: dict[bytes, _Question] = {}  # by the hash of what is asked
        self._fresh = PerMinute(PER_MINUTE)

    # -- what a connection asks ----------------------------------------------------------------------------------

    def ask(self, held: Held) -> bool | None:
        """True: it passes now. False: it is refused. None: it waits, and ``held.decided`` will be told."""
        now = boot_s()
        digest = fingerprint(held.place.asset, held.request.operations, held.content)
        question = self._questions.get(digest)
        if question is not None and question.until <= now:
            self._forget(question)
            question = None
        if question is None:
            question = self._asked(digest, held, now)
        if question is None:
            return False
        if question.allowed:
            return self._take(question, held, how="hold.armed")
        if question.allowed is False or held.until <= now or len(question.waiting) >= TOGETHER:
            why = "hold.no" if question.allowed is False else "hold.deadline" if held.until <= now else "hold.many"
            self._told(held, question, why)
            return False
        question.waiting.append(held)
        held.timer = asyncio.get_running_loop().call_later(held.until - now, self._late, question, held)
        return None

    def _asked(self, digest: bytes, held: Held, now: float) -> _Question | None:
        """A new question, on its way; None where nobody can be asked."""
        if not self._linked():
            self._told(held, None, "hold.away")
            return None
        if len(self._questions) >= QUESTIONS or not self._fresh.take():
            self._told(held, None, "hold.many")
            return None
        question = _Question(secrets.token_bytes(32), digest, now, now + ANSWER_S)
        self._questions[digest] = question
        question.timer = asyncio.get_running_loop().call_later(ANSWER_S, self._expired, question, "hold.unanswered")
        self._spool.record(
            HELD, self._session, question=question.number.hex(), request_sha256=digest.hex(), count=1,
            hold_ms=max(round((held.until - now) * 1000), 0), answer_s=round(ANSWER_S), **_fields(held),
            **said_of(held.request.operations, held.verdict.held[0][1].operation),
        )  # fmt: skip
        return question

    def leave(self, held: Held) -> None:
        """Its connection is over, or closing: it is never sent, and ``decided`` not told."""
        held.forget()
        for question in self._questions.values():
            if held in question.waiting:
                question.waiting.remove(held)
                self._told(held, question, "hold.closed")

    def _late(self, question: _Question, held: Held) -> None:
        if held in question.waiting:
            question.waiting.remove(held)
            self._refuse(question, held, "hold.deadline")

    # -- what somebody says --------------------------------------------------------------------------------------

    def answer(self, answer: HoldAnswer, until: float) -> None:
        """``until``: when a yes ends, on our clock. The first answer counts."""
        now = boot_s()
        question = self._questions.get(answer.request_sha256)
        if question is None or question.number != answer.question or question.allowed is not None:
            log.info("hold.answer.unknown", session=self._session)
            return
        if question.until <= now or (answer.allowed and until <= now):
            log.info("hold.answer.late", session=self._session)
            return
        question.allowed = answer.allowed
        waiting, question.waiting = question.waiting, []
        if answer.allowed:
            self._allowed(question, waiting, min(now + ARMED_S, until))
            return
        self._come_back(question, now + ARMED_S, "refused")  # the same again is refused, and nobody asked
        for held in waiting:
            self._refuse(question, held, "hold.no")

    def _allowed(self, question: _Question, waiting: list[Held], until: float) -> None:
        """One of those that wait passes. Where none can any more, the next that asks."""
        for held in waiting:
            if question.sha256 not in self._questions:
                self._refuse(question, held, "hold.used")
            elif not held.alive() or boot_s() >= held.until:
                self._refuse(question, held, "hold.closed")
            else:
                held.settle(passes=self._take(question, held, how="hold.held"))
        if question.sha256 in self._questions:
            self._come_back(question, until, "hold.unused")
            seconds = round(until - boot_s())
            self._spool.record(
                ARMED, self._session, question=question.number.hex(), request_sha256=question.sha256.hex(),
                seconds=seconds,
            )  # fmt: skip

    def _take(self, question: _Question, held: Held, *, how: str) -> bool:
        """Use the yes up. False where the profiles of now refuse what they held before: that is told by them."""
        if held.place.allowed(held.request.operations).refused:
            return False
        self._forget(question)
        self._spool.record(
            RELEASED, self._session, question=question.number.hex(), request_sha256=question.sha256.hex(),
            stream=held.place.stream, how=how, waited_ms=round((boot_s() - question.asked) * 1000),
        )  # fmt: skip
        return True

    def _refuse(self, question: _Question, held: Held, why: str) -> None:
        self._told(held, question, why)
        held.settle(passes=False)

    # -- ends ----------------------------------------------------------------------------------------------------

    def _come_back(self, question: _Question, until: float, why: str) -> None:
        if question.timer is not None:
            question.timer.cancel()
        question.until = until
        later = max(until - boot_s(), 0)
        question.timer = asyncio.get_running_loop().call_later(later, self._expired, question, why)

    def _expired(self, question: _Question, why: str) -> None:
        self._forget(question)
        if why != "refused":
            self._spool.record(HOLD_EXPIRED, self._session, question=question.number.hex(), reason=why)

    def _forget(self, question: _Question) -> None:
        if question.timer is not None:
            question.timer.cancel()
        self._questions.pop(question.sha256, None)

    def close(self) -> None:
        """The session is over."""
        for question in list(self._questions.values()):
            self._forget(question)

    def _told(self, held: Held, question: _Question | None, why: str) -> None:
        number = question.number.hex() if question is not None else ""
        self._refusals.note(HOLD_REFUSED, _fields(held) | {"reason": why, "question": number})


@dataclass(slots=True, eq=False)
class StreamHolds:
    """Of one connection: what it asks, and what is held on it now. Without ``holds`` nobody can be asked."""

    holds: Holds | None = None
    place: Place | None = None
    held: Held | None = None
    since: float | None = None  # when what waits behind a held request began to

    def ask(
        self, request: Request, content: bytes, verdict: Verdict, alive: Callable[[], bool],
        decided: Callable[[Held, bool], None],
    ) -> bool | None:  # fmt: skip
        """Whether it passes now; None: it waits. What waited behind another one waits no longer than that."""
        if self.holds is None or self.place is None:
            return False
        since = boot_s() if self.since is None else self.since
        held = Held(request, content, verdict, self.place, since + hold_s(self.place.patience_s), alive, decided)
        outcome = self.holds.ask(held)
        if outcome is None:
            self.held, self.since = held, since
        return outcome

    def leave(self) -> Held | None:
        """Never send what is held; return it."""
        held, self.held = self.held, None
        if held is not None and self.holds is not None:
            self.holds.leave(held)
        return held

    @property
    def bytes(self) -> int:
        return len(self.held.request.data) if self.held is not None else 0


def fingerprint(asset: Asset, operations: tuple[Operation, ...], content: bytes) -> bytes:
    """The same for the same request to the same service, whatever connection and number it has; else another."""
    asked = repr([(one.protocol, one.function, one.code, one.route) for one in operations])
    parts = [asset.service, asset.address, str(asset.port), asked]
    framed = [part.encode("utf-8", "surrogatepass") for part in parts] + [content]
    return sha256(b"".join(len(part).to_bytes(8, "big") + part for part in framed))


def _fields(held: Held) -> Fields:
    profile, denial = held.verdict.held[0]
    return {
        "stream": held.place.stream, "service": held.place.asset.service, "profile": profile, **fields_of(denial),
    }  # fmt: skip


def said_of(operations: tuple[Operation, ...], first: Operation) -> Fields:
    """``values`` of the operation that is held, and what ``besides`` it is in the same request."""
    others = [one for one in operations if one is not first]
    more = f"; +{len(others) - ALSO}" if len(others) > ALSO else ""
    return {"values": _values(first), "besides": "; ".join(map(_said, others[:ALSO])) + more}


def _said(operation: Operation) -> str:
    targets = printable(", ".join(map(str, operation.targets[:2])))
    return f"{_cut(printable(operation.function), 24)} {_cut(targets, 32)} {_cut(_values(operation), 20)}".rstrip()


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _values(operation: Operation) -> str:
    if operation.kind in _UNSAID:
        return ""
    shown = ", ".join(map(_value, operation.values[:VALUES]))
    more = len(operation.values) - VALUES
    return printable(shown) + (f" +{more}" if more > 0 else "")


def _value(value: Value) -> str:
    if isinstance(value, bytes) and len(value) > VALUES:
        return f"{len(value)} bytes, SHA-256 {sha256(value).hex()[:16]}…"
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
