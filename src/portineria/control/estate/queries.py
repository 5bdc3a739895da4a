# SPDX-License-Identifier: Apache-2.0
"""The owner's own view of the estate. What technicians may see of it is in access.queries."""

from collections.abc import Collection, Mapping

from django.db.models import Count, Exists, F, Prefetch, Q, QuerySet

from portineria.control.estate.models import (
    Device,
    Gateway,
    GatewayQuerySet,
    GatewayState,
    Label,
    Line,
    Link,
    Machine,
    MachineQuerySet,
    Plant,
    PlantQuerySet,
    Relay,
    Service,
    Zone,
)
from portineria.control.identity.models import Person
from portineria.control.kept_query import KeptRows
from portineria.core.errors import NotFound


def plants(actor: Person) -> PlantQuerySet:
    return Plant.objects.visible_to(actor).select_related("organisation").order_by("name")


def plant(actor: Person, public_id: str) -> Plant:
    found = plants(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"plant {public_id}")
    return found


def zones(actor: Person) -> "QuerySet[Zone]":
    return Zone.objects.filter(plant__in=Plant.objects.visible_to(actor)).select_related("plant").order_by("pk")


def lines(actor: Person) -> "QuerySet[Line]":
    found = Line.objects.filter(plant__in=Plant.objects.visible_to(actor)).select_related("plant", "zone")
    return found.order_by("pk")


def gateways(actor: Person) -> GatewayQuerySet:
    """With ``linked``: over how many relays it is connected now."""
    found = Gateway.objects.visible_to(actor).select_related("plant").annotate(linked=Count("links", distinct=True))
    return found.order_by("plant__name", "name")


def waiting_gateways(actor: Person) -> GatewayQuerySet:
    return gateways(actor).filter(state=GatewayState.WAITING)


def gateway(actor: Person, public_id: str) -> Gateway:
    links = Link.objects.select_related("relay").order_by("relay__position")
    found = gateways(actor).prefetch_related(Prefetch("links", links)).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"gateway {public_id}")
    return found


# What stands on no line comes first: PostgreSQL would put it last.
BY_LINE = F("line__name").asc(nulls_first=True)


def machines(actor: Person) -> MachineQuerySet:
    found = Machine.objects.visible_to(actor).select_related(
        "plant__organisation", "line__zone", "gateway", "answering", "deputy"
    )
    return found.order_by("plant__name", BY_LINE, "name")


def machine(actor: Person, public_id: str) -> Machine:
    found = machines(actor).prefetch_related("devices__services").filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"machine {public_id}")
    return found


def machine_alone(actor: Person, public_id: str, besides: Mapping[str, Exists] | None = None) -> Machine:
    """Without its devices, and annotated with what the caller asks ``besides``."""
    found = machines(actor).filter(public_id=public_id).annotate(**(besides or {})).first()
    if found is None:
        raise NotFound(f"machine {public_id}")
    return found


def labels(actor: Person) -> "QuerySet[Label]":
    """Words that machines of the actor's own organisations carry."""
    carried = Label.objects.filter(organisation__in=actor.staff_of, machines__isnull=False)
    return carried.distinct().order_by("word")


def called(machines: MachineQuerySet, text: str) -> MachineQuerySet:
    """Of these: by id, name or plant/name."""
    plant, _, name = text.partition("/")
    return machines.filter(Q(public_id=text) | Q(name=text) | Q(plant__name=plant, name=name))


def services_of(machine: Machine) -> list[Service]:
    """In a fixed order; the caller has established that the machine is visible."""
    return _SERVICES.all(machine.pk)


_SERVICES = KeptRows(
    lambda machine: (
        Service.objects.filter(device__machine=machine).select_related("device").order_by("device__name", "port")
    )
)


def machines_without_services(actor: Person) -> MachineQuerySet:
    return machines(actor).annotate(offered=Count("devices__services")).filter(Q(offered=0))


def services(actor: Person) -> "QuerySet[Service]":
    """Of all machines the actor's own organisations have: to name what an event is about."""
    return Service.objects.filter(device__machine__in=Machine.objects.visible_to(actor)).select_related("device")


def devices(actor: Person) -> "QuerySet[Device]":
    return Device.objects.filter(machine__in=Machine.objects.visible_to(actor))


def relays(actor: Person) -> "QuerySet[Relay]":
    """They belong to the installation; whoever has a gateway on them may know their addresses."""
    return Relay.objects.all() if actor.staff_of else Relay.objects.none()


def reachable_now(machines: Collection[int]) -> dict[int, frozenset[tuple[str, str, int]]]:
    """Key of a machine → service, address, port of everything it has. For what was established as visible before."""
    found: dict[int, set[tuple[str, str, int]]] = {}
    rows = Service.objects.filter(device__machine__in=machines)
    for row in rows.select_related("device"):
        found.setdefault(row.device.machine_id, set()).add((row.public_id, row.device.address, row.port))
    return {machine: frozenset(services) for machine, services in found.items()}
