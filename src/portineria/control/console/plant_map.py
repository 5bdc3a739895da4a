# SPDX-License-Identifier: Apache-2.0
"""A plant as a picture: its zones, lines and machines, and who is inside. As many queries for ten machines as for ten
thousand: of each line the first machines are drawn, those where something is going on before the others.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.core.paginator import Page
from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When, Window
from django.db.models.functions import Coalesce, RowNumber
from django.utils import timezone

from portineria.control.access import queries as access
from portineria.control.access.models import LOCKABLE, Lock, Maintenance, Signal
from portineria.control.access.plant_state import maintenance, signals
from portineria.control.console.plant_rows import Shown
from portineria.control.console.queries import shown_gateway_state
from portineria.control.console.texts import signals as words
from portineria.control.estate import queries as estate
from portineria.control.estate.models import Gateway, GatewayState, Line, Machine, MachineQuerySet, Plant, PlantQuerySet
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.models import HeldOperation, Session, SessionQuerySet, Watching
from portineria.control.remote_sessions.recording_mode import recorded, with_terms
from portineria.control.remote_sessions.standing_by import THERE
from portineria.core.errors import NotFound

_LINES = 6  # on one leaf
_MACHINES = 18  # of one line
_NAMES = 3  # of people inside one machine
_GATEWAYS = 24
_GOING_ON, _HALTED, _AT_REST = range(3)
Leaf = Callable[[Sequence["Line | None"], int], Page[Any]]


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for one machine, line or zone, or for the whole plant."""

    locks: list[Lock]
    maintenance: list[Maintenance]
    signals: list[Shown]


@dataclass(frozen=True, slots=True)
class MachineDrawn:
    machine: Machine
    gateway_state: str
    inside: list[Session]  # ``watched``, ``waits``, ``recorded`` and ``firm`` beside each
    own: Standing  # not what its line has
    locked: bool  # by itself, or because its line, zone, plant or gateway is

    @property
    def first_inside(self) -> list[Session]:
        return self.inside[:_NAMES]

    @property
    def more_inside(self) -> int:
        return max(0, len(self.inside) - _NAMES)

    @property
    def tone(self) -> str:
        """One of the style sheet's; the words beside it say the same."""
        if self.locked or self.gateway_state not in ("connected", ""):
            return "stop"
        return "live" if self.inside else "wait" if self.own.maintenance else ""


@dataclass(frozen=True, slots=True)
class LineDrawn:
    """``line`` is None for what stands on none."""

    line: Line | None
    machines: list[MachineDrawn]
    in_all: int
    in_use: int  # machines with somebody inside
    own: Standing

    @property
    def more(self) -> int:
        return self.in_all - len(self.machines)


@dataclass(frozen=True, slots=True)
class ZoneDrawn:
    name: str  # empty for lines that are in none
    lines: list[LineDrawn]
    locks: list[Lock]


@dataclass(frozen=True, slots=True)
class PlantMap:
    """``sees_work``, ``sees_locks``: what is not theirs to know is not shown as absent."""

    plant: Plant  # with ``machines_in_all``, ``inside``, ``gateways_in_all`` and ``away``
    zones: list[ZoneDrawn]
    gateways: list[tuple[Gateway, str, list[Lock]]]
    locks: list[Lock]  # of the plant, and of everything
    lines: Page[Any]
    sees_work: bool
    sees_locks: bool


def plants_with_figures(actor: Person) -> PlantQuerySet:
    """``machines_in_all``, ``inside`` (sessions), ``gateways_in_all`` and ``away``; of what the actor sees."""

    def count(rows: QuerySet[Any], plant: str) -> Coalesce:
        found = rows.filter(**{plant: OuterRef("pk")}).order_by().values(plant).annotate(count=Count("pk"))
        return Coalesce(Subquery(found.values("count")), 0)

    working = Gateway.objects.filter(state__in=(GatewayState.ADMITTED, GatewayState.QUARANTINED))
    away = working.filter(Q(links__isnull=True) | Q(state=GatewayState.QUARANTINED))
    return estate.plants(actor).annotate(
        machines_in_all=count(Machine.objects.all(), "plant"),
        inside=count(Session.objects.visible_to(actor).open(), "machine__plant"),
        gateways_in_all=count(working, "plant"),
        away=count(away, "plant"),
    )


