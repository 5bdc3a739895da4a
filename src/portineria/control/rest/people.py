# SPDX-License-Identifier: Apache-2.0
"""People and suppliers of the organisations whose staff the caller is."""

from datetime import date
from typing import Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from portineria.control.console import rule_queries
from portineria.control.console.people_queries import MemberRow, SupplierRow
from portineria.control.identity import lock_out, queries, services
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Membership, Person, Role, Supplier
from portineria.control.identity.way_back import invite_again
from portineria.control.remote_sessions.second_yes import foreseen
from portineria.control.rest.caller import Scope, person_of, require_recent_proof
from portineria.control.rest.estate import Search
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import ConfirmedReason, Given, Id, Reason, acts, reads, tries
from portineria.control.rest.reach import ReachView, reach_views
from portineria.control.settings.start import current

router = Router(tags=["people"])


class PersonView(Schema):
    """``until``: the last day, of UTC, of a supplier's person; null: no end. ``sponsor``: who answers for them;
    ``answered_for``: false where that one has left, or nobody was named.
    """

    person: str
    organisation: str
    name: str
    email: str | None
    role: str
    supplier: str | None
    state: str
    until: date | None
    sponsor: str | None
    answered_for: bool


class SupplierView(Schema):
    """``standing``: as it was assessed last, A the best, which counts until the end of that day of UTC."""

    supplier: str
    organisation: str
    name: str
    people: int
    state: str
    standing: str | None
    standing_until: date | None


def _person_view(row: Membership, actor: Person) -> PersonView:
    return PersonView(
        person=row.person.public_id, organisation=row.organisation.public_id, name=row.person.name,
        email=None if row.person.is_service else row.person.email, role=row.role,
        supplier=row.supplier.public_id if row.supplier else None, state=MemberRow(row, actor).shown_state,
        until=row.last_day,
        sponsor=row.sponsor.public_id if row.sponsor else None,
        answered_for=not row.__dict__["unanswered"],  # by ``queries.members``
    )  # fmt: skip


@reads(router, "/people", Leaf[PersonView])
def people(request: HttpRequest, place: Where, search: Query[Search]) -> Leaf[PersonView]:
    actor = person_of(request)
    found = queries.members(actor, search.q)
    return leaf(
        actor, f"people {search.q}", found, place, lambda rows: [_person_view(row, actor) for row in rows]
    )  # fmt: skip


@reads(router, "/people/{organisation}/{person}", PersonView)
def person(request: HttpRequest, organisation: Id, person: Id) -> PersonView:
    actor = person_of(request)
    return _person_view(queries.member(actor, organisation, person), actor)


@reads(router, "/people/{organisation}/{person}/reach", Leaf[ReachView])
def reach(request: HttpRequest, organisation: Id, person: Id, place: Where) -> Leaf[ReachView]:
    """Every machine that a rule lets them ask for, what they hold now, and what each rule would give."""
    actor = person_of(request)
    row = queries.member(actor, organisation, person)
    return leaf(
        actor, f"reach {row.pk}", rule_queries.in_reach(actor, row), place,
        lambda machines: reach_views([(row, row.person, machine) for machine in machines], timezone.now()),
    )  # fmt: skip


class NewPerson(Given):
    """``sponsor`` and ``until``, the last day, of UTC: of a supplier's person; left out: whoever asks, and a year."""

    organisation: str = Field(max_length=24)
    name: str = Field(max_length=200)
    email: str = Field(max_length=254)
    role: Literal["administrator", "approver", "operator", "technician"]
    supplier: str = Field(default="", max_length=24)
    language: Literal["", "en", "it", "ja"] = ""
    time_zone: str = Field(default="UTC", max_length=64)
    sponsor: str = Field(default="", max_length=24)
    until: date | None = None


class Entered(Schema):
    """``member``: false for somebody known here already, who is asked first and may decline."""

    person: str
    member: bool


@acts(router, "/people", Entered, Scope.ADMINISTER)
def person_add(request: HttpRequest, given: NewPerson) -> Entered:
    """They sign in once somebody invited them and handed them the address."""
    actor = person_of(request)
    asked = given.model_dump(exclude={"role"})
    made = services.create_person(actor=actor, role=Role(given.role), **asked)
    member = queries.members(actor).filter(person=made, organisation__public_id=given.organisation).exists()
    return Entered(person=made.public_id, member=member)


class Invitation(Schema):
    """``address``: where a password is set, once, within three days. It is in this answer and nowhere else."""

    person: str
    address: str


