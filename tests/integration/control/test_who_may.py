# SPDX-License-Identifier: Apache-2.0
"""Who may do what is decided in the services, whatever page or command leads there."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.utils import timezone

from portineria.control.access import queries as access_queries
from portineria.control.access import services as access
from portineria.control.access.answerable import decidable_requests
from portineria.control.access.facts import decisions_by_use
from portineria.control.access.models import Rule
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Person, Role
from portineria.control.remote_sessions import queries as session_queries
from portineria.control.remote_sessions import refusals, services
from portineria.control.remote_sessions.reports import receive
from portineria.core.errors import Denied, NotFound
from portineria.policy.ending import Reason
from portineria.wire.statement import Leases
from tests.integration.control.sessions import accepted, report, started
from tests.integration.control.world import World, admitted_gateway, fresh

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@pytest.mark.parametrize("who", ["approver", "operator"])
def test_only_an_administrator_locks_people_and_ends_rules(world: World, who: str) -> None:
    actor = getattr(world, who)
    with pytest.raises(Denied):
        identity.set_person_enabled(actor=actor, person=world.technician.public_id, enabled=False, reason="x")
    with pytest.raises(Denied):
        identity.set_supplier_enabled(actor=actor, supplier=world.supplier, enabled=False, reason="x")
    with pytest.raises(Denied):
        access.end_rule(actor=actor, rule=world.rule, reason="x")
    with pytest.raises(Denied):
        access.change_rule(actor=actor, rule=world.rule, needs_approval=False)
    assert fresh(world.technician).enabled
    rule = Rule.objects.get(public_id=world.rule)
    assert (rule.ended_at, rule.needs_approval) == (None, True)


def test_a_technician_is_not_even_told_that_there_is_something_to_administer(world: World) -> None:
    for act in (
        lambda: identity.create_supplier(actor=world.technician, organisation=world.organisation, name="Belts"),
        lambda: identity.set_supplier_enabled(
            actor=world.technician, supplier=world.supplier, enabled=False, reason="x"
        ),
        lambda: access.approve(actor=world.rival, request=world.request()),
    ):
        with pytest.raises(NotFound):
            act()


def test_whoever_is_locked_acts_no_more_in_a_browser_that_is_still_open(world: World) -> None:
    request = world.request()
    Person.objects.filter(pk=world.approver.pk).update(disabled_at=timezone.now())
    locked = fresh(world.approver)
    with pytest.raises(NotFound):
        access.approve(actor=locked, request=request)
    assert list(access_queries.requests(locked)) == []
    assert access_queries.visible_machines(locked) == []


def test_a_browser_from_before_the_lock_is_signed_out_after_it_too(world: World) -> None:
    client = Client(HTTP_HOST="localhost")
    client.force_login(world.technician, backend=BACKEND)
    assert client.get("/account/").status_code == 200
    for enabled in (False, True):
        identity.set_person_enabled(
            actor=world.owner, person=world.technician.public_id, enabled=enabled, reason="laptop stolen"
        )
    answer = client.get("/account/")
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, "/accounts/login/")


def test_somebody_locked_does_not_count_as_an_administrator_who_is_left(world: World) -> None:
    second = identity.create_person(
        actor=world.owner, organisation=world.organisation, name="Second", email="second@example.com",
        role=Role.ADMINISTRATOR,
    )  # fmt: skip
    identity.set_person_enabled(actor=Operator(), person=second.public_id, enabled=False, reason="left")
    with pytest.raises(identity.LastAdministrator):
        identity.set_person_enabled(actor=Operator(), person=world.owner.public_id, enabled=False, reason="x")
    with pytest.raises(identity.LastAdministrator):
        identity.end_membership(
            actor=fresh(world.owner), person=world.owner.public_id, organisation=world.organisation, reason="x"
        )
    assert fresh(world.owner).enabled


def test_a_membership_that_ended_takes_everything_of_one_s_own_out_of_sight(linked: World) -> None:
    session = accepted(linked, started(linked))
    grant, request = session.grant.public_id, session.grant.request.public_id
    identity.end_membership(
        actor=linked.owner, person=linked.technician.public_id, organisation=linked.organisation, reason="left"
    )
    gone = fresh(linked.technician)
    for look, what in (
        (session_queries.session, session.public_id),
        (access_queries.grant, grant),
        (access_queries.request, request),
        (access_queries.visible_machine, "Press 3"),
    ):
        with pytest.raises(NotFound):
            look(gone, what)
    with pytest.raises(NotFound):
        services.renew_tickets(actor=gone, session=session.public_id)


def test_one_s_own_request_is_not_among_those_to_decide(world: World) -> None:
    access.create_rule(
        actor=world.owner, organisation=world.organisation, machines=[world.machine.public_id],
        person=world.approver.public_id,
    )  # fmt: skip
    own = access.make_request(actor=world.approver, machine="Press 3", reason="look", minutes=10)
    another = world.request()
    shown = [row.public_id for row in decidable_requests(fresh(world.approver))]
    assert shown == [another]
    assert own.public_id in [row.public_id for row in decidable_requests(fresh(world.owner))]


def test_a_drain_gives_no_tickets_to_somebody_who_may_not_stay(linked: World) -> None:
    session = accepted(linked, started(linked))
    services.drain(actor=linked.owner, session=session.public_id)
    services.renew_tickets(actor=linked.technician, session=session.public_id)
    Authenticator.objects.filter(user=linked.technician).delete()
    with pytest.raises(refusals.NotPermitted) as caught:
        services.renew_tickets(actor=fresh(linked.technician), session=session.public_id)
    assert caught.value.reasons == (Reason.SECOND_FACTOR,)


def test_a_gateway_gets_leases_for_its_own_sessions_only(linked: World) -> None:
    session, other = accepted(linked, started(linked)), admitted_gateway(linked.owner, linked.plant)
    answer = receive(other.id, [other.ask(session.public_id)])
    assert [letter.leases for letter in answer.letters if isinstance(letter, Leases)] == [[]]


def test_whoever_changes_to_another_supplier_leaves_the_permission_behind(linked: World) -> None:
    session = accepted(linked, started(linked))
    rivals = linked.rival.memberships.get().supplier
    linked.technician.memberships.update(supplier=rivals)
    assert decisions_by_use([session], timezone.now())[session.pk].denials == (Reason.NO_RULE,)


def test_only_the_first_receipt_of_an_end_counts(linked: World) -> None:
    session = accepted(linked, started(linked))
    first = report(linked, "session.ended", session, ending="cut", reason="x", latency_ms=7)
    second = report(linked, "session.ended", session, ending="drained", reason="y", latency_ms=8)
    assert (second.ending, second.latency_ms, second.receipt_id) == ("cut", 7, first.receipt_id)


def test_a_refused_order_proves_no_end_of_what_was_live(linked: World) -> None:
    session = accepted(linked, started(linked))
    services.cut(actor=linked.owner, session=session.public_id, reason="x")
    after = report(linked, "order.refused", session, order_seq=1, reason="order.withdrawn")
    assert (after.state, after.receipt_id) == ("cutting", None)
