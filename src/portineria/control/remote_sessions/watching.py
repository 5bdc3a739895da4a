# SPDX-License-Identifier: Apache-2.0
"""Who looks on at a session: said to its gateway, shown to everybody who sees the session, once in the register."""

import time
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.utils import timezone

from portineria.control.access.profiles import profiles_of
from portineria.control.access.watchers import watches
from portineria.control.audit import news
from portineria.control.audit.news import Subscription
from portineria.control.audit.services import record
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import first_work, glances, letters, outgoing, queries, standing_by
from portineria.control.remote_sessions.glances import Ring
from portineria.control.remote_sessions.models import Session, SessionState, Watching
from portineria.control.remote_sessions.standing_by import AGAIN_S, THERE
from portineria.core.errors import NotFound
from portineria.wire.statement import Watch

RUNNING = (SessionState.OPENING, SessionState.LIVE, SessionState.DRAINING)
_LASTS = timedelta(seconds=30)  # two letters may be lost
_CHANGED = "remote_sessions.watching"  # for open pages: somebody stopped looking on


def shows_operations(session: Session) -> bool:
    """Whether there is anything to see: what is not inspected passes as bytes."""
    return _running(session) and bool(profiles_of(session.grant))


def _running(session: Session) -> bool:
    return session.state in RUNNING


def watchers(session: Session) -> list[Person]:
    """Who looks on now, the first first. Not the person whose work it is."""
    rows = session.watchings.filter(seen_at__gte=timezone.now() - THERE).select_related("person")
    return [row.person for row in rows.order_by("first_at", "pk")]


class Look:
    """One open page, from ``begin`` to ``end``. Its methods are called one after the other, from threads."""

    def __init__(self, actor: Person, session: str, page: Subscription, last: str) -> None:
        """``last``: the name of the newest entry that the page has already."""
        self._actor, self._session, self._page, self._last = actor, session, page, last
        self._ring: Ring | None = None
        self._looks = False  # at operations; or, being named to watch, at a session that passes as bytes
        self._again_at = 0.0
        self._who: list[str] = []

    def begin(self) -> None:
        """Raise NotFound."""
        row = queries.session(self._actor, self._session)
        self._who = [person.public_id for person in watchers(row)]
        if shows_operations(row) and self._actor.may_watch(row.organisation_id):
            self._ring = glances.look(row.public_id, row.gateway.public_id, self._page, first_work.known_functions(row))
            self._looks = self._ring is not None
        elif _running(row) and self._actor.may_watch(row.organisation_id):
            self._looks = watches(self._actor, row.grant.rule, row.person, timezone.now())
        if self._looks:
            self._note(row)

    def go_on(self, actor: Person) -> bool:
        """Call before each look, with the person of now. Whether somebody else came or went. Raise NotFound."""
        if not self._looks or time.monotonic() < self._again_at:
            return False
        row = queries.session(actor, self._session)
        if not actor.may_watch(row.organisation_id):
            raise NotFound(f"session {self._session}: watching was delegated")
        if _running(row):
            self._note(row)
        who = [person.public_id for person in watchers(row)]
        self._who, before = who, self._who
        return who != before

    def _note(self, row: Session) -> None:
        self._again_at = time.monotonic() + AGAIN_S
        if row.person_id != self._actor.pk:
            seen(row.public_id, self._actor)
        ring = self._ring
        if ring is not None and time.monotonic() >= ring.asked_at + AGAIN_S / 2:
            ring.asked_at = time.monotonic()
            until_ms = int((timezone.now() + _LASTS).timestamp() * 1000)
            watch = Watch(row.gateway.public_id, row.public_id, until_ms)
            outgoing.send(letters.sealed(row.gateway, watch))

    def fresh(self, actor: Person) -> list[tuple[str, str]]:
        """(name, content) of what the page does not have. Raise NotFound for whoever does not see it any more."""
        if self._ring is None or not (entries := glances.since(self._ring, self._last)):
            return []
        if not queries.sessions(actor).filter(public_id=self._session).exists():
            raise NotFound(f"session {self._session}")
        self._last = entries[-1][0]
        return entries

    def end(self) -> None:
        if not self._looks:
            return
        if self._ring is not None:
            glances.look_away(self._ring, self._page)
        gone(self._session, self._actor)


@transaction.atomic
def seen(session: str, person: Person) -> None:
    """Somebody other than its own person looks on. The first time is an event."""
    row = Session.objects.select_for_update(of=("self",), no_key=True).select_related(
        "organisation", "person", "machine", "gateway", "grant__rule"
    ).get(public_id=session)  # fmt: skip
    watching, first = Watching.objects.get_or_create(session=row, person=person)
    watching.seen_at = timezone.now()
    watching.save(update_fields=["seen_at"])
    if watches(person, row.grant.rule, row.person, watching.seen_at):
        row.watched_at = watching.seen_at
        row.save(update_fields=["watched_at"])
        standing_by.note(row.grant, person)
    if first:
        record(
            "remote_sessions.session.watched",
            organisation=row.organisation.public_id,
            actor=person.public_id,
            about=row.person.public_id,
            session=row.public_id,
            machine=row.machine.public_id,
            gateway=row.gateway.public_id,
            person=row.person.public_id,
            grant=row.grant.public_id,
        )


@transaction.atomic
def gone(session: str, person: Person) -> None:
    """A page of theirs was closed. Another one that is open says so again within seconds."""
    found = Watching.objects.filter(session__public_id=session, person=person, seen_at__isnull=False)
    row = found.select_related("session__organisation", "session__person").first()
    if row is None:
        return
    row.seen_at = None
    row.save(update_fields=["seen_at"])
    about = row.session
    said = news.News(
        about.organisation.public_id, 0, _CHANGED, person.public_id, session=session, person=about.person.public_id
    )
    transaction.on_commit(partial(news.tell, said))
