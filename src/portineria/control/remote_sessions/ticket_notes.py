# SPDX-License-Identifier: Apache-2.0
"""What a ticket is told when a session that it was asked for with has ended: numbers and a link, nobody's words."""

from datetime import UTC, datetime, timedelta

from django.db.models import Exists, OuterRef

from portineria.control.remote_sessions.models import Session, SessionState
from portineria.control.sinks.models import Sink, TicketNote

BEHIND = timedelta(days=7)  # what ended before that is told to nobody any more
MOST = 100


def write_notes(address: str, at: datetime) -> int:
    """For what ended since and has none. ``address``: of the console. Return how many."""
    told = TicketNote.objects.filter(session=OuterRef("public_id"))
    ended = Session.objects.filter(state=SessionState.ENDED, ended_at__gt=at - BEHIND).exclude(
        grant__request__ticket_system=""
    )
    rows = ended.filter(~Exists(told)).select_related("grant__request").order_by("pk")[:MOST]
    sinks = {sink.public_id: sink for sink in Sink.objects.filter(public_id__in={_system(row) for row in rows})}
    made = [
        TicketNote(sink=sinks[_system(row)], session=row.public_id, ticket=row.grant.request.reference,
                   text=text_of(row, address))
        for row in rows
        if _system(row) in sinks
    ]  # fmt: skip
    TicketNote.objects.bulk_create(made, ignore_conflicts=True)
    return len(made)


def _system(session: Session) -> str:
    return session.grant.request.ticket_system


def text_of(session: Session, address: str) -> str:
    began, ended = (_minute(at) for at in (session.live_at, session.ended_at))
    lines = [
        f"Portineria: session {session.public_id} has ended ({session.ending or 'unproven'}).",
        f"From {began} to {ended} UTC; {session.to_device} bytes to the machine, {session.from_device} from it.",
        f"Asked for with request {session.grant.request.public_id}.",
        f"What was done, its report and its evidence: {address.rstrip('/')}/sessions/{session.public_id}/",
    ]
    return "\n".join(lines)


def _minute(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at is not None else "never"
