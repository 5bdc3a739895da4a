# SPDX-License-Identifier: Apache-2.0
"""Memberships that nobody uses, and those that closed by themselves because of that."""

from datetime import datetime

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field

from portineria.control.console.people_queries import UnusedRow
from portineria.control.identity import unused as services
from portineria.control.identity.closing_models import LONGEST_UNUSED, ClosedMembership
from portineria.control.identity.models import Membership, Organisation
from portineria.control.remote_sessions.unused import spared
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, Id, acts, reads

router = Router(tags=["people"])


class UnusedView(Schema):
    """``closes_at``: as things are; null: never, by the organisation's setting or by an emergency role."""

    person: str
    organisation: str
    name: str
    role: str
    supplier: str | None
    unused_since: datetime
    closes_at: datetime | None


def _unused_views(rows: list[Membership]) -> list[UnusedView]:
    kept = spared(rows)
    return [
        UnusedView(
            person=row.person.public_id, organisation=row.organisation.public_id, name=row.person.name, role=row.role,
            supplier=row.supplier.public_id if row.supplier else None, unused_since=shown.since,
            closes_at=shown.closes_at,
        )
        for row in rows
        for shown in [UnusedRow(row, row.pk in kept)]
    ]  # fmt: skip


@reads(router, "/unused-memberships", Leaf[UnusedView])
def unused(request: HttpRequest, place: Where) -> Leaf[UnusedView]:
    """Who has not come for a month."""
    actor = person_of(request)
    return leaf(actor, "unused", services.unused(actor, timezone.now()), place, _unused_views)


class ClosedView(Schema):
    person: str
    organisation: str
    name: str
    role: str
    supplier: str | None
    why: str
    unused_since: datetime
    closed_at: datetime


def _closed_view(row: ClosedMembership) -> ClosedView:
    return ClosedView(
        person=row.person.public_id, organisation=row.organisation.public_id, name=row.person.name, role=row.role,
        supplier=row.supplier.public_id if row.supplier else None, why=row.why, unused_since=row.used_at,
        closed_at=row.at,
    )  # fmt: skip


@reads(router, "/closed-memberships", Leaf[ClosedView])
def closed(request: HttpRequest, place: Where) -> Leaf[ClosedView]:
    """What closed by itself; not of whoever belongs there again."""
    actor = person_of(request)
    return leaf(actor, "closed", services.closed(actor), place, lambda rows: [_closed_view(row) for row in rows])


class Reopened(Schema):
    person: str
    organisation: str


@acts(router, "/people/{organisation}/{closed}/reopen", Reopened, Scope.ADMINISTER)
def reopen(request: HttpRequest, organisation: Id, closed: Id) -> Reopened:
    """As it was when it closed by itself, but in no group."""
    made = services.reopen(actor=person_of(request), organisation=organisation, person=closed)
    return Reopened(person=made.public_id, organisation=organisation)


_DAYS = Field(ge=0, le=LONGEST_UNUSED)


class UnusedDaysGiven(Given):
    """Days without use after which a membership closes; 0: never, else at least 30. ``supplied``: of a supplier's
    person, ``own``: of the organisation's, ``programs``: of a service account or AI agent.
    """

    organisation: str = Field(max_length=24)
    supplied: int = _DAYS
    own: int = _DAYS
    programs: int = _DAYS


class UnusedDaysView(Schema):
    organisation: str
    supplied: int
    own: int
    programs: int


def _days_view(row: Organisation) -> UnusedDaysView:
    return UnusedDaysView(
        organisation=row.public_id, supplied=row.unused_days_supplied, own=row.unused_days_own,
        programs=row.unused_days_programs,
    )  # fmt: skip


@reads(router, "/unused-days", Leaf[UnusedDaysView])
def unused_days(request: HttpRequest, place: Where) -> Leaf[UnusedDaysView]:
    """Of the organisations whose staff the caller is."""
    actor = person_of(request)
    rows = services.closing(actor)
    return leaf(actor, "unused-days", rows, place, lambda found: [_days_view(row) for row in found])


@acts(router, "/unused-days", UnusedDaysView, Scope.ADMINISTER)
def unused_days_set(request: HttpRequest, given: UnusedDaysGiven) -> UnusedDaysView:
    """Nobody's closes before they were told, two weeks ahead."""
    actor = person_of(request)
    days = services.UnusedDays(given.supplied, given.own, given.programs)
    services.set_unused_days(actor=actor, organisation=given.organisation, days=days)
    return _days_view(services.closing(actor).get(public_id=given.organisation))
