# SPDX-License-Identifier: Apache-2.0
"""Break-glass: opening at once, who may, and signing afterwards. A person does each of these, never a program."""

from datetime import datetime

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from portineria.control.access import emergency as services
from portineria.control.access import emergency_queries as queries
from portineria.control.access.models import EmergencyReview, Rule
from portineria.control.access.queries import visible_machine
from portineria.control.estate import queries as estate
from portineria.control.estate.emergency import set_emergency
from portineria.control.identity.models import Person
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, Id, Reason, acts, reads
from portineria.control.rest.requests import RequestView, request_shown

router = Router(tags=["emergencies"])


class ReviewView(Schema):
    """One opening that nobody approved beforehand. ``gateway``: where it was opened without us, by two PINs.
    ``person`` and ``second``: null where the gateway named somebody who is not known here. For staff, of somebody of a
    supplier: which, its ``standing`` at that moment (null: none), and ``least_standing``, which a rule asks of them
    there and it had not.
    """

    review: str
    organisation: str
    machine: str | None
    gateway: str | None
    person: str | None
    second: str | None
    reason: str
    supplier: str | None
    standing: str | None
    least_standing: str | None
    opened_at: datetime
    signed_by: str | None
    signed_at: datetime | None
    note: str


def _view(row: EmergencyReview, actor: Person) -> ReviewView:
    judged = row.organisation_id in actor.staff_of
    return ReviewView(
        review=row.public_id, organisation=row.organisation.public_id,
        machine=row.machine.public_id if row.machine else None,
        gateway=row.gateway.public_id if row.gateway else None,
        person=row.person.public_id if row.person else None, second=row.second.public_id if row.second else None,
        reason=row.reason, supplier=row.supplier.public_id if row.supplier and judged else None,
        standing=(row.standing or None) if judged else None,
        least_standing=(row.least_standing or None) if judged else None, opened_at=row.opened_at,
        signed_by=row.signed_by.public_id if row.signed_by else None,
        signed_at=row.signed_at, note=row.note,
    )  # fmt: skip


class WhichReviews(Schema):
    unsigned: bool = False


@reads(router, "/emergencies", Leaf[ReviewView])
def emergencies(request: HttpRequest, place: Where, which: Query[WhichReviews]) -> Leaf[ReviewView]:
    """Newest first. ``unsigned``: those that wait for somebody to look at them."""
    actor = person_of(request)
    found = queries.reviews(actor)
    return leaf(
        actor, f"emergencies {which.unsigned}", found.unsigned() if which.unsigned else found, place,
        lambda rows: [_view(row, actor) for row in rows], newest_first=True,
    )  # fmt: skip


@reads(router, "/emergencies/{review}", ReviewView)
def emergency(request: HttpRequest, review: Id) -> ReviewView:
    actor = person_of(request)
    return _view(queries.review(actor, review), actor)


class Signing(Given):
    note: str = Field(min_length=1, max_length=500, description="What was found; kept with the event.")


@acts(router, "/emergencies/{review}/sign", ReviewView, Scope.APPROVE)
def emergency_sign(request: HttpRequest, review: Id, given: Signing) -> ReviewView:
    """By somebody who may approve there and did not open it."""
    actor = person_of(request)
    queries.review(actor, review)
    services.sign_review(actor=actor, review=review, note=given.note)
    return _view(queries.review(actor, review), actor)


@acts(router, "/machines/{machine}/emergency", RequestView, Scope.APPROVE)
def break_glass(request: HttpRequest, machine: Id, given: Reason) -> RequestView:
    """Open at once, without anybody's yes, for whoever holds an emergency role there. The plant is told."""
    actor = person_of(request)
    seen = visible_machine(actor, machine).machine
    grant = services.break_glass(actor=actor, machine=seen.public_id, reason=given.reason)
    return request_shown(actor, grant.request.public_id)


class EmergencyRoleView(Schema):
    """``guest``: it counts although the person is of a supplier. ``minutes``: the longest that one opening lasts."""

    role: str
    organisation: str
    person: str
    plant: str
    guest: bool
    minutes: int


def _role_view(row: Rule) -> EmergencyRoleView:
    assert row.person is not None  # noqa: S101  # the table holds no emergency role of nobody
    assert row.emergency_plant is not None  # noqa: S101
    return EmergencyRoleView(
        role=row.public_id, organisation=row.organisation.public_id, person=row.person.public_id,
        plant=row.emergency_plant.public_id, guest=row.emergency_guest, minutes=row.max_minutes,
    )  # fmt: skip


@reads(router, "/emergency-roles", Leaf[EmergencyRoleView])
def emergency_roles(request: HttpRequest, place: Where) -> Leaf[EmergencyRoleView]:
    """Those that hold. For staff."""
    actor = person_of(request)
    return leaf(actor, "emergency roles", queries.roles(actor), place, lambda rows: [_role_view(row) for row in rows])


@reads(router, "/emergency-roles/{role}", EmergencyRoleView)
def emergency_role(request: HttpRequest, role: Id) -> EmergencyRoleView:
    return _role_view(queries.role(person_of(request), role))


class NewEmergencyRole(Given):
    """``guest``: also for somebody of a supplier."""

    organisation: str = Field(max_length=24)
    person: str = Field(max_length=24)
    plant: str = Field(max_length=24)
    guest: bool = False


@acts(router, "/emergency-roles", EmergencyRoleView, Scope.ADMINISTER)
def emergency_role_give(request: HttpRequest, given: NewEmergencyRole) -> EmergencyRoleView:
    """It opens every machine of this plant, without a yes."""
    actor = person_of(request)
    made = services.give_role(actor=actor, **given.model_dump())
    return _role_view(queries.role(actor, made.public_id))


class RoleTaken(Schema):
    role: str
    ended_at: datetime | None


@acts(router, "/emergency-roles/{role}/take", RoleTaken, Scope.ADMINISTER)
def emergency_role_take(request: HttpRequest, role: Id, given: Reason) -> RoleTaken:
    """What was opened with it is cut."""
    actor = person_of(request)
    queries.role(actor, role)
    row = services.take_role(actor=actor, role=role, reason=given.reason)
    return RoleTaken(role=row.public_id, ended_at=row.ended_at)


class Longest(Given):
    organisation: str = Field(max_length=24)
    minutes: int = Field(ge=services.SHORTEST, le=services.LONGEST)


class LongestSet(Schema):
    organisation: str
    minutes: int


@acts(router, "/emergency-longest", LongestSet, Scope.ADMINISTER)
def emergency_longest(request: HttpRequest, given: Longest) -> LongestSet:
    """How long one opening lasts at most; what is open longer ends earlier now."""
    services.set_longest(actor=person_of(request), organisation=given.organisation, minutes=given.minutes)
    return LongestSet(organisation=given.organisation, minutes=given.minutes)


class AtGateway(Given):
    allowed: bool


class AtGatewayView(Schema):
    """Whether two PINs open machines at this gateway's own console while no line leads there."""

    gateway: str
    allowed: bool


@acts(router, "/gateways/{gateway}/emergency", AtGatewayView, Scope.ADMINISTER)
def gateway_emergency(request: HttpRequest, gateway: Id, given: AtGateway) -> AtGatewayView:
    actor = person_of(request)
    estate.gateway(actor, gateway)
    row = set_emergency(actor=actor, gateway=gateway, allowed=given.allowed)
    return AtGatewayView(gateway=row.public_id, allowed=row.emergency)
