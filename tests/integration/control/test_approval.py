# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from portineria.control.access import closing, queries
from portineria.control.access import services as access
from portineria.control.access.answerable import decidable_requests
from portineria.control.access.models import AccessRequest, Approval, Grant
from portineria.control.audit.queries import events
from portineria.control.audit.verification import verify_chain
from portineria.control.identity import services as identity
from portineria.control.identity.models import Membership, Role
from portineria.control.identity.services import BadField
from portineria.core.errors import Conflict, Denied, NotFound, PortineriaError
from portineria.policy.ending import Ending
from tests.integration.control.world import World, fresh


def outcomes(*acts: Callable[[], object]) -> list[str]:
    """Run all at once, each in a thread with a connection of its own; return the codes, or ``done``."""
    results: list[str] = []
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        start.wait()
        try:
            act()
            results.append("done")
        except PortineriaError as error:
            results.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(results)


def test_of_two_approvals_at_once_one_wins_and_one_grant_exists(committed_world: World) -> None:
    world = committed_world
    request = world.request()
    results = outcomes(
        lambda: access.approve(actor=fresh(world.owner), request=request),
        lambda: access.approve(actor=fresh(world.approver), request=request),
    )
    assert results == ["access.request.already-decided", "done"]
    assert Grant.objects.count() == 1
    assert events(world.owner, code="access.grant.given").count() == 1
    assert verify_chain(world.organisation) > 0


def test_of_approval_and_cancellation_at_once_exactly_one_holds(committed_world: World) -> None:
    world = committed_world
    request = world.request()
    results = outcomes(
        lambda: access.approve(actor=fresh(world.owner), request=request),
        lambda: access.cancel(actor=fresh(world.technician), request=request),
    )
    assert results == ["access.request.already-decided", "done"]
    state = AccessRequest.objects.get(public_id=request).state
    assert (state, Grant.objects.count()) in {("approved", 1), ("cancelled", 0)}


def test_approval_after_cancellation_is_a_conflict(world: World) -> None:
    request = world.request()
    access.cancel(actor=world.technician, request=request)
    with pytest.raises(Conflict):
        access.approve(actor=world.owner, request=request)
    assert not Grant.objects.exists()


def test_whoever_asks_may_not_approve_even_as_administrator(world: World) -> None:
    rule = access.create_rule(
        actor=world.owner,
        organisation=world.organisation,
        machines=[world.machine.public_id],
        person=world.owner.public_id,
    )
    request = access.make_request(actor=world.owner, machine="Press 3", reason="look", minutes=10)
    assert request.rule == rule
    with pytest.raises(Denied):
        access.approve(actor=world.owner, request=request.public_id)
    assert access.approve(actor=world.approver, request=request.public_id).person == world.owner


def test_the_database_itself_holds_the_four_eyes(world: World) -> None:
    world.grant()
    [approval] = Approval.objects.all()
    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.filter(pk=approval.pk).update(decided_by=world.technician)
    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.create(
            request=AccessRequest.objects.get(), asked_by=world.owner, decided_by=world.owner, approved=True
        )


def test_strangers_rivals_and_operators_do_not_approve(world: World) -> None:
    request = world.request()
    for who in (world.stranger, world.rival):
        with pytest.raises(NotFound):
            access.approve(actor=who, request=request)
    with pytest.raises(Denied):
        access.approve(actor=world.operator, request=request)
    assert [r.public_id for r in decidable_requests(world.approver)] == [request]
    assert list(decidable_requests(world.operator)) == []


def test_a_denied_approval_leaves_nothing_behind(world: World) -> None:
    request, before = world.request(), events(world.owner).count()
    with pytest.raises(Denied):
        access.approve(actor=world.operator, request=request)
    assert AccessRequest.objects.get(public_id=request).state == "pending"
    assert events(world.owner).count() == before


def test_a_rule_without_approval_gives_the_grant_at_once(world: World) -> None:
    access.change_rule(actor=world.owner, rule=world.rule, needs_approval=False)
    request = access.make_request(actor=world.technician, machine="Press 3", reason="weekly check", minutes=30)
    assert request.state == "approved"
    assert Grant.objects.get().person == world.technician


