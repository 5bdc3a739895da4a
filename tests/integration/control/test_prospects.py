# SPDX-License-Identifier: Apache-2.0
"""A yes that opens nothing is not given, what waits for one ends, and pages say what policy says, not the dates."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone, translation

from portineria.control.access import closing
from portineria.control.access import services as access
from portineria.control.access.answerable import decidable_requests
from portineria.control.access.models import AccessRequest, Grant, Rule
from portineria.control.audit.queries import events, views
from portineria.control.estate import enrolment as admission
from portineria.control.estate import services as estate
from portineria.control.identity import first_run
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Role
from portineria.control.problem import problem_of
from portineria.core.errors import Conflict
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.world import TOTP_SECRET, ConnectorEnd, World, fresh

pytestmark = pytest.mark.sqlite  # nothing here depends on which database it is


def stored(request: str) -> AccessRequest:
    return AccessRequest.objects.get(public_id=request)


def unruled(world: World) -> None:
    """As between a rule's end and a look at what waits under it."""
    Rule.objects.filter(public_id=world.rule).update(ended_at=timezone.now())


def narrowed(world: World) -> None:
    Rule.objects.get(public_id=world.rule).machines.set([world.rivals_machine])


def shortened(world: World) -> None:
    Rule.objects.filter(public_id=world.rule).update(max_minutes=30)


def gateway_revoked(world: World) -> None:
    admission.revoke_gateway(actor=world.owner, gateway=world.gateway.id, reason="stolen")


def services_removed(world: World) -> None:
    service = world.machine.devices.get().services.get()
    estate.remove_service(actor=world.owner, service=service.public_id)


def without_factor(world: World) -> None:
    from allauth.mfa.models import Authenticator

    Authenticator.objects.filter(user=world.technician).delete()


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (unruled, "access.rule-gone"),
        (narrowed, "access.rule-gone"),
        (shortened, "access.rule-gone"),
        (gateway_revoked, "access.machine-closed"),
        (services_removed, "access.machine-closed"),
        (without_factor, "access.person-without-factor"),
    ],
)
def test_a_yes_that_would_open_nothing_is_a_conflict_and_leaves_everything_as_it_was(
    world: World, happens: object, code: str
) -> None:
    request = world.request()
    happens(world)  # type: ignore[operator]
    with pytest.raises(Conflict) as caught:
        access.approve(actor=fresh(world.owner), request=request)
    assert caught.value.code == code
    assert stored(request).state == "pending"
    assert not Grant.objects.exists()
    page = signed_in(world.owner).post(f"/requests/{request}/approve/", {"reason": ""})
    assert "Nothing was approved" in page.content.decode()


def test_where_no_approval_is_needed_nothing_that_opens_nothing_is_given_either(world: World) -> None:
    access.change_rule(actor=world.owner, rule=world.rule, needs_approval=False)
    services_removed(world)
    with pytest.raises(closing.MachineClosed):
        world.request()
    assert not Grant.objects.exists()
    assert not AccessRequest.objects.exists()


def end_rule(world: World) -> None:
    access.end_rule(actor=world.owner, rule=world.rule, reason="contract over")


def take_machine_out(world: World) -> None:
    access.change_rule(actor=world.owner, rule=world.rule, machines=[world.rivals_machine.public_id])


def shorten(world: World) -> None:
    access.change_rule(actor=world.owner, rule=world.rule, max_minutes=30)


@pytest.mark.parametrize("act", [end_rule, take_machine_out, shorten])
def test_what_waits_under_a_rule_ends_with_it_at_once_and_says_why(world: World, act: object) -> None:
    request = world.request(60)
    act(world)  # type: ignore[operator]
    row = stored(request)
    assert (row.state, row.lapsed_why) == ("lapsed", "no-rule")
    [event] = events(world.owner, code="access.request.lapsed")
    fields = views([event])[0].fields
    assert (fields["request"], fields["why"]) == (request, "no-rule")
    assert list(decidable_requests(world.owner)) == []
    page = shown(signed_in(world.owner), f"/requests/{request}/")
    assert "no rule admits this any more" in page
    assert "Approve</button>" not in page


