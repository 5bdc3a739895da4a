# SPDX-License-Identifier: Apache-2.0
"""Groups of people of the organisations whose staff the caller is."""

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from ninja import Path, Query, Router, Schema
from pydantic import Field

from portineria.control.identity import group_queries as queries
from portineria.control.identity import groups as services
from portineria.control.identity.group_models import Group, GroupMember, GroupSource
from portineria.control.identity.models import Person
from portineria.control.identity.provider_models import GROUP_CHARACTERS
from portineria.control.remote_sessions.second_yes import foreseen
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.estate import Search
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Confirmed, ConfirmedReason, Given, Id, acts, reads

router = Router(tags=["people"])


class GroupView(Schema):
    group: str
    organisation: str
    name: str
    people: int
    created_at: datetime


class GroupMemberView(Schema):
    """``by``: `hand`, `provider` or `directory`; somebody is listed once for each."""

    person: str
    name: str
    by: str


def _view(row: Group) -> GroupView:
    return GroupView(
        group=row.public_id, organisation=row.organisation.public_id, name=row.name,
        people=row.__dict__["people"], created_at=row.created_at,  # by ``group_queries.groups``
    )  # fmt: skip


@reads(router, "/groups", Leaf[GroupView])
def groups(request: HttpRequest, place: Where, search: Query[Search]) -> Leaf[GroupView]:
    actor = person_of(request)
    found = queries.groups(actor, search.q)
    return leaf(actor, f"groups {search.q}", found, place, lambda rows: [_view(row) for row in rows])


def _group(actor: Person, group: str) -> GroupView:
    return _view(queries.group(actor, group))


@reads(router, "/groups/{group}", GroupView)
def group(request: HttpRequest, group: Id) -> GroupView:
    return _group(person_of(request), group)


def _members(rows: list[GroupMember]) -> list[GroupMemberView]:
    return [
        GroupMemberView(person=row.membership.person.public_id, name=row.membership.person.name, by=row.by)
        for row in rows
    ]


@reads(router, "/groups/{group}/people", Leaf[GroupMemberView])
def group_people(request: HttpRequest, group: Id, place: Where) -> Leaf[GroupMemberView]:
    actor = person_of(request)
    row = queries.group(actor, group)
    return leaf(actor, f"people of group {row.pk}", queries.group_members(actor, row), place, _members)


class NewGroup(Given):
    organisation: str = Field(max_length=24)
    name: str = Field(max_length=200)


@acts(router, "/groups", GroupView, Scope.ADMINISTER)
def group_add(request: HttpRequest, given: NewGroup) -> GroupView:
    actor = person_of(request)
    made = services.create_group(actor=actor, organisation=given.organisation, name=given.name)
    return _group(actor, made.public_id)


class Whom(Given):
    person: str = Field(max_length=24)


class WhomOut(Whom, Confirmed):
    """Somebody who is in it."""


@acts(router, "/groups/{group}/people/put-in", GroupView, Scope.ADMINISTER)
def group_put_in(request: HttpRequest, group: Id, given: Whom) -> GroupView:
    actor = person_of(request)
    services.put_in(actor=actor, group=group, person=given.person)
    return _group(actor, group)


@acts(router, "/groups/{group}/people/take-out", GroupView, Scope.ADMINISTER)
def group_take_out(request: HttpRequest, group: Id, given: WhomOut) -> GroupView:
    """What they have open under a rule for this group is cut; more than five sessions only with a second yes."""
    actor = person_of(request)
    foreseen(
        lambda: services.take_out(actor=actor, group=group, person=given.person), actor=actor,
        organisation=queries.group(actor, group).organisation_id, confirmed=given.confirm,
    )  # fmt: skip
    return _group(actor, group)


class GroupSourceView(Schema):
    """Whoever is in ``claimed`` at the provider when they sign in is in the group here."""

    number: int
    provider: str
    claimed: str


def _sources(rows: list[GroupSource]) -> list[GroupSourceView]:
    return [GroupSourceView(number=row.pk, provider=row.provider.public_id, claimed=row.claimed) for row in rows]


@reads(router, "/groups/{group}/sources", Leaf[GroupSourceView])
def group_sources(request: HttpRequest, group: Id, place: Where) -> Leaf[GroupSourceView]:
    actor = person_of(request)
    row = queries.group(actor, group)
    return leaf(actor, f"sources of group {row.pk}", queries.group_sources(actor, row), place, _sources)


class NewSource(Given):
    provider: str = Field(max_length=24)
    claimed: str = Field(min_length=1, max_length=GROUP_CHARACTERS, description="The group's name or id there.")


@acts(router, "/groups/{group}/sources", GroupView, Scope.ADMINISTER)
def group_follow(request: HttpRequest, group: Id, given: NewSource) -> GroupView:
    """From everybody's next sign-in on."""
    actor = person_of(request)
    queries.group(actor, group)
    services.add_source(actor=actor, group=group, provider=given.provider, claimed=given.claimed)
    return _group(actor, group)


@acts(router, "/groups/{group}/sources/{number}/remove", GroupView, Scope.ADMINISTER)
def group_unfollow(
    request: HttpRequest, group: Id, number: Annotated[int, Path(ge=1, lt=1 << 62)], given: Confirmed
) -> GroupView:
    """Whom a provider put in leaves at once; more than five open sessions end only with a second yes."""
    actor = person_of(request)
    foreseen(
        lambda: services.remove_source(actor=actor, group=group, source=number), actor=actor,
        organisation=queries.group(actor, group).organisation_id, confirmed=given.confirm,
    )  # fmt: skip
    return _group(actor, group)


class Closed(Schema):
    group: str
    closed_at: datetime


@acts(router, "/groups/{group}/close", Closed, Scope.ADMINISTER)
def group_close(request: HttpRequest, group: Id, given: ConfirmedReason) -> Closed:
    """Everybody leaves it. Rules that name it let nobody in any more; more than five open sessions end only with a
    second yes.
    """
    actor = person_of(request)
    row = foreseen(
        lambda: services.close_group(actor=actor, group=group, reason=given.reason), actor=actor,
        organisation=queries.group(actor, group).organisation_id, confirmed=given.confirm,
    )  # fmt: skip
    assert row.closed_at is not None  # noqa: S101  # the service has just set it
    return Closed(group=row.public_id, closed_at=row.closed_at)
