# SPDX-License-Identifier: Apache-2.0
"""Suppliers whose standing is over soon: whoever may enter another assessment hears of it a month and a week before."""

from datetime import datetime, timedelta

from django.db.models import OuterRef, QuerySet, Subquery

from portineria.control.identity.models import Person, Role, Supplier, SupplierStanding
from portineria.control.identity.standing_models import over_at
from portineria.control.notification.collecting import tell_people
from portineria.control.notification.models import Kind
from portineria.control.notification.recipients import Meant, in_roles

STANDING_ENDS = "supplier.standing-ends-soon"
AHEAD = (timedelta(days=7), timedelta(days=30))
_ADMINISTER = [role for role in Role if role.administers]


def ending_soon(at: datetime) -> QuerySet[Supplier]:
    """Those whose people are let in, and whose standing counts still."""
    days = (at.date(), (at + AHEAD[-1]).date())
    return Supplier.objects.filter(disabled_at__isnull=True, standing_until__range=days)


def collect_standings(at: datetime, *, mail: bool) -> int:
    """Each once for a month and once for a week; not of what was entered for less, which whoever did it knows."""
    newest = SupplierStanding.objects.filter(supplier=OuterRef("pk")).order_by("-pk").values("kept_at")[:1]
    made = 0
    for row in ending_soon(at).annotate(kept_at=Subquery(newest)).select_related("organisation").order_by("pk"):
        if row.standing_until is None or row.kept_at is None:
            continue
        over = over_at(row.standing_until)
        ahead = next((one for one in AHEAD if over - one <= at), None)
        if ahead is None or row.kept_at > over - ahead:
            continue
        meant = [Meant(person, Kind.STANDING, row.public_id) for person in in_roles(row.organisation_id, _ADMINISTER)]
        key = f"{row.public_id}.{row.standing_until.isoformat()}.{ahead.days}"
        made += tell_people(row.organisation, meant, key=key, code=STANDING_ENDS, by="", at=at, mail=mail)
    return made


def heeded(supplier: str, person: Person, at: datetime) -> bool:
    """Another assessment was entered meanwhile, or this person may not enter one any more."""
    row = ending_soon(at).filter(public_id=supplier).first()
    role = person.role_in(row.organisation_id) if row is not None else None
    return role is None or not role.administers
