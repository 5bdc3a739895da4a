# SPDX-License-Identifier: Apache-2.0
"""Who answers for a machine, and for them while they are away: whom people ask, and who is shown to whoever asks."""

from django.db import transaction

from portineria.control.audit.services import record
from portineria.control.estate.models import Machine, Plant
from portineria.control.estate.services import machine_to_change
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.identity.services import BadField
from portineria.core.errors import NotFound

_STAFF = [role.value for role in Role if role.staff]


@transaction.atomic
def set_answering(*, actor: Person, machine: str, answering: str | None = None, deputy: str | None = None) -> Machine:
    """By id; what is None stays, what is empty is nobody. Raise NotFound, BadField for one person as both."""
    row = machine_to_change(actor, machine)
    if answering is not None:
        row.answering = _of_staff(row.plant, answering)
    if deputy is not None:
        row.deputy = _of_staff(row.plant, deputy)
    if row.deputy is not None and row.deputy == row.answering:
        raise BadField("deputy", "somebody else than who answers for the machine")
    row.save(update_fields=["answering", "deputy"])
    changed = {"answering": answering, "deputy": deputy}
    record(
        "estate.machine.changed",
        organisation=row.plant.organisation.public_id,
        actor=actor.public_id,
        machine=machine,
        changed=" ".join(name for name, value in changed.items() if value is not None),
    )
    return row


def _of_staff(plant: Plant, person: str) -> Person | None:
    if not person:
        return None
    members = Membership.objects.filter(
        organisation=plant.organisation_id, role__in=_STAFF, person__public_id=person, person__disabled_at__isnull=True
    )
    found = members.select_related("person").first()
    if found is None:
        raise NotFound(f"person {person}")
    return found.person