def test_a_rule_that_is_changed_otherwise_lets_wait_what_still_fits(world: World) -> None:
    request = world.request(60)
    access.change_rule(actor=world.owner, rule=world.rule, max_minutes=60, needs_approval=True)
    assert closing.lapse_requests(timezone.now()) == 0
    assert stored(request).state == "pending"


@pytest.mark.parametrize(("how", "why"), [("supplier", "supplier-disabled"), ("member", "no-membership no-rule")])
def test_what_waits_ends_when_its_supplier_or_membership_goes(world: World, how: str, why: str) -> None:
    request, who = world.request(), world.technician.public_id
    if how == "supplier":
        identity.set_supplier_enabled(actor=world.owner, supplier=world.supplier, enabled=False, reason="breach")
    else:
        identity.end_membership(actor=world.owner, person=who, organisation=world.organisation, reason="left")
    assert closing.lapse_requests(timezone.now()) == 1
    assert stored(request).lapsed_why == why
    assert closing.lapse_requests(timezone.now()) == 0


def test_a_locked_person_and_an_absent_gateway_may_be_back_tomorrow_and_what_they_asked_waits(world: World) -> None:
    request = world.request()
    identity.set_person_enabled(actor=world.owner, person=world.technician.public_id, enabled=False, reason="look")
    gateway_revoked(world)
    assert closing.lapse_requests(timezone.now()) == 0
    assert stored(request).state == "pending"


