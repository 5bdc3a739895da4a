# SPDX-License-Identifier: Apache-2.0
"""What the plant's people say of their machines, for rules that ask for it. No query where none does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db.models import Q

from portineria.control.access.models import Maintenance, MaintenanceQuerySet, Rule
from portineria.control.estate.models import Machine
from portineria.control.identity.models import Person

_FOREVER = datetime.max.replace(tzinfo=UTC)
Place = tuple[str, int | None]  # "machine" or "line", and its key


@dataclass(frozen=True, slots=True)
class PlantState:
    """``maintained``: what is in maintenance → until when."""

    maintained: Mapping[Place, datetime] = field(default_factory=dict)

    def maintained_until(self, rule: Rule, machine: Machine) -> datetime | None:
        """When what the rule asks for ends by itself; None: it does not hold now."""
        if not rule.needs_maintenance:
            return _FOREVER
        found = (self.maintained.get(place) for place in (("machine", machine.pk), ("line", machine.line_id)))
        return max((until for until in found if until is not None), default=None)


def plant_state(named: Iterable[tuple[Rule, Machine]], at: datetime) -> PlantState:
    """As it is now, for ``at``: what ends by itself before that has ended."""
    asking = [machine for rule, machine in named if rule.needs_maintenance]
    return PlantState(_maintained(asking, at) if asking else {})


def _maintained(machines: list[Machine], at: datetime) -> dict[Place, datetime]:
    lines = {machine.line_id for machine in machines}
    rows = Maintenance.objects.holding(at).filter(Q(machine__in=machines) | Q(line__in=lines - {None}))
    return {
        ("line", row.line_id) if row.machine_id is None else ("machine", row.machine_id): row.ends_at or _FOREVER
        for row in rows.order_by("pk")
    }


def maintenance(actor: Person) -> MaintenanceQuerySet:
    """What holds and what is over; the newest first."""
    found = Maintenance.objects.visible_to(actor).select_related(
        "organisation", "machine__plant", "line__plant", "begun_by", "ended_by"
    )
    return found.order_by("-begun_at", "-pk")


def maintenance_of(actor: Person, machine: Machine, at: datetime) -> list[Maintenance]:
    """What the machine is in now: of itself and of its line."""
    here = Q(machine=machine) | Q(line=machine.line_id) if machine.line_id is not None else Q(machine=machine)
    return list(maintenance(actor).holding(at).filter(here))
