# SPDX-License-Identifier: Apache-2.0
"""Which machines a rule names: one by one, and all that stand at a place or carry a label at this moment.

Nothing else reads that. A machine that joins a line is named from then on, one that leaves it no longer, since nobody
keeps a list of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.expressions import Combinable

from portineria.control.access.models import Rule
from portineria.control.access.place import RulePlace
from portineria.control.estate.models import Machine

_ONE_BY_ONE: "QuerySet[Any]" = Rule.machines.through._default_manager.all()
_LABELLED: "QuerySet[Any]" = Machine.labels.through._default_manager.all()

# Of whatever has a rule and a machine, such as a grant or a request: that rule names that machine.
NAMED = Q(Exists(_ONE_BY_ONE.filter(rule=OuterRef("rule"), machine=OuterRef("machine")))) | Q(
    Exists(
        RulePlace.objects.filter(
            Q(plant=OuterRef("machine__plant"))
            | Q(line=OuterRef("machine__line"))
            | Q(zone=OuterRef("machine__line__zone"))
            | Q(Exists(_LABELLED.filter(label=OuterRef("label"), machine=OuterRef(OuterRef("machine"))))),
            rule=OuterRef("rule"),
        )
    )
)


def machines_named(rules: "QuerySet[Rule]", *besides: "QuerySet[Machine]") -> Q:
    """Of machines: those that any of these rules names, or that are among others ``besides``. One list of keys, each
    part of it by an index: of conditions side by side SQLite would try every machine of the owner.
    """
    places = RulePlace.objects.filter(rule__in=rules)
    standing = [
        places.filter(**{f"{there}__isnull": False}).order_by().values(there)
        for there in ("plant__machines", "zone__lines__machines", "line__machines", "label__machines")
    ]
    others = [machines.order_by().values("pk") for machines in besides]
    return Q(pk__in=_ONE_BY_ONE.filter(rule__in=rules).values("machine").union(*standing, *others))


def naming(machine: Machine) -> Q:
    """Of rules: those that name this machine, which comes with its line."""
    one_by_one = _ONE_BY_ONE.filter(machine=machine).values("rule")
    return Q(pk__in=one_by_one) | Q(pk__in=_places_of(machine).values("rule"))


Standing = dict[tuple[str, int], list[int]]
"""Kind and key of everything that some machines stand at → their keys."""
PARTS = ("machine", "plant", "line", "zone")
Named = TypeVar("Named")
_NOTHING = Value(None, output_field=BigIntegerField())


def rules_by_machine(machines: Iterable[Machine], rules: "QuerySet[Rule]") -> dict[int, list[Rule]]:
    """Key of a machine → those of the rules that name it, each once. Machines come with their lines.

    One query however many machines and rules there are: every page asks.
    """
    there = standing(machines)
    return by_machine(naming_any(rules, *keys_of(there)), there)


def standing(machines: Iterable[Machine]) -> Standing:
    there: Standing = defaultdict(list)
    for machine in machines:
        zone = machine.line.zone_id if machine.line is not None else None
        parts = (machine.pk, machine.plant_id, machine.line_id, zone)
        for part, key in zip(PARTS, parts, strict=True):
            if key is not None:
                there[part, key].append(machine.pk)
    return there


def keys_of(there: Standing) -> list[list[int]]:
    """Of each kind, in their order."""
    return [[key for part, key in there if part == kind] for kind in PARTS]


def naming_any(
    rules: "QuerySet[Rule]", machines: Sequence[int], plants: Sequence[int], lines: Sequence[int], zones: Sequence[int]
) -> "QuerySet[Rule]":
    """A row for each way in which one of the rules names one of these."""
    one_by_one = rules.filter(machines__in=machines).order_by().annotate(**_by(machine="machines"))
    at = Q(places__plant__in=plants) | Q(places__line__in=lines) | Q(places__zone__in=zones)
    where = _by(plant="places__plant", line="places__line", zone="places__zone")
    labelled = rules.filter(places__label__machines__in=machines).order_by()
    carried = labelled.annotate(**_by(machine="places__label__machines"))
    return one_by_one.union(rules.filter(at).order_by().annotate(**where), carried, all=True)


def by_machine(rules: "Iterable[Rule]", there: Standing) -> dict[int, list[Rule]]:
    """``rules``: as ``naming_any`` found them."""
    return _spread(((rule.pk, rule, rule.__dict__) for rule in rules), there)


def columns_by_machine(machines: Iterable[Machine], rules: "QuerySet[Any]") -> dict[int, list[dict[str, Any]]]:
    """As ``rules_by_machine``, of rules as their ``values``, ``pk`` among them: for those who list thousands."""
    there = standing(machines)
    rows: QuerySet[Any] = naming_any(rules, *keys_of(there))
    return _spread(((row["pk"], row, row) for row in rows), there)


def _spread(rows: Iterable[tuple[int, Named, dict[str, Any]]], there: Standing) -> dict[int, list[Named]]:
    """Of rows with their key and the columns by which they name."""
    found: dict[int, dict[int, Named]] = defaultdict(dict)
    for key, row, columns in rows:
        for part in PARTS:
            for machine in there.get((part, columns[f"by_{part}"]), ()):
                found[machine][key] = row
    return {machine: [named[key] for key in sorted(named)] for machine, named in found.items()}


def _by(**known: str) -> dict[str, Combinable]:
    """Columns of one kind of rows, of which the others have none."""
    return {f"by_{part}": F(known[part]) if part in known else _NOTHING for part in PARTS}


def _places_of(machine: Machine) -> "QuerySet[RulePlace]":
    """Those where it stands."""
    at = Q(plant=machine.plant_id) | Q(label__in=_LABELLED.filter(machine=machine).values("label"))
    if machine.line is not None:
        at |= Q(line=machine.line)
    if machine.line is not None and machine.line.zone_id is not None:
        at |= Q(zone=machine.line.zone_id)
    return RulePlace.objects.filter(at)
