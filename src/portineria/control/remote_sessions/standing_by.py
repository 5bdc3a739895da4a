# SPDX-License-Identifier: Apache-2.0
"""Whether whoever a rule names to watch is there before work begins: the page of the request is open at theirs."""

import time
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.utils import timezone

from portineria.control.access import queries as access
from portineria.control.access.models import AccessRequest, Grant
from portineria.control.access.watchers import counting, watches
from portineria.control.audit import news
from portineria.control.identity.models import Person
from portineria.control.kept_query import KeptRows
from portineria.control.remote_sessions.models import StandingBy
from portineria.core.errors import NotFound

AGAIN_S = 10.0
THERE = timedelta(seconds=35)  # a page whose process died is believed to be open for so long
_CHANGED = "remote_sessions.watching"  # for open pages: somebody came, or went


def watched_grants(person: Person, at: datetime) -> frozenset[int]:
    """Keys of this person's grants for which somebody whose looking on counts stands by."""
    return frozenset(row.grant_id for row in _WATCHED.all(person.pk, at, at - THERE))


_WATCHED = KeptRows(
    lambda person, at, since: StandingBy.objects.filter(
        counting(at), grant__person=person, grant__ends_at__gt=at, seen_at__gte=since,
        person__disabled_at__isnull=True,
    )
)  # fmt: skip


def stands_by(grant: Grant, at: datetime) -> bool:
    return grant.pk in watched_grants(grant.person, at)


def note(grant: Grant, person: Person) -> None:
    """They are there at this moment."""
    row, _ = StandingBy.objects.get_or_create(grant=grant, person=person)
    came = row.seen_at is None
    row.seen_at = timezone.now()
    row.save(update_fields=["seen_at"])
    if came:
        _tell(grant, person)


def _tell(grant: Grant, person: Person) -> None:
    said = news.News(grant.organisation.public_id, 0, _CHANGED, person.public_id, person=grant.person.public_id)
    transaction.on_commit(partial(news.tell, said))


class StandBy:
    """The page of a request, open at whoever its rule names, from ``begin`` to ``end``. Used as ``Look`` is."""

    def __init__(self, actor: Person, request: str) -> None:
        self._actor, self._request = actor, request
        self._again_at = 0.0

    def begin(self) -> None:
        """Raise NotFound for everybody else."""
        self._note(self._actor)

    def go_on(self, actor: Person) -> bool:
        """Call before each look, with the person of now. Raise NotFound."""
        if time.monotonic() >= self._again_at:
            self._note(actor)
        return False  # the page hears by itself who came

    def fresh(self, _actor: Person) -> list[tuple[str, str]]:
        return []

    def _note(self, actor: Person) -> None:
        row = access.request(actor, self._request)
        if not named_in(actor, row):
            raise NotFound(f"request {self._request}: nothing to watch")
        self._again_at = time.monotonic() + AGAIN_S
        grant: Grant | None = getattr(row, "grant", None)
        if grant is not None:
            note(grant, actor)

    def end(self) -> None:
        rows = StandingBy.objects.filter(grant__request__public_id=self._request, person=self._actor)
        for row in rows.filter(seen_at__isnull=False).select_related("grant__organisation", "grant__person"):
            row.seen_at = None
            row.save(update_fields=["seen_at"])
            _tell(row.grant, self._actor)


def named_in(actor: Person, request: AccessRequest) -> bool:
    """Whether its rule names them to watch, or somebody for whom they stand in, and they may."""
    if request.rule.watcher_id is None or not actor.may_watch(request.organisation_id):
        return False
    return watches(actor, request.rule, request.person, timezone.now())
