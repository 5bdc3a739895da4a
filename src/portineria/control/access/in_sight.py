# SPDX-License-Identifier: Apache-2.0
"""Machines that are not absent for somebody: by role, or by a rule."""

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q

from portineria.control.access.emergency_queries import roles_of
from portineria.control.access.models import Rule
from portineria.control.access.naming import by_machine, keys_of, machines_named, naming_any, standing
from portineria.control.access.seer import Seer
from portineria.control.estate.models import Machine, MachineQuerySet
from portineria.control.kept_query import KeptRows


def in_sight(seer: Seer) -> MachineQuerySet:
    """A grant shows nothing beyond that: it is worth something only while its rule still names the machine and the
    person (policy.decision).
    """
    owned = Q(plant__organisation__in=seer.owned)
    if not seer.guest_of:
        return _with_place(Machine.objects.filter(owned))
    # A rule names machines of its own organisation: to its staff it shows nothing more.
    theirs = roles_of(seer).filter(organisation__in=seer.guest_of).values("emergency_plant")
    by_rule = machines_named(
        Rule.objects.admitting(seer).filter(organisation__in=seer.guest_of), Machine.objects.filter(plant__in=theirs)
    )
    return marked(seer, _with_place(Machine.objects.filter(owned | by_rule if seer.staff else by_rule)))


def marked(seer: Seer, machines: MachineQuerySet) -> MachineQuerySet:
    """With whether an emergency role of theirs opens them: asked with the rows, as pages count their queries."""
    if not seer.guest_of:  # staff see them by role anyway
        return machines
    return machines.annotate(by_role=Exists(roles_of(seer).filter(emergency_plant=OuterRef("plant"))))


def by_role(machine: Machine) -> bool:
    return bool(getattr(machine, "by_role", False))


def called_so(seer: Seer, name_or_id: str) -> list[Machine]:
    """Of those in sight: by id or exact name, by a text that is kept."""
    if not seer.guest_of:
        return _OWNED.all(seer.owned, name_or_id)
    keys = (seer.pk, seer.guest_of, seer.member_of, seer.supplier_ids)
    return _BOTH.all(*keys, name_or_id, seer.owned) if seer.staff else _GUESTS.all(*keys, name_or_id)


def admitting_by_machine(seer: Seer, machines: Sequence[Machine]) -> dict[int, list[Rule]]:
    """As ``rules_by_machine``, of the rules by which somebody may ask."""
    there = standing(machines)
    return by_machine(_ADMITTING.all(seer.pk, seer.member_of, seer.supplier_ids, *keys_of(there)), there)


def _with_place(machines: MachineQuerySet) -> MachineQuerySet:
    return machines.select_related("plant__organisation", "line__zone", "gateway", "answering", "deputy")


def _called(seer: Seer, name_or_id: str) -> MachineQuerySet:
    return in_sight(seer).filter(Q(public_id=name_or_id) | Q(name=name_or_id))


_OWNED = KeptRows(lambda owned, name: _called(Seer(0, staff=True, owned=owned), name))
_GUESTS = KeptRows(
    lambda pk, guest_of, member_of, supplier_ids, name: _called(
        Seer(pk, guest_of=guest_of, member_of=member_of, supplier_ids=supplier_ids), name
    )
)
_BOTH = KeptRows(
    lambda pk, guest_of, member_of, supplier_ids, name, owned: _called(
        Seer(pk, True, owned, guest_of, member_of, supplier_ids), name
    )
)
_ADMITTING = KeptRows(
    lambda pk, member_of, supplier_ids, *keys: naming_any(
        Rule.objects.admitting(Seer(pk, member_of=member_of, supplier_ids=supplier_ids)), *keys
    )
)
