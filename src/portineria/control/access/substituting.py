# SPDX-License-Identifier: Apache-2.0
"""Naming and ending substitutes. What a substitute allowed ends with the substitution, unless its time had come."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from portineria.control.access.deciding import same_person
from portineria.control.access.substitution import Substitution, SubstitutionQuerySet
from portineria.control.access.watchers import watches_at
from portineria.control.audit.services import record
from portineria.control.identity.authority import approves, organisation_of, require, works_here
from portineria.control.identity.models import Person
from portineria.control.identity.services import BadField
from portineria.core.errors import Conflict, Denied, NotFound

LONGEST = timedelta(days=92)
AHEAD = timedelta(days=366)
MOST = 10  # of one approver that have not ended


class SubstitutionOver(Conflict):
    code = "access.substitution.over"


class TooManySubstitutes(Conflict):
    code = "access.substitution.too-many"


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
    row = Person.objects.get_queryset().filter(public_id=substitute, memberships__organisation=owner).first()
    role = row.role_in(owner.pk) if row is not None else None
    if row is None or role is None or not role.staff:
        raise NotFound(f"person {substitute}")
    if same_person(actor, row):
        raise BadField("substitute", "somebody else")
    Person.objects.get_queryset().select_for_update(no_key=True).get(pk=actor.pk)
    if Substitution.objects.filter(approver=actor, ended_at__isnull=True, ends_at__gt=now).count() >= MOST:
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
    row.ended_at = now
    row.save(update_fields=["ended_at"])
    _record("ended", row, actor)
    return row


def substitutions(actor: Person) -> SubstitutionQuerySet:
    """Those that are not over, of the organisations whose staff the actor is."""
    rows = Substitution.objects.visible_to(actor).filter(ended_at__isnull=True, ends_at__gt=timezone.now())
    return rows.select_related("organisation", "approver", "substitute").order_by("starts_at", "pk")


def _record(what: str, row: Substitution, actor: Person, **fields: str) -> None:
    record(
        f"access.substitution.{what}", organisation=row.organisation.public_id, actor=actor.public_id,
        substitution=row.public_id, person=row.substitute.public_id, approver=row.approver.public_id, **fields,
    )  # fmt: skip
