# SPDX-License-Identifier: Apache-2.0
"""Who decides in whose place meanwhile."""

from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import AwareDatetime, Field

from portineria.control.access import substituting as services
from portineria.control.access.substitution import Substitution
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, Id, acts, reads

router = Router(tags=["substitutions"])


class SubstitutionView(Schema):
    """``request``: the one that it is for; null: whatever comes."""

    substitution: str
    organisation: str
    approver: str
    person: str
    request: str | None
    starts_at: datetime
    ends_at: datetime
    ended_at: datetime | None


def _view(row: Substitution) -> SubstitutionView:
    return SubstitutionView(
        substitution=row.public_id, organisation=row.organisation.public_id, approver=row.approver.public_id,
        person=row.substitute.public_id, request=row.request.public_id if row.request else None,
        starts_at=row.starts_at, ends_at=row.ends_at, ended_at=row.ended_at,
    )  # fmt: skip


@reads(router, "/substitutions", Leaf[SubstitutionView])
def substitutions(request: HttpRequest, place: Where) -> Leaf[SubstitutionView]:
    """Those that are not over. For staff."""
    actor = person_of(request)
    found = services.substitutions(actor)
    return leaf(actor, "substitutions", found, place, lambda rows: [_view(row) for row in rows])


class NewSubstitution(Given):
    """``person``: who decides in the caller's place."""

    organisation: str = Field(max_length=24)
    person: str = Field(max_length=24)
    starts_at: AwareDatetime
    ends_at: AwareDatetime


@acts(router, "/substitutions", SubstitutionView, Scope.APPROVE)
def substitution_name(request: HttpRequest, given: NewSubstitution) -> SubstitutionView:
    """By an approver, for themselves."""
    return _view(
        services.name_substitute(
            actor=person_of(request), organisation=given.organisation, substitute=given.person,
            starts_at=given.starts_at, ends_at=given.ends_at,
        )
    )  # fmt: skip


class HandedOver(Given):
    """``person``: who decides it in the caller's place."""

    person: str = Field(max_length=24)


@acts(router, "/requests/{request_id}/hand-over", SubstitutionView, Scope.APPROVE)
def request_hand_over(request: HttpRequest, request_id: Id, given: HandedOver) -> SubstitutionView:
    """By an approver whose own yes is asked: that one alone, for as long as it waits. To end it takes it back."""
    return _view(services.hand_over(actor=person_of(request), request=request_id, substitute=given.person))


@acts(router, "/substitutions/{substitution}/end", SubstitutionView, Scope.APPROVE)
def substitution_end(request: HttpRequest, substitution: Id) -> SubstitutionView:
    """By either of the two, or an administrator. Sessions that rest on their yes end; what runs may finish."""
    return _view(services.end_substitution(actor=person_of(request), substitution=substitution))
