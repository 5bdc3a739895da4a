# SPDX-License-Identifier: Apache-2.0
"""Whoever asks, the kept texts find the machines and rules that the expressions describe."""

from __future__ import annotations

import pytest
from django.db.models import Q

from portineria.control.access.emergency import give_role
from portineria.control.access.in_sight import admitting_by_machine, by_role, called_so, in_sight
from portineria.control.access.models import Rule
from portineria.control.access.naming import rules_by_machine
from portineria.control.access.seer import Seer
from portineria.control.estate.models import Machine
from portineria.control.identity.models import Membership, Organisation, Person, Role
from tests.integration.control.world import World, fresh


@pytest.mark.django_db
def test_kept_texts_find_what_expressions_describe(world: World) -> None:
    both = fresh(world.technician)
    Membership.objects.create(person=both, organisation=Organisation.objects.create(name="Other"), role=Role.OPERATOR)
    plant = world.machine.plant
    give_role(
        actor=world.owner,
        organisation=world.organisation,
        person=world.rival.public_id,
        plant=plant.public_id,
        guest=True,
    )
    people = [*Person.objects.get_queryset().order_by("pk")]
    seen = 0
    for person in people:
        seer = Seer.of(person)
        for name in (world.machine.public_id, world.machine.name, "No such machine", "%"):
            wanted = list(in_sight(seer).filter(Q(public_id=name) | Q(name=name)))
            for _ in range(2):
                found = called_so(seer, name)
                assert [(row, by_role(row)) for row in found] == [(row, by_role(row)) for row in wanted], person.name
            seen += len(found)
        for machines in (list(Machine.objects.select_related("line")), []):
            admitting = admitting_by_machine(seer, machines)
            assert admitting == rules_by_machine(machines, Rule.objects.admitting(person)), person.name
    assert seen
    assert {bool(Seer.of(person).guest_of) for person in people} == {True, False}
