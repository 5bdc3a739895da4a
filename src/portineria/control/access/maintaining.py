# SPDX-License-Identifier: Apache-2.0
"""Into maintenance and out of it: by anybody who works at the plant. What ran under rules that ask for it drains."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from portineria.control.access.models import Maintenance
from portineria.control.audit.services import record
from portineria.control.estate.models import Line, Machine
from portineria.control.identity.authority import SYSTEM, organisation_of, require, works_here
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.services import BadField
from portineria.control.identity.words import clean_words
from portineria.core.errors import Conflict, NotFound

LONGEST_DAYS = 92  # with an end of its own; what takes longer has none


class MaintainedAlready(Conflict):
    code = "access.maintenance.already"


class MaintenanceOver(Conflict):
    code = "access.maintenance.over"


@transaction.atomic
def begin_maintenance(
    *, actor: Person, organisation: str, machine: str = "", line: str = "", reason: str, ends_at: datetime | None = None
) -> Maintenance:
    """Of one machine, by id; or of a line, as ``id of its plant/name``. Raise MaintainedAlready."""
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, works_here)
    reason, now = clean_words(reason), timezone.now()
    if ends_at is not None and not 0 < (ends_at - now).total_seconds() <= LONGEST_DAYS * 86400:
        raise BadField("until", f"within {LONGEST_DAYS} days from now")
    if bool(machine) == bool(line):
        raise BadField("place", "either a machine or a line")
    # One after the other, or two would not see each other.
    Organisation.objects.select_for_update(no_key=True).get(pk=owner.pk)
    named: dict[str, Any] = {"machine": _machine(owner, machine)} if machine else {"line": _line(owner, line)}
    if _overdue(now, **named):
        settle_maintenance(now)
    if Maintenance.objects.filter(ended_at__isnull=True, **named).exists():
        raise MaintainedAlready(f"{machine or line} is in maintenance already")
    row = Maintenance.objects.create(organisation=owner, reason=reason, begun_by=actor, ends_at=ends_at, **named)
    _record("begun", row, actor.public_id, reason=reason)
    return row


@transaction.atomic
def end_maintenance(*, actor: Person, maintenance: str, reason: str) -> Maintenance:
    """Whoever began it. Raise MaintenanceOver."""
    rows = Maintenance.objects.visible_to(actor).select_for_update(of=("self",), no_key=True)
    row = rows.filter(public_id=maintenance).first()
    if row is None:
        raise NotFound(f"maintenance {maintenance}")
    require(actor, row.organisation_id, works_here)
    if row.ended_at is not None:
        raise MaintenanceOver(f"maintenance {maintenance} is over")
    row.ended_at, row.ended_by, row.ended_reason = timezone.now(), actor, clean_words(reason)
    row.save(update_fields=["ended_at", "ended_by", "ended_reason"])
    _record("ended", row, actor.public_id, reason=row.ended_reason)
    return row


def settle_maintenance(at: datetime) -> None:
    """Say of what ended by itself that it did. Called by the timer, each second: it locks only where there is some."""
    if _overdue(at):
        _close_overdue(at)


def _overdue(at: datetime, **named: Any) -> bool:
    return Maintenance.objects.filter(ended_at__isnull=True, ends_at__lte=at, **named).exists()


@transaction.atomic
def _close_overdue(at: datetime) -> None:
    rows = Maintenance.objects.filter(ended_at__isnull=True, ends_at__lte=at).order_by("organisation_id", "pk")
    for row in rows.select_for_update(of=("self",), no_key=True):
        row.ended_at = row.ends_at
        row.save(update_fields=["ended_at"])
        _record("ended", row, SYSTEM, reason="")


def _machine(owner: Organisation, public_id: str) -> Machine:
    found = Machine.objects.filter(plant__organisation=owner, public_id=public_id).first()
    if found is None:
        raise NotFound(f"machine {public_id}")
    return found


def _line(owner: Organisation, text: str) -> Line:
    plant, _, name = text.partition("/")
    found = Line.objects.filter(plant__organisation=owner, plant__public_id=plant, name=name).first()
    if found is None:
        raise NotFound(f"line {text}")
    return found


def _record(what: str, row: Maintenance, actor: str, *, reason: str) -> None:
    plant = (row.machine or row.line).plant  # type: ignore[union-attr]  # one of them, by the database's own word
    record(
        f"access.maintenance.{what}",
        organisation=row.organisation.public_id,
        actor=actor,
        maintenance=row.public_id,
        machine=row.machine.public_id if row.machine else "",
        plant=plant.public_id,
        name=row.line.name if row.line else "",
        ends_at=row.ends_at.isoformat(timespec="seconds") if row.ends_at else "",
        reason=reason,
    )
