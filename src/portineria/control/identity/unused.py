# SPDX-License-Identifier: Apache-2.0
"""Memberships that nobody uses close by themselves, after a warning; whoever may invite opens them again.

The account is what somebody could steal, so use of it counts wherever it was. Who closes them, and whom it spares, is
above this room (``remote_sessions.unused``).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from portineria.control.audit.services import record
from portineria.control.identity.authority import SYSTEM, Actor, administers, organisation_of, require
from portineria.control.identity.closing_models import (
    LONGEST_UNUSED,
    SHORTEST_UNUSED,
    ClosedMembership,
    ClosedWhy,
)
from portineria.control.identity.models import Membership, Organisation, Person, Role
from portineria.control.identity.offers import VouchedElsewhere
from portineria.control.identity.queries import PROGRAM
from portineria.control.identity.services import (
    BadField,
    create_person,
    end_sign_ins,
    keep_an_administrator,
    revoke_tokens,
)
from portineria.core.errors import NotFound

AHEAD = timedelta(days=14)  # between the warning and the end
SHOWN = timedelta(days=SHORTEST_UNUSED)  # from then on the console says that somebody does not come
_SUPPLIED = Q(supplier__isnull=False)


def is_program(row: Membership) -> bool:
    return row.role_here is Role.SERVICE or row.person.is_agent


def days_of(row: Membership) -> int:
    """0: it never closes, and neither does an analyst's, which ends with its delegation."""
    owner = row.organisation
    if row.role_here is Role.ANALYST:
        return 0
    if is_program(row):
        return owner.unused_days_programs
    return owner.unused_days_own if row.supplier_id is None else owner.unused_days_supplied


def last_use(row: Membership) -> datetime:
    return row.since if row.person.used_at is None else max(row.since, row.person.used_at)


def warned(row: Membership) -> bool:
    return row.warned_at is not None and row.warned_at >= last_use(row)


def closes_at(row: Membership, at: datetime) -> datetime | None:
    """When it does, as things are; never sooner than so long after a warning."""
    days = days_of(row)
    if not days or not row.person.enabled:
        return None
    told = row.warned_at if row.warned_at is not None and warned(row) else at
    return max(last_use(row) + timedelta(days=days), told + AHEAD)


def _idle_since(latest: datetime) -> Q:
    return Q(since__lte=latest) & (Q(person__used_at__isnull=True) | Q(person__used_at__lte=latest))


def idle(at: datetime, ahead: timedelta = timedelta(0)) -> list[Membership]:
    """Of all organisations, whose time is over ``ahead`` from now. A time that lies after now was a wrong clock's: it
    is no reason to close anybody.
    """
    found = list[Membership]()
    for owner in Organisation.objects.order_by("pk"):
        kinds = {
            PROGRAM: owner.unused_days_programs,
            _SUPPLIED & ~PROGRAM: owner.unused_days_supplied,
            ~_SUPPLIED & ~PROGRAM: owner.unused_days_own,
        }
        wanted = Q(pk__in=[])
        for kind, days in kinds.items():
            if days:
                wanted |= kind & _idle_since(at + ahead - timedelta(days=days))
        rows = Membership.objects.filter(wanted, organisation=owner, person__disabled_at__isnull=True)
        found += rows.exclude(role=Role.ANALYST).select_related("person", "organisation").order_by("pk")
    return found


def _locked(membership: int) -> Membership | None:
    """The person first: whoever locks them has them first too, and use of the account waits."""
    theirs = Membership.objects.filter(pk=membership).values("person")
    list(Person.objects.get_queryset().select_for_update(no_key=True).filter(pk__in=theirs))
    rows = Membership.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("person", "organisation", "supplier").filter(pk=membership).first()


def warn(membership: int, at: datetime) -> Membership | None:
    """Inside the transaction that tells them. None where they were told, or came meanwhile."""
    row = _locked(membership)
    if row is None or not days_of(row) or last_use(row) + timedelta(days=days_of(row)) > at + AHEAD:
        return None
    if row.warned_at is not None and warned(row) and row.warned_at <= at:
        return None
    row.warned_at = at
    row.save(update_fields=["warned_at"])
    return row


