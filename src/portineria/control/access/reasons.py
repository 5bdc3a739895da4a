# SPDX-License-Identifier: Apache-2.0
"""Lists of reasons: who writes them, which one counts at a machine, and what a request may say of it."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q, QuerySet

from portineria.control.access.models import Rule
from portineria.control.access.reason import MOST_REASONS, REASON_TEXT, ListedReason
from portineria.control.audit.services import record
from portineria.control.estate.models import Machine, Plant
from portineria.control.identity.authority import administers, organisation_of, require
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.services import BadField
from portineria.control.kept_query import KeptRows
from portineria.core.errors import Conflict, NotFound


class ReasonsAsked(Conflict):
    """Rules ask for one of the list, and there would be none."""

    code = "access.reasons.asked"


def reasons_at(machine: Machine) -> list[str]:
    """Those of its plant; those of the organisation where the plant has none. It comes with its plant."""
    by_plant: dict[int | None, list[str]] = {}
    for row in _THERE.all(machine.plant_id, machine.plant.organisation_id):
        by_plant.setdefault(row.plant_id, []).append(row.text)
    return by_plant.get(machine.plant_id) or by_plant.get(None) or []


_THERE = KeptRows(
    lambda plant, organisation: ListedReason.objects.filter(
        Q(plant=plant) | Q(plant__isnull=True), organisation=organisation
    ).order_by("position", "pk")
)


def owners(actor: Person) -> "QuerySet[Organisation]":
    """The organisations whose lists the actor sees: those whose staff they are."""
    return Organisation.objects.filter(pk__in=actor.staff_of).order_by("pk")


def lists(organisation: Organisation) -> dict[str, list[str]]:
    """Plant's id → its list; those of the organisation under the empty text."""
    rows = ListedReason.objects.filter(organisation=organisation).order_by("position", "pk")
    found: dict[str, list[str]] = {}
    for plant, text in rows.values_list("plant__public_id", "text"):
        found.setdefault(plant or "", []).append(text)
    return found


def listed_for(rule: Rule, machine: Machine, text: str) -> str:
    """As a request keeps it: one of the list that counts there; or empty, where the rule does not ask for one."""
    text = " ".join(text.split())
    if not text and not rule.needs_listed_reason:
        return ""
    offered = reasons_at(machine)
    if text not in offered:
        raise BadField("listed_reason", "one of the list", reasons="; ".join(offered) or "—")
    return text


@transaction.atomic
def set_reasons(*, actor: Person, organisation: str, reasons: Iterable[str], plant: str = "") -> list[str]:
    """The whole list of the organisation, or of one plant; an empty one of a plant lets the organisation's count there.
    Requests that were made keep their words. Raise BadField, ReasonsAsked.
    """
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    wanted = list(dict.fromkeys(" ".join(text.split()) for text in reasons))
    fit = all(1 <= len(text) <= REASON_TEXT and text.isprintable() for text in wanted)
    if len(wanted) > MOST_REASONS or not fit:
        raise BadField("reasons", f"at most {MOST_REASONS}", most=MOST_REASONS)
    # Two who write at once: the second waits here.
    owner = Organisation.objects.select_for_update(no_key=True).get(pk=owner.pk)
    there = _plant(owner, plant)
    if there is None and not wanted and Rule.objects.holding().filter(
        organisation=owner, needs_listed_reason=True
    ).exists():  # fmt: skip
        raise ReasonsAsked(f"rules of {organisation} ask for one of the list")
    ListedReason.objects.filter(organisation=owner, plant=there).delete()
    ListedReason.objects.bulk_create(
        ListedReason(organisation=owner, plant=there, position=number, text=text) for number, text in enumerate(wanted)
    )
    record("access.reasons.set", organisation=organisation, actor=actor.public_id, plant=plant,
           reasons="; ".join(wanted))  # fmt: skip
    return wanted


def _plant(owner: Organisation, plant: str) -> Plant | None:
    if not plant:
        return None
    found = Plant.objects.filter(organisation=owner, public_id=plant).first()
    if found is None:
        raise NotFound(f"plant {plant}")
    return found
