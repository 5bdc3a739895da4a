# SPDX-License-Identifier: Apache-2.0
"""What a rule may ask for besides: the yes of several people, a ticket, a recording. And what it said before."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import services
from portineria.control.access.answerable import decidable_requests
from portineria.control.access.closing import NotRecorded
from portineria.control.access.models import AccessRequest, AlreadyDecided, Approval, Grant, Rule
from portineria.control.access.rules import Conditions
from portineria.control.estate import services as estate
from portineria.control.identity import services as identity
from portineria.control.identity.services import BadField
from portineria.control.remote_sessions import services as sessions
from portineria.core.errors import NotFound
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.declared import applied, faults, proposal
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.world import World, fresh


def under(world: World, **conditions: object) -> None:
    made = Conditions(**conditions)  # type: ignore[arg-type]
    services.change_rule(actor=world.owner, rule=world.rule, conditions=made)


def test_two_different_people_say_yes_before_anything_opens(linked: World) -> None:
    under(linked, approvals=2)
    request = linked.request()
    page = signed_in(linked.approver)
    assert page.post(f"/requests/{request}/approve/", {"reason": "seen"}).status_code == 302
    assert not Grant.objects.exists()
    row = AccessRequest.objects.get(public_id=request)
    assert row.state == "pending"
    with pytest.raises(AlreadyDecided):
        services.agree(actor=linked.approver, request=request)
    assert request not in {row.public_id for row in decidable_requests(fresh(linked.approver))}
    assert "/approve/" not in shown(page, f"/requests/{request}/")
    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.create(request=row, asked_by=row.person, decided_by=linked.approver, approved=True)
    grant = services.agree(actor=linked.owner, request=request)
    assert grant is not None
    session = accepted(linked, started(linked))
    assert sessions.enforce(timezone.now()) == 0
    identity.set_person_enabled(actor=linked.owner, person=linked.approver.public_id, enabled=False, reason="x")
    assert sessions.enforce(timezone.now()) == 1  # one yes is not enough
    assert (again(session).state, again(session).end_why) == ("draining", "no-approval")


def test_a_yes_to_less_is_said_again_when_the_rule_opens_more(linked: World) -> None:
    estate.add_service(
        actor=linked.owner, device=linked.machine.devices.get().public_id, name="ssh", protocol="ssh", port=22
    )  # fmt: skip
    under(linked, approvals=2)
    services.change_rule(actor=linked.owner, rule=linked.rule, only_services=["modbus"])
    request = linked.request()
    assert services.agree(actor=linked.approver, request=request, minutes=5) is None
    services.change_rule(actor=linked.owner, rule=linked.rule, only_services=[])
    assert services.agree(actor=linked.owner, request=request) is None  # the other yes was to one service
    with pytest.raises(AlreadyDecided):
        services.agree(actor=linked.owner, request=request)
    assert request in {row.public_id for row in decidable_requests(fresh(linked.approver))}
    page = signed_in(linked.approver)
    assert page.post(f"/requests/{request}/approve/", {"reason": "seen again"}).status_code == 302
    grant = Grant.objects.get()
    assert grant.ends_at - grant.starts_at > timedelta(minutes=5)
    # What is given stays given: from then on the grant itself keeps what both said yes to.
    services.change_rule(actor=linked.owner, rule=linked.rule, only_services=["modbus"])
    accepted(linked, started(linked))
    assert sessions.enforce(timezone.now()) == 0


def test_the_yes_of_somebody_who_left_does_not_count_and_one_no_is_enough(linked: World) -> None:
    under(linked, approvals=2)
    request = linked.request()
    assert services.agree(actor=linked.approver, request=request) is None
    identity.set_person_enabled(actor=linked.owner, person=linked.approver.public_id, enabled=False, reason="x")
    assert services.agree(actor=linked.owner, request=request) is None
    with pytest.raises(services.MoreApprovals):
        services.approve(actor=linked.owner, request=linked.request(30, in_days=2))
    other = linked.request(30, in_days=1)
    services.refuse(actor=linked.owner, request=other, reason="no")
    assert AccessRequest.objects.get(public_id=other).state == "refused"


def test_a_rule_that_asks_for_a_ticket_takes_no_request_without_one(linked: World) -> None:
    under(linked, needs_reference=True)
    with pytest.raises(BadField):
        linked.request()
    browser = signed_in(linked.technician)
    address = f"/machines/{linked.machine.public_id}/ask/"
    form = {"reason": "belt", "minutes": "60"}
    assert "ticket or work permit" in browser.post(address, form).content.decode()
    assert browser.post(address, form | {"reference": "PTW-4711"}).status_code == 302
    asked = AccessRequest.objects.get()
    assert asked.reference == "PTW-4711"
    assert "PTW-4711" in shown(signed_in(linked.owner), f"/requests/{asked.public_id}/")


def test_a_rule_that_asks_for_a_recording_opens_nothing_that_is_not_recorded(linked: World) -> None:
    estate.change_machine(actor=linked.owner, machine=linked.machine.public_id, recording="full")
    under(linked, needs_recording=True)
    linked.grant()
    session = accepted(linked, started(linked))
    assert sessions.enforce(timezone.now()) == 0
    estate.change_machine(actor=linked.owner, machine=linked.machine.public_id, recording="none")
    assert sessions.enforce(timezone.now()) == 1
    assert (again(session).state, again(session).end_why) == ("draining", "not-recorded")
    with pytest.raises(NotRecorded):
        services.approve(actor=linked.owner, request=linked.request(30, in_days=1))


def test_conditions_are_checked_where_they_are_set(linked: World) -> None:
    for approvals in (0, 6):
        with pytest.raises(BadField):
            under(linked, approvals=approvals)
    with pytest.raises(NotFound):
        under(linked, watcher=linked.stranger.public_id)
    with pytest.raises(IntegrityError), transaction.atomic():
        Rule.objects.filter(public_id=linked.rule).update(approvals=0)


def test_a_rule_remembers_what_it_said_and_who_changed_it(linked: World) -> None:
    under(linked, approvals=2, watcher=linked.operator.public_id)
    both = [linked.machine.public_id, linked.rivals_machine.public_id]
    services.change_rule(actor=linked.owner, rule=linked.rule, machines=both, max_minutes=60)
    services.end_rule(actor=linked.owner, rule=linked.rule, reason="x")
    made, second, third, last = Rule.objects.get(public_id=linked.rule).versions.order_by("number")
    assert [row.number for row in (made, second, third, last)] == [1, 2, 3, 4]
    assert made.added == [linked.machine.public_id]
    assert (second.terms["approvals"], second.terms["watcher"]) == (2, linked.operator.public_id)
    assert (third.added, third.removed, third.terms["minutes"]) == ([linked.rivals_machine.public_id], [], 60)
    assert last.terms["ended"]
    assert {row.by for row in (made, second, third, last)} == {linked.owner}


def test_a_yes_may_be_to_less_than_was_asked_and_the_shortest_counts(linked: World) -> None:
    under(linked, approvals=2)
    request = linked.request(120)
    with pytest.raises(BadField):
        services.agree(actor=linked.owner, request=request, minutes=121)
    page = signed_in(linked.approver)
    assert '<option value="60">' in shown(page, f"/requests/{request}/")
    assert page.post(f"/requests/{request}/approve/", {"minutes": "60"}).status_code == 302
    assert "for 60 minutes only" in shown(page, f"/requests/{request}/")
    grant = services.agree(actor=linked.owner, request=request)
    assert grant is not None
    assert grant.minutes == 60


def test_conditions_are_declared(world: World) -> None:
    rule = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\n'
    asked = rule + "approvals = 2\nneeds_reference = true\nneeds_recording = true\n"
    [change] = proposal(asked + 'watcher = "operator@example.com"\n').changed
    assert change.endswith(
        "2 approvals, with ticket or work permit, only where recorded, watched by operator@example.com"
    )
    applied(asked + 'watcher = "operator@example.com"\n')
    assert proposal(asked).empty  # what is left out says nothing
    applied(rule + 'approvals = 1\nwatcher = ""\n')
    row = Rule.objects.get(public_id=world.rule)
    assert (row.approvals, row.needs_reference, row.needs_recording, row.watcher) == (1, True, True, None)
    several = rule + 'watcher = "owner@example.com"\nwatchers = ["operator@example.com"]\n'
    assert (
        proposal(several).changed[0].endswith("watched by owner@example.com, watched besides by operator@example.com")
    )
    applied(several)
    assert proposal(several).empty
    assert proposal(rule).empty
    applied(rule + 'watcher = ""\nwatchers = []\n')
    assert not Rule.objects.filter(watchers__isnull=False).exists()
    assert faults(rule + 'watcher = "nobody@example.com"\nwatchers = ["stranger@example.com"]\n') == [
        "rule[0].watcher: there is no person nobody@example.com",
        "rule[0].watchers: there is no person stranger@example.com",
    ]