@transaction.atomic
def close_unused(membership: int, at: datetime) -> bool:
    """False where it is not so far. Raise LastAdministrator."""
    row = _locked(membership)
    over = closes_at(row, at) if row is not None else None
    if row is None or over is None or over > at:
        return False
    keep_an_administrator(row.person, row.organisation_id)
    if is_program(row):
        row.person.disabled_at = at
        row.person.save(update_fields=["disabled_at"])
        revoke_tokens(row.person)
    else:
        close(row, ClosedWhy.UNUSED, at)
    record(
        "identity.membership.closed", organisation=row.organisation.public_id, actor=SYSTEM,
        person=row.person.public_id, role=row.role, supplier=row.supplier.public_id if row.supplier else "",
        why=ClosedWhy.UNUSED.value, used_at=last_use(row).isoformat(timespec="seconds"),
    )  # fmt: skip
    return True


def close(row: Membership, why: ClosedWhy, at: datetime) -> None:
    """Somebody who belongs nowhere any more is signed out everywhere."""
    ClosedMembership.objects.update_or_create(
        person=row.person, organisation=row.organisation,
        defaults={"role": row.role, "supplier": row.supplier, "why": why, "used_at": last_use(row), "at": at},
    )  # fmt: skip
    row.delete()
    row.person.directory.filter(organisation=row.organisation).update(closed=False)  # ours from here on
    if not row.person.memberships.exists():
        end_sign_ins(row.person)


@dataclass(frozen=True, slots=True)
class UnusedDays:
    """0: never."""

    supplied: int
    own: int
    programs: int


@transaction.atomic
def set_unused_days(*, actor: Actor, organisation: str, days: UnusedDays) -> None:
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    for value in (days.supplied, days.own, days.programs):
        if value and not SHORTEST_UNUSED <= value <= LONGEST_UNUSED:
            why = f"0, or {SHORTEST_UNUSED} to {LONGEST_UNUSED}"
            raise BadField("unused_days", why, least=SHORTEST_UNUSED, most=LONGEST_UNUSED)
    owner = Organisation.objects.select_for_update(no_key=True).get(pk=owner.pk)
    owner.unused_days_supplied, owner.unused_days_own = days.supplied, days.own
    owner.unused_days_programs = days.programs
    owner.save(update_fields=["unused_days_supplied", "unused_days_own", "unused_days_programs"])
    record(
        "identity.organisation.unused-limited", organisation=owner.public_id, actor=actor.public_id,
        supplied=days.supplied, own=days.own, programs=days.programs,
    )  # fmt: skip


def closing(actor: Person) -> QuerySet[Organisation]:
    """Whose staff the actor is, with the days that each set."""
    return Organisation.objects.filter(pk__in=actor.staff_of).order_by("name")


def unused(actor: Person, at: datetime) -> QuerySet[Membership]:
    """Of the organisations whose staff the actor is: who has not come for a month, longest first."""
    rows = Membership.objects.filter(_idle_since(at - SHOWN), organisation__in=actor.staff_of)
    rows = rows.filter(person__disabled_at__isnull=True).exclude(role=Role.ANALYST)
    longest_first = Coalesce("person__used_at", "since")
    return rows.select_related("person", "organisation", "supplier").order_by(longest_first, "pk")


def closed(actor: Person) -> QuerySet[ClosedMembership]:
    """Of the organisations whose staff the actor is, the last first; not of whoever belongs there again."""
    again = Membership.objects.filter(person=OuterRef("person"), organisation=OuterRef("organisation"))
    rows = ClosedMembership.objects.filter(~Exists(again), organisation__in=actor.staff_of)
    return rows.select_related("person", "organisation", "supplier").order_by("-at", "-pk")


@transaction.atomic
def reopen(*, actor: Actor, organisation: str, person: str) -> Person:
    """As it was, with a new beginning, and no group: whoever left has to be put in again (decision 74). Raise NotFound,
    VouchedElsewhere, and what ``create_person`` raises.
    """
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    rows = ClosedMembership.objects.select_for_update(of=("self",), no_key=True).select_related("person", "supplier")
    row = rows.filter(organisation=owner, person__public_id=person).first()
    if row is None or row.person.erased_at is not None:
        raise NotFound(f"person {person}")
    if row.person.memberships.exists() and SocialAccount.objects.filter(user=row.person).exists():
        raise VouchedElsewhere(f"{person} comes by a provider of another organisation")
    row.delete()
    return create_person(  # consented: they belonged here and did not leave by themselves
        actor=actor, organisation=organisation, name=row.person.name, email=row.person.email, role=Role(row.role),
        supplier=row.supplier.public_id if row.supplier else "", consented=True,
    )  # fmt: skip
