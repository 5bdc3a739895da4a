# SPDX-License-Identifier: Apache-2.0
"""How things stand at the plant, as pages show it: maintenance."""

from dataclasses import dataclass

from django.utils import timezone

from portineria.control.access.models import AccessRequest, Maintenance
from portineria.control.access.plant_state import maintenance_of, plant_state
from portineria.control.estate.models import Machine
from portineria.control.identity.models import Person


@dataclass(frozen=True, slots=True)
class MachinePlant:
    """For the owner's people only; empty for everybody else."""

    maintenance: list[Maintenance]


def of_machine(actor: Person, machine: Machine) -> MachinePlant:
    if machine.plant.organisation_id not in actor.staff_of:
        return MachinePlant([])
    return MachinePlant(maintenance_of(actor, machine, timezone.now()))


@dataclass(frozen=True, slots=True)
class RequestPlant:
    """What the rule of a request asks of the plant, as it is now."""

    maintained: bool


def of_request(request: AccessRequest) -> RequestPlant:
    state = plant_state([(request.rule, request.machine)], timezone.now())
    return RequestPlant(state.maintained_until(request.rule, request.machine) is not None)
