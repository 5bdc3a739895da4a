# SPDX-License-Identifier: Apache-2.0
"""What gateways say of requests that they hold: the question, and what became of it."""

from datetime import datetime, timedelta

import structlog

from portineria.control.estate.models import Service
from portineria.control.remote_sessions.models import HeldOperation, Session, SessionState
from portineria.control.remote_sessions.report_fields import number, text
from portineria.wire.report import Event

log = structlog.get_logger()
WAITING = 16  # of one session: twice what a gateway of ours asks at once
_ANSWER_S = 120  # at most, whatever a gateway says
_SHA256 = 32  # bytes, written as hexadecimal digits
OUTCOMES = {"operation.released": "released", "operation.armed": "armed", "operation.hold-expired": "expired"}


def note_held(session: Session, event: Event, received: datetime) -> None:
    """Times count from when the question came: the clock that somebody sees run down is ours."""
    question, digest = _bytes(event, "question"), _bytes(event, "request_sha256")
    if session.state == SessionState.ENDED or len(question) != _SHA256 or len(digest) != _SHA256:
        return
    waiting = HeldOperation.objects.filter(session=session).waiting(received)
    if waiting.count() >= WAITING or session.held.filter(question=question).exists():
        log.warning("held.not-asked", session=session.public_id)
        return
    answer_s = min(number(event, "answer_s"), _ANSWER_S)
    HeldOperation.objects.create(
        session=session,
        person_id=session.person_id,
        question=question,
        request_sha256=digest,
        service=Service.objects.filter(public_id=text(event, "service", 24), device__machine=session.machine).first(),
        protocol=text(event, "protocol", 24),
        function=text(event, "function", 140),
        code=text(event, "code", 140),
        kind=text(event, "operation", 24),
        targets=text(event, "targets", 256),
        values=text(event, "values", 256),
        route=text(event, "route", 256),
        besides=text(event, "besides", 256),
        asked_at=received,
        held_until=received + timedelta(milliseconds=min(number(event, "hold_ms"), answer_s * 1000)),
        answer_until=received + timedelta(seconds=answer_s),
    )


def note_outcome(session: Session, event: Event, at: datetime) -> None:
    rows = HeldOperation.objects.filter(session=session, question=_bytes(event, "question"))
    row = rows.select_for_update(no_key=True).first()
    if row is not None and row.outcome in ("", "armed"):
        row.outcome, row.outcome_at = OUTCOMES[event.code], at
        row.save(update_fields=["outcome", "outcome_at"])


def _bytes(event: Event, name: str) -> bytes:
    try:
        return bytes.fromhex(text(event, name, 2 * _SHA256))
    except ValueError:
        return b""
