# SPDX-License-Identifier: Apache-2.0
"""What directories took from many at once, and the answer to it."""

from datetime import datetime
from typing import Annotated, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from portineria.control.remote_sessions.directory_end_queries import directory_end, directory_ends, directory_ends_for
from portineria.control.remote_sessions.directory_ends import answer_directory_end
from portineria.control.remote_sessions.models import DirectoryEnd
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Id, MaybeReason, acts, reads

router = Router(tags=["sessions"])


class DirectoryEndView(Schema):
    """``sessions``: that run on by it. ``state``: `waiting`, `confirmed`, `refused`, `lapsed` or `settled`."""

    directory_end: str
    organisation: str
    asked_at: datetime
    ends_at: datetime
    state: str
    answered_by: str | None
    sessions: list[str]


def _view(row: DirectoryEnd) -> DirectoryEndView:
    return DirectoryEndView(
        directory_end=row.public_id, organisation=row.organisation.public_id, asked_at=row.asked_at,
        ends_at=row.ends_at, state=row.state, answered_by=row.answered_by.public_id if row.answered_by else None,
        sessions=[stay.session.public_id for stay in row.__dict__["spared"]],  # by ``directory_ends``
    )  # fmt: skip


class WhichEnds(Schema):
    waiting: Literal["", "me"] = ""


@reads(router, "/directory-ends", Leaf[DirectoryEndView])
def listed(request: HttpRequest, place: Where, which: Query[WhichEnds]) -> Leaf[DirectoryEndView]:
    """Newest first. ``waiting=me``: what waits for the caller's own answer."""
    actor = person_of(request)
    found = directory_ends(actor)
    if which.waiting:
        found = found.filter(pk__in=directory_ends_for(actor, timezone.now()).values("pk"))
    return leaf(
        actor, f"directory ends {which.waiting}", found, place, lambda rows: [_view(row) for row in rows],
        newest_first=True,
    )  # fmt: skip


@reads(router, "/directory-ends/{directory_end}", DirectoryEndView)
def one(request: HttpRequest, directory_end: Id) -> DirectoryEndView:
    return _one(request, directory_end)


class EndAnswer(MaybeReason):
    """``end``: false lets them go on. ``confirm``: ids of the sessions that whoever answers saw."""

    end: bool
    confirm: list[Annotated[str, Field(max_length=24)]] = Field(default=[], max_length=2000)


@acts(router, "/directory-ends/{directory_end}/answer", DirectoryEndView, Scope.APPROVE)
def answer(request: HttpRequest, directory_end: Id, given: EndAnswer) -> DirectoryEndView:
    """The first answer counts; without one they end at ``ends_at``."""
    answer_directory_end(
        actor=person_of(request), directory_end=directory_end, end=given.end, confirm=given.confirm,
        reason=given.reason,
    )  # fmt: skip
    return _one(request, directory_end)


def _one(request: HttpRequest, public_id: str) -> DirectoryEndView:
    return _view(directory_end(person_of(request), public_id))