def test_the_database_knows_no_lapse_without_a_reason(world: World) -> None:
    request = world.request()
    for change in ({"state": "lapsed"}, {"lapsed_why": "no-rule"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            AccessRequest.objects.filter(public_id=request).update(**change)


def test_a_grant_whose_rule_ended_is_shown_as_what_it_opens(world: World) -> None:
    """Nothing: no time left, no way to connect, nobody who may reach it."""
    request = world.request()
    access.approve(actor=world.owner, request=request)
    for who in (world.owner, world.technician):
        assert "valid now" in shown(signed_in(who), f"/requests/{request}/")
    assert "Technician" in who_may_reach(world)
    end_rule(world)
    for who in (world.owner, world.technician):
        page = shown(signed_in(who), f"/requests/{request}/")
        assert "valid now" not in page
        assert "data-countdown" not in page
        assert "How to connect" not in page
        assert "opens nothing" in page
        assert "no rule admits this any more" in page
    assert "Technician" not in who_may_reach(world)


def who_may_reach(world: World) -> str:
    page = shown(signed_in(world.owner), f"/machines/{world.machine.public_id}/")
    return page.partition('id="rules-title"')[2].partition("</section>")[0]


def test_a_grant_that_ended_or_was_revoked_is_called_that(world: World) -> None:
    request = world.request()
    grant = access.approve(actor=world.owner, request=request)
    past = timezone.now() - timedelta(hours=2)
    Grant.objects.filter(pk=grant.pk).update(starts_at=past, ends_at=past + timedelta(hours=1))
    assert ">ended<" in shown(signed_in(world.owner), f"/requests/{request}/")
    other = world.request()
    revoked = access.approve(actor=world.owner, request=other)
    access.revoke(actor=world.owner, grant=revoked.public_id, reason="x")
    assert ">revoked<" in shown(signed_in(world.owner), f"/requests/{other}/")


def test_a_yes_for_later_does_not_say_that_it_begins_now(world: World) -> None:
    client = signed_in(world.owner)
    now, later = world.request(), world.request(in_days=2)
    said = client.post(f"/requests/{now}/approve/", {"reason": ""}, follow=True).content.decode()
    assert "The time runs from the first session" in said
    said = client.post(f"/requests/{later}/approve/", {"reason": ""}, follow=True).content.decode()
    assert "The time runs from the first session" not in said
    assert "from the beginning that you see here" in said
    assert "not begun" in said


# -- asked twice ------------------------------------------------------------------------------------------------


def test_the_same_request_twice_is_a_conflict_that_names_the_first(world: World) -> None:
    end = ConnectorEnd(world.technician)
    body = {"machine": "Press 3", "reason": "seal", "minutes": 30}
    first = end.call("POST", "/requests", body).json()["request"]
    again = end.call("POST", "/requests", body | {"minutes": 60})
    assert (again.status_code, again.json()["code"]) == (409, "access.request.waits")
    assert first in again.json()["detail"]
    assert [row["request"] for row in end.call("GET", "/requests").json()] == [first]
    page = signed_in(world.technician).post(
        f"/machines/{world.machine.public_id}/ask/", {"reason": "seal", "minutes": "30"}
    )
    assert first in page.content.decode()
    access.refuse(actor=world.owner, request=first, reason="no")
    assert end.call("POST", "/requests", body).status_code == 200


@pytest.mark.parametrize(("hours", "minutes", "status"), [(0, 60, 409), (0.9, 30, 409), (-0.4, 30, 409), (1, 30, 200)])
def test_windows_that_overlap_are_the_same_request_and_others_are_not(
    world: World, hours: float, minutes: int, status: int
) -> None:
    end, monday = ConnectorEnd(world.technician), timezone.now() + timedelta(days=3)
    body = {"machine": "Press 3", "reason": "seal", "minutes": 60, "starts_at": monday.isoformat()}
    assert end.call("POST", "/requests", body).status_code == 200
    other = body | {"minutes": minutes, "starts_at": (monday + timedelta(hours=hours)).isoformat()}
    assert end.call("POST", "/requests", other).status_code == status


def test_somebody_elses_request_is_not_mine(world: World) -> None:
    colleague = identity.create_person(
        actor=Operator(), organisation=world.organisation, name="Colleague", email="colleague@example.com",
        role=Role.TECHNICIAN, supplier=world.supplier,
    )  # fmt: skip
    first_run.set_totp(actor=Operator(), person=colleague.public_id, secret=TOTP_SECRET)
    world.request()
    body = {"machine": "Press 3", "reason": "seal", "minutes": 30}
    assert ConnectorEnd(fresh(colleague)).call("POST", "/requests", body).status_code == 200


def test_who_connects_while_a_request_waits_hears_that_it_waits(world: World) -> None:
    from portineria.control.identity.connector import base64url
    from tests.integration.control.sessions import session_key

    world.link()
    end = ConnectorEnd(world.technician)
    body = {"machine": "Press 3", "key": base64url(session_key())}
    assert end.call("POST", "/sessions", body).json()["code"] == "access.no-grant"
    request = world.request()
    answer = end.call("POST", "/sessions", body)
    assert (answer.status_code, answer.json()["code"]) == (403, "access.request-waits")
    assert request in answer.json()["detail"]
    access.approve(actor=world.owner, request=request)
    assert end.call("POST", "/sessions", body).status_code == 200


# -- limits in words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [0, 481])
@pytest.mark.parametrize("language", ["en", "it", "ja"])
def test_a_time_that_is_too_long_is_answered_with_the_limits(world: World, language: str, minutes: int) -> None:
    with pytest.raises(identity.BadField) as caught:
        world.request(minutes)
    with translation.override(language):
        said = problem_of(caught.value).detail
    assert re.search(r"\b1\b.*\b480\b" if language != "ja" else "1.*480", said), said
    answer = ConnectorEnd(world.technician).call(
        "POST", "/requests", {"machine": "Press 3", "reason": "x", "minutes": minutes}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "field.minutes")
    assert "between 1 and 480 minutes" in answer.json()["detail"]
