# SPDX-License-Identifier: Apache-2.0
"""Asked, decided, permitted: access requests and grants."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import AwareDatetime, Field

from portineria.control.access import queries, services
from portineria.control.access.counted import said_to_one
from portineria.control.access.deciding import people_asked
from portineria.control.access.level_standing import LevelStanding, level_standings
from portineria.control.access.models import AccessRequest, Grant
from portineria.control.access.only_services import words_of
from portineria.control.access.profiles import MARK_CHARACTERS, mark_of
from portineria.control.access.recurring import coming
from portineria.control.access.request_presence import of_request
from portineria.control.access.rules import RULE_MINUTES
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.control.rest.approval_levels import LevelView, level_fields
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, Id, MaybeReason, Reason, acts, reads
from portineria.policy.ending import Ending

router = Router(tags=["requests"])
TIMES = 5  # the next, of what comes again
Minutes = Annotated[int, Field(ge=1, le=RULE_MINUTES)]


class DecisionView(Schema):
    """``level``: which of its rule's levels, of ``of_levels``, a yes was said for; 0: it had none."""

    by: str
    name: str
    approved: bool
    minutes: int | None
    reason: str
    at: datetime
    level: int
    of_levels: int


class LevelStands(LevelView):
    """``given``: of its ``approvals``; ``asked``: those of its people are asked now, and no others."""

    given: int
    asked: bool


class TimeView(Schema):
    begins: datetime
    ends: datetime


class PresenceView(Schema):
    """``anybody``: can be asked now; ``here``: for staff, who; ``back``: when the first of those away is here again."""

    anybody: bool
    here: list[str]
    back: datetime | None


class RequestView(Schema):
    """``profile``: mark of what a yes would be to, which ``approve`` wants back: the id of the function profile, and a
    hash where the rule keeps to single services. ``only_services``: these, by name or protocol; empty for all.
    ``bundle``: the same for all that were asked for together. ``levels``: of its rule, one after the other; for staff.
    ``times``: the next, of what comes again every week. ``presence``: of one that waits and stands by itself, where
    one of those who may say yes said hours and is outside of them.
    """

    request: str
    organisation: str
    machine: str
    machine_name: str
    person: str
    person_name: str
    state: str
    reason: str
    listed_reason: str
    reference: str
    minutes: int
    starts_at: datetime | None
    made_at: datetime
    profile: str
    decisions: list[DecisionView]
    lapsed_why: list[str]
    grant: str | None
    only_services: list[str]
    bundle: str
    levels: list[LevelStands]
    weekly: str
    until: date | None
    times: list[TimeView]
    presence: PresenceView | None = None


class GrantView(Schema):
    """``ends_at``: null while nothing was opened under a grant whose ``minutes`` count from the first opening, which
    may be until ``begin_by``.
    """

    grant: str
    request: str
    machine: str
    person: str
    rule: str | None
    starts_at: datetime
    ends_at: datetime | None
    revoked_at: datetime | None
    ending: str
    minutes_left: int
    minutes: int | None
    weekly: str
    opened_at: datetime | None
    begin_by: datetime | None


def _request_views(actor: Person, rows: Sequence[AccessRequest]) -> list[RequestView]:
    standings = level_standings(row for row in rows if row.organisation_id in actor.sees(Power.WORK))
    return [_request_view(row, standings.get(row.pk, [])) for row in rows]


def _times(row: AccessRequest, grant: Grant | None) -> list[TimeView]:
    now = timezone.now()
    found = coming(row, row.machine, (grant.minutes if grant else None) or row.minutes, max(now, row.starts_at or now))
    return [TimeView(begins=one.begins, ends=one.ends) for one in found[:TIMES]]


def _request_view(row: AccessRequest, levels: Sequence[LevelStanding]) -> RequestView:
    grant = getattr(row, "grant", None)
    decisions = [
        DecisionView(
            by=one.decided_by.public_id, name=one.decided_by.name, approved=one.approved, minutes=one.minutes,
            reason=one.reason, at=one.decided_at, level=one.level, of_levels=one.of_levels,
        )
        for one in row.approvals.all()
    ]  # fmt: skip
    return RequestView(
        request=row.public_id, organisation=row.organisation.public_id, machine=row.machine.public_id,
        machine_name=row.machine.name, person=row.person.public_id, person_name=row.person.name, state=row.state,
        reason=row.reason, listed_reason=row.listed_reason, reference=row.reference, minutes=row.minutes,
        starts_at=row.starts_at, made_at=row.made_at, profile=mark_of(row.rule), decisions=decisions,
        lapsed_why=row.lapsed_why.split(), grant=grant.public_id if grant else None,
        only_services=words_of(row.rule.only_services), bundle=row.bundle,
        levels=[LevelStands(**level_fields(one.asked), given=one.given, asked=one.now) for one in levels],
        weekly=row.weekly, until=row.until, times=_times(row, grant),
    )  # fmt: skip


class WhichRequests(Schema):
    state: Literal["", "pending", "approved", "refused", "cancelled", "expired", "lapsed"] = ""
    machine: str = Field(default="", max_length=24)


@reads(router, "/requests", Leaf[RequestView])
def requests(request: HttpRequest, place: Where, which: Query[WhichRequests]) -> Leaf[RequestView]:
    """Newest first: of the organisations whose staff the caller is, and their own."""
    actor, found = person_of(request), queries.requests(person_of(request))
    wanted = {"state": which.state, "machine__public_id": which.machine}
    found = found.filter(**{name: value for name, value in wanted.items() if value})
    return leaf(
        actor, f"requests {which.state} {which.machine}", found, place,
        lambda rows: _request_views(actor, rows), newest_first=True,
    )  # fmt: skip


