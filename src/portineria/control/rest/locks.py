# SPDX-License-Identifier: Apache-2.0
"""What is locked."""

from datetime import datetime
from typing import Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from portineria.control.access import locks as services
from portineria.control.access import queries
from portineria.control.access.models import Lock
from portineria.control.identity.authority import administers, organisation_of, require
from portineria.control.identity.models import Person
from portineria.control.rest.caller import Scope, person_of, require_recent_proof
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, Id, Reason, acts, reads
from portineria.policy.ending import Locked

router = Router(tags=["locks"])


class LockView(Schema):
    """``thing``: id of what is locked; of a line or zone `id of its plant/name`; empty for everything."""

    lock: str
    organisation: str
    kind: str
    thing: str
    reason: str
    made_by: str | None
    made_at: datetime
    lifted_by: str | None
    lifted_at: datetime | None
    lifted_reason: str


def _thing(row: Lock) -> str:
    place = row.line or row.zone
    if place is not None:
        return f"{place.plant.public_id}/{place.name}"
    found = row.person or row.supplier or row.machine or row.plant or row.gateway
    return found.public_id if found else ""


def _lock_view(row: Lock) -> LockView:
    return LockView(
        lock=row.public_id, organisation=row.organisation.public_id, kind=row.kind.value, thing=_thing(row),
        reason=row.reason, made_by=row.made_by.public_id if row.made_by else None, made_at=row.made_at,
        lifted_by=row.lifted_by.public_id if row.lifted_by else None, lifted_at=row.lifted_at,
        lifted_reason=row.lifted_reason,
    )  # fmt: skip


class WhichLocks(Schema):
    holding: bool = False


@reads(router, "/locks", Leaf[LockView])
def locks(request: HttpRequest, place: Where, which: Query[WhichLocks]) -> Leaf[LockView]:
    """Newest first."""
    actor = person_of(request)
    found = queries.locks(actor).holding() if which.holding else queries.locks(actor)
    return leaf(
        actor, f"locks {which.holding}", found, place, lambda rows: [_lock_view(row) for row in rows],
        newest_first=True,
    )  # fmt: skip


def _lock(actor: Person, lock: str) -> LockView:
    return _lock_view(queries.lock(actor, lock))


@reads(router, "/locks/{lock}", LockView)
def lock(request: HttpRequest, lock: Id) -> LockView:
    return _lock(person_of(request), lock)


class NewLock(Reason):
    organisation: str = Field(max_length=24)
    kind: Literal["machine", "line", "zone", "plant", "gateway"]
    thing: str = Field(max_length=200)


@acts(router, "/locks", LockView, Scope.OPERATE)
def lock_add(request: HttpRequest, given: NewLock) -> LockView:
    """Sessions that it meets are cut at once."""
    actor = person_of(request)
    made = services.lock(
        actor=actor, organisation=given.organisation, kind=Locked(given.kind), thing=given.thing, reason=given.reason
    )
    return _lock(actor, made.public_id)


class NewExclusion(Given):
    organisation: str = Field(max_length=24)
    kind: Literal["person", "supplier"]
    thing: str = Field(max_length=24)
    reason: str = Field(min_length=1, max_length=500)


@acts(router, "/exclusions", LockView, Scope.ADMINISTER)
def exclusion_add(request: HttpRequest, given: NewExclusion) -> LockView:
    """Keep somebody, or everybody of a supplier, from all machines of an organisation."""
    actor = person_of(request)
    made = services.lock(
        actor=actor, organisation=given.organisation, kind=Locked(given.kind), thing=given.thing, reason=given.reason
    )
    return _lock(actor, made.public_id)


class Everything(Reason):
    organisation: str = Field(max_length=24)


@acts(router, "/lock-everything", LockView, Scope.ADMINISTER)
def lock_everything(request: HttpRequest, given: Everything) -> LockView:
    """The whole organisation: every session is cut, nobody begins one. Wants the password or second factor to have been
    given a moment ago in this browser.
    """
    actor = person_of(request)
    require(actor, organisation_of(actor, given.organisation).pk, administers)
    require_recent_proof(request)
    made = services.lock(actor=actor, organisation=given.organisation, kind=Locked.EVERYTHING, reason=given.reason)
    return _lock(actor, made.public_id)


@acts(router, "/locks/{lock}/lift", LockView, Scope.ADMINISTER)
def lock_lift(request: HttpRequest, lock: Id, given: Reason) -> LockView:
    """What was cut stays cut."""
    actor = person_of(request)
    services.lift(actor=actor, lock=lock, reason=given.reason)
    return _lock(actor, lock)
