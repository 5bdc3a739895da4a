# SPDX-License-Identifier: Apache-2.0
"""Consent signals while they are asked for: what gateways are told to read, and what their answers are worth.

Ages are reckoned here, by this process's own monotonic clock: a value is as old as the letter whose nonce it names. No
clock of a gateway and no wall clock counts, and a report that a relay keeps back grows old on its way. Who decides
reads the state in the row and compares no time.
"""

import secrets
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db.models import Exists, OuterRef
from django.utils import timezone

from portineria.bus.message import ToRelay
from portineria.control.access.models import Signal, SignalState
from portineria.control.access.signals import note_signals, unheard_all
from portineria.control.estate.models import Gateway, GatewayState, Link
from portineria.control.identity import keys
from portineria.control.remote_sessions import letters
from portineria.core.errors import PortineriaError, ProtocolError
from portineria.wire.report import SIGNALS_SEQ, SignalValues, open_report, read_context
from portineria.wire.statement import ReadSignals, SignalSource

log = structlog.get_logger()
STALE_S = 5.0  # nobody has heard of it for so long: it is no yes any more
STEADY_S = 3.0  # it says yes for so long without a break: a value that flaps is none
_BREAK_S = 2.5  # asked each second: nothing heard for so long is a break
_NONCES = 8  # of one gateway; one a second, and none older than STALE_S counts


class UnreadSignals(ProtocolError):
    code = "signal.refused"


@dataclass(slots=True)
class _Gateway:
    nonces: deque[tuple[bytes, float]] = field(default_factory=lambda: deque(maxlen=_NONCES))
    last: tuple[bytes, int] = (b"", 0)  # boot and part of the newest report

    def asked_at(self, nonce: bytes) -> float | None:
        return next((at for known, at in self.nonces if known == nonce), None)


@dataclass(slots=True)
class _Heard:
    at: float  # its value was no older than that
    yes_since: float | None = None  # without a break


class SignalDesk:
    """One for the process that listens to the gateways. ``now``: seconds that nobody sets. ``wall``: as they do."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, wall: Callable[[], datetime] = timezone.now
    ) -> None:  # fmt: skip
        self._now, self._wall, self._lock = now, wall, threading.Lock()
        self._gateways: dict[str, _Gateway] = defaultdict(_Gateway)
        self._heard: dict[int, _Heard] = {}
        self._since = now()
        self._number = 0

    def open(self) -> None:
        """Whatever was on has to be heard again before anything new begins; what runs has ``STALE_S`` for that."""
        unheard_all()
        self._since = self._now()

    # -- what is asked -----------------------------------------------------------------------------------------

    def due(self) -> list[ToRelay]:
        """Each second: letters to the linked gateways, and what has not been heard of for too long is lost."""
        linked = Exists(Link.objects.filter(gateway=OuterRef("gateway"), gateway__state=GatewayState.ADMITTED))
        rows = Signal.objects.standing().annotate(linked=linked).select_related("gateway__plant__organisation")
        by_gateway: dict[int, tuple[Gateway, list[Signal]]] = {}
        waiting = []
        for row in rows.order_by("pk"):
            if row.linked:  # type: ignore[attr-defined]
                by_gateway.setdefault(row.gateway_id, (row.gateway, []))[1].append(row)
            if row.state != SignalState.LOST:
                waiting.append(row.pk)
        self._settle(waiting)
        return [message for gateway, found in by_gateway.values() for message in self._ask(gateway, found)]

    def _ask(self, gateway: Gateway, rows: Sequence[Signal]) -> list[ToRelay]:
        nonce, number = secrets.token_bytes(32), self._next_number()
        letter = ReadSignals(gateway.public_id, nonce, number, [_source(row) for row in rows])
        with self._lock:
            self._gateways[gateway.public_id].nonces.append((nonce, self._now()))
        try:
            return [letters.sealed(gateway, letter)]
        except PortineriaError as error:  # its own trouble; the others are asked all the same
            log.error("letter.not-written", gateway=gateway.public_id, code=error.code, why=str(error))
            return []

    def _next_number(self) -> int:
        """Higher than those before, also when somebody sets the clock back; by the clock, to go on after a start."""
        self._number = max(self._number + 1, int(self._wall().timestamp() * 1000))
        return self._number

    def _settle(self, waiting: Sequence[int]) -> None:
        now = self._now()
        with self._lock:
            ages = {pk: now - (heard.at if (heard := self._heard.get(pk)) else self._since) for pk in waiting}
        lost = {pk: (SignalState.LOST, "signal.silent") for pk, age in ages.items() if age > STALE_S}
        if lost:
            note_signals(lost)

    # -- what is answered --------------------------------------------------------------------------------------

    def receive(self, gateway: str, sealed: Sequence[bytes]) -> None:
        row = Gateway.objects.filter(public_id=gateway, state=GatewayState.ADMITTED).first()
        if row is None:
            return
        for report in sealed:
            try:
                self._take(row, _opened(row, report))
            except PortineriaError as error:
                log.warning("signals.refused", gateway=gateway, code=error.code, why=str(error))

    def _take(self, gateway: Gateway, told: SignalValues) -> None:
        rows = {row.public_id: row for row in Signal.objects.standing().filter(gateway=gateway)}
        found: dict[int, tuple[SignalState, str]] = {}
        with self._lock:
            known = self._gateways[gateway.public_id]
            asked, now = known.asked_at(told.nonce), self._now()
            if asked is None or now - asked > STALE_S:
                raise UnreadSignals("an answer to a letter that is too old, or to none of ours")
            boot, part = known.last
            if told.boot == boot and told.part <= part:
                return  # over another relay, or played again
            known.last = told.boot, told.part
            for value in told.values:
                if (row := rows.get(value.signal)) is not None:
                    found[row.pk] = self._judged(row, value.on, value.fault, asked)
        note_signals(found)

    def _judged(self, row: Signal, on: bool | None, fault: str, asked: float) -> tuple[SignalState, str]:
        """What cannot be read stays as it was until it is stale; off counts at once, on when it is steady."""
        heard = self._heard.get(row.pk)
        if on is None:
            if heard is not None:
                heard.yes_since = None
            return SignalState(row.state), fault
        heard = heard or _Heard(asked)
        if asked - heard.at > _BREAK_S:
            heard.yes_since = None
        self._heard[row.pk], heard.at = heard, max(heard.at, asked)
        if on == row.inverted:
            heard.yes_since = None
            return SignalState.OFF, ""
        if heard.yes_since is None:
            heard.yes_since = heard.at
        steady = heard.at - heard.yes_since >= STEADY_S or row.state in (SignalState.ON, SignalState.UNHEARD)
        return SignalState.ON if steady else SignalState.OFF, ""


def is_signals(report: bytes) -> bool:
    try:
        return read_context(report)[0].seq == SIGNALS_SEQ
    except ProtocolError:
        return False


def _opened(gateway: Gateway, report: bytes) -> SignalValues:
    context, outer = read_context(report)
    sender = Ed25519PublicKey.from_public_bytes(bytes(gateway.event_key))
    body, _ = open_report(outer, key=keys.opening_key(context.recipient_key_id), sender=sender)
    if context.gateway != gateway.public_id or context.seq != SIGNALS_SEQ or not isinstance(body, SignalValues):
        raise UnreadSignals(
            f"a report of {context.gateway} on the link of {gateway.public_id}, or one of something else"
        )
    return body


def _source(row: Signal) -> SignalSource:
    return SignalSource(
        row.public_id, row.source, row.address, row.port, row.unit, row.number, row.place,  # type: ignore[arg-type]
    )  # fmt: skip