@pytest.mark.parametrize("minutes", [0, -5, 481])
def test_a_request_stays_within_what_the_rule_allows(world: World, minutes: int) -> None:
    with pytest.raises(BadField):
        access.make_request(actor=world.technician, machine="Press 3", reason="x", minutes=minutes)


def test_a_late_yes_does_not_move_the_window(world: World) -> None:
    starts = timezone.now() - timedelta(minutes=4)
    request = access.make_request(actor=world.technician, machine="Press 3", reason="x", minutes=60, starts_at=starts)
    grant = access.approve(actor=world.owner, request=request.public_id)
    assert grant.ends_at == starts + timedelta(minutes=60)
    assert grant.starts_at > starts


def test_a_window_in_the_future_is_not_open_yet(world: World) -> None:
    request = access.make_request(
        actor=world.technician,
        machine="Press 3",
        reason="x",
        minutes=60,
        starts_at=timezone.now() + timedelta(hours=1),
    )
    access.approve(actor=world.owner, request=request.public_id)
    seen = queries.visible_machine(world.technician, "Press 3")
    assert seen.sight == "askable"
    assert seen.decision.denials == ("not-yet",)


def test_undecided_requests_expire(world: World) -> None:
    request = world.request()
    assert closing.expire_requests(timezone.now() + timedelta(days=6)) == 0
    assert closing.expire_requests(timezone.now() + timedelta(days=8)) == 1
    assert AccessRequest.objects.get(public_id=request).state == "expired"


def test_the_owner_extends_and_whoever_works_does_not(world: World) -> None:
    grant = world.begun()
    before = Grant.objects.get().ends_at
    with pytest.raises(Denied):
        access.extend(actor=world.technician, grant=grant, minutes=30)
    assert access.extend(actor=world.owner, grant=grant, minutes=30).ends_at == before + timedelta(minutes=30)
    with pytest.raises(BadField):
        access.extend(actor=world.owner, grant=grant, minutes=481)


def test_only_who_may_approve_extends_and_nobody_their_own(world: World) -> None:
    grant = world.grant()
    with pytest.raises(Denied):
        access.extend(actor=world.operator, grant=grant, minutes=30)
    access.create_rule(
        actor=world.owner,
        organisation=world.organisation,
        machines=[world.machine.public_id],
        person=world.approver.public_id,
    )
    asked = access.make_request(actor=world.approver, machine="Press 3", reason="look", minutes=10)
    own = access.approve(actor=world.owner, request=asked.public_id)
    with pytest.raises(access.OwnRequest):
        access.extend(actor=world.approver, grant=own.public_id, minutes=10)
    assert Grant.objects.get(pk=own.pk).ends_at == own.ends_at


def test_a_revoked_grant_stays_revoked(world: World) -> None:
    grant = world.grant()
    access.revoke(actor=world.operator, grant=grant, reason="fire drill", ending=Ending.SECURITY)
    for act in (
        lambda: access.extend(actor=world.owner, grant=grant, minutes=10),
        lambda: access.revoke(actor=world.owner, grant=grant, reason="again"),
    ):
        with pytest.raises(Conflict):
            act()


def test_the_database_refuses_impossible_grants_and_memberships(world: World) -> None:
    world.grant()
    grant = Grant.objects.get()
    for change in ({"ends_at": grant.starts_at}, {"ended_class": "security"}, {"revoked_at": timezone.now()}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Grant.objects.filter(pk=grant.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.filter(person=world.technician).update(role=Role.ADMINISTRATOR)


@pytest.mark.parametrize("how", ["person", "supplier", "member"])
def test_nothing_is_approved_for_somebody_who_is_locked_or_gone(world: World, how: str) -> None:
    request, why = world.request(), "left the firm"
    who = world.technician.public_id
    if how == "person":
        identity.set_person_enabled(actor=world.owner, person=who, enabled=False, reason=why)
    elif how == "supplier":
        identity.set_supplier_enabled(actor=world.owner, supplier=world.supplier, enabled=False, reason=why)
    else:
        identity.end_membership(actor=world.owner, person=who, organisation=world.organisation, reason=why)
    with pytest.raises(closing.PersonLocked):
        access.approve(actor=fresh(world.owner), request=request)
    assert not Grant.objects.exists()
    assert AccessRequest.objects.get(public_id=request).state == "pending"
    access.refuse(actor=fresh(world.owner), request=request, reason=why)
