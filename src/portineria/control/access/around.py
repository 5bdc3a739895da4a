# SPDX-License-Identifier: Apache-2.0
"""What a permission meets on its way to a machine: whether anything serves there, what somebody has locked, and
whether its person acknowledged the owner's notice.

The one place where locks and notices are read for a decision. One query however many machines there are, since every
page asks: most often there is no lock at all.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import BigIntegerField, Case, CharField, Exists, F, OuterRef, QuerySet, Value, When
from django.db.models.functions import Coalesce

from portineria.control.access.models import LOCKABLE, Lock
from portineria.control.estate.models import Line, Machine, Service
from portineria.control.identity.models import Membership
from portineria.control.identity.queries import answering_for
from portineria.control.kept_query import KeptValues
from portineria.control.privacy.models import Notice
from portineria.control.privacy.queries import untold
from portineria.policy.ending import Locked

_NONE: frozenset[Locked] = frozenset()
_SERVES, _NOTICE = "serves", "notice"
_NOTHING = Value(None, output_field=BigIntegerField())
_KIND = Case(
    *(When(**{f"{name}__isnull": False}, then=Value(name)) for name in LOCKABLE),
    default=Value(Locked.EVERYTHING.value),
    output_field=CharField(),
)
_KEY = Coalesce(*(F(f"{name}_id") for name in LOCKABLE), _NOTHING, output_field=BigIntegerField())


@dataclass(frozen=True, slots=True)
class Around:
    serving: set[int]  # machines
    locks: Mapping[str, set[tuple[int, int | None]]]  # kind → organisation, key of what it locks there
    suppliers: dict[tuple[int, int], int | None]  # organisation, person → firm; empty where no firm is locked
    answering: dict[int, int]  # agent → whoever answers for it; empty where no person and no firm is locked
    zones: dict[int, int | None]  # line → zone; empty where no zone is locked
    untold: set[tuple[int, int]]  # organisation, person: whoever has not acknowledged the notice that counts there

    def locked(self, person: int, machine: Machine, gateway: int) -> frozenset[Locked]:
        """``machine`` comes with its plant; ``gateway``: the one that it is reached through."""
        if not self.locks:
            return _NONE
        owner, line = machine.plant.organisation_id, machine.line_id
        people = {person, self.answering.get(person, person)}
        met: dict[Locked, set[int | None]] = {
            Locked.PERSON: {*people},
            Locked.SUPPLIER: {self.suppliers.get((owner, one)) for one in people},
            Locked.MACHINE: {machine.pk},
            Locked.LINE: {line},
            Locked.ZONE: {self.zones.get(line) if line is not None else None},
            Locked.PLANT: {machine.plant_id},
            Locked.GATEWAY: {gateway},
            Locked.EVERYTHING: {None},
        }
        return frozenset(
            kind for kind, keys in met.items() if any((owner, key) in self.locks.get(kind.value, ()) for key in keys)
        )


def _rows(machines: Iterable[int], owners: Iterable[int]) -> QuerySet[Service, tuple[Any, ...]]:
    services = Service.objects.filter(device__machine__in=machines).annotate(
        kind=Value(_SERVES, output_field=CharField()), owner=Value(0, output_field=BigIntegerField())
    )
    locks = Lock.objects.holding().filter(organisation__in=owners).annotate(what=_KIND, key=_KEY)
    notices = (
        Notice.objects.current().filter(organisation__in=owners).annotate(kind=Value(_NOTICE, output_field=CharField()))
    )
    return services.values_list("kind", "owner", "device__machine").union(
        locks.values_list("what", "organisation", "key"), notices.values_list("kind", "organisation", "pk")
    )


_statement = KeptValues(_rows)


def around(people_and_machines: Iterable[tuple[int, Machine]]) -> Around:
    """One query; one more where a person or a zone is locked, two where a supplier is or a notice was published. None
    where machines come with ``ways`` and none of that is there.
    """
    wanted = list(people_and_machines)
    if all(_nothing_there(machine) for _, machine in wanted):
        return Around({machine.pk for _, machine in wanted if machine.__dict__["any_service"]}, {}, {}, {}, {}, set())
    owners = {machine.plant.organisation_id for _, machine in wanted}
    serving: set[int] = set()
    published: set[int] = set()
    found: dict[str, set[tuple[int, int | None]]] = defaultdict(set)
    for kind, owner, key in _statement.all({machine.pk for _, machine in wanted}, owners):
        if kind == _SERVES:
            serving.add(key)
        elif kind == _NOTICE:
            published.add(key)
        else:
            found[kind].add((owner, key))
    not_told = untold(published, {person for person, _ in wanted}) if published else set()
    people = {person for person, _ in wanted}
    behind = answering_for(people) if {Locked.PERSON, Locked.SUPPLIER} & found.keys() else {}
    suppliers = _suppliers(found, people | set(behind.values()), owners)
    return Around(serving, found, suppliers, behind, _zones(found, wanted), not_told)


def ways(machine: str = "") -> dict[str, Exists]:
    """To annotate machines with, or rows with their ``machine``, which gets them then: so that ``around`` need not ask
    where nothing is locked and no notice was published.
    """
    here = {"organisation": OuterRef(f"{machine}__plant__organisation" if machine else "plant__organisation")}
    return {
        "any_locks": Exists(Lock.objects.holding().filter(**here)),
        "any_notice": Exists(Notice.objects.current().filter(**here)),
        "any_service": Exists(Service.objects.filter(device__machine=OuterRef(machine or "pk"))),
    }


def _nothing_there(machine: Machine) -> bool:
    """As far as it came with ``ways``."""
    known = machine.__dict__
    return "any_service" in known and known.get("any_locks") is False and known.get("any_notice") is False


def _suppliers(found: Mapping[str, object], people: set[int], owners: set[int]) -> dict[tuple[int, int], int | None]:
    if Locked.SUPPLIER not in found:
        return {}
    members = Membership.objects.filter(person__in=people, organisation__in=owners)
    rows = members.values_list("organisation", "person", "supplier")
    return {(owner, person): firm for owner, person, firm in rows}


def _zones(found: Mapping[str, object], wanted: list[tuple[int, Machine]]) -> dict[int, int | None]:
    if Locked.ZONE not in found:
        return {}
    lines = Line.objects.filter(pk__in={machine.line_id for _, machine in wanted})
    return dict(lines.values_list("pk", "zone"))
