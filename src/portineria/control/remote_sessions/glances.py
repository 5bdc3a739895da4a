# SPDX-License-Identifier: Apache-2.0
"""What watched sessions do, as their gateways show it: in memory, for open pages of this process, and nowhere else.

Whoever answers the gateways hands each glance on, still sealed; a process with such a page open opens it. A session has
a ring only while somebody looks on here; what it holds is the browser's to show, and the recording's to keep.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.utils import timezone

from portineria.control.audit.news import News, Subscription
from portineria.control.estate.models import Gateway
from portineria.control.identity import keys
from portineria.core.errors import PortineriaError, ProtocolError
from portineria.wire.report import GLANCE_SEQ, Glance, Seen, open_report, read_context

log = structlog.get_logger()
CODE = "remote_sessions.glance"  # of the news that wakes a page; nobody else hears it
RINGS = 64  # sessions that are watched in one process
RING_CHARACTERS = 256 << 10  # of each: some minutes of a busy tool; all rings together 16 MiB
REPORT_BYTES = 96 << 10  # 20 lines and 40 answers of the longest texts there are
LATE_MS = 30_000  # a glance that a relay kept back for so long is nobody's present any more


class Unreadable(ProtocolError):
    code = "glance.unreadable"


@dataclass(slots=True)
class Ring:
    """Of one session. ``entries``: (its name, what the page gets)."""

    session: str
    gateway: str
    known: frozenset[str] | None = None  # functions that are no news; None: nothing is marked as new
    entries: deque[tuple[str, str]] = field(default_factory=deque)
    size: int = 0
    boot: bytes = b""
    part: int = 0
    pages: set[Subscription] = field(default_factory=set)
    asked_at: float = 0.0  # monotonic, when its gateway was told last that somebody looks on

    def add(self, glance: Glance) -> bool:
        """False for one that was there already, or is older than what was."""
        if glance.boot == self.boot and glance.part <= self.part:
            return False
        self.boot, self.part = glance.boot, glance.part
        text = json.dumps(_for_page(glance, self.known), separators=(",", ":"))
        self.entries.append((f"{glance.boot[:4].hex()}-{glance.part}", text))
        self.size += len(text)
        while self.size > RING_CHARACTERS:
            self.size -= len(self.entries.popleft()[1])
        return True

    def since(self, name: str) -> list[tuple[str, str]]:
        """What came after the entry of this name; everything when it is not here any more."""
        entries = list(self.entries)
        known = [place for place, (one, _) in enumerate(entries) if one == name]
        return entries[known[-1] + 1 :] if known else entries


_rings: dict[str, Ring] = {}
_lock = threading.Lock()
_away: list[Callable[[str, bytes], None]] = []


def look(session: str, gateway: str, page: Subscription, known: frozenset[str] | None = None) -> Ring | None:
    """From now on ``page`` is woken; None when too many sessions are watched here. End it with ``look_away``.

    ``known``: functions ("modbus read-coils") that this supplier used on this machine before.
    """
    with _lock:
        ring = _rings.get(session)
        if ring is None:
            if len(_rings) >= RINGS:
                log.warning("glances.full", session=session, most=RINGS)
                return None
            ring = _rings[session] = Ring(session, gateway, known)
        ring.pages.add(page)
        return ring


def look_away(ring: Ring, page: Subscription) -> None:
    with _lock:
        ring.pages.discard(page)
        if not ring.pages and _rings.get(ring.session) is ring:
            del _rings[ring.session]


def since(ring: Ring, name: str) -> list[tuple[str, str]]:
    with _lock:
        return ring.since(name)


# -- what comes -------------------------------------------------------------------------------------------------


def attach(send: Callable[[str, bytes], None]) -> None:
    """``send`` takes (gateway, sealed) to the other control processes; from any thread."""
    _away[:] = [send]


def detach() -> None:
    _away.clear()


def is_glance(report: bytes) -> bool:
    try:
        return read_context(report)[0].seq == GLANCE_SEQ
    except ProtocolError:
        return False


def receive(gateway: str, sealed: Sequence[bytes]) -> None:
    """From its link: for pages of this process, and of the others."""
    fit = [report for report in sealed if len(report) <= REPORT_BYTES]
    for report in fit:
        for send in _away:
            send(gateway, report)
    hear(gateway, fit)


def wanted(gateway: str) -> bool:
    with _lock:
        return any(ring.gateway == gateway for ring in _rings.values())


def hear(gateway: str, sealed: Sequence[bytes]) -> None:
    """For pages of this process only. What does not open, or is not of this gateway's session, is nothing."""
    row = Gateway.objects.filter(public_id=gateway).first() if wanted(gateway) else None
    if row is None or not row.admitted:
        return
    for report in sealed:
        try:
            _show(gateway, _opened(row, report))
        except PortineriaError as error:
            log.warning("glance.refused", gateway=gateway, code=error.code, why=str(error))


def _opened(gateway: Gateway, report: bytes) -> Glance:
    context, outer = read_context(report)
    sender = Ed25519PublicKey.from_public_bytes(bytes(gateway.event_key))
    body, _ = open_report(outer, key=keys.opening_key(context.recipient_key_id), sender=sender)
    if context.gateway != gateway.public_id or context.seq != GLANCE_SEQ or not isinstance(body, Glance):
        raise Unreadable(f"a report of {context.gateway} on the link of {gateway.public_id}, or none that is shown")
    return body


def _show(gateway: str, glance: Glance) -> None:
    if int(timezone.now().timestamp() * 1000) - glance.at_ms > LATE_MS:
        return
    with _lock:
        ring = _rings.get(glance.session)
        if ring is None or ring.gateway != gateway or not ring.add(glance):
            return
        pages = list(ring.pages)
    for page in pages:
        page.post(News("", 0, CODE, gateway, session=glance.session))


def _for_page(glance: Glance, known: frozenset[str] | None) -> dict[str, object]:
    lines = [msgspec.structs.asdict(line) | {"new": _is_new(line, known)} for line in glance.lines]
    answers = [msgspec.structs.asdict(answer) for answer in glance.answers]
    return {"boot": glance.boot[:4].hex(), "at_ms": glance.at_ms, "lines": lines, "answers": answers,
            "beyond": glance.beyond}  # fmt: skip


def _is_new(line: Seen, known: frozenset[str] | None) -> bool:
    """Of what was asked and went to the device."""
    happened = line.verdict in ("passed", "noted")
    return known is not None and happened and f"{line.protocol} {line.function}" not in known
