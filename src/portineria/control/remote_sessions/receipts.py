# SPDX-License-Identifier: Apache-2.0
"""What a gateway's event changes in our picture of its sessions. The ledger has it already; this may not refuse."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from portineria.control.audit.models import Event as LedgerEvent
from portineria.control.estate.models import Gateway, Service
from portineria.control.kept_query import KeptRows
from portineria.control.remote_sessions.emergency_reports import note_opened
from portineria.control.remote_sessions.first_work import note_first_work
from portineria.control.remote_sessions.held_reports import OUTCOMES, note_held, note_outcome
from portineria.control.remote_sessions.models import Session, SessionState, Stream
from portineria.control.remote_sessions.report_fields import number as _number
from portineria.control.remote_sessions.report_fields import text as _text
from portineria.control.remote_sessions.traffic import set_counts
from portineria.core.ids import Kind, is_id
from portineria.policy.ending import Ending
from portineria.wire.report import Event

log = structlog.get_logger()
_STREAM_CHARACTERS = 64
_MOST_32 = (1 << 31) - 1  # what PostgreSQL's integer holds
_HELD = KeptRows(
    lambda session, gateway: (
        Session.objects.select_for_update(of=("self",), no_key=True)
        .select_related("machine", "gateway")
        .filter(public_id=session, gateway=gateway)
    )
)
Effect = Callable[[Session, Event, LedgerEvent, datetime], None]


def apply(gateway: Gateway, event: Event, ledger: LedgerEvent, at: datetime) -> None:
    if event.code == "emergency.opened":
        note_opened(gateway, event, at)
        return
    effect = _EFFECTS.get(event.code)
    if effect is None or not is_id(event.session, Kind.SESSION):
        return
    session = _HELD.first(event.session, gateway.pk)
    if session is None:
        log.warning("report.session.unknown", gateway=gateway.public_id, session=event.session, code=event.code)
        return
    effect(session, event, ledger, at)


def _port(event: Event) -> int | None:
    """None for what is no port."""
    port = _number(event, "port")
    return port if 1 <= port <= 65535 else None


def _order_accepted(session: Session, event: Event, ledger: LedgerEvent, at: datetime) -> None:
    """Only of the newest order: the answer to an older one says nothing about what holds now."""
    if session.withdrawal or _number(event, "order_seq") != session.order_seq:
        return
    # A gateway that began a drain by itself and started anew has forgotten the drain: it takes the order afresh.
    if session.state == SessionState.OPENING or session.drained_by_gateway:
        session.move(SessionState.LIVE)
        session.live_at = session.live_at or at
        session.drain_until, session.end_why = None, ""
        session.save(update_fields=["state", "live_at", "drain_until", "end_why"])


def _order_refused(session: Session, event: Event, ledger: LedgerEvent, at: datetime) -> None:
    """The gateway obeys nothing of a session it never took, so nothing of it is open: proof of its end as well."""
    newest = _number(event, "order_seq") == session.order_seq
    if session.state == SessionState.CUTTING and session.live_at is None:
        _end(session, "cut", ledger, at)
    elif session.state == SessionState.OPENING and newest:
        session.end_why = _text(event, "reason", 120)
        if session.live_at is None:
            _end(session, "refused", ledger, at)
            return
        # An extension that came too late: what it had runs out as ordered before.
        session.move(SessionState.DRAINING)
        session.ending_class = Ending.ADMINISTRATIVE.value
        session.drain_until = at + timedelta(seconds=session.machine.drain_s)
        session.save(update_fields=["state", "drain_until", "end_why", "ending_class"])


def _session_draining(session: Session, event: Event, ledger: LedgerEvent, at: datetime) -> None:
    if session.state not in (SessionState.OPENING, SessionState.LIVE):
        return
    session.move(SessionState.DRAINING)
    seconds = min(_number(event, "seconds"), 86400)
    session.drain_until = at + timedelta(seconds=seconds)
    session.end_why = session.end_why or _text(event, "reason", 120)
    session.save(update_fields=["state", "drain_until", "end_why"])


def _session_resumed(session: Session, event: Event, ledger: LedgerEvent, at: datetime) -> None:
    """What the gateway began by itself it ends by itself. A drain that was ordered here is not its to lift."""
    if session.drained_by_gateway:
        session.move(SessionState.LIVE)
        session.drain_until, session.end_why = None, ""
        session.save(update_fields=["state", "drain_until", "end_why"])


def _session_ended(session: Session, event: Event, ledger: LedgerEvent, at: datetime) -> None:
    """The receipt. Whatever was asked for, this is what happened."""
    if session.state == SessionState.ENDED and session.receipt_id is not None:
        return
    if "latency_ms" in event.fields:
        session.latency_ms = min(_number(event, "latency_ms"), _MOST_32)
    session.end_why = session.end_why or _text(event, "reason", 120)
    _end(session, _text(event, "ending", 12) or "finished", ledger, at)


def _end(session: Session, ending: str, ledger: LedgerEvent, at: datetime) -> None:
    if session.state != SessionState.ENDED:
        session.move(SessionState.ENDED)
    session.ending, session.receipt, session.ended_at = ending, ledger, at
    session.save()


def _stands(session: Session, event: Event, ledger: LedgerEvent, at: datetime) -> None:
    """Only of the newest letter: the answer to an older one says nothing about what holds now."""
    newest = _number(event, "number") == session.freeze_number and session.frozen == (event.code == "session.frozen")
    if newest and session.freeze_proven_at is None:
        session.freeze_proven_at = at
        if "latency_ms" in event.fields:
            session.freeze_latency_ms = min(_number(event, "latency_ms"), _MOST_32)
        session.save(update_fields=["freeze_proven_at", "freeze_latency_ms"])


def _transfer(session: Session, event: Event, ledger: LedgerEvent, at: datetime) -> None:
    session.transfer_since = at if event.code == "session.transferring" else None
    session.save(update_fields=["transfer_since"])


def _stream(session: Session, event: Event) -> Stream | None:
    name = _text(event, "stream", _STREAM_CHARACTERS)
    return session.streams.filter(public_id=name).first() if name else None


def _stream_opened(session: Session, event: Event, ledger: LedgerEvent, at: datetime) -> None:
    name, service = _text(event, "stream", _STREAM_CHARACTERS), _text(event, "service", 24)
    if not name or _stream(session, event) is not None:
        return
    Stream.objects.create(
        session=session,
        public_id=name,
        service=Service.objects.filter(public_id=service, device__machine=session.machine).first(),
        service_id_text=service,
        address=_text(event, "address", 45),
        port=_port(event),
        opened_at=at,
    )


def _stream_closed(session: Session, event: Event, ledger: LedgerEvent, at: datetime) -> None:
    stream = _stream(session, event)
    if stream is None or stream.closed_at is not None:
        return
    stream.closed_at, stream.how = at, _text(event, "how", 32)
    stream.recognised = _text(event, "recognised", 24)
    set_counts(session, stream, to_device=_number(event, "to_device"), from_device=_number(event, "from_device"))
    stream.save()
    if stream.how == "gateway.restarted":  # whatever it wrote is broken off, and nobody was there to say so
        session.transfer_since = None
    session.save(update_fields=["to_device", "from_device", "transfer_since"])


def _stream_resumed(session: Session, event: Event, ledger: LedgerEvent, at: datetime) -> None:
    stream = _stream(session, event)
    if stream is not None:
        stream.resumed = min(stream.resumed + 1, _MOST_32)
        stream.save(update_fields=["resumed"])


def _held(session: Session, event: Event, ledger: LedgerEvent, at: datetime) -> None:
    note_held(session, event, ledger.at)


def _held_outcome(session: Session, event: Event, ledger: LedgerEvent, at: datetime) -> None:
    note_outcome(session, event, at)


def _session_worked(session: Session, event: Event, ledger: LedgerEvent, at: datetime) -> None:
    note_first_work(session)


_EFFECTS: dict[str, Effect] = {
    "order.accepted": _order_accepted,
    "order.refused": _order_refused,
    "session.draining": _session_draining,
    "session.resumed": _session_resumed,
    "session.ended": _session_ended,
    "session.transferring": _transfer,
    "session.transferred": _transfer,
    "session.frozen": _stands,
    "session.unfrozen": _stands,
    "session.worked": _session_worked,
    "stream.opened": _stream_opened,
    "stream.closed": _stream_closed,
    "stream.resumed": _stream_resumed,
    "operation.held": _held,
    **dict.fromkeys(OUTCOMES, _held_outcome),
}
