# SPDX-License-Identifier: Apache-2.0
"""Questions for more time, as pages show them: with what was done so far, and who looks on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.paginator import Page
from django.utils import timezone

from portineria.control.access import extending
from portineria.control.access.deciding import decides_here, same_person
from portineria.control.access.extension import Extension, ExtensionState
from portineria.control.access.models import Grant
from portineria.control.access.watchers import watchers_in_words
from portineria.control.console import whereabouts
from portineria.control.console.whereabouts import Place
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.models import Session
from portineria.control.remote_sessions.watching import watchers


@dataclass(frozen=True, slots=True)
class ExtensionRow:
    """``sessions``: under its grant, the newest first, so far as this reader sees them."""

    extension: Extension
    place: Place
    sessions: list[Session]
    watching: list[str]
    decides: bool
    mine: bool

    @property
    def pending(self) -> bool:
        return self.extension.state == ExtensionState.PENDING

    @property
    def until(self) -> datetime:
        """Its end after a yes."""
        ends = max(self.extension.grant.ends_at, timezone.now())
        return ends + timedelta(minutes=self.extension.minutes)

    @property
    def named_watcher(self) -> str:
        return watchers_in_words(self.extension.grant.rule)


def waiting_leaf(actor: Person, leaf: Page[Any]) -> Page[ExtensionRow]:
    leaf.object_list = _rows(actor, leaf.object_list)
    return leaf


def of_grant(actor: Person, grant: Grant | None) -> list[ExtensionRow]:
    """All that was asked for it, the newest first: never more than ``extending.MOST_ASKED``."""
    return _rows(actor, extending.extensions(actor).filter(grant=grant)) if grant is not None else []


def _rows(actor: Person, extensions: Iterable[Extension]) -> list[ExtensionRow]:
    rows = list(extensions)
    known = whereabouts.places(actor, [row.machine for row in rows])
    under: dict[int, list[Session]] = {row.grant_id: [] for row in rows}
    if rows:
        for session in remote_sessions.sessions(actor).filter(grant__in=list(under)).order_by("-requested_at", "-pk"):
            under[session.grant_id].append(session)
    return [_row(actor, row, known[row.machine.pk], under[row.grant_id]) for row in rows]


def _row(actor: Person, row: Extension, place: Place, sessions: list[Session]) -> ExtensionRow:
    waits = row.state == ExtensionState.PENDING
    looking = [person.name for session in sessions if waits and session.open for person in watchers(session)]
    may = waits and not same_person(actor, row.person) and decides_here(actor, row.organisation_id, timezone.now())
    return ExtensionRow(row, place, sessions, list(dict.fromkeys(looking)), may, row.person_id == actor.pk)
