# SPDX-License-Identifier: Apache-2.0
"""Who has to watch, and whether they do: for the page of a request, and of a session."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from portineria.control.access.facts import watched_until
from portineria.control.access.models import AccessRequest, Grant
from portineria.control.access.watchers import watchers_in_words, watches
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.models import Session, SessionState
from portineria.control.remote_sessions.standing_by import named_in, stands_by
from portineria.control.remote_sessions.watching import RUNNING, watchers


@dataclass(frozen=True, slots=True)
class RequestWatch:
    """``mine``: whoever looks at the page is the one. ``there``: they stand by; None: nothing can begin anyway."""

    name: str
    mine: bool
    there: bool | None
    sessions: list[Session]  # that run under its grant, where they are to look on


def of_request(actor: Person, row: AccessRequest, at: datetime) -> RequestWatch | None:
    """None where its rule names nobody."""
    if row.rule.watcher is None:
        return None
    grant: Grant | None = getattr(row, "grant", None)
    runs = grant is not None and grant.revoked_at is None and at < grant.ends_at
    inside = list(remote_sessions.open_sessions(actor).filter(grant=grant, state__in=RUNNING)) if grant else []
    return RequestWatch(
        watchers_in_words(row.rule),
        named_in(actor, row),
        stands_by(grant, at) if grant is not None and runs else None,
        inside,
    )


@dataclass(frozen=True, slots=True)
class SessionWatch:
    """Nobody looks on who has to. ``until``: it goes on so long."""

    name: str
    until: datetime


def missing_in(session: Session) -> SessionWatch | None:
    """None where its rule names nobody, or they look on, or it is ending anyway."""
    rule, now = session.grant.rule, timezone.now()
    if rule.watcher_id is None or session.state not in (SessionState.OPENING, SessionState.LIVE):
        return None
    if any(watches(person, rule, session.person, now) for person in watchers(session)):
        return None
    return SessionWatch(watchers_in_words(rule), watched_until(session))
