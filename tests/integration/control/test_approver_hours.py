# SPDX-License-Identifier: Apache-2.0
"""An approver says when they can be asked: that moves whom one tells first, and nothing of what a yes is worth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.approver_hours import ApproverHours
from portineria.control.access.deciding import deciders
from portineria.control.access.hours import asked_now, own_hours, presence, set_hours
from portineria.control.access.models import AccessRequest, Rule
from portineria.control.audit.models import Event
from portineria.control.identity.models import Person, Role
from portineria.control.identity.services import BadField
from portineria.control.notification.back import IN_YOUR_HOURS, collect_back
from portineria.control.notification.models import Notification
from portineria.core.errors import Denied, NotFound
from portineria.ledger import leaf
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser
from tests.integration.control.test_approval_levels import named, wanting
from tests.integration.control.test_notifications import collected, nothing_new, told
from tests.integration.control.test_substitutes import stand_in
from tests.integration.control.world import World, fresh, person

ROME = ZoneInfo("Europe/Rome")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def away(w: World, who: Person, days: int = 1) -> datetime:
    """Their only hours are some days from now; when these begin."""
    begins = (timezone.now() + timedelta(days=days)).replace(hour=12, minute=0, second=0, microsecond=0)
    set_hours(actor=fresh(who), organisation=w.organisation, windows=f"{_DAYS[begins.weekday()]} 12:00-13:00")
    return begins


def waiting(request: str) -> AccessRequest:
    return AccessRequest.objects.select_related("rule__profile", "person").get(public_id=request)


def test_whoever_is_away_is_told_when_their_hours_begin_and_once(world: World) -> None:
    w = world
    begins = away(w, w.owner)
    nothing_new(w)
    request = w.request()
    collected(w)
    assert (told(w.owner), told(w.approver)) == ([], ["access.request.made"])
    assert collect_back(begins - timedelta(minutes=1), mail=False) == 0
    assert [collect_back(begins + timedelta(minutes=at), mail=True) for at in (0, 1)] == [1, 0]
    assert (told(w.owner), told(w.approver)) == ([IN_YOUR_HOURS], ["access.request.made"])
    assert Notification.objects.get(code=IN_YOUR_HOURS).thing == request
    assert "Your hours have begun" in shown(signed_in(w.owner), "/notifications/")


def test_what_was_answered_meanwhile_is_told_to_nobody_who_comes_back(world: World) -> None:
    begins = away(world, world.owner)
    request = world.request()
    collected(world)
    access.approve(actor=world.approver, request=request)
    assert collect_back(begins, mail=False) == 0


def test_where_nobody_is_there_all_are_asked_at_once(world: World) -> None:
    w = world
    begins = [away(w, who) for who in (w.owner, w.approver)]
    nothing_new(w)
    request = w.request()
    collected(w)
    assert told(w.owner) == told(w.approver) == ["access.request.made"]
    assert collect_back(max(begins), mail=False) == 0
    stand_in(w, w.owner, w.operator)  # a substitute who is there is somebody to ask
    assert asked_now(waiting(request), timezone.now()) == [w.operator.pk]
    away(w, w.operator)
    assert set(asked_now(waiting(request), timezone.now())) == {w.owner.pk, w.approver.pk, w.operator.pk}


def test_those_who_are_there_are_asked_first_only_where_they_are_enough(world: World) -> None:
    w = world
    third = person("third", w.organisation, Role.APPROVER)
    away(w, w.owner)
    Rule.objects.update(approvals=2)
    request = w.request()
    assert set(asked_now(waiting(request), timezone.now())) == {w.approver.pk, third.pk}
    away(w, third)
    assert set(asked_now(waiting(request), timezone.now())) == {w.owner.pk, w.approver.pk, third.pk}


def test_of_a_level_only_its_own_people_are_asked_however_few_are_there(world: World) -> None:
    w = world
    wanting(w, named(w.approver), named(w.owner))
    away(w, w.approver)
    request = w.request()
    assert asked_now(waiting(request), timezone.now()) == [w.approver.pk]
    begins = away(w, w.owner, days=2)
    nothing_new(w)
    assert collect_back(begins, mail=False) == 0  # their level is not asked
    access.agree(actor=w.approver, request=request)
    collected(w)
    assert told(w.owner) == ["access.request.agreed"]  # nobody else is there whom that level asks


def test_of_a_level_as_many_as_it_asks_for_are_enough(world: World) -> None:
    w = world
    third = person("third", w.organisation, Role.APPROVER)
    wanting(w, named(w.owner, third), named(w.approver))
    away(w, w.owner)
    request = w.request()
    assert asked_now(waiting(request), timezone.now()) == [third.pk]
    away(w, third)
    assert set(asked_now(waiting(request), timezone.now())) == {w.owner.pk, third.pk}


def test_a_yes_outside_of_ones_hours_is_a_yes(world: World) -> None:
    away(world, world.owner)
    access.approve(actor=fresh(world.owner), request=world.request())


@pytest.mark.parametrize(
    ("at", "here"),
    [
        (datetime(2026, 3, 28, 6, 30, tzinfo=UTC), True),  # Saturday 07:30, winter
        (datetime(2026, 3, 28, 5, 30, tzinfo=UTC), False),
        (datetime(2026, 3, 29, 5, 30, tzinfo=UTC), True),  # Sunday 07:30: the clock was put on at night
        (datetime(2026, 3, 29, 14, 0, tzinfo=UTC), False),
        (datetime(2026, 10, 25, 5, 30, tzinfo=UTC), False),  # Sunday 06:30: the clock was put back
        (datetime(2026, 10, 25, 6, 0, tzinfo=UTC), True),
    ],
)
def test_hours_follow_the_clock_of_their_person(world: World, at: datetime, here: bool) -> None:
    Person.objects.get_queryset().filter(pk=world.owner.pk).update(time_zone="Europe/Rome")
    set_hours(actor=world.owner, organisation=world.organisation, windows="sab,dom 07:00-16:00")
    owner = Person.objects.get(pk=world.owner.pk)
    found = presence(owner.memberships.get().organisation_id, [owner.pk], at)
    assert found.here == ([owner.pk] if here else [])
    if found.back is not None:
        assert (found.back.astimezone(ROME).hour, found.back > at) == (7, True)


def test_by_a_clock_that_nobody_knows_any_more_one_is_asked_always(world: World) -> None:
    w = world
    away(w, w.owner)
    row = waiting(w.request())
    assert asked_now(row, timezone.now()) == [w.approver.pk]
    Person.objects.get_queryset().filter(pk=w.owner.pk).update(time_zone="Europe/Nowhere")
    assert asked_now(row, timezone.now()) == deciders(row, timezone.now())
    assert "not known any more" in shown(signed_in(fresh(w.owner)), "/account/")


@pytest.mark.parametrize(
    "windows", ["Mon 08:00-08:00", "2026-12-24 12:00-08:00", "2026-12-24 08:00-12:00", "always", "Mon 08:00-25:00",
                "; ".join(f"Mon 0{at // 60}:{at % 60:02}-09:00" for at in range(21))],
)  # fmt: skip
def test_what_is_no_hours_of_a_week_is_refused_and_changes_nothing(world: World, windows: str) -> None:
    with pytest.raises(BadField) as refused:
        set_hours(actor=world.owner, organisation=world.organisation, windows=windows)
    assert refused.value.code == "field.own_hours"
    assert not ApproverHours.objects.exists()
    answer = signed_in(world.owner).post(f"/account/hours/{world.organisation}/", {"own_hours": windows})
    assert answer.status_code == 200
    assert "These are not hours of a week" in answer.content.decode()


def test_hours_are_of_who_works_there_and_give_nobody_a_yes(world: World) -> None:
    w = world
    for who in (w.technician, w.rival, w.stranger):
        with pytest.raises(NotFound):
            set_hours(actor=who, organisation=w.organisation, windows="Mon 08:00-09:00")
        assert own_hours(who) == [] or all(one.organisation.public_id != w.organisation for one in own_hours(who))
        assert signed_in(who).get(f"/account/hours/{w.organisation}/").status_code == 404
    set_hours(actor=w.operator, organisation=w.organisation, windows="Mon-Sun 00:00-24:00")
    begins = away(w, w.owner)
    request = w.request()
    assert asked_now(waiting(request), timezone.now()) == [w.approver.pk]
    collected(w)
    with pytest.raises(Denied):
        access.approve(actor=w.operator, request=request)
    collect_back(begins, mail=False)
    assert IN_YOUR_HOURS not in told(w.operator)


def test_a_change_is_written_once_and_what_was_taken_back_is_told(world: World) -> None:
    w = world
    away(w, w.owner)
    for windows in ("Mon-Fri 07:00-16:00", "lun-ven 07:00-16:00", "", ""):
        set_hours(actor=w.owner, organisation=w.organisation, windows=windows)
    said = [leaf.decode(bytes(row.leaf))["fields"] for row in Event.objects.filter(code="access.hours.set")]
    assert [one.get("windows", "") for one in said[1:]] == ["Mon-Fri 07:00-16:00", ""]
    away(w, w.owner)
    nothing_new(w)
    w.request()
    collected(w)
    set_hours(actor=w.owner, organisation=w.organisation, windows="")
    assert told(w.owner) == []
    assert collect_back(timezone.now(), mail=False) == 0  # its own event is read first
    assert collect_back(timezone.now() + timedelta(minutes=2), mail=False) == 1
    assert told(w.owner) == [IN_YOUR_HOURS]
    row = ApproverHours.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        ApproverHours.objects.create(organisation=row.organisation, person=row.person)


@pytest.mark.sqlite
def test_the_page_of_a_request_says_who_can_be_asked_now(world: World) -> None:
    w, sent = world, world.request()
    page, nobody = f"/requests/{sent}/", "Nobody of those who may say yes is there now."
    assert "Who can be asked now" not in shown(signed_in(w.approver), page)
    assert signed_in(w.owner).get(f"/account/hours/{w.organisation}/").status_code == 200
    begins = away(w, w.owner)
    assert "Others are outside their hours; the next is back:" in shown(signed_in(w.approver), page)
    theirs = shown(signed_in(w.technician), page)
    assert "Somebody who may say yes is there now." in theirs
    assert w.approver.name not in theirs
    by_program = {who: Browser(who).get(f"/requests/{sent}").json()["presence"] for who in (w.owner, w.technician)}
    assert {(one["anybody"], *one["here"]) for one in by_program.values()} == {(True, w.approver.name), (True,)}
    assert {datetime.fromisoformat(one["back"]) for one in by_program.values()} == {begins}
    away(w, w.approver, days=2)
    for who in (w.owner, w.operator, w.technician):
        assert nobody in shown(signed_in(who), page)
    assert f"The next is back: {begins:%a}" in " ".join(shown(signed_in(w.owner), page).split())


@pytest.mark.sqlite
def test_hours_are_set_on_the_account_s_page_and_by_program(world: World) -> None:
    w = world
    owner = signed_in(w.owner)
    assert "at any hour" in shown(owner, "/account/")
    answer = owner.post(f"/account/hours/{w.organisation}/", {"own_hours": "Mon-Fri 07:00-16:00\nSat 22:00-06:00"})
    assert answer.status_code == 302
    assert "Mon-Fri 07:00-16:00; Sat 22:00-06:00" in shown(owner, "/account/")
    by_program = Browser(w.owner)
    [read] = by_program.get("/me/hours").json()["hours"]
    assert (read["windows"], read["counts"]) == ("Mon-Fri 07:00-16:00; Sat 22:00-06:00", True)
    set_ = by_program.post("/me/hours", {"organisation": w.organisation, "windows": ""}).json()["hours"]
    assert [one["windows"] for one in set_] == [""]
    bad = by_program.post("/me/hours", {"organisation": w.organisation, "windows": "Mon 9-8"})
    assert (bad.status_code, bad.json()["code"]) == (422, "field.own_hours")
    assert Browser(w.technician).get("/me/hours").json() == {"hours": []}
