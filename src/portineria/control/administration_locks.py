# SPDX-License-Identifier: Apache-2.0
"""Locks, by whoever has a shell on the server: by the names that people use."""

from typing import Any

from portineria.control.access import locks
from portineria.control.access.models import Lock
from portineria.control.estate.models import Gateway, Line, Machine, Plant, Zone
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Organisation, Person, Supplier
from portineria.core.errors import Conflict, NotFound
from portineria.policy.ending import Locked


class NothingCalled(NotFound):
    code = "administration.nothing"


class SeveralCalled(Conflict):
    code = "administration.several"


def held() -> list[Lock]:
    """All that hold, of all organisations."""
    rows = Lock.objects.holding().select_related(
        "organisation", "made_by", "person", "supplier", "machine__plant", "line__plant", "zone__plant", "plant",
        "gateway__plant",
    )  # fmt: skip
    return list(rows.order_by("organisation__name", "made_at"))


def place_of(row: Lock) -> str:
    """Empty for everything."""
    thing = getattr(row, row.kind.value, None)
    plant = getattr(thing, "plant", None)
    return "" if thing is None else f"{plant}/{thing}" if plant else str(thing)


def lock(kind: Locked, name: str, *, organisation: str = "", reason: str) -> Lock:
    """``name``: an e-mail address, a name, ``plant/name`` or an id. Raise NothingCalled, SeveralCalled."""
    owner, thing = _owner_and_thing(kind, name, organisation)
    return locks.lock(actor=Operator(), organisation=owner, kind=kind, thing=thing, reason=reason)


def lift(lock: str, *, reason: str) -> Lock:
    return locks.lift(actor=Operator(), lock=lock, reason=reason)


def _owner_and_thing(kind: Locked, name: str, organisation: str) -> tuple[str, str]:
    rows: Any
    if kind is Locked.EVERYTHING:
        rows = Organisation.objects.filter(name=organisation) if organisation else Organisation.objects.all()
        return _one(kind, name, rows).public_id, ""
    if kind is Locked.PERSON:
        person = _one(kind, name, Person.objects.get_queryset().filter(email=name.strip().lower()))
        theirs = Organisation.objects.filter(memberships__person=person)
        theirs = theirs.filter(name=organisation) if organisation else theirs
        return _one(kind, name, theirs).public_id, person.public_id
    if kind is Locked.SUPPLIER:
        rows = Supplier.objects.filter(name=name).select_related("organisation")
        row = _one(kind, name, rows.filter(organisation__name=organisation) if organisation else rows)
        return row.organisation.public_id, row.public_id
    if kind is Locked.PLANT:
        rows = Plant.objects.filter(name=name).select_related("organisation")
        row = _one(kind, name, rows.filter(organisation__name=organisation) if organisation else rows)
        return row.organisation.public_id, row.public_id
    row = _in_plant(kind, name, organisation)
    thing = f"{row.plant.public_id}/{row.name}" if isinstance(row, Line | Zone) else row.public_id
    return row.plant.organisation.public_id, thing


def _in_plant(kind: Locked, name: str, organisation: str) -> Machine | Gateway | Line | Zone:
    tables: dict[Locked, Any] = {
        Locked.MACHINE: Machine, Locked.GATEWAY: Gateway, Locked.LINE: Line, Locked.ZONE: Zone,
    }  # fmt: skip
    rows = tables[kind].objects.select_related("plant__organisation")
    if organisation:
        rows = rows.filter(plant__organisation__name=organisation)
    if kind in (Locked.MACHINE, Locked.GATEWAY) and (by_id := list(rows.filter(public_id=name))):
        return by_id[0]  # type: ignore[no-any-return]
    plant, slash, own = name.partition("/")
    found = rows.filter(name=name)
    if slash and not found.exists():
        found = rows.filter(plant__name=plant, name=own)
    return _one(kind, name, found)  # type: ignore[no-any-return]


def _one(kind: Locked, name: str, rows: Any) -> Any:
    found = list(rows[:2])
    if not found:
        raise NothingCalled(f"no {kind.value} is called {name!r}; nothing was changed")
    if len(found) > 1:
        raise SeveralCalled(f"several: write plant/name, or say --organisation; no {kind.value} was locked")
    return found[0]
