# SPDX-License-Identifier: Apache-2.0
"""Who may ask to look through recordings of people, and who decides about it."""

from django.db import transaction

from portineria.control.audit.services import record
from portineria.control.identity.authority import Actor, administers, organisation_of, require
from portineria.control.identity.models import STAFF_PEOPLE, Membership, Person
from portineria.control.privacy.models import Appointment, Duty
from portineria.core.errors import NotFound


def has_duty(actor: Person, organisation_id: int, duty: Duty) -> bool:
    """Only as long as they are of the staff, and not locked."""
    role = actor.role_in(organisation_id)
    if role is None or not role.staff:
        return False
    return Appointment.objects.filter(organisation=organisation_id, person=actor, duty=duty).exists()


def guarded_by(actor: Person) -> list[int]:
    """Organisations where this person is a guardian."""
    rows = Appointment.objects.filter(person=actor, duty=Duty.GUARDIAN, organisation__in=actor.staff_of)
    return list(rows.values_list("organisation", flat=True))


def appointments(actor: Person) -> list[Appointment]:
    """Of the organisations whose staff the actor is: everybody there may know who looks and who guards."""
    rows = Appointment.objects.filter(organisation__in=actor.staff_of).select_related("person", "organisation")
    return list(rows.order_by("organisation", "duty", "person__name", "pk"))


def appointable(actor: Person, organisation_id: int) -> list[Person]:
    """Those of the staff that are not locked."""
    if organisation_id not in actor.staff_of:
        return []
    rows = Membership.objects.filter(
        organisation=organisation_id, role__in=STAFF_PEOPLE, person__disabled_at__isnull=True
    )
    return [row.person for row in rows.select_related("person").order_by("person__name", "pk")]


@transaction.atomic
def appoint(*, actor: Actor, organisation: str, person: str, duty: Duty | None) -> None:
    """None: they have no duty any more. Whoever had the other one has this one instead. Raise NotFound."""
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    rows = Membership.objects.select_for_update(of=("self",), no_key=True).select_related("person")
    member = rows.filter(organisation=owner, person__public_id=person, role__in=STAFF_PEOPLE).first()
    if member is None:
        raise NotFound(f"person {person} of {organisation}")
    before = Appointment.objects.filter(organisation=owner, person=member.person).first()
    if (before.duty if before else None) == duty:
        return
    if before is not None:
        before.delete()
        _record("ended", actor, organisation, person, before.duty)
    if duty is not None:
        Appointment.objects.create(organisation=owner, person=member.person, duty=duty)
        _record("given", actor, organisation, person, duty.value)


def _record(what: str, actor: Actor, organisation: str, person: str, duty: str) -> None:
    record(f"privacy.duty.{what}", organisation=organisation, actor=actor.public_id, person=person, duty=duty)
