# SPDX-License-Identifier: Apache-2.0
"""How long suppliers' people stay, and who answers for them: prolonged, handed over, and what waits for somebody."""

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from portineria.control.audit.services import record
from portineria.control.identity.authority import Actor, Operator, administers, require
from portineria.control.identity.closing_models import ClosedWhy
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.identity.sponsorship import checked_end, sponsor_called, unanswered, unanswered_in
from portineria.control.identity.unused import close, record_closed
from portineria.core.errors import NotFound

SOON = timedelta(days=30)


def _to_change(actor: Actor, organisation: str, person: str) -> Membership:
    """By whoever administers, or answers for them. Raise NotFound, Denied."""
    rows = Membership.objects.select_for_update(of=("self",), no_key=True)
    rows = rows.select_related("organisation", "supplier", "sponsor", "person")
    seen = Q() if isinstance(actor, Operator) else Q(organisation__in=actor.staff_of)
    row = rows.filter(
        seen, supplier__isnull=False, organisation__public_id=organisation, person__public_id=person
    ).first()  # fmt: skip
    if row is None:
        raise NotFound(f"person {person} of a supplier, in {organisation}")
    if isinstance(actor, Operator) or row.sponsor_id != actor.pk:
        require(actor, row.organisation_id, administers)
    return row


@transaction.atomic
def prolong(*, actor: Actor, organisation: str, person: str, until: date | None = None) -> Membership:
    """``until``: the last day, sooner than before too; None: a year from now, or the longest that there is."""
    row = _to_change(actor, organisation, person)
    row.ends_at = checked_end(row.organisation, until or row.organisation.usual_end(timezone.now()))
    row.save(update_fields=["ends_at"])
    _record("prolonged", actor, row)
    return row


@transaction.atomic
def set_sponsor(*, actor: Actor, organisation: str, person: str, sponsor: str) -> Membership:
    """Raise BadSponsor, and as ``prolong``."""
    row = _to_change(actor, organisation, person)
    row.sponsor = sponsor_called(row.organisation, sponsor)
    row.save(update_fields=["sponsor"])
    _record("sponsored", actor, row)
    return row


def _record(what: str, actor: Actor, row: Membership) -> None:
    record(
        f"identity.membership.{what}", organisation=row.organisation.public_id, actor=actor.public_id,
        person=row.person.public_id, until=row.last_day.isoformat() if row.last_day else "",
        sponsor=row.sponsor.public_id if row.sponsor else "",
    )  # fmt: skip


def sponsored(organisations: list[int]) -> QuerySet[Membership]:
    """Suppliers' people who are let in; ``unanswered``: nobody answers for them."""
    rows = Membership.objects.filter(
        supplier__isnull=False, organisation__in=organisations, person__disabled_at__isnull=True,
        supplier__disabled_at__isnull=True,
    )  # fmt: skip
    return rows.select_related("person", "organisation", "supplier", "sponsor").annotate(unanswered=unanswered())


def waiting(actor: Person, at: datetime) -> QuerySet[Membership]:
    """What waits for the actor: those for whom they answer and who end soon; where they administer, those for whom
    nobody does.
    """
    administered = [place for place in actor.staff_of if actor.role_in(place) is Role.ADMINISTRATOR]
    waits = Q(sponsor=actor, ends_at__lte=at + SOON)
    for place in administered:
        waits |= unanswered_in(place)
    return sponsored(actor.staff_of).filter(waits).order_by("pk")


def ending_soon(at: datetime, ahead: timedelta) -> list[Membership]:
    """Of all organisations, for the timer."""
    rows = Membership.objects.filter(ends_at__gt=at, ends_at__lte=at + ahead).values_list("organisation", flat=True)
    return list(sponsored([*rows]).filter(ends_at__gt=at, ends_at__lte=at + ahead).order_by("pk"))


def over(at: datetime) -> list[Membership]:
    """Of all organisations."""
    return list(Membership.objects.filter(ends_at__lte=at).order_by("pk"))


@transaction.atomic
def close_over(membership: int, at: datetime) -> bool:
    """False where it was prolonged meanwhile."""
    rows = Membership.objects.select_for_update(of=("self",), no_key=True)
    row = rows.select_related("person", "organisation", "supplier").filter(pk=membership, ends_at__lte=at).first()
    if row is None:
        return False
    record_closed(row, ClosedWhy.OVER)
    close(row, ClosedWhy.OVER, at)
    return True
