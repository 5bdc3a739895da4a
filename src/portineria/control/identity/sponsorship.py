# SPDX-License-Identifier: Apache-2.0
"""What is agreed when a supplier's person is let in: until when, and who answers for them here."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from portineria.control.identity.authority import Actor
from portineria.control.identity.models import STAFF_PEOPLE, Membership, Organisation, Person, Supplier
from portineria.control.identity.standing_models import over_at
from portineria.core.errors import Invalid


class BadEnd(Invalid):
    code = "field.until"

    def __init__(self, most: int) -> None:
        super().__init__(f"until: a day from today on, at most {most} days away")
        self.values = {"most": most}


class BadSponsor(Invalid):
    code = "field.sponsor"


@dataclass(frozen=True, slots=True)
class Sponsorship:
    ends_at: datetime | None = None
    sponsor: Person | None = None

    @property
    def fields(self) -> dict[str, str]:
        """Of an event."""
        last = (self.ends_at - timedelta(days=1)).date().isoformat() if self.ends_at else ""
        return {"until": last, "sponsor": self.sponsor.public_id} if self.sponsor else {"until": last} if last else {}


NONE = Sponsorship()


def checked_end(owner: Organisation, until: date) -> datetime:
    """``until``: the last day, of UTC. Raise BadEnd."""
    today = timezone.now().date()
    if not today <= until <= today + timedelta(days=owner.stay_days):
        raise BadEnd(owner.stay_days)
    return over_at(until)


def answers(person: Person | None, organisation: int) -> bool:
    """They are there, and of the organisation's own people."""
    if person is None or not person.enabled:
        return False
    rows = Membership.objects.filter(person=person, organisation=organisation, role__in=STAFF_PEOPLE)
    return rows.exists()


_STAFF = Q(role__in=STAFF_PEOPLE, person__disabled_at__isnull=True)
_ANSWERED = Q(supplier__isnull=False, given_by__isnull=True)  # for whom a provider speaks each time, it does


def unanswered() -> Q:
    """Of a membership: nobody who is still there answers for them."""
    staff = Membership.objects.filter(_STAFF, person=OuterRef("sponsor"), organisation=OuterRef("organisation"))
    return Q(_ANSWERED, ~Exists(staff))


def unanswered_in(organisation: int) -> Q:
    """The same of one organisation's: its staff are looked up once and not for each."""
    staff = Membership.objects.filter(_STAFF, organisation=organisation).values("person")
    return _ANSWERED & Q(organisation=organisation) & (Q(sponsor__isnull=True) | ~Q(sponsor__in=staff))


def sponsor_called(owner: Organisation, person: str) -> Person:
    """Raise BadSponsor."""
    row = Person.objects.filter(public_id=person, memberships__organisation=owner).first()
    if row is None or not answers(row, owner.pk):
        raise BadSponsor("sponsor: one of the organisation's own people")
    return row


def agreed(
    *, actor: Actor, owner: Organisation, supplier: Supplier | None, sponsor: str = "", until: date | None = None
) -> Sponsorship:
    """Whoever lets them in answers for them, for a year, unless something else is said. Raise BadEnd, BadSponsor."""
    if supplier is None:
        if sponsor or until:
            raise BadSponsor("sponsor: of suppliers' people only")
        return NONE
    ends_at = checked_end(owner, until or owner.usual_end(timezone.now()))
    if sponsor:
        return Sponsorship(ends_at, sponsor_called(owner, sponsor))
    return Sponsorship(ends_at, actor if isinstance(actor, Person) and answers(actor, owner.pk) else None)
