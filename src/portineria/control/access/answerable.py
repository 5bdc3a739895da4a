# SPDX-License-Identifier: Apache-2.0
"""Which requests wait for somebody's answer."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.utils import timezone

from portineria.control.access.deciding import not_asked
from portineria.control.access.models import AccessRequest, Approval, RequestQuerySet, RequestState
from portineria.control.access.queries import pending_requests
from portineria.control.access.substitution import Substitution
from portineria.control.identity.authority import approves, permitted
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.control.kept_query import KeptValues


def answerable_requests(actor: Person) -> RequestQuerySet:
    """Waiting for this very person or, of those under a rule with levels, maybe for others before them: of an
    organisation where they approve or stand in, and not their own.
    """
    found = pending_requests(actor).filter(for_decision_by(actor)).exclude(person=actor)
    found = found.exclude(person__answered_by=actor)
    return found.exclude(pk__in=Approval.objects.filter(decided_by=actor, counts=True).values("request"))


def decidable_requests(actor: Person) -> RequestQuerySet:
    """Those of them where the actor's yes is asked now."""
    found, keys = answerable_requests(actor), _IN_LEVELS.all(actor.member_of)
    return found.exclude(pk__in=others_asked(actor, [pk for (pk,) in keys])) if keys else found


def others_asked(actor: Person, levelled: Sequence[int]) -> list[int]:
    """Of requests under rules with levels."""
    rows = AccessRequest.objects.filter(pk__in=levelled).select_related("rule__profile")
    return not_asked(actor, rows, timezone.now())


_IN_LEVELS = KeptValues(
    lambda organisations: AccessRequest.objects.filter(
        organisation__in=organisations, state=RequestState.PENDING, rule__level_count__gt=0
    ).values_list("pk")
)


def how_many_wait(actor: Person, *others: "QuerySet[Any]") -> int:
    """Of requests that the actor's yes is asked for now and of rows of ``others``: every page says it, by one query
    unless a level is asked.
    """
    requests = answerable_requests(actor).order_by().values_list("pk", "rule__level_count")
    besides = (rows.order_by().values_list("pk", Value(0)) for rows in others)
    found = list(requests.union(*besides, all=True))
    levelled = [pk for pk, levels in found if levels]
    return len(found) - (len(others_asked(actor, levelled)) if levelled else 0)


def for_decision_by(actor: Person) -> Q:
    """Of rows with an ``organisation`` and the ``person`` who asks: those of where the actor approves or stands in."""
    approving = [pk for pk in actor.member_of if permitted(actor, pk, approves, Power.DECIDE)]
    lent = Substitution.objects.holding(timezone.now()).filter(
        substitute=actor, organisation__in=actor.staff_of, organisation=OuterRef("organisation")
    )
    may = Q(organisation__in=approving)
    if set(actor.staff_of) - set(approving):
        may |= Q(Exists(lent.exclude(approver=OuterRef("person"))))
    return may