def plant_map(actor: Person, public_id: str, leaf: Leaf) -> PlantMap:
    """Raise NotFound. ``leaf`` takes the part of the lines that is to be shown."""
    at = timezone.now()
    there: dict[str, QuerySet[Any]] = {
        "any_locks": Lock.objects.visible_to(actor).holding(),
        "any_maintenance": Maintenance.objects.visible_to(actor).holding(at),
        "any_signals": Signal.objects.visible_to(actor).standing(),
    }
    any_of = {name: Exists(rows.filter(organisation=OuterRef("organisation"))) for name, rows in there.items()}
    plant = plants_with_figures(actor).annotate(**any_of).filter(public_id=public_id).first()
    if plant is None:
        raise NotFound(f"plant {public_id}")
    return _Drawing(actor, plant, leaf(_lines(actor, plant), _LINES), at).map()


def _lines(actor: Person, plant: Plant) -> list[Line | None]:
    """In their places; where there are more than fit, those with somebody inside first. Last what is on none."""
    inside = Session.objects.visible_to(actor).open().filter(machine__line=OuterRef("pk"))
    rows = estate.lines(actor).filter(plant=plant).annotate(busy=Exists(inside))
    found: list[Line | None] = list(rows.order_by(F("zone__name").asc(nulls_last=True), "name"))
    if len(found) > _LINES:
        found.sort(key=lambda line: not line.__dict__["busy"])
    return [*found, None]


