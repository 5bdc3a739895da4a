# SPDX-License-Identifier: Apache-2.0
"""Somebody stands in for an approver who is away: as far as that one's yes goes, for as long as it was said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import closing, queries, substituting
from portineria.control.access import services as access
from portineria.control.access.answerable import decidable_requests
from portineria.control.access.models import AccessRequest, AlreadyDecided, Approval, Grant, Rule
from portineria.control.access.rules import Conditions
from portineria.control.access.services import OwnRequest
from portineria.control.access.substitution import Substitution
from portineria.control.access.watchers import watches
from portineria.control.audit.models import Event
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.identity.services import BadField
from portineria.control.notification import collecting
from portineria.control.notification.models import Notification
from portineria.control.remote_sessions import services
from portineria.control.remote_sessions.models import StandingBy
from portineria.control.remote_sessions.standing_by import named_in, stands_by
from portineria.core.errors import Denied, NotFound
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.world import World, fresh, person


def stand_in(world: World, by: Person, whom: Person, *, hours: float = 8, begins: float = 0) -> Substitution:
    now = timezone.now()
    return substituting.name_substitute(
        actor=by, organisation=world.organisation, substitute=whom.public_id, starts_at=now + timedelta(hours=begins),
        ends_at=now + timedelta(hours=begins + hours),
    )  # fmt: skip


def waiting_for(who: Person) -> list[str]:
    return [row.public_id for row in decidable_requests(fresh(who))]


def test_a_substitute_decides_while_it_lasts_and_not_before_or_after(world: World) -> None:
    request = world.request()
    row = stand_in(world, world.owner, world.operator, begins=1)
    assert waiting_for(world.operator) == []
    with pytest.raises(Denied):
        access.approve(actor=world.operator, request=request)
    Substitution.objects.update(starts_at=timezone.now())
    assert waiting_for(world.operator) == [request]
    Substitution.objects.update(ends_at=timezone.now())
    with pytest.raises(Denied):
        access.approve(actor=world.operator, request=request)
    Substitution.objects.update(ends_at=timezone.now() + timedelta(hours=1))
    access.approve(actor=world.operator, request=request)
    approval = Approval.objects.get()
    assert (approval.decided_by, approval.substitution) == (world.operator, row)
    with pytest.raises(IntegrityError), transaction.atomic():
        Substitution.objects.update(substitute=world.owner)


@pytest.mark.parametrize("what", ["ended", "approver lowered", "approver disabled", "substitute lowered"])
def test_what_a_substitute_allowed_drains_when_the_substitution_is_taken_away(linked: World, what: str) -> None:
    row = stand_in(linked, linked.approver, linked.operator)
    access.approve(actor=linked.operator, request=linked.request())
    session = accepted(linked, started(linked))
    Substitution.objects.update(ends_at=timezone.now())  # its time coming ends nothing that was allowed in it
    assert services.enforce(timezone.now()) == 0
    Substitution.objects.update(ends_at=timezone.now() + timedelta(hours=1))
    if what == "ended":
        substituting.end_substitution(actor=linked.operator, substitution=row.public_id)
    elif what == "approver disabled":
        Person.objects.get_queryset().filter(pk=linked.approver.pk).update(disabled_at=timezone.now())
    else:
        whose = linked.approver if what == "approver lowered" else linked.operator
        role = Role.OPERATOR if what == "approver lowered" else Role.TECHNICIAN
        Membership.objects.filter(person=whose).update(role=role)
    assert services.enforce(timezone.now()) == 1
    after = again(session)
    assert (after.state, after.ending_class, after.end_why) == ("draining", "administrative", "no-approval")


def test_nobody_decides_what_is_their_own_through_a_substitute_or_a_second_account(world: World) -> None:
    access.create_rule(
        actor=world.owner, organisation=world.organisation, machines=[world.machine.public_id],
        person=world.approver.public_id,
    )  # fmt: skip
    asked = access.make_request(
        actor=fresh(world.approver), machine=world.machine.public_id, reason="x", minutes=30
    ).public_id
    stand_in(world, world.approver, world.operator)
    assert waiting_for(world.operator) == []
    with pytest.raises(Denied):
        access.approve(actor=world.operator, request=asked)
    request = world.request()
    second = person("technician+plant", world.organisation, Role.ADMINISTRATOR)
    with pytest.raises(OwnRequest):
        access.approve(actor=second, request=request)
    third = person("technician+shift", world.organisation, Role.OPERATOR)
    stand_in(world, world.owner, third)
    with pytest.raises(OwnRequest):
        access.approve(actor=third, request=request)
    alias = person("owner+two", world.organisation, Role.OPERATOR)
    with pytest.raises(BadField):
        stand_in(world, world.owner, alias)
    assert not Approval.objects.exists()


def test_of_one_approver_there_is_one_yes_whoever_gives_it(world: World) -> None:
    access.change_rule(actor=world.owner, rule=world.rule, conditions=Conditions(approvals=2))
    request = world.request()
    stand_in(world, world.owner, world.operator)
    assert access.agree(actor=world.operator, request=request) is None
    for again_ in (world.owner, world.operator):
        with pytest.raises((AlreadyDecided, Denied)):
            access.agree(actor=again_, request=request)
    assert access.agree(actor=world.approver, request=request) is not None


def test_who_may_name_whom_and_who_may_end_it(world: World) -> None:
    for by, whom in ((world.operator, world.approver), (world.stranger, world.operator)):
        with pytest.raises((Denied, NotFound)):
            stand_in(world, by, whom)
    for whom in (world.technician, world.stranger):
        with pytest.raises(NotFound):
            stand_in(world, world.owner, whom)
    for hours, begins in ((0, 0), (-1, 0), (24 * 93, 0), (1, -1), (1, 24 * 367)):
        with pytest.raises(BadField):
            stand_in(world, world.owner, world.operator, hours=hours, begins=begins)
    row = stand_in(world, world.owner, world.operator)
    for who, refused in ((world.approver, Denied), (world.stranger, NotFound), (world.technician, NotFound)):
        with pytest.raises(refused):
            substituting.end_substitution(actor=who, substitution=row.public_id)
    substituting.end_substitution(actor=world.owner, substitution=row.public_id)
    with pytest.raises(substituting.SubstitutionOver):
        substituting.end_substitution(actor=world.owner, substitution=row.public_id)
    for _each in range(substituting.MOST):
        stand_in(world, world.owner, world.operator)
    with pytest.raises(substituting.TooManySubstitutes):
        stand_in(world, world.owner, world.operator)


def test_whoever_may_decide_is_reminded_once_before_a_request_expires_quietly(world: World) -> None:
    stand_in(world, world.owner, world.operator, hours=24 * 30)
    request = world.request()
    now = timezone.now()
    assert closing.remind_of_requests(now + timedelta(days=5)) == 0
    assert closing.remind_of_requests(now + timedelta(days=6, minutes=1)) == 1
    assert closing.remind_of_requests(now + timedelta(days=6, minutes=2)) == 0
    later = world.request(60, 2)  # to begin in two days: half a day before that
    assert closing.remind_of_requests(now + timedelta(days=1, hours=11)) == 0
    assert closing.remind_of_requests(now + timedelta(days=1, hours=13)) == 1
    assert Event.objects.filter(code="access.request.reminded").count() == 2
    collecting.collect(world.organisation, now, mail=False)
    told = Notification.objects.filter(thing=request, code="access.request.reminded")
    assert set(told.values_list("person", flat=True)) == {world.owner.pk, world.approver.pk, world.operator.pk}
    closing.expire_requests(now + timedelta(days=8))
    assert set(AccessRequest.objects.filter(public_id__in=[request, later]).values_list("state", flat=True)) == {
        "expired"
    }


@pytest.mark.sqlite
def test_substitutes_are_named_and_seen_on_their_page(world: World) -> None:
    owner, operator = signed_in(world.owner), signed_in(world.operator)
    until = timezone.localtime() + timedelta(days=1)
    answer = owner.post("/approvals/substitutes/", {
        "substitute": f"{world.organisation}/{world.operator.public_id}", "begins": f"{timezone.now():%Y-%m-%dT%H:%M}",
        "until": f"{until:%Y-%m-%dT%H:%M}",
    })  # fmt: skip
    assert answer.status_code == 302
    assert "stands in for Owner" in shown(operator, "/approvals/substitutes/")
    assert "Name a substitute" not in shown(operator, "/approvals/substitutes/")
    request = world.request()
    assert "belt change" in shown(operator, "/approvals/")
    assert operator.post(f"/requests/{request}/approve/", {"profile": ""}).status_code == 302
    assert "standing in for Owner" in shown(owner, f"/requests/{request}/")
    row = Substitution.objects.get()
    assert signed_in(world.technician).post(f"/approvals/substitutes/{row.public_id}/end/").status_code == 404
    assert signed_in(world.technician).get("/approvals/substitutes/").status_code == 404
    operator.post(f"/approvals/substitutes/{row.public_id}/end/")
    assert "Nobody stands in for anybody." in shown(owner, "/approvals/substitutes/")


def test_of_those_whom_a_rule_names_to_watch_one_is_enough_and_so_is_whoever_stands_in(linked: World) -> None:
    w = linked
    asked = Conditions(watcher=w.operator.public_id, watchers=(w.approver.public_id,))
    access.change_rule(actor=w.owner, rule=w.rule, conditions=asked)
    w.grant(60)
    grant = Grant.objects.select_related("rule", "request").get()

    def count(*people: Person) -> list[bool]:
        found = []
        for one in people:
            StandingBy.objects.create(grant=grant, person=one, seen_at=timezone.now())
            found.append(stands_by(grant, timezone.now()))
            row = queries.request(fresh(w.owner), grant.request.public_id)
            assert named_in(fresh(one), row) == found[-1]
            StandingBy.objects.all().delete()
        return found

    assert count(w.operator, w.approver, w.owner, w.technician) == [True, True, False, False]
    lent = stand_in(w, w.operator, w.owner)
    assert count(w.owner) == [True]
    rule, now = Rule.objects.get(public_id=w.rule), timezone.now()
    for one in (w.operator, w.owner):  # their own work nobody watches, nor whoever stands in for them
        assert not watches(one, rule, w.operator, now)
    assert not Substitution.objects.holding(now).exists()  # whoever does not approve lends no yes
    substituting.end_substitution(actor=w.operator, substitution=lent.public_id)
    assert count(w.owner) == [False]
    access.change_rule(actor=w.owner, rule=w.rule, conditions=replace(asked, watchers=()))
    assert count(w.operator, w.approver) == [True, False]
    access.change_rule(actor=w.owner, rule=w.rule, conditions=Conditions())
    with pytest.raises(Denied):  # whom no rule names and who does not approve
        stand_in(w, w.operator, w.owner)
