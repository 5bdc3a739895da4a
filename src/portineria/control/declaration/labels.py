# SPDX-License-Identifier: Apache-2.0
"""Labels of machines, and the places that rules name: what a file says of them."""

from collections.abc import Collection
from functools import partial

from portineria.control.access.models import Rule
from portineria.control.declaration.document import Declaration, DeclaredMachine
from portineria.control.declaration.plan import Plan, Work
from portineria.control.declaration.present import MachineName, Present
from portineria.control.estate.labels import set_labels, words_of
from portineria.control.estate.models import Machine


def plan_labels(place: str, machine: DeclaredMachine, row: Machine | None, plan: Plan) -> None:
    now = words_of(row) if row is not None else []
    if machine.labels is None or list(machine.labels) == now:
        return
    text = f"machine {machine.plant}/{machine.name}: labels {_listed(now)} → {_listed(machine.labels)}"
    act = partial(_set_labels, machine=(machine.plant, machine.name), labels=machine.labels)
    (plan.add if row is None else plan.change)(f"{place}.labels", text, act)


def _listed(words: list[str] | tuple[str, ...]) -> str:
    return " ".join(words) or "none"


def _set_labels(work: Work, *, machine: MachineName, labels: tuple[str, ...]) -> None:
    set_labels(actor=work.actor, machine=work.ids["machine", *machine], labels=labels)


def declared_places(declaration: Declaration, waiting: Collection[MachineName] = ()) -> set[str]:
    """That are there once the file is applied; those that only a machine of ``waiting`` brings are not."""
    found = set()
    for plant in declaration.plant:
        found.add(f"plant {plant.name}")
        found |= {f"zone {plant.name}/{zone.name}" for zone in plant.zones}
        found |= {f"line {plant.name}/{line}" for line in plant.lines}
    for machine in declaration.machine:
        if (machine.plant, machine.name) not in waiting:
            found |= {f"label {word}" for word in machine.labels or ()}
    return found


def unknown_places(place: str, places: tuple[str, ...], declaration: Declaration, present: Present) -> list[str]:
    there = present.places | declared_places(declaration)
    return [f"{place}.places[{i}]: there is no {text}" for i, text in enumerate(places) if text not in there]


def places_of(row: Rule) -> frozenset[str]:
    return frozenset(str(place) for place in row.places.all())


def places_difference(wanted: tuple[str, ...] | None, row: Rule | None) -> list[str]:
    """What a file adds and takes away; nothing where it says nothing."""
    if wanted is None:
        return []
    now = places_of(row) if row is not None else frozenset()
    added = [f"also all of {text}" for text in sorted(set(wanted) - now)]
    return added + [f"no longer all of {text}" for text in sorted(now - set(wanted))]