class _Drawing:
    """One leaf of one plant: everything that is asked for it, once."""

    def __init__(self, actor: Person, plant: Plant, lines: Page[Any], at: datetime) -> None:
        self._actor, self._plant, self._page, self._at = actor, plant, lines, at
        self._lines: list[Line | None] = list(lines)
        self._machines = list(self._drawn_machines())

    def _drawn_machines(self) -> MachineQuerySet:
        """``in_all`` and ``in_use`` of its line beside each."""
        named = [line.pk for line in self._lines if line is not None]
        on_these = Q(line__in=named) | Q(line__isnull=True) if None in self._lines else Q(line__in=named)
        busy = Session.objects.visible_to(self._actor).open().values("machine")
        held = Lock.objects.visible_to(self._actor).holding().filter(machine__isnull=False).values("machine")
        worked_on = Maintenance.objects.visible_to(self._actor).holding(self._at).filter(machine__isnull=False)
        halted = Q(pk__in=held) | Q(pk__in=worked_on.values("machine"))
        by_line = [F("line")]
        annotated = estate.machines(self._actor).annotate(
            busy=Case(When(pk__in=busy, then=Value(1)), default=Value(0)),
            rank=Case(When(busy=1, then=Value(_GOING_ON)), When(halted, then=Value(_HALTED)), default=Value(_AT_REST)),
            in_all=Window(Count("pk"), partition_by=by_line),
            in_use=Window(Sum("busy"), partition_by=by_line),
            place=Window(RowNumber(), partition_by=by_line, order_by=["rank", "name"]),
        )
        return annotated.filter(on_these, plant=self._plant, place__lte=_MACHINES).order_by("place")

    def map(self) -> PlantMap:
        by_line: dict[int | None, list[Machine]] = defaultdict(list)
        for machine in self._machines:
            by_line[machine.line_id].append(machine)
        zones: dict[int | None, list[LineDrawn]] = defaultdict(list)
        for line in self._lines:
            if line is not None or by_line[None]:
                zones[line.zone_id if line is not None else None].append(self._line(line, by_line))
        return PlantMap(
            plant=self._plant,
            zones=[self._zone(key, lines) for key, lines in zones.items()],
            gateways=[
                (row, shown_gateway_state(row), self._locks_of(gateway=row.pk)) for row in self._gateways[:_GATEWAYS]
            ],
            locks=self._locks_of(plant=self._plant.pk) + self._locks_of(),
            lines=self._page,
            sees_work=self._plant.organisation_id in self._actor.sees(Power.WORK),
            sees_locks=self._plant.organisation_id in self._actor.sees(Power.LOCK),
        )

    def _zone(self, key: int | None, lines: list[LineDrawn]) -> ZoneDrawn:
        first = lines[0].line
        name = first.zone.name if first is not None and first.zone is not None else ""
        return ZoneDrawn(name, lines, self._locks_of(zone=key) if key is not None else [])

    def _line(self, line: Line | None, by_line: dict[int | None, list[Machine]]) -> LineDrawn:
        key = line.pk if line is not None else None
        machines = by_line[key]
        known = machines[0].__dict__ if machines else {"in_all": 0, "in_use": 0}
        own = self._own(line=key) if key is not None else Standing([], [], [])
        above = bool(own.locks or self._locks_of(plant=self._plant.pk) or self._locks_of())
        if line is not None and line.zone_id is not None:
            above = above or bool(self._locks_of(zone=line.zone_id))
        return LineDrawn(
            line, [self._machine(row, locked=above) for row in machines], known["in_all"], known["in_use"], own
        )

    def _machine(self, machine: Machine, *, locked: bool) -> MachineDrawn:
        own = self._own(machine=machine.pk)
        return MachineDrawn(
            machine,
            self._states.get(machine.gateway_id, ""),
            self._inside.get(machine.pk, []),
            own,
            locked or bool(own.locks or self._locks_of(gateway=machine.gateway_id)),
        )

    def _own(self, **named: int) -> Standing:
        [(name, key)] = named.items()

        def of(rows: Iterable[Any]) -> list[Any]:
            return [row for row in rows if getattr(row, f"{name}_id") == key]

        shown = [Shown(row, words.KINDS[row.kind]) for row in of(self._signals)]
        return Standing(self._locks_of(**named), of(self._maintenance), shown)

    def _locks_of(self, **named: int) -> list[Lock]:
        """Of the one thing that is named; without a name, those of everything."""
        key = next(iter(named.items()), ("", None))
        return self._locks.get(key, [])

    @cached_property
    def _here(self) -> Q:
        lines = [line.pk for line in self._lines if line is not None]
        return Q(machine__in=[row.pk for row in self._machines]) | Q(line__in=lines)

    @cached_property
    def _locks(self) -> dict[tuple[str, int | None], list[Lock]]:
        found: dict[tuple[str, int | None], list[Lock]] = defaultdict(list)
        if not self._plant.__dict__["any_locks"]:
            return found
        whole = Q(**{f"{name}__isnull": True for name in LOCKABLE})
        met = self._here | Q(zone__plant=self._plant) | Q(plant=self._plant) | Q(gateway__plant=self._plant) | whole
        for row in access.locks(self._actor).holding().filter(met, organisation=self._plant.organisation):
            named = next((name for name in LOCKABLE if getattr(row, f"{name}_id") is not None), "")
            found[named, getattr(row, f"{named}_id") if named else None].append(row)
        return found

    @cached_property
    def _maintenance(self) -> list[Maintenance]:
        rows = maintenance(self._actor).holding(self._at).filter(self._here)
        return list(rows) if self._plant.__dict__["any_maintenance"] else []

    @cached_property
    def _signals(self) -> list[Signal]:
        return list(signals(self._actor).filter(self._here)) if self._plant.__dict__["any_signals"] else []

    @cached_property
    def _gateways(self) -> list[Gateway]:
        """What is away first."""
        working = Q(state__in=(GatewayState.ADMITTED, GatewayState.QUARANTINED))
        rows = list(estate.gateways(self._actor).filter(working, plant=self._plant))
        return sorted(rows, key=lambda row: shown_gateway_state(row) == "connected")

    @cached_property
    def _states(self) -> dict[int, str]:
        return {row.pk: shown_gateway_state(row) for row in self._gateways}

    @cached_property
    def _inside(self) -> dict[int, list[Session]]:
        found: dict[int, list[Session]] = defaultdict(list)
        for row in sorted(self._sessions(), key=lambda row: (row.requested_at, row.pk), reverse=True):
            row.__dict__["recorded"] = recorded(row)
            found[row.machine_id].append(row)
        return found

    def _sessions(self) -> SessionQuerySet:
        looks = Watching.objects.filter(session=OuterRef("pk"), seen_at__gte=self._at - THERE)
        waits = HeldOperation.objects.waiting(self._at).filter(session=OuterRef("pk"))
        rows = remote_sessions.with_firm(remote_sessions.open_sessions(self._actor))
        rows = with_terms(rows.filter(machine__in=[row.pk for row in self._machines]))
        rows = rows.annotate(watched=Exists(looks), waits=Exists(waits)).defer("order", "certificate", "withdrawal")
        return rows.order_by()  # SQLite would read all sessions that ever were in their order, for those that are open
