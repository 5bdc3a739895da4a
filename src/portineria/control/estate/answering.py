# SPDX-License-Identifier: Apache-2.0
"""Who answers for a machine, and for them while they are away: whom people ask, and who is shown to whoever asks."""

from django.db import transaction

from portineria.control.audit.services import record
from portineria.control.estate.models import Machine
from portineria.control.estate.services import answering_of, machine_to_change
from portineria.control.identity.models import Person
from portineria.control.identity.services import BadField


@transaction.atomic
def set_answering(*, actor: Person, machine: str, answering: str | None = None, deputy: str | None = None) -> Machine:
    """By id; what is None stays, what is empty is nobody. Raise NotFound, BadField for one person as both."""
    row = machine_to_change(actor, machine)
    before = (row.answering, row.deputy)
    if answering is not None:
        row.answering = answering_of(row.plant, answering)
    if deputy is not None:
        row.deputy = answering_of(row.plant, deputy)
    if row.deputy is not None and row.deputy == row.answering:
        raise BadField("deputy", "somebody else than who answers for the machine")
    now = {"answering": row.answering, "deputy": row.deputy}
    changed = [name for (name, person), was in zip(now.items(), before, strict=True) if person != was]
    if not changed:
        return row
    row.save(update_fields=changed)
    record(
        "estate.machine.changed",
        organisation=row.plant.organisation.public_id,
        actor=actor.public_id,
        machine=machine,
        changed=" ".join(changed),
    )
    return row
