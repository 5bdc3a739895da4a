# SPDX-License-Identifier: Apache-2.0
"""What becomes of a question for more time: answered, reminded of once, or quietly over with its grant."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from portineria.control.access.extension import Extension, ExtensionQuerySet, ExtensionState
from portineria.control.access.models import Grant
from portineria.control.access.substitution import Substitution
from portineria.control.audit.services import record
from portineria.control.identity.authority import SYSTEM
from portineria.control.identity.models import Person


def record_extension(what: str, row: Extension, actor: str, **fields: Any) -> None:
    record(
        f"access.extension.{what}", organisation=row.organisation.public_id, actor=actor, about=actor,
        extension=row.public_id, grant=row.grant.public_id, request=row.grant.request.public_id,
        machine=row.machine.public_id, person=row.person.public_id, **fields,
    )  # fmt: skip


def end_of(grant: Grant) -> datetime:
    """Until when it can be prolonged: what runs may finish after its end."""
    return grant.ends_at + timedelta(seconds=grant.machine.drain_s)


def answer_with_yes(
    grant: Grant, minutes: int, at: datetime, *, by: Person | None = None, standing_in: Substitution | None = None
) -> None:
    """Its grant was prolonged, by as much as was asked for or by less: what waited is answered. The grant is locked."""
    for row in Extension.objects.waiting().filter(grant=grant).select_related("organisation", "person").order_by("pk"):
        row.grant = grant
        row.state, row.decided_by, row.decided_at, row.substitution = ExtensionState.APPROVED, by, at, standing_in
        row.save(update_fields=["state", "decided_by", "decided_at", "substitution"])
        record_extension(
            "approved", row, by.public_id if by is not None else SYSTEM, minutes=minutes,
            ends_at=grant.ends_at.isoformat(timespec="seconds"),
            substitution=standing_in.public_id if standing_in else "",
        )  # fmt: skip


def look_after_extensions(at: datetime) -> None:
    """Called by the timer, each second: a lock is taken only where there is something to do."""
    rows = list(Extension.objects.waiting().select_related("grant__machine").order_by("pk"))
    over = [row.pk for row in rows if _over(row, at)]
    late = [row.pk for row in rows if row.pk not in over and row.reminded_at is None and _reminder(row) <= at]
    if over:
        _expire(Extension.objects.filter(pk__in=over), at)
    if late:
        _remind(Extension.objects.filter(pk__in=late), at)


def _over(row: Extension, at: datetime) -> bool:
    return row.grant.revoked_at is not None or end_of(row.grant) <= at


def _reminder(row: Extension) -> datetime:
    """When the last quarter of the time until the grant's end begins."""
    return row.grant.ends_at - max(row.grant.ends_at - row.asked_at, timedelta()) / 4


@transaction.atomic
def _expire(rows: ExtensionQuerySet, at: datetime) -> None:
    for row in _locked(rows):
        if _over(row, at):
            row.state = ExtensionState.EXPIRED
            row.save(update_fields=["state"])
            record_extension("expired", row, SYSTEM)


@transaction.atomic
def _remind(rows: ExtensionQuerySet, at: datetime) -> None:
    for row in _locked(rows):
        row.reminded_at = at
        row.save(update_fields=["reminded_at"])
        record_extension("reminded", row, SYSTEM, ends_at=row.grant.ends_at.isoformat(timespec="seconds"))


def _locked(rows: ExtensionQuerySet) -> list[Extension]:
    """Grants first, as everybody locks them, in the order of their organisations, whose ledgers they go to."""
    grants = Grant.objects.filter(pk__in=rows.values("grant"))
    list(grants.select_for_update(of=("self",), no_key=True).order_by("organisation_id", "pk"))
    found = rows.waiting().select_related("organisation", "person", "grant__machine", "grant__request")
    return list(found.order_by("organisation_id", "pk"))
