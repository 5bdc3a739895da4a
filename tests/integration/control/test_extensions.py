# SPDX-License-Identifier: Apache-2.0
"""More time for work that runs: asked by whoever works, decided by whoever may approve, for that very grant."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import closing, extending
from portineria.control.access import services as access
from portineria.control.access.extension import Extension
from portineria.control.access.models import AlreadyDecided, Grant, Rule
from portineria.control.access.windows import OutsideWindows
from portineria.control.access.work_time import NoLonger
from portineria.control.audit.queries import events
from portineria.control.audit.verification import verify_chain
from portineria.control.identity.models import Person, Role
from portineria.control.identity.services import BadField
from portineria.control.notification.collecting import collect
from portineria.control.notification.models import Channel, Delivery, Kind, Notification
from portineria.control.notification.sending import moot
from portineria.control.remote_sessions import services
from portineria.core.errors import Denied, NotFound
from portineria.policy.ending import Ending
from portineria.wire.statement import Order
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, again, ended_grant, said_to, started
from tests.integration.control.test_approval import outcomes
from tests.integration.control.test_substitutes import stand_in
from tests.integration.control.test_windows import now, once, under
from tests.integration.control.world import ConnectorEnd, World, begin, fresh

WHY = "the belt is off, the motor is not back on"


def asked(world: World, grant: str, minutes: int = 30) -> str:
    return extending.ask_for_more(actor=fresh(world.technician), grant=grant, minutes=minutes, reason=WHY).public_id


def state(extension: str) -> str:
    return Extension.objects.get(public_id=extension).state


def test_one_yes_prolongs_what_runs_and_the_connection_stays(linked: World) -> None:
    session = accepted(linked, started(linked))
    grant, before = session.grant.public_id, session.grant.ends_at
    extension = asked(linked, grant)
    for _ in range(2):  # once at a time
        with pytest.raises(extending.ExtensionWaits):
            asked(linked, grant)
    assert [row.public_id for row in extending.decidable_extensions(linked.approver)] == [extension]
    assert list(extending.decidable_extensions(linked.operator)) == []
    assert list(extending.decidable_extensions(linked.technician)) == []
    given = extending.agree_to_more(actor=fresh(linked.approver), extension=extension)
    assert given.ends_at == before + timedelta(minutes=30)
    services.enforce(timezone.now())
    [order] = said_to(linked, session)
    assert isinstance(order, Order)
    assert (order.order_seq, order.expires_ms) == (2, int(given.ends_at.timestamp() * 1000))
    assert accepted(linked, session).state == "live"
    row = Extension.objects.get()
    assert (row.state, row.decided_by) == ("approved", linked.approver)
    with pytest.raises(AlreadyDecided):
        extending.refuse_more(actor=fresh(linked.owner), extension=extension, reason="too late")
    assert verify_chain(linked.organisation) > 0
    [event] = events(linked.owner, code="access.extension.approved")
    assert event.actor == linked.approver.public_id


def test_nobody_asks_for_another_and_nobody_decides_their_own(world: World) -> None:
    grant = world.begun()
    for who in (world.stranger, world.rival, world.owner):
        with pytest.raises(NotFound):
            extending.ask_for_more(actor=who, grant=grant, minutes=30, reason=WHY)
    extension = asked(world, grant)
    for who in (world.stranger, world.rival):
        for act in (extending.agree_to_more, lambda **on: extending.refuse_more(reason="x", **on)):
            with pytest.raises(NotFound):
                act(actor=who, extension=extension)
    for who in (world.operator, world.technician):
        with pytest.raises(Denied):
            extending.agree_to_more(actor=fresh(who), extension=extension)
        with pytest.raises(Denied):
            extending.refuse_more(actor=fresh(who), extension=extension, reason="x")
    assert state(extension) == "pending"
    with pytest.raises(IntegrityError), transaction.atomic():
        Extension.objects.update(state="approved", decided_by=world.technician, decided_at=timezone.now())
    stand_in(world, world.owner, world.operator)
    extending.agree_to_more(actor=fresh(world.operator), extension=extension)
    assert Extension.objects.get().substitution is not None
    access.create_rule(
        actor=world.owner, organisation=world.organisation, machines=[world.machine.public_id],
        person=world.approver.public_id,
    )  # fmt: skip
    own = access.make_request(actor=world.approver, machine="Press 3", reason="look", minutes=10)
    mine = begin(access.approve(actor=world.owner, request=own.public_id).public_id)
    of_mine = extending.ask_for_more(actor=fresh(world.approver), grant=mine, minutes=10, reason=WHY).public_id
    with pytest.raises(access.OwnRequest):
        extending.agree_to_more(actor=fresh(world.approver), extension=of_mine)
    assert list(extending.decidable_extensions(fresh(world.approver))) == []


def test_nothing_is_asked_that_a_yes_could_not_give(linked: World) -> None:
    grant = linked.begun()
    for minutes, error in ((0, BadField), (-5, BadField), (481, BadField), (480, NoLonger)):
        with pytest.raises(error):
            asked(linked, grant, minutes)
    for reason in (" ", "x" * 501, "a\u202eb"):
        with pytest.raises(BadField):
            extending.ask_for_more(actor=linked.technician, grant=grant, minutes=5, reason=reason)
    first = asked(linked, grant, 60)
    access.change_rule(actor=linked.owner, rule=linked.rule, max_minutes=30)
    with pytest.raises((NoLonger, BadField)):  # what the rule allows by now counts
        extending.agree_to_more(actor=fresh(linked.owner), extension=first)
    assert state(first) == "pending"
    access.change_rule(actor=linked.owner, rule=linked.rule, max_minutes=480)
    extending.refuse_more(actor=fresh(linked.owner), extension=first, reason="the shift ends")
    under(linked, once(now() - timedelta(hours=1), Grant.objects.get().ends_at))
    with pytest.raises(OutsideWindows):
        asked(linked, grant)
    under(linked, "")
    for _ in range(extending.MOST_ASKED - 1):
        extending.refuse_more(actor=fresh(linked.owner), extension=asked(linked, grant), reason="no")
    with pytest.raises(extending.TooManyExtensions):
        asked(linked, grant)


def test_it_is_over_with_the_grant_and_can_be_asked_while_what_runs_finishes(linked: World) -> None:
    session = accepted(linked, started(linked))
    grant = session.grant.public_id
    ended_grant(session)
    services.enforce(timezone.now())
    assert again(session).state == "draining"
    extension = asked(linked, grant)
    extending.agree_to_more(actor=fresh(linked.owner), extension=extension)
    services.enforce(timezone.now())
    assert again(session).state == "opening"
    late = asked(linked, grant)
    ends_at = Grant.objects.get().ends_at
    closing.look_after_requests(ends_at - timedelta(minutes=20))
    assert Extension.objects.get(public_id=late).reminded_at is None
    for _ in range(2):
        closing.look_after_requests(ends_at - timedelta(minutes=1))
    assert events(linked.owner, code="access.extension.reminded").count() == 1
    closing.look_after_requests(ends_at + timedelta(minutes=9))
    assert state(late) == "pending"  # what runs may finish, and could be prolonged
    access.revoke(actor=fresh(linked.owner), grant=grant, reason="enough", ending=Ending.SECURITY)
    for _ in range(2):
        closing.look_after_requests(timezone.now())
    assert state(late) == "expired"
    assert events(linked.owner, code="access.extension.expired").count() == 1
    with pytest.raises(AlreadyDecided):
        extending.agree_to_more(actor=fresh(linked.owner), extension=late)
    with pytest.raises(access.GrantEnded):
        asked(linked, grant)


def test_of_two_approvers_at_once_one_prolongs_it(committed_world: World) -> None:
    world = committed_world
    grant = world.begun()
    before, extension = Grant.objects.get().ends_at, asked(world, grant)
    results = outcomes(
        lambda: extending.agree_to_more(actor=fresh(world.owner), extension=extension),
        lambda: extending.agree_to_more(actor=fresh(world.approver), extension=extension),
    )
    assert results == ["access.request.already-decided", "done"]
    assert Grant.objects.get().ends_at == before + timedelta(minutes=30)
    assert verify_chain(world.organisation) > 0


def test_a_rule_without_approval_prolongs_at_once_and_a_shorter_extension_answers_it_too(world: World) -> None:
    grant = world.begun()
    before = Grant.objects.get().ends_at
    extension = asked(world, grant)
    access.extend(actor=world.owner, grant=grant, minutes=10)
    assert state(extension) == "approved"
    access.change_rule(actor=world.owner, rule=world.rule, needs_approval=False)
    at_once = asked(world, grant)
    row = Extension.objects.get(public_id=at_once)
    assert (row.state, row.decided_by) == ("approved", None)
    assert Grant.objects.get().ends_at == before + timedelta(minutes=40)


def test_whoever_approves_is_told_and_whoever_works_hears_the_answer(world: World) -> None:
    extension = asked(world, world.begun())

    def told(person: Person, kind: Kind) -> list[Notification]:
        collect(world.organisation, timezone.now(), mail=True)
        return list(Notification.objects.filter(person=person, kind=kind, code__startswith="access.extension."))

    [waits] = told(world.approver, Kind.WAITS)
    assert waits.thing == extension
    assert told(world.operator, Kind.WAITS) == told(world.technician, Kind.WAITS) == []
    page = shown(signed_in(fresh(world.approver)), "/notifications/")
    assert WHY in page
    mail = Delivery.objects.filter(notification=waits, channel=Channel.MAIL).first() or Delivery(
        notification=waits, person=world.approver, channel=Channel.MAIL
    )
    assert not moot(mail, timezone.now())
    extending.refuse_more(actor=fresh(world.owner), extension=extension, reason="the shift ends")
    assert moot(mail, timezone.now())
    [answer] = told(world.technician, Kind.DECIDED)
    assert answer.code == "access.extension.refused"


def test_it_is_asked_and_decided_on_pages_and_by_programs(linked: World) -> None:
    session = accepted(linked, started(linked))
    grant, request = session.grant.public_id, session.grant.request.public_id
    before = session.grant.ends_at
    technician, approver = signed_in(linked.technician), signed_in(fresh(linked.approver))
    ask = f"/grants/{grant}/more/"
    for address in (f"/sessions/{session.public_id}/", f"/requests/{request}/", "/work/"):
        assert ask in shown(technician, address), address
    assert approver.get(ask).status_code == 404
    assert technician.post(ask, {"minutes": "30", "reason": " "}).status_code == 200  # said in the form
    assert technician.post(ask, {"minutes": "30", "reason": f"{WHY} <b>"}).status_code == 302
    row = Extension.objects.get()
    for address in ("/approvals/", f"/sessions/{session.public_id}/", f"/requests/{request}/"):
        page = shown(approver, address)
        assert f"{WHY} &lt;b&gt;" in page, address
        assert f"/extensions/{row.public_id}/approve/" in page, address
        assert f"/sessions/{session.public_id}/" in page, address
    home = shown(approver, "/")
    assert f"/extensions/{row.public_id}/approve/" in home
    for page in (home, shown(approver, "/machines/"), shown(approver, "/approvals/")):
        assert "1 request waits for you" in page
    assert WHY not in shown(signed_in(linked.operator), "/")
    own = shown(technician, f"/sessions/{session.public_id}/")
    assert WHY in own
    assert f"/extensions/{row.public_id}/approve/" not in own
    assert ask not in own  # once at a time
    assert technician.post(f"/extensions/{row.public_id}/approve/").status_code == 403
    assert state(row.public_id) == "pending"
    refusal = f"/extensions/{row.public_id}/refuse/"
    assert "Refuse more time?" in shown(approver, refusal)
    assert approver.post(refusal, {"reason": "the shift ends"}).status_code == 302
    assert "the shift ends" in shown(technician, f"/requests/{request}/")
    assert WHY not in shown(approver, "/approvals/")
    assert "1 request waits for you" not in shown(approver, "/")
    assert technician.post(ask, {"minutes": "30", "reason": WHY}).status_code == 302
    taken_back = Extension.objects.waiting().get().public_id
    withdrawal = f"/extensions/{taken_back}/withdraw/"
    assert withdrawal in shown(technician, f"/requests/{request}/")
    assert withdrawal not in shown(approver, f"/requests/{request}/")
    for who in (linked.approver, linked.rival):  # nobody else's
        with pytest.raises(NotFound):
            extending.withdraw_more(actor=fresh(who), extension=taken_back)
    assert technician.post(withdrawal).status_code == 302
    assert (state(taken_back), Grant.objects.get().ends_at) == ("cancelled", before)
    [event] = events(linked.owner, code="access.extension.cancelled")
    assert event.actor == linked.technician.public_id
    for act in (extending.withdraw_more, extending.agree_to_more):
        with pytest.raises(AlreadyDecided):
            act(
                actor=fresh(linked.technician if act is extending.withdraw_more else linked.owner), extension=taken_back
            )

    end = ConnectorEnd(fresh(linked.technician))
    assert end.call("POST", "/extensions", {"machine": "Press 9", "minutes": 30, "reason": WHY}).status_code == 404
    made = end.call("POST", "/extensions", {"machine": "Press 3", "minutes": 30, "reason": WHY})
    assert made.status_code == 200, made.content
    again_asked = end.call("POST", "/extensions", {"machine": "Press 3", "minutes": 5, "reason": WHY})
    assert (again_asked.status_code, again_asked.json()["code"]) == (409, "access.extension.waits")
    extension = made.json()["extension"]
    assert approver.post(f"/extensions/{extension}/approve/").status_code == 302
    answer = end.call("GET", f"/extensions/{extension}").json()
    assert (answer["state"], answer["grant"]) == ("approved", grant)
    assert Grant.objects.get().ends_at == before + timedelta(minutes=30)
    stranger = ConnectorEnd(linked.stranger)
    assert stranger.call("GET", f"/extensions/{extension}").status_code == 404
    again_approved = approver.post(f"/extensions/{extension}/approve/", follow=True).content.decode()
    assert "decided already" in again_approved
    assert Grant.objects.get().ends_at == before + timedelta(minutes=30)


def test_a_connector_takes_its_own_question_back_by_the_machine(linked: World) -> None:
    session = accepted(linked, started(linked))
    end, there = ConnectorEnd(fresh(linked.technician)), {"machine": "Press 3"}
    nothing = end.call("POST", "/extensions/withdraw", there)
    assert (nothing.status_code, nothing.json()["code"]) == (409, "access.extension.none")
    extension, before = asked(linked, session.grant.public_id), session.grant.ends_at
    for who, status in ((linked.stranger, 404), (linked.rival, 404), (linked.owner, 409)):
        assert ConnectorEnd(who).call("POST", "/extensions/withdraw", there).status_code == status
    assert state(extension) == "pending"
    answer = end.call("POST", "/extensions/withdraw", there).json()
    assert (answer["extension"], answer["state"]) == (extension, "cancelled")
    assert (Grant.objects.get().ends_at, list(extending.decidable_extensions(linked.approver))) == (before, [])
    assert end.call("POST", "/extensions/withdraw", there).status_code == 409


def test_whoever_approves_reads_for_whom_the_technician_works_whatever_the_rule_names(linked: World) -> None:
    session = accepted(linked, started(linked))
    asked(linked, session.grant.public_id)
    approver = signed_in(fresh(linked.approver))
    for named in ({}, {"supplier": None, "person": linked.technician}):
        Rule.objects.filter(public_id=linked.rule).update(**named)
        page = shown(approver, "/approvals/")
        assert WHY in page
        assert "Presses &amp; Co" in page.partition(WHY)[0].rpartition("<li>")[2], named
    own = {"supplier": None, "sponsor": None, "ends_at": None, "role": Role.OPERATOR}  # as one of the owner's people
    linked.technician.memberships.update(**own)
    assert "Presses" not in shown(approver, "/approvals/")
