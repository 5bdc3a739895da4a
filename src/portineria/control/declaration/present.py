# SPDX-License-Identifier: Apache-2.0
"""What is there already, by the names that a declaration uses."""

from dataclasses import dataclass

from portineria.control.access import queries as access
from portineria.control.access import training_queries
from portineria.control.access.models import FunctionProfile, Rule
from portineria.control.access.places import offered
from portineria.control.estate import queries as estate
from portineria.control.estate.models import Gateway, GatewayState, Line, Machine, Plant
from portineria.control.identity import group_queries
from portineria.control.identity import queries as identity
from portineria.control.identity.models import Group, Membership, Organisation, Person, Role, Supplier
from portineria.core.errors import Invalid

MachineName = tuple[str, str]  # of its plant, its own


class NobodyToActAs(Invalid):
    code = "declaration.actor"


class NoOrganisation(Invalid):
    code = "declaration.organisation"


@dataclass(frozen=True, slots=True)
class Present:
    organisation: Organisation
    actor: Person
    plants: dict[str, Plant]
    zones: dict[str, set[str]]  # by name of the plant
    lines: dict[str, dict[str, str]]  # likewise: name of the line, of its zone or empty
    gateways: list[Gateway]
    machines: dict[MachineName, Machine]
    suppliers: dict[str, Supplier]
    members: dict[str, Membership]  # by e-mail address
    rules: list[Rule]
    profiles: dict[str, FunctionProfile]  # the newest of each name
    groups: dict[str, Group]
    places: frozenset[str]  # that a rule may name
    trainings: dict[str, str]  # name → id

    def ids(self) -> dict[tuple[str, ...], str]:
        found: dict[tuple[str, ...], str] = {("plant", name): row.public_id for name, row in self.plants.items()}
        found |= {("supplier", name): row.public_id for name, row in self.suppliers.items()}
        found |= {("person", email): row.person.public_id for email, row in self.members.items()}
        found |= {("group", name): row.public_id for name, row in self.groups.items()}
        found |= {("training", name): training for name, training in self.trainings.items()}
        for name, machine in self.machines.items():
            found["machine", *name] = machine.public_id
            found |= {("device", *name, device.name): device.public_id for device in machine.devices.all()}
        return found


def look_up(organisation: str, administrator: str = "") -> Present:
    """As its administrator sees it; raise NoOrganisation, NobodyToActAs."""
    owner = _organisation(organisation)
    actor = _administrator(owner, administrator)
    plants = list(estate.plants(actor).filter(organisation=owner).prefetch_related("lines__zone", "zones"))
    machines = estate.machines(actor).filter(plant__organisation=owner).prefetch_related("devices__services", "labels")
    gateways = estate.gateways(actor).filter(plant__organisation=owner)
    members = [row for row in identity.memberships(actor) if row.organisation_id == owner.pk]
    return Present(
        organisation=owner,
        actor=actor,
        plants={plant.name: plant for plant in plants},
        zones={plant.name: {zone.name for zone in plant.zones.all()} for plant in plants},
        lines={plant.name: {line.name: _zone_name(line) for line in plant.lines.all()} for plant in plants},
        gateways=list(gateways.exclude(state__in=[GatewayState.REFUSED, GatewayState.REVOKED])),
        machines={(machine.plant.name, machine.name): machine for machine in machines},
        suppliers={row.name: row for row in identity.suppliers(actor).filter(organisation=owner)},
        members={row.person.email: row for row in members},
        profiles=access.profiles(actor, owner),
        places=frozenset(offered(owner)),
        trainings={name: training for training, name in training_queries.choices(owner)},
        rules=list(access.rules(actor).filter(organisation=owner).order_by("created_at", "pk")),
        groups={row.name: row for row in group_queries.groups(actor).filter(organisation=owner)},
    )


def _zone_name(line: Line) -> str:
    return line.zone.name if line.zone else ""


def _organisation(name: str) -> Organisation:
    owner = Organisation.objects.filter(name=name).first()
    if owner is None:
        there = ", ".join(Organisation.objects.order_by("name").values_list("name", flat=True)) or "none"
        raise NoOrganisation(
            f"organisation.name: there is no organisation {name!r} (there is: {there}); portineria setup makes one"
        )
    return owner


def _administrator(owner: Organisation, email: str) -> Person:
    rows = Person.objects.filter(
        memberships__organisation=owner, memberships__role=Role.ADMINISTRATOR, disabled_at__isnull=True
    )
    known = {row.email: row for row in rows.order_by("email")}
    if email and email.strip().lower() not in known:
        raise NobodyToActAs(f"--as: {email!r} does not administer {owner.name}")
    if not email and len(known) != 1:
        raise NobodyToActAs(f"say with --as who acts: {', '.join(known) or 'nobody'} administers {owner.name}")
    return known[email.strip().lower()] if email else next(iter(known.values()))
