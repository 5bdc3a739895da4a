# SPDX-License-Identifier: Apache-2.0
"""What is delegated to providers, and a provider's customers. Inside one the same operations answer as everywhere; the
header ``Portineria-Inside`` says which.
"""

from datetime import datetime
from typing import Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field

from portineria.control.access.withdrawal import decline, withdraw
from portineria.control.console import customers as across
from portineria.control.console.customers import CustomerRow
from portineria.control.identity import delegating, resolving
from portineria.control.identity.delegation_models import LONGEST_INCIDENT_HOURS, Delegation, NameQuestion, Power
from portineria.control.identity.models import Person
from portineria.control.identity.services import BadField
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, Id, Reason, acts, reads

router = Router(tags=["delegations"])


class DelegationView(Schema):
    delegation: str
    organisation: str
    provider: str
    provider_name: str
    powers: list[str]
    holds: bool
    ends_at: datetime | None
    withdrawn_at: datetime | None
    incident_hours: int
    incident_until: datetime | None
    analysts: list[str]


def _view(row: Delegation) -> DelegationView:
    return DelegationView(
        delegation=row.public_id, organisation=row.organisation.public_id, provider=row.provider.public_id,
        provider_name=row.provider.name, powers=[power.value for power in row.powers], holds=row.holds(timezone.now()),
        ends_at=row.ends_at, withdrawn_at=row.withdrawn_at, incident_hours=row.incident_hours,
        incident_until=row.incident_until, analysts=[one.person.public_id for one in resolving.analysts([row])],
    )  # fmt: skip


@reads(router, "/delegations", Leaf[DelegationView])
def delegations(request: HttpRequest, place: Where) -> Leaf[DelegationView]:
    """What the caller's organisation gave, also what ended."""
    actor = person_of(request)
    return leaf(actor, "delegations", delegating.given_by(actor), place, lambda rows: [_view(row) for row in rows])


def _delegation(actor: Person, delegation: str) -> DelegationView:
    return _view(delegating.given(actor, delegation))


@reads(router, "/delegations/{delegation}", DelegationView)
def delegation(request: HttpRequest, delegation: Id) -> DelegationView:
    return _delegation(person_of(request), delegation)


PowerWord = Literal["estate", "work", "decide", "watch", "cut", "lock", "register", "sink"]


class NewDelegation(Given):
    organisation: str = Field(max_length=24)
    provider: str = Field(max_length=24, description="The provider's organisation, by the id that it told.")
    powers: list[PowerWord] = Field(min_length=1, max_length=len(Power))
    ends_at: datetime | None = None
    incident_hours: int = Field(default=0, ge=0, le=LONGEST_INCIDENT_HOURS)


@acts(router, "/delegations", DelegationView, Scope.ADMINISTER)
def delegation_give(request: HttpRequest, given: NewDelegation) -> DelegationView:
    """In place of what was given to the same provider before."""
    actor = person_of(request)
    if given.ends_at is not None and given.ends_at.tzinfo is None:
        raise BadField("ends_at", "a time with its zone")
    asked = given.model_dump() | {"powers": [Power(word) for word in given.powers]}
    made = delegating.delegate(actor=actor, **asked)
    return _delegation(actor, made.public_id)


@acts(router, "/delegations/{delegation}/withdraw", DelegationView, Scope.ADMINISTER)
def delegation_withdraw(request: HttpRequest, delegation: Id, given: Reason) -> DelegationView:
    """What rests on the provider's yes is cut. While an incident runs it holds until its end."""
    actor = person_of(request)
    delegating.given(actor, delegation)
    withdraw(actor=actor, delegation=delegation, reason=given.reason)
    return _delegation(actor, delegation)


class CustomerView(Schema):
    """``null``: that was not delegated."""

    organisation: str
    name: str
    delegation: str
    powers: list[str]
    requests_waiting: int | None
    sessions_running: int | None
    locks: int | None
    gateways: int | None
    gateways_away: int
    ends_at: datetime | None
    incident_until: datetime | None


class Customers(Schema):
    items: list[CustomerView]


def _customer(row: CustomerRow) -> CustomerView:
    of = row.delegation
    return CustomerView(
        organisation=of.organisation.public_id, name=of.organisation.name, delegation=of.public_id,
        powers=[power.value for power in of.powers], requests_waiting=row.waiting, sessions_running=row.inside,
        locks=row.locks, gateways=row.gateways, gateways_away=row.away, ends_at=of.ends_at,
        incident_until=of.incident_until,
    )  # fmt: skip


@reads(router, "/customers", Customers)
def customers(request: HttpRequest) -> Customers:
    """Of a provider: all at once."""
    return Customers(items=[_customer(row) for row in across.overview(person_of(request))])


@acts(router, "/customers/{delegation}/incident", Customers, Scope.APPROVE)
def incident_declare(request: HttpRequest, delegation: Id, given: Reason) -> Customers:
    """Once for each time that the customer granted it."""
    actor = person_of(request)
    delegating.declare_incident(actor=actor, delegation=delegation, reason=given.reason)
    return Customers(items=[_customer(row) for row in across.overview(actor)])


@acts(router, "/customers/{delegation}/decline", Customers, Scope.ADMINISTER)
def delegation_decline(request: HttpRequest, delegation: Id, given: Reason) -> Customers:
    """The provider gives it back, at once, also while an incident runs; what rests on its yes is cut."""
    actor = person_of(request)
    decline(actor=actor, delegation=delegation, reason=given.reason)
    return Customers(items=[_customer(row) for row in across.overview(actor)])


class QuestionView(Schema):
    """``person``: who is behind the pseudonym, once both organisations said yes."""

    question: str
    delegation: str
    analyst: str
    reason: str
    state: str
    asked_at: datetime
    answered_at: datetime | None
    person: str | None


def _question_view(row: NameQuestion) -> QuestionView:
    return QuestionView(
        question=row.public_id, delegation=row.delegation.public_id, analyst=row.analyst.public_id, reason=row.reason,
        state=row.state, asked_at=row.asked_at, answered_at=row.answered_at,
        person=row.person.public_id if row.person else None,
    )  # fmt: skip


@reads(router, "/name-questions", Leaf[QuestionView])
def questions(request: HttpRequest, place: Where) -> Leaf[QuestionView]:
    """Newest first."""
    actor = person_of(request)
    return leaf(
        actor, "name questions", resolving.questions(actor), place, lambda rows: [_question_view(row) for row in rows],
        newest_first=True,
    )  # fmt: skip


class NewQuestion(Reason):
    delegation: str = Field(max_length=24)
    analyst: str = Field(max_length=24)


@acts(router, "/name-questions", QuestionView, Scope.ADMINISTER)
def question_ask(request: HttpRequest, given: NewQuestion) -> QuestionView:
    """The other organisation says yes or no."""
    actor = person_of(request)
    made = resolving.ask(actor=actor, delegation=given.delegation, analyst=given.analyst, reason=given.reason)
    return _question_view(resolving.question(actor, made.public_id))


class NameAnswer(Given):
    yes: bool
    reason: str = Field(default="", max_length=500)


@acts(router, "/name-questions/{question}/answer", QuestionView, Scope.ADMINISTER)
def question_answer(request: HttpRequest, question: Id, given: NameAnswer) -> QuestionView:
    actor = person_of(request)
    resolving.answer(actor=actor, question=question, yes=given.yes, reason=given.reason)
    return _question_view(resolving.question(actor, question))
