# SPDX-License-Identifier: Apache-2.0
"""Naming and ending substitutes, for a time or for one request. What a substitute allowed ends with the substitution,
unless its time had come.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from portineria.control.access.closing import record_request
from portineria.control.access.counted import said_to_one
from portineria.control.access.deciding import (
    OtherLevel,
    answered_by,
    answered_for,
    asked_to_say_yes,
    asks_their_own,
    may_answer,
    same_person,
)
from portineria.control.access.models import AccessRequest, AlreadyDecided, RequestState
from portineria.control.access.services import OwnRequest, locked_request
from portineria.control.access.substitution import Substitution, SubstitutionQuerySet
from portineria.control.access.watchers import watches_at
from portineria.control.audit.services import record
from portineria.control.identity.authority import approves, organisation_of, require, works_here
from portineria.control.identity.models import STAFF_PEOPLE, Membership, Person
from portineria.control.identity.services import BadField
from portineria.core.errors import Conflict, Denied, NotFound

LONGEST = timedelta(days=92)
AHEAD = timedelta(days=366)
MOST = 10  # of one approver that have not ended


class SubstitutionOver(Conflict):
    code = "access.substitution.over"


class TooManySubstitutes(Conflict):
    code = "access.substitution.too-many"


class AsksThem(Conflict):
    code = "access.request.asks-them"


class NotYourSubstitution(Denied):
    code = "access.substitution.not-yours"


@transaction.atomic
def name_substitute(
    *, actor: Person, organisation: str, substitute: str, starts_at: datetime, ends_at: datetime
) -> Substitution:
    """By an approver, for themselves: somebody who works there decides for them meanwhile, and lends it to nobody. By
    whoever a rule names to watch likewise: of theirs nothing is approved.

    Raise BadField, NotFound, TooManySubstitutes.
    """
    owner = organisation_of(actor, organisation)
    if owner.pk not in watches_at(actor):
        require(actor, owner.pk, approves)
    now = timezone.now()
    if not now - timedelta(minutes=5) <= starts_at < ends_at <= min(starts_at + LONGEST, now + AHEAD):
        raise BadField("until", "after the beginning, and at most 92 days long")
    row = _colleague(actor, owner.pk, substitute)
    Person.objects.get_queryset().select_for_update(no_key=True).get(pk=actor.pk)
    lent = Substitution.objects.filter(approver=actor, request__isnull=True, ended_at__isnull=True, ends_at__gt=now)
    if lent.count() >= MOST:
        raise TooManySubstitutes(f"{actor.public_id} has {MOST} substitutes")
    made = Substitution.objects.create(
        organisation=owner, approver=actor, substitute=row, starts_at=starts_at, ends_at=ends_at
    )
    _record("named", made, actor, starts_at=starts_at.isoformat(timespec="seconds"),
            ends_at=ends_at.isoformat(timespec="seconds"))  # fmt: skip
    return made


@transaction.atomic
def end_substitution(*, actor: Person, substitution: str) -> Substitution:
    """By the approver, by the substitute who gives it back, or by an administrator. Raise SubstitutionOver."""
    seen = Substitution.objects.visible_to(actor).select_for_update(of=("self",), no_key=True)
    row = seen.select_related("organisation", "approver", "substitute").filter(public_id=substitution).first()
    if row is None:
        raise NotFound(f"substitution {substitution}")
    require(actor, row.organisation_id, works_here)
    role = actor.role_in(row.organisation_id)
    if actor.pk not in (row.approver_id, row.substitute_id) and not (role is not None and role.administers):
        raise NotYourSubstitution(f"{actor.public_id} is neither of the two")
    now = timezone.now()
    if row.ended_at is not None or row.ends_at <= now:
        raise SubstitutionOver(f"substitution {substitution} is over")
    _end(row, actor, now)
    return row


@transaction.atomic
def hand_over(*, actor: Person, request: str, substitute: str) -> Substitution:
    """One request that waits for the actor's own yes: a colleague decides it in their place, and lends it to nobody.
    Whoever had it from the actor before has it no more.

    Raise NotFound, Denied, BadField, AlreadyDecided, AsksThem.
    """
    row, now = locked_request(actor, request), timezone.now()
    require(actor, row.organisation_id, approves)
    if same_person(row.person, actor):
        raise OwnRequest("whoever asks may not decide")
    said, said_by = said_to_one(row), answered_by(row)
    if row.state != RequestState.PENDING or actor.pk in said_by | answered_for(row):
        raise AlreadyDecided(f"request {request} is {row.state}")
    if not asks_their_own(actor, row, said):
        raise OtherLevel(f"the yes of {actor.public_id} is not asked to {request}", row.organisation_id)
    person = _colleague(actor, row.organisation_id, substitute)
    if same_person(row.person, person):
        raise BadField("substitute", "not whoever asks")
    if person.pk in said_by or (may_answer(person, row, now) and asked_to_say_yes(person, row, now, said)):
        raise AsksThem(f"{request} asks {person.public_id} already")
    for before in locked_handed(actor, [row]):
        _end(before, actor, now)
    made = Substitution.objects.create(
        organisation=row.organisation, approver=actor, substitute=person, request=row, starts_at=now,
        ends_at=now + LONGEST,
    )  # fmt: skip
    record_request("handed", row, actor.public_id, substitution=made.public_id, to=person.public_id)
    return made


def locked_handed(actor: Person, requests: Iterable[AccessRequest]) -> list[Substitution]:
    """What the actor handed over of these; to be locked before the first event locks the ledger."""
    rows = Substitution.objects.filter(request__in=requests, approver=actor, ended_at__isnull=True)
    return list(rows.select_for_update(no_key=True).order_by("pk"))


def _colleague(actor: Person, organisation: int, public_id: str) -> Person:
    """Somebody else who works there. Raise NotFound, BadField."""
    there = Membership.objects.filter(organisation=organisation, role__in=STAFF_PEOPLE)
    rows = Person.objects.get_queryset().filter(disabled_at__isnull=True, pk__in=there.values("person"))
    row = rows.filter(public_id=public_id).first()
    if row is None:
        raise NotFound(f"person {public_id}")
    if same_person(actor, row):
        raise BadField("substitute", "somebody else")
    return row


def _end(row: Substitution, actor: Person, at: datetime) -> None:
    row.ended_at = at
    row.save(update_fields=["ended_at"])
    _record("ended", row, actor)


def substitutions(actor: Person) -> SubstitutionQuerySet:
    """Those that are not over, of the organisations whose staff the actor is; of requests those that wait still."""
    rows = Substitution.objects.visible_to(actor).filter(ended_at__isnull=True, ends_at__gt=timezone.now())
    rows = rows.filter(Q(request__isnull=True) | Q(request__state=RequestState.PENDING))
    shown = rows.select_related("organisation", "approver", "substitute", "request__machine")
    return shown.order_by("starts_at", "pk")


def handed_over(request: AccessRequest, at: datetime) -> list[Substitution]:
    """Of one request that waits, by whoever may read it. With their people."""
    rows = Substitution.objects.handed(at).filter(request=request)
    return list(rows.select_related("approver", "substitute").order_by("pk"))


def _record(what: str, row: Substitution, actor: Person, **fields: str) -> None:
    record(
        f"access.substitution.{what}", organisation=row.organisation.public_id, actor=actor.public_id,
        substitution=row.public_id, person=row.substitute.public_id, approver=row.approver.public_id, **fields,
    )  # fmt: skip
