# SPDX-License-Identifier: Apache-2.0
"""Where machines stand, as far as one reader may know: on every page that names a machine.

The owner's people know it, and so does whoever reaches the machine now. Everybody else has the name and the owner: of
a machine that they may ask for, and in the records of their own requests and sessions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page
from django.utils import timezone

from portineria.control.access import queries as access
from portineria.control.access.around import Around
from portineria.control.access.facts import decisions
from portineria.control.access.models import AccessRequest, RequestQuerySet
from portineria.control.console import texts
from portineria.control.estate.models import Machine
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.control.identity.queries import own_standings
from portineria.policy.sight import Sight


@dataclass(frozen=True, slots=True)
class Place:
    """``zone`` is empty for the reader's own; ``linked``: whether there is a page of the machine for them."""

    name: str
    within: tuple[str, ...]
    tag: str
    zone: str
    linked: bool


def places(actor: Person, machines: Iterable[Machine], sights: Mapping[int, Sight] | None = None) -> dict[int, Place]:
    """By key. They come with ``line`` and ``plant__organisation`` loaded; three queries more for what is of others,
    where their ``sights`` are not known yet.
    """
    rows = {machine.pk: machine for machine in machines}
    staff_of = set(actor.sees(Power.ESTATE))
    others = {pk for pk, machine in rows.items() if machine.plant.organisation_id not in staff_of}
    if sights is None:
        sights = access.sight_by_machine(actor, others) if others else {}
    return {pk: place_of(machine, sights.get(pk), owned=pk not in others) for pk, machine in rows.items()}


def place(actor: Person, machine: Machine) -> Place:
    return places(actor, [machine])[machine.pk]


def place_there(actor: Person, machine: Machine, there: Around | None = None) -> Place:
    """Likewise, of a machine that comes with its gateway and with whether an emergency role of the actor's opens it.
    ``there``: what is known already of the way to it.
    """
    if (owner := machine.plant.organisation_id) in actor.sees(Power.ESTATE):
        return place_of(machine, None, owned=True)
    at = timezone.now()
    judged = decisions([(actor.pk, machine)], at, own_standings(actor, [owner]), there=there)
    sights = {seen.machine.pk: seen.sight for seen in access.sights(actor, [machine], at, judged=judged)}
    return places(actor, [machine], sights)[machine.pk]


def place_of(machine: Machine, sight: Sight | None, *, owned: bool) -> Place:
    plant = machine.plant
    if not owned and sight is not Sight.REACHABLE:
        return Place(machine.name, (plant.organisation.name,), "", "", linked=sight is not None)
    within = (plant.name, machine.line.name) if machine.line else (plant.name,)
    return Place(machine.name, within, machine.tag, plant.time_zone, linked=True)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a list shows it."""

    request: AccessRequest
    place: Place

    @property
    def lapsed_because(self) -> list[str]:
        return [texts.reason(word) for word in self.request.lapsed_why.split()]


def waiting(requests: RequestQuerySet) -> RequestQuerySet:
    """Without their answers, which no list of what waits shows."""
    return requests.prefetch_related(None)


def asked_leaf(actor: Person, leaf: Page[Any]) -> Page[Asked]:
    leaf.object_list = asked(actor, leaf.object_list)
    return leaf


def asked(actor: Person, requests: Iterable[AccessRequest]) -> list[Asked]:
    rows = list(requests)
    known = places(actor, [row.machine for row in rows])
    return [Asked(row, known[row.machine_id]) for row in rows]
