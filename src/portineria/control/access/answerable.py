# SPDX-License-Identifier: Apache-2.0
"""Which requests wait for somebody's answer."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.utils import timezone

from portineria.control.access.deciding import Waits, not_asked
from portineria.control.access.models import AccessRequest, Approval, RequestQuerySet, RequestState
from portineria.control.access.profiles import mark_in
from portineria.control.access.queries import pending_requests
from portineria.control.access.substitution import Substitution
from portineria.control.identity.authority import approves, permitted
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.control.kept_query import KeptKeys, KeptValues


def answerable_requests(actor: Person) -> RequestQuerySet:
    """Waiting for this very person or, of those under a rule with levels, maybe for others before them: of an
    organisation where they approve or stand in, and not their own. Nor what they handed to somebody else, who has it.
    """
    now = timezone.now()
    handed_to_them = Q(pk__in=_HANDED_TO.within(actor.pk, now))
    found = pending_requests(actor).filter(for_decision_by(actor) | handed_to_them).exclude(person=actor)
    found = found.exclude(person__answered_by=actor).exclude(pk__in=_HANDED_BY.within(actor.pk, now))
    return found.exclude(pk__in=Approval.objects.filter(decided_by=actor, counts=True).values("request"))


def decidable_requests(actor: Person) -> RequestQuerySet:
    """Those of them where the actor's yes is asked now."""
    found, keys = answerable_requests(actor), _IN_LEVELS.all(actor.member_of)
    return found.exclude(pk__in=not_asked(actor, [_waits(row) for row in keys], timezone.now())) if keys else found


_HANDED_TO = KeptKeys(
    lambda person, at: Substitution.objects.handed(at).filter(substitute=person).order_by().values_list("request")
)
_HANDED_BY = KeptKeys(
    lambda person, at: Substitution.objects.handed(at).filter(approver=person).order_by().values_list("request")
)
_LEVELLED = ("pk", "rule", "organisation", "rule__profile__public_id", "rule__only_services")

_IN_LEVELS = KeptValues(
    lambda organisations: AccessRequest.objects.filter(
        organisation__in=organisations, state=RequestState.PENDING, rule__level_count__gt=0
    ).values_list(*_LEVELLED)
)


def _waits(row: Sequence[Any]) -> Waits:
    """Of its columns."""
    request, rule, organisation, profile, only_services = row
    return Waits(request, rule, organisation, mark_in(profile or "", only_services))


def how_many_wait(actor: Person, *others: "QuerySet[Any]") -> int:
    """Of requests that the actor's yes is asked for now and of rows of ``others``: every page says it, by one query
    unless a level is asked.
    """
    requests = answerable_requests(actor).order_by().values_list("rule__level_count", *_LEVELLED)
    none = (Value(0), Value(0), Value(""), Value(""))
    besides = (rows.order_by().values_list(Value(0), "pk", *none) for rows in others)
    found = list(requests.union(*besides, all=True))
    levelled = [_waits(row[1:]) for row in found if row[0]]
    return len(found) - (len(not_asked(actor, levelled, timezone.now())) if levelled else 0)


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
