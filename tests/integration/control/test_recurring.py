# SPDX-License-Identifier: Apache-2.0
"""The same hours of every week until a day: one yes for all, each judged when it comes and ended by itself."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import closing, extending, recurring
from portineria.control.access import services as access
from portineria.control.access.models import AccessRequest, Grant
from portineria.control.access.waiting import AlreadyWaiting
from portineria.control.access.windows import OutsideWindows, ZoneGone
from portineria.control.access.work_time import ComesAgain
from portineria.control.audit.queries import events, views
from portineria.control.estate.models import Plant
from portineria.control.identity.services import BadField
from portineria.control.remote_sessions import services
from portineria.control.remote_sessions.refusals import NotPermitted
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, again, said_to, started
from tests.integration.control.world import ConnectorEnd, World, fresh

ROME = ZoneInfo("Europe/Rome")


def here(**later: float) -> datetime:
    return (timezone.now() + timedelta(**later)).astimezone(ROME)


def hours(begins: datetime, ends: datetime) -> str:
    """Of the day on which it begins, by the plant's clock."""
    return f"{begins:%a %H:%M}-{ends:%H:%M}"


class Hours(NamedTuple):
    open: str  # an hour ago until an hour from now
    later: str


@pytest.fixture
def week() -> Hours:
    return Hours(hours(here(hours=-1), here(hours=1)), hours(here(hours=3), here(hours=4)))


def in_days(days: int) -> date:
    return here(days=days).date()


def ask(world: World, weekly: str, until: date | None = None) -> str:
    made = access.make_request(
        actor=fresh(world.technician), machine="Press 3", reason="weekly round", minutes=1, weekly=weekly,
        until=until or in_days(60),
    )  # fmt: skip
    return made.public_id


def given(world: World, weekly: str) -> Grant:
    return access.approve(actor=world.owner, request=ask(world, weekly))


def test_one_yes_is_good_for_every_time_and_each_session_ends_with_its_own(linked: World, week: Hours) -> None:
    grant = given(linked, week.open)
    assert grant.minutes == 120
    assert timedelta(days=50) < grant.ends_at - timezone.now() < timedelta(days=61)
    browser, more = signed_in(linked.technician), f"/grants/{grant.public_id}/more/"
    assert more not in (work := shown(browser, "/work/"))  # it has no one end
    assert "How to connect" in work
    session = accepted(linked, started(linked))
    assert timedelta(minutes=55) < session.expires_at - timezone.now() <= timedelta(hours=1)
    assert grant.opened_at is None
    for address in (f"/sessions/{session.public_id}/", "/work/"):
        assert more not in shown(browser, address)
    services.enforce(session.expires_at - timedelta(seconds=1))
    assert again(session).state == "live"
    orders = len(said_to(linked, session))
    services.enforce(session.expires_at)
    over = again(session)
    assert (over.state, over.ending_class, over.end_why) == ("draining", "administrative", "between-times")
    assert len(said_to(linked, session)) == orders  # the order ended by itself: nothing is withdrawn
    [made], [told] = (
        list(views(events(linked.owner, code=code))) for code in ("access.request.made", "access.grant.given")
    )
    assert (made.fields["weekly"], told.fields["weekly"], told.fields["minutes"]) == (week.open, week.open, 120)


def test_between_two_times_nothing_opens_and_the_pages_say_when_it_comes(linked: World, week: Hours) -> None:
    grant = given(linked, week.later)
    with pytest.raises(NotPermitted) as refused:
        started(linked)
    assert refused.value.code == "access.between-times"
    page = shown(signed_in(linked.technician), f"/requests/{grant.request.public_id}/")
    assert "times still to come, the next:" in page
    assert "No session can start under it" not in page
    assert "Your access is approved and has not begun yet." in shown(
        signed_in(linked.technician), f"/machines/{linked.machine.public_id}/"
    )


def test_a_rule_that_says_less_shortens_each_and_a_revocation_ends_all(linked: World, week: Hours) -> None:
    grant = given(linked, week.open)
    access.change_rule(actor=linked.owner, rule=linked.rule, max_minutes=90)
    session = started(linked)
    assert session.expires_at - timezone.now() <= timedelta(minutes=30)
    access.revoke(actor=linked.technician, grant=grant.public_id, reason="the contract is over")
    with pytest.raises(NotPermitted):
        started(linked)


def test_longer_is_asked_for_the_day_and_not_for_all_weeks(linked: World, week: Hours) -> None:
    grant = given(linked, week.open)
    for more in (
        lambda: access.extend(actor=linked.owner, grant=grant.public_id, minutes=5),
        lambda: extending.ask_for_more(actor=linked.technician, grant=grant.public_id, minutes=5, reason="longer"),
    ):
        with pytest.raises(ComesAgain):
            more()


