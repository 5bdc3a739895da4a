# SPDX-License-Identifier: Apache-2.0
"""The page of events: the gateway's time, the plant's zone, names in the place of ids, and what its filter finds."""

from __future__ import annotations

import html
import re
import zoneinfo
from datetime import timedelta

import pytest
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.audit import queries as audit
from portineria.control.console import event_queries
from portineria.control.console.event_queries import EventRow
from portineria.control.console.texts import field_name
from portineria.control.identity.models import Person
from portineria.control.identity.services import change_self
from portineria.control.remote_sessions.models import Session
from portineria.control.remote_sessions.reports import receive
from portineria.wire.report import Event
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, report, started
from tests.integration.control.world import World, fresh

pytestmark = pytest.mark.sqlite  # what its pages ask is asked of PostgreSQL by test_every_address

OUTAGE = timedelta(days=3)


def rows(actor: Person, code: str) -> list[EventRow]:
    return event_queries.event_rows(actor, audit.views(audit.events(actor, code=code)))


def cells(page: str, code: str) -> str:
    """The row of this event, as text; tags are left out."""
    [row] = [row for row in page.replace("<wbr>", "").split("<tr>") if f">{code}<" in row]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", row.split("</tr>")[0])).split())


@pytest.fixture
def late(linked: World) -> Session:
    """Ended three days ago; the receipt came now."""
    session = accepted(linked, started(linked))
    linked.gateway.ahead_s = -OUTAGE.total_seconds()
    return report(linked, "session.ended", session, ending="finished", reason="finished")


def test_an_event_happened_when_the_gateway_says_and_not_when_it_came(linked: World, late: Session) -> None:
    [row] = rows(linked.owner, "session.ended")
    assert abs(timezone.now() - OUTAGE - row.at) < timedelta(minutes=5)
    assert row.received == row.view.at
    assert late.ended_at == row.at  # what the page of the session calls its end
    said = cells(shown(signed_in(linked.owner), "/events/"), "session.ended")
    assert "received today" in said
    assert "proven" not in said


def test_the_course_of_a_session_agrees_with_its_end(linked: World, late: Session) -> None:
    assert late.ended_at is not None
    page = shown(signed_in(linked.owner), f"/sessions/{late.public_id}/")
    ended = page.partition("Gateway&#x27;s receipt: session ended")[0].rpartition('<span class="at">')[2]
    there = timezone.localtime(late.ended_at, zoneinfo.ZoneInfo("Europe/Rome"))
    assert f'datetime="{there.isoformat(timespec="seconds")}"' in ended
    assert "received" in ended


def test_an_event_that_comes_at_once_has_one_time(linked: World) -> None:
    accepted(linked, started(linked))
    [row] = rows(linked.owner, "order.accepted")
    assert (row.received, row.unproven) == (None, False)
    assert "received" not in cells(shown(signed_in(linked.owner), "/events/"), "order.accepted")


@pytest.mark.parametrize("at_ms", [0, 4_000_000_000_000])
def test_a_clock_that_was_not_proven_is_said_to_be_so(linked: World, at_ms: int) -> None:
    end = linked.gateway
    body = Event(end.boot, at_ms, 1, "gateway.started", "", {"reason": "start"})
    receive(end.id, [end.write(body, end.context(1, bytes(32)))[0]])
    [row] = rows(linked.owner, "gateway.started")
    assert (row.at, row.received, row.unproven) == (row.view.at, None, True)
    assert "the gateway's clock was not proven" in cells(shown(signed_in(linked.owner), "/events/"), "gateway.started")


def test_the_order_stays_that_of_the_register(linked: World, late: Session) -> None:
    numbers = [row.view.seq for row in rows(linked.owner, "")]
    assert numbers == sorted(numbers, reverse=True)


def test_each_row_is_in_the_zone_of_its_plant_and_others_in_the_readers(linked: World) -> None:
    change_self(actor=linked.owner, name="Owner", language="en", time_zone="Asia/Tokyo")
    owner = fresh(linked.owner)
    found = {row.view.code: str(row.zone) for row in rows(owner, "")}
    assert found["estate.machine.created"] == "Europe/Rome"
    assert found["estate.gateway.admitted"] == "Europe/Rome"
    assert found["identity.person.changed"] == "Asia/Tokyo"
    page = shown(signed_in(owner), "/events/")
    assert re.search(r"\bCES?T\b", cells(page, "estate.gateway.admitted"))
    assert "JST" in cells(page, "identity.person.changed")


