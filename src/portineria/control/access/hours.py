# SPDX-License-Identifier: Apache-2.0
"""Hours of those whose yes is asked: setting them, and whom they leave to be asked now.

They are about whom one tells. Who may say yes says ``deciding``, at any hour.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import OuterRef, Subquery

from portineria.control.access.approver_hours import ApproverHours
from portineria.control.access.counted import approvals_missing, said_to_one
from portineria.control.access.deciding import deciders
from portineria.control.access.models import AccessRequest
from portineria.control.audit.services import record
from portineria.control.identity.authority import organisation_of, require, works_here
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.services import BadField
from portineria.policy.approval import filled
from portineria.policy.windows import WINDOWS, BadWindow, Weekly, parse_windows, windows_text


@dataclass(frozen=True, slots=True)
class Presence:
    """Of people who may say yes, by key: ``here`` are those in their hours or without any. ``back``: when the first of
    those away is here again.
    """

    here: list[int]
    away: list[int]
    back: datetime | None


@dataclass(frozen=True, slots=True)
class OwnHours:
    """``windows``: empty for always. ``counts``: somebody knows when that is."""

    organisation: Organisation
    windows: str
    counts: bool = True


@transaction.atomic
def set_hours(*, actor: Person, organisation: str, windows: str) -> ApproverHours:
    """One's own, by whoever works there: any of them may become an approver or a substitute. Raise BadField, NotFound.

    The row stays when they are taken back, so that whoever was not told yet is told.
    """
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, works_here)
    wanted = _clean(windows)
    Person.objects.get_queryset().select_for_update(no_key=True).get(pk=actor.pk)
    row, _new = ApproverHours.objects.get_or_create(organisation=owner, person=actor)
    if row.windows != wanted:
        row.windows = wanted
        row.save(update_fields=["windows"])
        record(
            "access.hours.set", organisation=owner.public_id, actor=actor.public_id, person=actor.public_id,
            windows=wanted,
        )  # fmt: skip
    return row


def _clean(text: str) -> str:
    try:
        found = parse_windows(text)
    except BadWindow as error:
        raise BadField("own_hours", str(error), window=error.text, most=WINDOWS) from error
    for window in found:
        if not isinstance(window, Weekly):
            raise BadField("own_hours", "of every week only", window=str(window), most=WINDOWS)
    return windows_text(found)


def own_hours(actor: Person) -> list[OwnHours]:
    """Of each organisation where the actor works."""
    said = ApproverHours.objects.filter(person=actor, organisation=OuterRef("pk")).values("windows")
    owners = Organisation.objects.filter(pk__in=actor.staff_of).annotate(windows=Subquery(said))
    return [
        OwnHours(owner, owner.windows or "", ApproverHours(person=actor).counts)
        for owner in owners.order_by("name", "pk")
    ]


def presence(organisation: int, people: Sequence[int], at: datetime) -> Presence:
    rows = ApproverHours.objects.filter(organisation=organisation, person__in=people).select_related("person")
    away = {row.person_id: row.back_at(at) for row in rows if not row.here_at(at)}
    return Presence(
        [person for person in people if person not in away],
        [person for person in people if person in away],
        min((back for back in away.values() if back is not None), default=None),
    )


def asked_now(request: AccessRequest, at: datetime) -> list[int]:
    """Whom to tell of it: those who are here, where they are as many as it takes; otherwise all whose yes is asked. It
    comes with its rule.
    """
    people = deciders(request, at)
    found = presence(request.organisation_id, people, at)
    if not found.away or len(found.here) < max(1, _wanted(request)):
        return people
    return found.here


def _wanted(request: AccessRequest) -> int:
    """How many yeses it takes of those who are asked."""
    said = said_to_one(request)
    if said.asked is None:
        return approvals_missing(request)
    return said.asked.needed - filled(said.levels, said.by)[said.number - 1]


def with_hours_here(organisations: Iterable[int], at: datetime) -> dict[int, set[int]]:
    """Organisation → people who said hours there and are in them."""
    found: dict[int, set[int]] = defaultdict(set)
    rows = ApproverHours.objects.filter(organisation__in=set(organisations), person__disabled_at__isnull=True)
    for row in rows.select_related("person"):
        if row.here_at(at):
            found[row.organisation_id].add(row.person_id)
    return found