@pytest.mark.parametrize(
    ("weekly", "until", "field"),
    [
        ("Mon 08:00-08:00", 60, "weekly"),  # ends when it begins
        ("Mon 08:00-09:00; Tue 08:00-09:00", 60, "weekly"),
        ("2026-12-24 08:00-12:00", 60, "weekly"),
        ("Someday 08:00-12:00", 60, "weekly"),
        ("", 60, "weekly"),
        ("Mon 08:00-09:00", -1, "last_day"),
        ("Mon 08:00-09:00", 368, "last_day"),
        ("Mon-Sun 08:00-08:01", 365, "last_day"),  # more often than whoever approves could know
        ("Mon-Sun 00:00-08:01", 60, "minutes"),  # each is longer than the rule allows
    ],
)
def test_what_nobody_could_mean_is_not_asked(world: World, weekly: str, until: int, field: str) -> None:
    with pytest.raises(BadField) as refused:
        ask(world, weekly, in_days(until))
    assert refused.value.code == f"field.{field}"


def test_ten_thousand_times_cannot_be_asked_and_no_last_day_neither(world: World) -> None:
    with pytest.raises(BadField):
        ask(world, "Mon-Sun 08:00-08:01", date(2199, 1, 1))
    with pytest.raises(BadField):
        access.make_request(actor=world.technician, machine="Press 3", reason="x", minutes=60, weekly="Mon 08:00-09:00")
    with pytest.raises(IntegrityError), transaction.atomic():
        AccessRequest.objects.filter(public_id=world.request()).update(weekly="Mon 08:00-09:00")


def test_a_plant_without_a_time_zone_has_no_weeks(world: World, week: Hours) -> None:
    request = ask(world, week.open)
    Plant.objects.update(time_zone="Europe/Atlantis")
    with pytest.raises(ZoneGone):
        ask(world, week.later)
    with pytest.raises(access.GrantEnded):
        access.approve(actor=world.owner, request=request)


def test_a_rule_that_is_never_open_in_these_hours_is_not_asked(world: World) -> None:
    weekly, other = hours(here(hours=1), here(hours=2)), hours(here(hours=4), here(hours=5))
    access.change_rule(actor=world.owner, rule=world.rule, windows=other)
    with pytest.raises(OutsideWindows):
        ask(world, weekly)
    access.change_rule(actor=world.owner, rule=world.rule, windows=f"{other}; {weekly}")
    request = ask(world, weekly)
    access.change_rule(actor=world.owner, rule=world.rule, windows=other)
    with pytest.raises(OutsideWindows):
        access.approve(actor=world.owner, request=request)


def test_it_waits_a_week_and_the_same_is_not_asked_twice(world: World, week: Hours) -> None:
    request = ask(world, week.open)
    with pytest.raises(AlreadyWaiting):
        ask(world, week.open)
    ask(world, week.later)
    assert closing.expire_requests(timezone.now() + timedelta(days=6, hours=23)) == 0
    assert closing.expire_requests(timezone.now() + timedelta(days=7, minutes=1)) == 2
    assert AccessRequest.objects.get(public_id=request).state == "expired"


def test_when_the_last_one_is_over_nothing_is_left_to_approve(world: World, week: Hours) -> None:
    request = ask(world, week.open, until=in_days(1))
    row = AccessRequest.objects.select_related("machine__plant").get(public_id=request)
    assert len(recurring.coming(row, row.machine, row.minutes, timezone.now())) == 1
    assert recurring.coming(row, row.machine, row.minutes, timezone.now() + timedelta(hours=2)) == []


def test_programs_and_people_ask_in_their_own_way(linked: World, week: Hours) -> None:
    end = ConnectorEnd(linked.technician)
    body = {
        "machine": "Press 3",
        "reason": "round",
        "minutes": 60,
        "weekly": week.open,
        "until": in_days(30).isoformat(),
    }
    made = end.call("POST", "/requests", body).json()
    assert (made["weekly"], made["minutes"], made["state"]) == (week.open, 120, "pending")
    begins, ends = here(hours=3), here(hours=4)
    browser = signed_in(linked.technician)
    typed = {
        "reason": "round", "minutes": "60", "days": [f"{begins:%a}"], "day_begins": f"{begins:%H:%M}",
        "day_ends": f"{ends:%H:%M}",
    }  # fmt: skip
    path = f"/machines/{linked.machine.public_id}/ask/"
    assert "give the days, from when to when, and the last day" in browser.post(path, typed).content.decode()
    assert browser.post(path, typed | {"until": in_days(20).isoformat()}).status_code == 302
    row = AccessRequest.objects.get(weekly=hours(begins, ends))
    assert (row.until, row.minutes) == (in_days(20), 60)
    assert row.weekly in shown(signed_in(linked.owner), "/approvals/")