def test_moments_among_the_details_are_in_the_zone_of_the_row(linked: World) -> None:
    linked.grant()
    [given] = rows(linked.owner, "access.grant.given")
    times = [text for label, text in given.details if label in {field_name("starts_at"), field_name("begin_by")}]
    assert len(times) == 2
    assert all(re.search(r"\bCES?T\b", text) for text in times)


def test_whoever_may_only_ask_for_a_machine_learns_no_zone_of_its_plant(linked: World) -> None:
    views = audit.views(audit.events(linked.owner, machine=linked.machine.public_id))
    assert views
    assert {str(row.zone) for row in event_queries.event_rows(fresh(linked.technician), views)} == {"UTC"}


def test_a_session_is_called_by_who_and_which_machine(linked: World) -> None:
    session = accepted(linked, started(linked))
    page = shown(signed_in(linked.owner), "/events/")
    assert f'<a href="/sessions/{session.public_id}/">Technician · Press 3</a>' in page


def test_ids_are_named_where_the_reader_sees_the_thing_and_called_by_their_kind_elsewhere(linked: World) -> None:
    [made] = [row for row in rows(linked.owner, "access.rule.created") if "Press 3" in dict(row.details)["machines"]]
    assert dict(made.details)["needs approval"] == "yes"
    assert "Presses & Co" in dict(made.details)["supplier"]
    [other] = event_queries.event_rows(fresh(linked.stranger), [made.view])
    assert dict(other.details)["machines"] == "a machine"
    page = shown(signed_in(linked.owner), "/events/")
    details = re.sub(r'href="[^"]*"|value="[^"]*"|datetime="[^"]*"', "", page)
    assert re.findall(r">[^<]*\b(?:mac|dev|srv|gw|per|ses|sup|pla)_[a-z2-7]{16}", details) == []


def found(page: str) -> list[str]:
    return re.findall(r'fw-normal mono">([^<]+)<', page.replace("<wbr>", ""))


def test_the_filter_finds_by_name(linked: World) -> None:
    owner = signed_in(linked.owner)
    access.end_rule(actor=linked.owner, rule=linked.rule, reason="over")
    machine = linked.rivals_machine.public_id
    assert set(found(shown(owner, f"/events/?machine={machine}"))) == {
        "estate.machine.created", "estate.device.created", "estate.service.created",
    }  # fmt: skip
    by_owner = found(shown(owner, f"/events/?person={linked.owner.public_id}"))
    assert {"access.rule.ended", "identity.person.created"} <= set(by_owner)
    assert set(found(shown(owner, f"/events/?gateway={linked.gateway.id}&code=estate.gateway."))) == {
        "estate.gateway.enrolled", "estate.gateway.admitted",
    }  # fmt: skip
    assert found(shown(owner, f"/events/?machine={machine}&text={linked.machine.public_id}")) == []


def test_the_filter_finds_by_days_and_the_last_day_belongs_to_it(linked: World) -> None:
    owner, written = signed_in(linked.owner), audit.events(linked.owner)
    today = written[0].at.date()
    yesterday, tomorrow = written.reverse()[0].at.date() - timedelta(days=1), today + timedelta(days=1)
    assert found(shown(owner, f"/events/?since={yesterday}&before={tomorrow}"))
    assert found(shown(owner, f"/events/?since={tomorrow}")) == []
    assert found(shown(owner, f"/events/?before={yesterday}")) == []
    assert found(shown(owner, f"/events/?since={today}&before={today}"))
    assert found(shown(owner, "/events/?before=9999-12-31"))


def test_a_filter_that_makes_no_sense_finds_nothing_and_offers_only_what_is_seen(linked: World) -> None:
    owner = signed_in(linked.owner)
    for query in ("since=yesterday", "person=per_nobody", "code=nothing."):
        assert found(shown(owner, f"/events/?{query}")) == []
    offered = shown(owner, "/events/names/?kind=machine&machine=press")
    assert 'value="Press 3"' in offered
    assert "Press" not in shown(signed_in(linked.stranger), "/events/names/?kind=machine&machine=press")
    stranger = shown(signed_in(linked.stranger), "/events/")
    assert "Press 3" not in stranger
    assert linked.owner.public_id not in stranger


@pytest.mark.parametrize("language", ["en", "it", "ja"])
def test_the_page_claims_no_more_than_the_register_holds(linked: World, language: str) -> None:
    change_self(actor=linked.owner, name="Owner", language=language, time_zone="UTC")
    page = shown(signed_in(fresh(linked.owner)), "/events/check/")
    assert "portineria ledger verify" in page
