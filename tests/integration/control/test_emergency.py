# SPDX-License-Identifier: Apache-2.0
"""Break-glass: at once and without a yes, for whom the owner named; recorded, told, and open until somebody signs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import emergency
from portineria.control.access import services as access
from portineria.control.access.closing import MachineClosed
from portineria.control.access.emergency_queries import may_sign, reviews, roles
from portineria.control.access.locks import lock
from portineria.control.access.models import AccessRequest, EmergencyReview, Grant, Rule
from portineria.control.access.queries import rules, visible_machine
from portineria.control.access.reviews import SignedAlready
from portineria.control.audit.queries import events, views
from portineria.control.estate import services as estate
from portineria.control.identity import services as identity
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.identity.services import BadField
from portineria.control.remote_sessions import services
from portineria.control.remote_sessions.models import Session
from portineria.core.errors import Denied, NotFound
from portineria.core.event_meaning import Severity, meaning_of
from portineria.policy.ending import Locked, Reason
from portineria.policy.sight import Sight
from portineria.wire.statement import Order
from tests.integration.control.sessions import accepted, again, said_to, session_key
from tests.integration.control.world import ConnectorEnd, World, fresh, person


def given(w: World, whom: Person, **more: Any) -> Rule:
    return emergency.give_role(
        actor=w.owner, organisation=w.organisation, person=whom.public_id, plant=w.plant, **more
    )  # fmt: skip


def opened(w: World, by: Person, machine: str = "Press 3") -> Grant:
    return emergency.break_glass(actor=fresh(by), machine=machine, reason="  press \n runs away ")


def working(w: World, by: Person, machine: str = "Press 3") -> Session:
    return services.start_session(actor=fresh(by), machine=machine, key=session_key(), address="192.0.2.7").session


def told(w: World) -> dict[str, dict[str, Any]]:
    return {event.code: views([event])[0].fields for event in events(w.owner)[:20]}


def test_nobody_opens_without_the_role_and_with_it_at_once_for_one_machine(linked: World) -> None:
    w = linked
    with pytest.raises(emergency.NoEmergencyRole):
        opened(w, w.operator)
    given(w, w.operator)
    before = timezone.now()
    grant = opened(w, w.operator)
    assert timedelta(minutes=59) < grant.ends_at - before < timedelta(minutes=61)
    assert (grant.request.reason, grant.request.state) == ("press runs away", "approved")
    session = accepted(w, working(w, w.operator))
    assert session.grant_id == grant.pk
    with pytest.raises(Denied):  # the other machine of the same plant was not opened
        working(w, w.operator, "Press 4")
    with pytest.raises(emergency.OpenAlready):
        opened(w, w.operator)
    for reason in ("", " \n ", "x" * 501):
        with pytest.raises(BadField):
            emergency.break_glass(actor=w.operator, machine="Press 4", reason=reason)
    fields = told(w)["access.emergency.opened"]
    assert (fields["person"], fields["machine"]) == (w.operator.public_id, w.machine.public_id)
    assert fields["reason"] == "press runs away"
    assert meaning_of("access.emergency.opened").severity is Severity.ERROR


def test_what_it_opens_is_recorded_strictly_whatever_the_machine_says(linked: World) -> None:
    assert linked.machine.recording == "none"
    given(linked, linked.operator)
    opened(linked, linked.operator)
    [order] = said_to(linked, working(linked, linked.operator))
    assert isinstance(order, Order)
    assert order.recording == "strict"
    assert order.recording_recipients


@pytest.mark.parametrize("kind", [Locked.MACHINE, Locked.PLANT, Locked.GATEWAY, Locked.PERSON, Locked.EVERYTHING])
def test_a_lock_comes_before_the_role_and_its_words_are_said(linked: World, kind: Locked) -> None:
    w = linked
    things = {
        Locked.MACHINE: w.machine.public_id, Locked.PLANT: w.plant, Locked.GATEWAY: w.gateway.id,
        Locked.PERSON: w.operator.public_id, Locked.EVERYTHING: "",
    }  # fmt: skip
    given(w, w.operator)
    lock(actor=w.owner, organisation=w.organisation, kind=kind, thing=things[kind], reason="somebody is in the cell")
    with pytest.raises(emergency.LockWins) as refused:
        opened(w, w.operator)
    assert ("somebody is in the cell" in str(refused.value.values["reasons"])) is (kind is not Locked.PERSON)
    assert not (Grant.objects.exists())
    assert not (EmergencyReview.objects.exists())
    assert not (AccessRequest.objects.exists())
    assert "access.emergency.opened" not in told(w)


def test_a_suppliers_technician_holds_it_only_when_that_is_said(linked: World) -> None:
    w = linked
    with pytest.raises(emergency.OfSupplier):
        given(w, w.rival)
    with pytest.raises(NotFound):
        visible_machine(w.rival, w.machine.public_id)
    role = given(w, w.rival, guest=True)
    assert visible_machine(fresh(w.rival), w.machine.public_id).sight is Sight.ASKABLE
    opened(w, w.rival)
    session = accepted(w, working(w, w.rival))
    # One of our own people who goes to a supplier takes no role along.
    own = person("keeper", w.organisation, Role.TECHNICIAN)
    given(w, own)
    opened(w, own, "Press 4")
    theirs = accepted(w, working(w, own, "Press 4"))
    Membership.objects.filter(person=own).update(supplier=Membership.objects.get(person=w.rival).supplier)
    assert services.enforce(timezone.now()) == 1
    assert (again(theirs).state, again(theirs).end_why) == ("cutting", Reason.NO_EMERGENCY_ROLE.value)
    assert again(session).state == "live"
    with pytest.raises(NotFound):
        opened(w, own)
    assert role.emergency_guest


def test_the_role_gives_nothing_to_ask_for_and_is_no_rule_among_rules(linked: World) -> None:
    w = linked
    role = given(w, w.operator)
    assert role not in list(rules(w.owner))
    with pytest.raises(access.NoRule):  # with it, this would have been open without a yes and without a review
        access.make_request(actor=w.operator, machine="Press 3", reason="x", minutes=5)
    with pytest.raises(NotFound):
        access.change_rule(actor=w.owner, rule=role.public_id)
    with pytest.raises(NotFound):
        access.end_rule(actor=w.owner, rule=role.public_id, reason="x")
    with pytest.raises(emergency.HeldAlready):
        given(w, w.operator)
    for who, refused in ((w.operator, Denied), (w.approver, Denied), (w.technician, NotFound), (w.stranger, NotFound)):
        with pytest.raises(refused):
            emergency.give_role(actor=who, organisation=w.organisation, person=w.approver.public_id, plant=w.plant)
        with pytest.raises(refused):
            emergency.take_role(actor=who, role=role.public_id, reason="x")
        with pytest.raises(refused):
            emergency.set_longest(actor=who, organisation=w.organisation, minutes=30)
    with pytest.raises(NotFound):
        given(w, w.stranger)
    assert list(roles(w.stranger)) == []
    with pytest.raises(IntegrityError), transaction.atomic():
        Rule.objects.filter(pk=role.pk).update(needs_approval=True)


def test_an_organisation_says_how_long_and_shortens_what_is_open(linked: World) -> None:
    w = linked
    given(w, w.operator)
    opened(w, w.operator)
    session = accepted(w, working(w, w.operator))
    for minutes in (4, 241):
        with pytest.raises(BadField):
            emergency.set_longest(actor=w.owner, organisation=w.organisation, minutes=minutes)
    emergency.set_longest(actor=w.owner, organisation=w.organisation, minutes=10)
    assert services.enforce(timezone.now()) == 1
    assert again(session).expires_at - timezone.now() < timedelta(minutes=10)
    given(w, w.approver)
    assert opened(w, w.approver, "Press 4").request.minutes == 10
    grant = Grant.objects.get(person=w.approver)
    with pytest.raises(access.OwnRequest):
        access.extend(actor=w.approver, grant=grant.public_id, minutes=5)


def test_it_stays_open_until_somebody_else_who_may_approve_signs_with_words(linked: World) -> None:
    w = linked
    given(w, w.approver)
    opened(w, w.approver)
    [row] = reviews(w.owner).unsigned()
    assert (row.person, row.machine, row.reason) == (w.approver, w.machine, "press runs away")
    assert [may_sign(who, row) for who in (w.owner, w.approver, w.operator)] == [True, False, False]
    sign: Any = {"review": row.public_id}
    refusals = ((w.approver, access.OwnRequest), (w.operator, Denied), (w.technician, NotFound), (w.stranger, NotFound))
    for who, refused in refusals:
        with pytest.raises(refused):
            emergency.sign_review(actor=who, note="fine", **sign)
    with pytest.raises(BadField):
        emergency.sign_review(actor=w.owner, note=" ", **sign)
    Grant.objects.update(starts_at=timezone.now() - timedelta(days=9), ends_at=timezone.now() - timedelta(days=8))
    assert reviews(w.owner).unsigned().count() == 1  # time signs nothing
    emergency.sign_review(actor=w.owner, note="belt torn, \n rightly opened", **sign)
    assert not reviews(w.owner).unsigned().exists()
    with pytest.raises(SignedAlready):
        emergency.sign_review(actor=w.owner, note="again", **sign)
    assert told(w)["access.emergency.reviewed"]["reason"] == "belt torn, rightly opened"
    # Not even the database lets whoever opened sign, nor anybody without words.
    other = EmergencyReview.objects.filter(pk=row.pk)
    for change in ({"signed_by": w.approver}, {"note": ""}, {"signed_by": None}):
        with pytest.raises(IntegrityError), transaction.atomic():
            other.update(**change)


def test_what_was_opened_comes_before_what_was_approved(linked: World) -> None:
    """Whoever broke the glass did so because their ordinary permission did not do."""
    w = linked
    given(w, w.rival, guest=True)
    ordinary = access.approve(actor=w.owner, request=access.make_request(
        actor=w.rival, machine="Press 4", reason="x", minutes=240).public_id)  # fmt: skip
    assert working(w, w.rival, "Press 4").grant_id == ordinary.pk
    grant = opened(w, w.rival, "Press 4")
    assert working(w, w.rival, "Press 4").grant_id == grant.pk


def test_a_locked_out_person_and_an_empty_machine_open_nothing(linked: World) -> None:
    w = linked
    given(w, w.operator)
    estate.remove_service(actor=w.owner, service=w.machine.devices.get().services.get().public_id)
    with pytest.raises(MachineClosed):
        opened(w, w.operator)
    identity.set_person_enabled(actor=w.owner, person=w.operator.public_id, enabled=False, reason="x")
    with pytest.raises(NotFound):
        opened(w, w.operator, "Press 4")
    assert not EmergencyReview.objects.exists()


def test_a_connector_opens_in_an_emergency_too(linked: World) -> None:
    w = linked
    end, body = ConnectorEnd(w.operator), {"machine": "Press 3", "reason": "press runs away"}
    assert end.call("POST", "/emergency", body).json()["code"] == "access.no-emergency-role"
    given(w, w.operator)
    answer = end.call("POST", "/emergency", body).json()
    assert (answer["state"], answer["reason"], answer["minutes"]) == ("approved", "press runs away", 60)
    assert reviews(w.owner).unsigned().get().grant.public_id == answer["grant"]  # type: ignore[union-attr]
    assert ConnectorEnd(w.stranger).call("POST", "/emergency", body).status_code == 404