def request_shown(actor: Person, request: str) -> RequestView:
    row = queries.request(actor, request)
    [shown] = _request_views(actor, [row])
    if row.state == AccessRequest.State.PENDING:
        at = timezone.now()
        asked = people_asked(row, at, said_to_one(row))
        found = of_request(row, asked, at, staff=row.organisation_id in actor.sees(Power.WORK))
        shown.presence = PresenceView(anybody=found.somebody, here=found.names, back=found.back) if found else None
    return shown


@reads(router, "/requests/{request_id}", RequestView)
def one_request(request: HttpRequest, request_id: Id) -> RequestView:
    return request_shown(person_of(request), request_id)


class NewRequest(Given):
    machine: str = Field(max_length=200)
    reason: str = Field(max_length=1000)
    minutes: Minutes = Field(default=60, description="Says nothing beside `weekly`.")
    starts_at: AwareDatetime | None = None
    weekly: str = Field(
        default="",
        max_length=200,
        description="The same hours of every week, by the plant's clock: Tue,Thu 14:00-16:00.",
    )
    until: date | None = Field(default=None, description="The last day of that.")
    reference: str = Field(default="", max_length=200)
    listed_reason: str = Field(default="", max_length=200, description="One of the list that counts there.")


@acts(router, "/requests", RequestView, Scope.ASK)
def request_add(request: HttpRequest, given: NewRequest) -> RequestView:
    """Where the rule needs no approval the grant is there at once."""
    actor = person_of(request)
    made = services.make_request(actor=actor, **dict(given))
    return request_shown(actor, made.public_id)


class Approval(MaybeReason):
    minutes: Minutes | None = None
    profile: str = Field(
        max_length=MARK_CHARACTERS, description="As the request said; a yes to another one counts for nothing."
    )


@acts(router, "/requests/{request_id}/approve", RequestView, Scope.APPROVE)
def request_approve(request: HttpRequest, request_id: Id, given: Approval) -> RequestView:
    """One yes, also to fewer minutes. ``grant`` is null while others are missing. Refused with
    `access.request.other-level` where the yes of other people is asked now.
    """
    actor = person_of(request)
    services.agree(actor=actor, request=request_id, **dict(given))
    return request_shown(actor, request_id)


@acts(router, "/requests/{request_id}/refuse", RequestView, Scope.APPROVE)
def request_refuse(request: HttpRequest, request_id: Id, given: Reason) -> RequestView:
    actor = person_of(request)
    services.refuse(actor=actor, request=request_id, reason=given.reason)
    return request_shown(actor, request_id)


@acts(router, "/requests/{request_id}/cancel", RequestView, Scope.ASK)
def request_cancel(request: HttpRequest, request_id: Id) -> RequestView:
    """By whoever asked, while it waits."""
    actor = person_of(request)
    services.cancel(actor=actor, request=request_id)
    return request_shown(actor, request_id)


def _grant_view(row: Grant, actor: Person) -> GrantView:
    """``rule`` is for the owner's people."""
    return GrantView(
        grant=row.public_id, request=row.request.public_id, machine=row.machine.public_id,
        person=row.person.public_id, rule=row.rule.public_id if row.organisation_id in actor.staff_of else None,
        starts_at=row.starts_at, ends_at=row.ends_at if row.begun else None, minutes=row.minutes, weekly=row.weekly,
        opened_at=row.opened_at, begin_by=None if row.begun else row.ends_at,
        revoked_at=row.revoked_at, ending=row.ended_class, minutes_left=row.minutes_left(timezone.now()),
    )  # fmt: skip


@reads(router, "/grants", Leaf[GrantView])
def grants(request: HttpRequest, place: Where) -> Leaf[GrantView]:
    """Newest first."""
    actor = person_of(request)
    return leaf(
        actor, "grants", queries.grants(actor), place, lambda rows: [_grant_view(row, actor) for row in rows],
        newest_first=True,
    )  # fmt: skip


def _grant(actor: Person, grant: str) -> GrantView:
    return _grant_view(queries.grant(actor, grant), actor)


@reads(router, "/grants/{grant}", GrantView)
def grant(request: HttpRequest, grant: Id) -> GrantView:
    return _grant(person_of(request), grant)


class Extension(Given):
    minutes: Minutes


@acts(router, "/grants/{grant}/extend", GrantView, Scope.APPROVE)
def grant_extend(request: HttpRequest, grant: Id, given: Extension) -> GrantView:
    """By whoever may approve, and never by whoever works; also while its sessions drain."""
    actor = person_of(request)
    services.extend(actor=actor, grant=grant, minutes=given.minutes)
    return _grant(actor, grant)


class Revocation(Reason):
    ending: Literal["administrative", "security"] = "administrative"


@acts(router, "/grants/{grant}/revoke", GrantView, Scope.OPERATE)
def grant_revoke(request: HttpRequest, grant: Id, given: Revocation) -> GrantView:
    """``security`` cuts what runs under it; ``administrative`` lets it finish."""
    actor = person_of(request)
    services.revoke(actor=actor, grant=grant, reason=given.reason, ending=Ending(given.ending))
    return _grant(actor, grant)
