# SPDX-License-Identifier: Apache-2.0
"""One person in two organisations: neither learns what happens at the other, and each ends its own part alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from portineria.control.audit.queries import events, views
from portineria.control.identity import attempts, offers, queries
from portineria.control.identity import services as identity
from portineria.control.identity.lock_out import lock_out
from portineria.control.identity.models import MembershipOffer, Person, Role
from portineria.core.errors import NotFound
from tests.integration.control.world import World, fresh

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def theirs(world: World) -> str:
    """The other organisation, which ``stranger`` administers."""
    return world.stranger.memberships.get().organisation.public_id


def asked_for(world: World, who: Person) -> Person:
    return identity.create_person(
        actor=world.stranger, organisation=theirs(world), name="x", email=who.email, role=Role.TECHNICIAN
    )


def seen(reader: Person, code: str) -> list[dict[str, Any]]:
    return [view.fields for view in views(events(fresh(reader), code=code))]


def browser(person: Person) -> Client:
    client = Client(HTTP_HOST="localhost")
    client.force_login(person, backend=BACKEND)
    return client


def test_somebody_else_s_people_are_asked_first_and_nothing_is_learnt_of_them(world: World) -> None:
    asked_for(world, world.technician)
    assert world.technician not in queries.people(fresh(world.stranger))
    assert [row.person for row in queries.memberships(fresh(world.stranger))] == [world.stranger]
    identity.record_for_person("identity.person.signed-in", fresh(world.technician), method="password", address="a")
    attempts.record_denial(actor=fresh(world.technician), why="denied", what="POST /x/", address="a")
    assert {view.code for view in views(events(fresh(world.stranger), person=world.technician.public_id))} == {
        "identity.membership.offered"
    }
    named = [view.fields for view in views(events(fresh(world.stranger))) if world.technician.name in str(view.fields)]
    assert named == []


def test_an_offer_is_answered_under_my_account_by_the_person_alone(world: World) -> None:
    asked_for(world, world.technician)
    other = theirs(world)
    with pytest.raises(NotFound):
        offers.accept(actor=world.rival, organisation=other)
    client = browser(world.technician)
    page = client.get("/account/").content.decode()
    assert "Somebody else" in page
    assert f"/account/offers/{other}/accept/" in page
    assert client.post(f"/account/offers/{other}/accept/").status_code == 302
    assert fresh(world.technician).role_in(world.stranger.memberships.get().organisation_id) is Role.TECHNICIAN
    assert not MembershipOffer.objects.exists()
    assert seen(world.stranger, "identity.membership.added")[0]["person"] == world.technician.public_id


def test_a_declined_offer_is_gone(world: World) -> None:
    asked_for(world, world.technician)
    asked_for(world, world.technician)  # again: still one
    other = theirs(world)
    assert browser(world.technician).post(f"/account/offers/{other}/decline/").status_code == 302
    assert fresh(world.technician).memberships.count() == 1
    assert browser(world.technician).post(f"/account/offers/{other}/accept/").status_code == 404
    assert len(seen(world.stranger, "identity.membership.declined")) == 1


@pytest.fixture
def shared(world: World) -> World:
    asked_for(world, world.technician)
    offers.accept(actor=world.technician, organisation=theirs(world))
    return world


def test_from_where_somebody_signs_in_is_told_to_those_who_brought_them_in_only(shared: World) -> None:
    who = fresh(shared.technician)
    identity.record_for_person("identity.person.signed-in", who, method="password", address="203.0.113.9")
    attempts.record_failed_sign_in(email=who.email, address="203.0.113.9")
    for code in ("identity.person.signed-in", "identity.person.sign-in-failed"):
        assert seen(shared.owner, code)[0]["address"] == "203.0.113.9"
        assert "address" not in seen(shared.stranger, code)[0]


def test_a_denied_attempt_is_recorded_where_it_was_made(shared: World) -> None:
    operator = fresh(shared.operator)
    identity.create_person(
        actor=shared.stranger, organisation=theirs(shared), name="x", email=operator.email, role=Role.OPERATOR
    )
    offers.accept(actor=operator, organisation=theirs(shared))
    request = shared.request()
    answer = browser(operator).post(f"/requests/{request}/approve/", {"reason": ""})
    assert answer.status_code == 403
    assert request in seen(shared.owner, "identity.attempt.denied")[0]["what"]
    assert seen(shared.stranger, "identity.attempt.denied") == []


def test_what_belongs_to_nobody_in_particular_is_told_without_what_it_was(shared: World) -> None:
    attempts.record_denial(actor=fresh(shared.technician), why="denied", what="POST /sessions/ses_x/", address="a")
    assert seen(shared.owner, "identity.attempt.denied")[0]["what"] == "POST"
    other = seen(shared.stranger, "identity.attempt.denied")[0]
    assert (other["what"], "address" in other) == ("POST", False)


def test_each_organisation_ends_its_own_part_without_the_other(shared: World) -> None:
    who = shared.technician.public_id
    assert not lock_out(actor=fresh(shared.owner), person=who, organisation=shared.organisation, reason="x")
    assert fresh(shared.technician).enabled
    assert [row.organisation.public_id for row in fresh(shared.technician).memberships.all()] == [theirs(shared)]
