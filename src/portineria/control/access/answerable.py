# SPDX-License-Identifier: Apache-2.0
"""Which requests wait for somebody's answer."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.utils import timezone

from portineria.control.access.counted import told_where
from portineria.control.access.deciding import Waits, not_asked
from portineria.control.access.models import AccessRequest, Approval, RequestQuerySet, RequestState
from portineria.control.access.profiles import mark_in
from portineria.control.access.queries import pending_requests
from portineria.control.access.substitution import Substitution
from portineria.control.identity.authority import approves, permitted
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.control.kept_query import KeptKeys, KeptValues


def answerable_requests(actor: Person, at: datetime | None = None) -> RequestQuerySet:
    """Waiting for this very person or, of those under a rule with levels, maybe for others before them: of an
    organisation where they approve or stand in, and not their own. Nor what they handed to somebody else, who has it.
    """
    at = at or timezone.now()
    handed_to_them = Q(pk__in=_HANDED_TO.within(actor.pk, at))
    found = pending_requests(actor).filter(for_decision_by(actor, at) | handed_to_them).exclude(person=actor)
    found = found.exclude(person__answered_by=actor).exclude(pk__in=_HANDED_BY.within(actor.pk, at))
    return found.exclude(pk__in=Approval.objects.filter(decided_by=actor, counts=True).values("request"))


def decidable_requests(actor: Person) -> RequestQuerySet:
    """Those of them where the actor's yes is asked now."""
    at, here = timezone.now(), _deciding_in(actor)
    found = answerable_requests(actor, at)
    rows = _IN_LEVELS.all(here, actor.pk, at) if here else []
    levelled = [_waits(row) for row in rows if row[-1] == _REQUEST]
    return found.exclude(pk__in=not_asked(actor, levelled, at, _told(rows))) if levelled else found


_HANDED_TO = KeptKeys(
    lambda person, at: Substitution.objects.handed(at).filter(substitute=person).order_by().values_list("request")
)
_HANDED_BY = KeptKeys(
    lambda person, at: Substitution.objects.handed(at).filter(approver=person).order_by().values_list("request")
)
# What a row of these queries is of: a request, something else that waits, or what was said and is asked of levels.
_REQUEST, _OTHER, _TOLD = 0, 1, 2
_LEVELLED = (
    "pk", "rule", "organisation", "rule__profile__public_id", "rule__level_count", "rule__only_services",
    Value(_REQUEST),
)  # fmt: skip
_BESIDES = (Value(""), Value(_TOLD))  # of what was told, to have as many columns


def _in_levels(organisations: Collection[int]) -> RequestQuerySet:
    waiting = AccessRequest.objects.filter(organisation__in=organisations, state=RequestState.PENDING)
    return waiting.filter(rule__level_count__gt=0).order_by()


def _levels(organisations: Collection[int], actor: int, at: datetime) -> "QuerySet[Any, Any]":
    waiting = _in_levels(organisations)
    return waiting.values_list(*_LEVELLED).union(*told_where(waiting, actor, at, *_BESIDES), all=True)


_IN_LEVELS = KeptValues(_levels)


def _waits(row: Sequence[Any]) -> Waits:
    """Of its columns."""
    request, rule, organisation, profile, _, only_services, _ = row
    return Waits(request, rule, organisation, mark_in(profile or "", only_services))


def _told(rows: Iterable[Sequence[Any]]) -> list[Any]:
    return [tuple(row[:5]) for row in rows if row[-1] == _TOLD]


def waiting_rows(actor: Person, at: datetime, *others: "QuerySet[Any]") -> "QuerySet[Any, Any]":
    """Of requests that the actor may answer and of rows of ``others``, with what ``how_many_wait`` has to know."""
    none = (Value(0), Value(0), Value(""), Value(0), Value(""), Value(_OTHER))
    besides = (rows.order_by().values_list("pk", *none) for rows in others)
    levels = told_where(_in_levels(_deciding_in(actor)), actor.pk, at, *_BESIDES)
    return answerable_requests(actor, at).order_by().values_list(*_LEVELLED).union(*besides, *levels, all=True)


def how_many_wait(actor: Person, at: datetime, rows: Iterable[Sequence[Any]]) -> int:
    """Of ``waiting_rows``: requests where the actor's yes is asked now, and all of the others."""
    found = list(rows)
    waiting = [row for row in found if row[-1] != _TOLD]
    levelled = [_waits(row) for row in waiting if row[-1] == _REQUEST and row[4]]
    return len(waiting) - (len(not_asked(actor, levelled, at, _told(found))) if levelled else 0)


def _deciding_in(actor: Person) -> list[int]:
    """Where they approve or may stand in for somebody who does."""
    return [pk for pk in actor.member_of if pk in actor.staff_of or permitted(actor, pk, approves, Power.DECIDE)]


def for_decision_by(actor: Person, at: datetime) -> Q:
    """Of rows with an ``organisation`` and the ``person`` who asks: those of where the actor approves or stands in."""
    approving = [pk for pk in actor.member_of if permitted(actor, pk, approves, Power.DECIDE)]
    lent = Substitution.objects.holding(at).filter(
        substitute=actor, organisation__in=actor.staff_of, organisation=OuterRef("organisation")
    )
    may = Q(organisation__in=approving)
    if set(actor.staff_of) - set(approving):
        may |= Q(Exists(lent.exclude(approver=OuterRef("person"))))
    return may
