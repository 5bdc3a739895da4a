# SPDX-License-Identifier: Apache-2.0
"""Which labels a machine carries: what a rule names by one follows at once."""

from collections.abc import Iterable

from django.db import transaction

from portineria.control.audit.services import record
from portineria.control.estate.label import Label, clean_labels
from portineria.control.estate.models import Machine
from portineria.control.estate.services import machine_to_change
from portineria.control.identity.models import Person


@transaction.atomic
def set_labels(*, actor: Person, machine: str, labels: Iterable[str]) -> Machine:
    """These and no others; the same again changes nothing. Sessions that rest on one that goes drain."""
    row = machine_to_change(actor, machine)
    wanted = clean_labels(labels)
    before = words_of(row)
    if wanted == before:
        return row
    owner = row.plant.organisation
    row.labels.set([Label.objects.get_or_create(organisation=owner, word=word)[0] for word in wanted])
    record(
        "estate.machine.labelled",
        organisation=owner.public_id,
        actor=actor.public_id,
        machine=machine,
        labels=" ".join(wanted),
        previous_labels=" ".join(before),
    )
    return row


def words_of(machine: Machine) -> list[str]:
    return sorted(label.word for label in machine.labels.all())
