# SPDX-License-Identifier: Apache-2.0
"""A session as its page asks for it: with what there is to ask further, so that nothing is asked for nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef

from portineria.control.access.extension import Extension
from portineria.control.audit import queries as audit
from portineria.control.audit.models import Event, EventQuerySet
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries
from portineria.control.remote_sessions.models import (
    HeldOperation,
    Recording,
    Session,
    Stay,
    Stream,
    StreamQuerySet,
    Watching,
)
from portineria.core.errors import NotFound

REFUSALS = ("operation.refused", "operation.would-refuse", "operation.hold-refused")


@dataclass(frozen=True, slots=True)
class There:
    """Everything that the register has about it, newest first; and whether the session has any of these at all."""

    course: EventQuerySet
    kept: bool
    held: bool
    watched: bool
    refused: bool
    more: bool  # time that was asked for
    stays: bool  # though a directory took its permission


def session_and_there(actor: Person, public_id: str) -> tuple[Session, There]:
    """Raise NotFound."""
    refused = Event.objects.filter(
        organisation=OuterRef("organisation__public_id"), session=OuterRef("public_id"), code__in=REFUSALS
    )
    rows = (
        queries.with_firm(queries.sessions(actor))
        .select_related("receipt", "grant__request")
        .filter(public_id=public_id)
    )
    found = rows.annotate(
        any_kept=Exists(Recording.objects.filter(session=OuterRef("pk"), chunks__gte=1)),
        any_held=Exists(HeldOperation.objects.filter(session=OuterRef("pk"))),
        any_watched=Exists(Watching.objects.filter(session=OuterRef("pk"))),
        any_refused=Exists(refused),
        any_stays=Exists(Stay.objects.open().filter(session=OuterRef("pk"))),
        any_more=Exists(Extension.objects.filter(grant=OuterRef("grant"))),
    ).first()
    if found is None:
        raise NotFound(f"session {public_id}")
    course = audit.of_session(found.organisation.public_id, found.public_id)
    known = found.__dict__
    any_of = (known[f"any_{name}"] for name in ("kept", "held", "watched", "refused", "more", "stays"))
    return found, There(course, *any_of)


def counted_at(streams: StreamQuerySet, first: Sequence[Stream]) -> datetime | None:
    """As ``queries.counted_at``. ``first``: those that the list begins with; running ones come before the others."""
    if first and first[-1].closed_at is None:
        return queries.counted_at(streams)
    return max((row.counted_at for row in first if row.closed_at is None and row.counted_at), default=None)
