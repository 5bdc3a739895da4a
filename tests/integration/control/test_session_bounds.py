# SPDX-License-Identifier: Apache-2.0
"""What a session hangs on besides its grant: the gateway that it runs through, and how long anybody waits for proof."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.models import AccessRequest
from portineria.control.access.waiting import WAITING_REQUESTS, TooManyRequests
from portineria.control.access.work_time import NoLonger
from portineria.control.audit.queries import events, views
from portineria.control.estate import enrolment as admission
from portineria.control.estate import services as estate
from portineria.control.remote_sessions import services
from portineria.control.remote_sessions.models import AskedQuestion
from portineria.control.remote_sessions.reports import receive
from tests.integration.control.sessions import accepted, again, leased, report, soon, started
from tests.integration.control.world import World, admitted_gateway


@pytest.fixture
def linked(world: World) -> World:
    world.link()
    return world


def test_a_session_is_cut_with_the_gateway_it_runs_through_also_when_its_machine_has_moved(linked: World) -> None:
    session = accepted(linked, started(linked))
    new = admitted_gateway(linked.owner, linked.plant)
    estate.change_machine(actor=linked.owner, machine=linked.machine.public_id, gateway=new.id)
    services.enforce(timezone.now())
    assert again(session).state == "draining"  # the machine is no longer where the order says
    admission.revoke_gateway(actor=linked.owner, gateway=linked.gateway.id, reason="stolen")
    assert services.enforce(timezone.now()) == 1
    after = again(session)
    assert (after.state, after.ending_class, after.end_why) == ("cutting", "security", "gateway-not-admitted")


def test_what_becomes_of_the_machines_new_gateway_is_no_matter_for_the_old_ones_sessions(linked: World) -> None:
    session = accepted(linked, started(linked))
    new = admitted_gateway(linked.owner, linked.plant)
    estate.change_machine(actor=linked.owner, machine=linked.machine.public_id, gateway=new.id)
    admission.revoke_gateway(actor=linked.owner, gateway=new.id, reason="stolen")
    assert leased(linked, session) == {session.public_id}
    services.enforce(timezone.now())
    assert again(session).state == "draining"  # because it moved; not cut


def test_the_session_of_a_gateway_that_never_comes_back_ends_unproven_an_hour_after_its_own_clock_ended_it(
    linked: World,
) -> None:
    session = accepted(linked, started(linked, 10))
    services.cut(actor=linked.owner, session=session.public_id, reason="x")
    over = timedelta(minutes=10, seconds=600 + 60 + 20)
    assert services.enforce(timezone.now() + over) == 0
    assert services.enforce(timezone.now() + over + timedelta(hours=1)) == 1
    after = again(session)
    assert (after.state, after.ending, after.proven_cut) == ("ended", "unproven", False)
    [event] = events(linked.owner, code="remote_sessions.session.unproven")
    assert views([event])[0].fields["why"] == "gateway-silent"
    proven = report(linked, "session.ended", session, ending="cut", reason="cut", latency_ms=3)  # it is back after all
    assert (proven.ending, proven.proven_cut) == ("cut", True)


def test_answered_questions_are_remembered_for_an_hour(linked: World) -> None:
    for _ in range(3):
        receive(linked.gateway.id, [linked.gateway.ask()])
    AskedQuestion.objects.update(at=soon(minutes=-61))
    again_asked = linked.gateway.ask()
    receive(linked.gateway.id, [again_asked])
    assert AskedQuestion.objects.count() == 1
    assert receive(linked.gateway.id, [again_asked]).letters == []  # said twice, answered once


def test_a_technician_has_a_limited_number_of_requests_waiting_and_learns_what_to_do(linked: World) -> None:
    for days in range(WAITING_REQUESTS):
        linked.request(5, in_days=days)
    with pytest.raises(TooManyRequests):
        linked.request(5, in_days=WAITING_REQUESTS)
    first = AccessRequest.objects.filter(person=linked.technician).earliest("pk")
    access.cancel(actor=linked.technician, request=first.public_id)
    linked.request(5)


def test_all_extensions_together_are_no_longer_than_the_rules_longest_permission(linked: World) -> None:
    grant = linked.begun(60)
    for minutes in (240, 180):
        access.extend(actor=linked.owner, grant=grant, minutes=minutes)
    with pytest.raises(NoLonger) as caught:
        access.extend(actor=linked.owner, grant=grant, minutes=1)
    assert caught.value.code == "access.grant.longest"