@tries(router, "/people/{organisation}/{person}/invite", Invitation, Scope.ADMINISTER)
def person_invite(request: HttpRequest, organisation: Id, person: Id, given: Reason) -> Invitation:
    """Whatever they had to sign in with ends, and every session is cut; nobody invites themselves. Wants the password
    or second factor to have been given a moment ago in this browser. No key keeps its answer.
    """
    actor = person_of(request)
    row = queries.member(actor, organisation, person)
    require(actor, row.organisation_id, administers)
    require_recent_proof(request)
    path = invite_again(actor=actor, person=person, reason=given.reason)
    return Invitation(person=person, address=current().public_url.rstrip("/") + path)


class Locking(Schema):
    """``entirely``: whether the account is locked, or, of somebody who works for others too, the membership ended."""

    person: str
    entirely: bool


@acts(router, "/people/{organisation}/{person}/lock", Locking, Scope.ADMINISTER)
def person_lock(request: HttpRequest, organisation: Id, person: Id, given: Reason) -> Locking:
    """Out of this organisation, at once: what they have open is cut."""
    actor = person_of(request)
    queries.member(actor, organisation, person)
    done = lock_out.lock_out(actor=actor, person=person, organisation=organisation, reason=given.reason)
    return Locking(person=person, entirely=done)


@acts(router, "/people/{organisation}/{person}/unlock", PersonView, Scope.ADMINISTER)
def person_unlock(request: HttpRequest, organisation: Id, person: Id, given: Reason) -> PersonView:
    actor = person_of(request)
    queries.member(actor, organisation, person)
    services.set_person_enabled(actor=actor, person=person, enabled=True, reason=given.reason)
    return _person_view(queries.member(actor, organisation, person), actor)


def _supplier_view(row: Supplier, actor: Person) -> SupplierView:
    count: int = row.__dict__["people"]  # by ``queries.own_suppliers``
    return SupplierView(
        supplier=row.public_id, organisation=row.organisation.public_id, name=row.name, people=count,
        state=SupplierRow(row, count, actor).shown_state, standing=row.standing or None,
        standing_until=row.standing_until,
    )  # fmt: skip


@reads(router, "/suppliers", Leaf[SupplierView])
def suppliers(request: HttpRequest, place: Where, search: Query[Search]) -> Leaf[SupplierView]:
    actor = person_of(request)
    found = queries.own_suppliers(actor, search.q)
    return leaf(
        actor, f"suppliers {search.q}", found, place, lambda rows: [_supplier_view(row, actor) for row in rows]
    )  # fmt: skip


def _supplier(actor: Person, supplier: str) -> SupplierView:
    return _supplier_view(queries.own_supplier(actor, supplier), actor)


@reads(router, "/suppliers/{supplier}", SupplierView)
def supplier(request: HttpRequest, supplier: Id) -> SupplierView:
    return _supplier(person_of(request), supplier)


class NewSupplier(Given):
    organisation: str = Field(max_length=24)
    name: str = Field(max_length=200)


@acts(router, "/suppliers", SupplierView, Scope.ADMINISTER)
def supplier_add(request: HttpRequest, given: NewSupplier) -> SupplierView:
    actor = person_of(request)
    made = services.create_supplier(actor=actor, organisation=given.organisation, name=given.name)
    return _supplier(actor, made.public_id)


@acts(router, "/suppliers/{supplier}/lock", SupplierView, Scope.ADMINISTER)
def supplier_lock(request: HttpRequest, supplier: Id, given: ConfirmedReason) -> SupplierView:
    """Every session of its people is cut; more than five only with a second yes. A lock (`/locks`) asks nothing."""
    actor = person_of(request)
    foreseen(
        lambda: services.set_supplier_enabled(actor=actor, supplier=supplier, enabled=False, reason=given.reason),
        actor=actor, organisation=queries.own_supplier(actor, supplier).organisation_id, confirmed=given.confirm,
    )  # fmt: skip
    return _supplier(actor, supplier)


@acts(router, "/suppliers/{supplier}/unlock", SupplierView, Scope.ADMINISTER)
def supplier_unlock(request: HttpRequest, supplier: Id, given: Reason) -> SupplierView:
    actor = person_of(request)
    queries.own_supplier(actor, supplier)
    services.set_supplier_enabled(actor=actor, supplier=supplier, enabled=True, reason=given.reason)
    return _supplier(actor, supplier)
