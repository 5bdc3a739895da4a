# SPDX-License-Identifier: Apache-2.0
"""What the plant's people say of their machines, for rules that ask for it. No query where none does."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db.models import Q

from portineria.control.access.models import (
    FunctionProfile,
    Grant,
    Maintenance,
    MaintenanceQuerySet,
    Rule,
    Signal,
    SignalQuerySet,
    SignalState,
)
from portineria.control.access.other_ways import Way, opened_by, services_by_machine, sets_otherwise, ways_of
from portineria.control.estate.models import Machine, Service
from portineria.control.identity.models import Person
from portineria.policy.consent import Opened, SetBy, set_by
from portineria.policy.function_profile import Profile

_FOREVER = datetime.max.replace(tzinfo=UTC)
Place = tuple[str, int | None]  # "machine" or "line", and its key


# A rule, a machine, the keys of the profiles that all have to admit what is done there; and who works, where that is
# asked of somebody.
Asking = tuple[Rule, Machine, tuple[int | None, ...], int | None]


def of_grant(grant: Grant, machine: Machine) -> Asking:
    return grant.rule, machine, (grant.profile_id, grant.rule.profile_id, grant.narrower_id), grant.person_id


def of_rule(rule: Rule, machine: Machine, person: int | None = None) -> Asking:
    return rule, machine, (rule.profile_id,), person


@dataclass(frozen=True, slots=True)
class Consent:
    """What of a rule's signals is missing. ``absent``: kinds that the machine has no signal of; ``off``: those that do
    not say yes now; ``settable``: those that the work itself could set, which count for nothing.
    """

    absent: tuple[str, ...] = ()
    off: tuple[Signal, ...] = ()
    settable: tuple[tuple[Signal, SetBy], ...] = ()

    @property
    def given(self) -> bool:
        return not self.absent and not self.off


@dataclass(frozen=True, slots=True)
class PlantState:
    """``maintained``: what is in maintenance → until when. ``running``: asked for what runs already."""

    maintained: Mapping[Place, datetime] = field(default_factory=dict)
    signals: Mapping[Place, list[Signal]] = field(default_factory=dict)
    services: Mapping[int, list[Service]] = field(default_factory=dict)
    profiles: Mapping[int, FunctionProfile] = field(default_factory=dict)
    running: bool = False
    ways: Mapping[int, list[Way]] = field(default_factory=dict)  # person → what they may reach besides

    def maintained_until(self, rule: Rule, machine: Machine) -> datetime | None:
        """When what the rule asks for ends by itself; None: it does not hold now."""
        if not rule.needs_maintenance:
            return _FOREVER
        found = (self.maintained.get(place) for place in _places(machine))
        return max((until for until in found if until is not None), default=None)

    def asked(self, rule: Rule, machine: Machine) -> list[Signal]:
        """There, of the kinds that the rule asks for."""
        kinds = rule.signals.split()
        return [row for place in _places(machine) for row in self.signals.get(place, ()) if row.kind in kinds]

    def consent(
        self, rule: Rule, machine: Machine, profiles: tuple[int | None, ...], person: int | None = None
    ) -> Consent:
        kinds = rule.signals.split()
        if not kinds:
            return Consent()
        here = self.asked(rule, machine)
        held = [self.profiles[pk].profile for pk in {*profiles} - {None} if pk is not None]
        opened = self._opened(machine, only_decoded=bool(held) or rule.only_decoded)
        ways = self.ways.get(person, []) if person is not None else []
        settable = [
            (signal, why) for signal in here if (why := _set_by(signal, machine, opened, held, ways)) is not None
        ]
        good = {SignalState.ON, SignalState.UNHEARD} if self.running else {SignalState.ON}
        return Consent(
            absent=tuple(kind for kind in kinds if all(signal.kind != kind for signal in here)),
            off=tuple(signal for signal in here if signal.state not in good),
            settable=tuple(settable),
        )

    def _opened(self, machine: Machine, *, only_decoded: bool) -> list[Opened]:
        return opened_by(self.services.get(machine.pk, ()), only_decoded=only_decoded)


def _set_by(
    signal: Signal, machine: Machine, opened: list[Opened], held: list[Profile], ways: list[Way]
) -> SetBy | None:
    why = set_by(signal.reading, opened, held)
    if why is None and sets_otherwise(signal.reading, machine.plant_id, ways):
        return SetBy.OTHER_PERMISSION
    return why


def _places(machine: Machine) -> tuple[Place, Place]:
    return ("machine", machine.pk), ("line", machine.line_id)


def plant_state(named: Iterable[Asking], at: datetime, *, running: bool = False) -> PlantState:
    """As it is now, for ``at``: what ends by itself before that has ended."""
    every = list(named)
    maintained = [machine for rule, machine, *_ in every if rule.needs_maintenance]
    asking = [one for one in every if one[0].signals]
    machines = [machine for _, machine, *_ in asking]
    signals = _signals(machines) if asking else {}
    people = {person for *_, person in asking if person is not None}
    return PlantState(
        _maintained(maintained, at) if maintained else {},
        signals,
        services_by_machine(machine.pk for machine in machines) if asking else {},
        FunctionProfile.objects.in_bulk({pk for *_, keys, _ in asking for pk in keys if pk}) if asking else {},
        running,
        ways_of(people, (row for rows in signals.values() for row in rows), at),
    )


def _signals(machines: list[Machine]) -> dict[Place, list[Signal]]:
    lines = {machine.line_id for machine in machines}
    rows = Signal.objects.standing().filter(Q(machine__in=machines) | Q(line__in=lines - {None}))
    found: dict[Place, list[Signal]] = defaultdict(list)
    for row in rows.order_by("pk"):
        found[("line", row.line_id) if row.machine_id is None else ("machine", row.machine_id)].append(row)
    return found


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


def signals(actor: Person) -> SignalQuerySet:
    """Those that stand."""
    found = (
        Signal.objects.visible_to(actor)
        .standing()
        .select_related("organisation", "machine__plant", "line__plant", "gateway", "added_by")
    )
    return found.order_by("kind", "name", "pk")


def signals_of(actor: Person, machine: Machine) -> list[Signal]:
    """Of itself and of its line."""
    here = Q(machine=machine) | Q(line=machine.line_id) if machine.line_id is not None else Q(machine=machine)
    return list(signals(actor).filter(here))


def signals_asked(rule: Rule, machine: Machine) -> list[Signal]:
    """What the rule asks for there. The caller has established that the machine is visible."""
    found = _signals([machine]) if rule.signals else {}
    return [row for place in _places(machine) for row in found.get(place, ()) if row.kind in rule.signals.split()]
