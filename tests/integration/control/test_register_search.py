# SPDX-License-Identifier: Apache-2.0
"""Searching the register: what each filter finds, in every language, and what nobody finds."""

from __future__ import annotations

import html
import importlib
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from portineria.control.access import services as access
from portineria.control.audit import queries as audit
from portineria.control.audit import word_index
from portineria.control.audit.models import Event, Head, Hour
from portineria.control.audit.queries import Sought
from portineria.control.audit.services import erase, record, words_of
from portineria.control.audit.verification import verify_chain
from portineria.control.audit.words import of_column
from portineria.control.estate.models import Machine
from portineria.control.identity.models import Person
from portineria.control.identity.services import change_self
from portineria.control.remote_sessions.models import HeldOperation, Recording, ServiceReport, Stream
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.world import World, fresh

MOST_QUERIES = 12  # TARGETS, console.pages


@pytest.fixture(autouse=True)
def _nothing_was_read_before() -> None:
    cache.clear()


@pytest.fixture
def reasoned(world: World) -> World:
    """Requests for Press 3 whose reasons are in three languages, one of them approved; and one for another machine."""
    for reason in ("Order 4711: replace the seal", "Perché perde la guarnizione", "油圧ポンプの点検"):
        request = access.make_request(
            actor=world.technician, machine=world.machine.public_id, reason=reason, minutes=60,
        ).public_id  # fmt: skip
        access.refuse(actor=world.owner, request=request, reason="Not now")
    return world


def codes(page: str) -> list[str]:
    return re.findall(r'fw-normal mono">([^<]+)<', page.replace("<wbr>", ""))


def found(reader: Person, /, **asked: str) -> list[str]:
    """Codes on the page, newest first; what was read before, by tests too, is left out."""
    page = shown(signed_in(reader), f"/events/?{urlencode(asked)}")
    return [code for code in codes(page) if code not in ("audit.register.read", "audit.event.read")]


WORDS = {
    "seal": 1, "SEAL": 1, "order 4711": 1, "4711 guarnizione": 0, "perche": 1, "PERCHÉ guarnizione": 1, "油圧": 1,
    "ポンプ": 1, "油": 1, "点検 油圧": 1, "油検": 0, "sea": 0, "ｓｅａｌ": 1,
}  # fmt: skip


def test_words_are_found_in_every_script(reasoned: World) -> None:
    for text, number in WORDS.items():
        assert found(reasoned.owner, text=text) == ["access.request.made"] * number, text


def test_a_name_finds_what_only_the_id_of_the_thing_is_written_in(reasoned: World) -> None:
    assert "access.request.refused" in found(reasoned.owner, text="Press 3")
    assert set(found(reasoned.owner, text="press 3 guarnizione")) == {"access.request.made"}
    assert "access.request.made" in found(reasoned.owner, text="Technician")
    assert found(reasoned.owner, text="Press 3", code="access.request.refused") == ["access.request.refused"] * 3
    assert found(reasoned.owner, text=reasoned.machine.public_id, code="access.") != []


def test_one_machine_of_very_many_with_the_same_beginning_is_found_by_its_name(world: World) -> None:
    Machine.objects.bulk_create(
        Machine(plant=world.machine.plant, gateway=world.machine.gateway, name=f"A press {number:04}")
        for number in range(400)
    )
    last = Machine.objects.get(name="A press 0399")
    with transaction.atomic():
        record("access.request.expired", organisation=world.organisation, actor="portineria", machine=last.public_id)
    assert found(world.owner, text="press 0399") == ["access.request.expired"]
    page = shown(signed_in(world.owner), "/events/?text=press")
    assert "Many names hold" in page
    assert "Many names hold" not in shown(signed_in(world.owner), "/events/?text=press+0399")


def test_kinds_are_found_by_what_they_are_called_in_the_readers_language(reasoned: World) -> None:
    assert set(found(reasoned.owner, text="refused")) == {"access.request.refused"}
    change_self(actor=reasoned.owner, name="Owner", language="it", time_zone="UTC")
    assert "access.request.refused" in found(fresh(reasoned.owner), text="respinta")
    assert found(fresh(reasoned.owner), text="refused.") == found(fresh(reasoned.owner), text="refused")


def test_a_person_is_found_by_what_they_did_and_by_what_was_done_to_them(reasoned: World) -> None:
    technician = reasoned.technician.public_id
    for asked in (technician, "technician", "technician@example.com"):
        assert {"access.request.made", "access.request.refused", "identity.person.created"} <= set(
            found(reasoned.owner, person=asked)
        )
    assert found(reasoned.owner, person=technician, machine=reasoned.rivals_machine.public_id) == []


def test_a_supplier_is_found_with_all_that_its_people_did(reasoned: World) -> None:
    seen = found(reasoned.owner, supplier="Presses & Co")
    assert {"identity.supplier.created", "access.request.made"} <= set(seen)
    assert Event.objects.filter(supplier=reasoned.supplier, code="identity.supplier.created").exists()
    [other] = [name for name in identity_names(reasoned) if name != "Presses & Co"]
    assert "access.request.made" not in found(reasoned.owner, supplier=other)


def line(world: World, name: str) -> None:
    record("estate.line.created", organisation=world.organisation, actor="per_a", plant="x", name=name)


def identity_names(world: World) -> list[str]:
    from portineria.control.identity import queries

    return list(queries.suppliers(world.owner).values_list("name", flat=True))


def test_gateway_session_kind_and_family_narrow_together(linked: World) -> None:
    gateway = linked.gateway.id
    assert set(found(linked.owner, gateway="cabinet 4", code="estate.gateway.")) == {
        "estate.gateway.enrolled", "estate.gateway.admitted",
    }  # fmt: skip
    assert found(linked.owner, gateway=gateway, code="estate.gateway.admitted") == ["estate.gateway.admitted"]
    assert found(linked.owner, session="ses_aaaaaaaaaaaaaaaa") == []
    assert found(linked.owner, session="session 9 from outer space") == []


def test_days_are_those_of_the_plant_that_is_searched(world: World) -> None:
    """Rome is an hour ahead of UTC: what was written at 23:30 UTC is of the next day there."""
    plant = record_at(world, datetime(2026, 1, 10, 23, 30, tzinfo=UTC))
    for day, number in (("2026-01-10", 0), ("2026-01-11", 1), ("2026-01-12", 0)):
        asked = {"since": day, "before": day, "code": "access.request.expired"}
        assert found(world.owner, **asked, machine=plant) == ["access.request.expired"] * number, day
    change_self(actor=world.owner, name="Owner", language="en", time_zone="Asia/Tokyo")
    owner = fresh(world.owner)
    assert "Days are those of Europe/Rome." in shown(signed_in(owner), f"/events/?since=2026-01-11&machine={plant}")
    assert "Days are those of Asia/Tokyo." in shown(signed_in(owner), "/events/?since=2026-01-11")


def record_at(world: World, at: datetime) -> str:
    """An event as a server writes it whose clock shows another time."""
    with transaction.atomic():
        event = record(
            "access.request.expired", organisation=world.organisation, actor="portineria",
            machine=world.machine.public_id, request="req_aaaaaaaaaaaaaaaa",
        )  # fmt: skip
    Event.objects.filter(pk=event.pk).update(at=at)
    Hour.objects.filter(first=event.pk).delete()
    Hour.objects.create(organisation=world.organisation, hour=int(at.timestamp()) // 3600, first=event.pk)
    return world.machine.public_id


def test_what_was_written_while_the_clock_was_wrong_is_found_by_the_day_it_says(world: World) -> None:
    """Forwards and back again: rows keep the order of writing, and days are found all the same."""
    for at in (datetime(2031, 5, 1, 12, tzinfo=UTC), datetime(2026, 1, 10, 12, tzinfo=UTC)):
        record_at(world, at)
    for day in ("2031-05-01", "2026-01-10"):
        assert found(world.owner, since=day, before=day) == ["access.request.expired"], day
    assert found(world.owner, since="2029-01-01", before="2030-01-01") == []
    assert found(world.owner, since="2026-01-10", before="2026-01-10", text="nothing") == []


def test_pages_follow_each_other_without_gap_or_repetition(world: World) -> None:
    for number in range(120):
        with transaction.atomic():
            record("estate.line.created", organisation=world.organisation, actor="per_a", plant="x", name=f"L{number}")
    browser, address, seen = signed_in(world.owner), "/events/?code=estate.line.created", []
    while address:
        page = shown(browser, address)
        seen += re.findall(r'class="quiet">name</span> (L\d+)', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        back = re.search(r'rel="prev" href="([^"]+)"', page)
        address = "/events/" + html.unescape(following[1]) if following else ""
    assert seen == [f"L{number}" for number in reversed(range(120))]
    assert back is not None
    newer = shown(browser, "/events/" + html.unescape(back[1]))
    assert re.findall(r'class="quiet">name</span> (L\d+)', newer) == seen[50:100]
    for place in ("x", f"{world.organisation}.999999999999999999999", f"{world.organisation}.x", "org_x.1"):
        assert browser.get(f"/events/?older={place}").status_code == 404


def test_many_are_not_counted_to_the_end(world: World) -> None:
    with transaction.atomic():
        for number in range(audit.MANY + 1):
            record("estate.line.created", organisation=world.organisation, actor="per_a", plant="x", name=str(number))
    browser = signed_in(world.owner)
    assert "More than 1,000 events fit." in shown(browser, "/events/?code=estate.line.created")
    assert "1 event fits." in shown(browser, "/events/?text=17&code=estate.line.created")


HOSTILE = [
    '"', "*", "(", ")", "NEAR(a b)", "a OR b", "a AND NOT b", "-a", "a:b", "^a", '"""""',
    "'; DROP TABLE audit_words; --",
    "<script>alert(1)</script>", "\u202eevil\u2066", "\ud800".encode("utf-8", "replace").decode(), "%", "_",
    "words:x", "{a} : b", "\\", "a'b", "&|!<->", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "\N{COMBINING ACUTE ACCENT}" * 100,
]  # fmt: skip


def test_whatever_is_typed_is_a_word_and_never_a_command(reasoned: World) -> None:
    browser = signed_in(reasoned.owner)
    for text in HOSTILE:
        page = shown(browser, f"/events/?{urlencode({'text': text})}")
        assert "<script>alert" not in page
        assert codes(shown(browser, f"/events/?{urlencode({'text': f'seal {text} zzzz'})}")) == [], text
    assert found(reasoned.owner, text="seal") == ["access.request.made"]


def test_what_is_far_too_long_finds_nothing_and_says_so(reasoned: World) -> None:
    before = Event.objects.count()
    for name in ("text", "person", "machine", "supplier", "gateway", "session", "code", "since"):
        page = shown(signed_in(reasoned.owner), f"/events/?{urlencode({name: 'seal ' * 2000})}")
        assert "No event fits this search." in page, name
        assert "Something that was entered does not fit" in page, name
    assert Event.objects.count() == before


def test_nobody_finds_the_events_of_others(reasoned: World) -> None:
    with transaction.atomic():
        record("estate.line.created", organisation="org_zzzzzzzzzzzzzzzz", actor="per_a", plant="x", name="elsewhere")
    for who in (reasoned.owner, reasoned.technician, reasoned.stranger, reasoned.rival):
        assert found(fresh(who), text="elsewhere") == []
    for asked in ({"text": "seal"}, {"machine": reasoned.machine.public_id}, {"person": "technician"}, {}):
        assert found(fresh(reasoned.technician), **asked) == []
        assert found(fresh(reasoned.stranger), **asked) == [] or fresh(reasoned.stranger).event_organisations
    address = f"/events/{reasoned.organisation}/1/"
    assert signed_in(reasoned.stranger).get(address).status_code == 404


def test_who_is_erased_is_found_by_no_word_any_more(reasoned: World) -> None:
    event = Event.objects.filter(code="access.request.made").earliest("pk")
    assert found(reasoned.owner, text="technician@example.com") != []
    shown(signed_in(reasoned.owner), "/events/?text=technician%40example.com")
    assert erase(reasoned.technician.public_id) > 0
    cache.clear()
    for text in ("seal", "guarnizione", "油圧", "technician@example.com"):
        assert [code for code in found(reasoned.owner, text=text) if code == "access.request.made"] == [], text
    row = Event.objects.prefetch_related("personal_values").get(pk=event.pk)
    assert "seal" not in words_of(row)
    assert "access.request.made" in found(reasoned.owner, machine="Press 3")
    assert verify_chain(reasoned.organisation) > 0


def test_the_newest_event_is_found_in_the_moment_it_is_written_and_none_that_was_rolled_back(world: World) -> None:
    with transaction.atomic():
        line(world, "phantom")
        transaction.set_rollback(True)
    assert found(world.owner, text="phantom") == []
    with transaction.atomic():
        line(world, "phantom")
    assert found(world.owner, text="phantom") == ["estate.line.created"]


# -- reading is an event -------------------------------------------------------------------------------------------


def readings(world: World) -> list[dict[str, object]]:
    views = audit.views(audit.events(world.owner, code="audit.register.read"))
    return [{**view.fields, "by": view.actor} for view in views]


def test_reading_the_register_is_an_event_once_for_each_question(reasoned: World) -> None:
    browser, owner = signed_in(reasoned.owner), reasoned.owner.public_id
    for _ in range(3):
        shown(browser, "/events/")
    assert readings(reasoned) == [{"by": owner}]
    for place in ("", f"&older={reasoned.organisation}.4"):
        shown(browser, f"/events/?text=seal&machine=Press+3&since=2026-01-01{place}")
    assert readings(reasoned)[0] == {
        "by": owner, "text": "seal", "of_machine": reasoned.machine.public_id, "from_day": "2026-01-01",
    }  # fmt: skip
    assert len(readings(reasoned)) == 2
    shown(signed_in(reasoned.approver), "/events/")
    assert len(readings(reasoned)) == 3


def test_what_somebody_searched_for_is_personal_and_goes_with_whom_it_was_about(reasoned: World) -> None:
    shown(signed_in(reasoned.owner), "/events/?text=Technician")
    assert readings(reasoned)[0]["text"] == "Technician"
    assert b"Technician" not in bytes(Event.objects.filter(code="audit.register.read").latest("pk").leaf)
    erase(reasoned.technician.public_id)
    assert readings(reasoned)[0].get("text") is None
    assert found(reasoned.owner, text="nowhere-else-but-in-a-search") == []
    cache.clear()
    assert found(reasoned.owner, text="nowhere-else-but-in-a-search") == []


def test_looking_at_one_event_is_an_event_too(world: World) -> None:
    for _ in range(2):
        shown(signed_in(world.owner), f"/events/{world.organisation}/3/")
    [view] = audit.views(audit.events(world.owner, code="audit.event.read"))
    assert (view.actor, view.fields) == (world.owner.public_id, {"seq": 3})


def test_names_are_offered_of_what_the_reader_sees_alone(world: World) -> None:
    browser = signed_in(world.owner)
    assert 'value="Press 3"' in shown(browser, "/events/names/?kind=machine&machine=press+3")
    assert 'value="Technician"' in shown(browser, "/events/names/?kind=person&person=technician%40")
    assert "option" not in shown(browser, "/events/names/?kind=machine&machine=")
    assert "option" not in shown(browser, "/events/names/?kind=password&password=a")
    assert "option" not in shown(signed_in(world.stranger), "/events/names/?kind=machine&machine=press")


@pytest.mark.parametrize("query", ["", "?text=press&code=access.", "?person=technician&since=2026-01-01"])
def test_a_page_costs_the_same_few_queries_however_long_the_register_is(linked: World, query: str) -> None:
    linked.grant()
    browser, costs = signed_in(linked.owner), []
    for _ in range(2):
        with transaction.atomic():
            for number in range(120):
                record(
                    "estate.line.created", organisation=linked.organisation, actor="per_a", plant="x", name=f"{number}"
                )
        shown(browser, f"/events/{query}")
        with CaptureQueriesContext(connection) as asked:
            shown(browser, f"/events/{query}")
        costs.append(len(asked))
    assert costs[0] == costs[1]
    assert costs[0] <= MOST_QUERIES + 4 * bool(query), [query["sql"][:120] for query in asked.captured_queries]


def test_the_index_leads_and_no_table_is_read_through(world: World) -> None:
    explain, through = "EXPLAIN QUERY PLAN", r"SCAN (e|audit_event)\b"
    if connection.vendor == "postgresql":
        explain, through = "EXPLAIN", r"Seq Scan on audit_event\b"
    narrowed = word_index.Narrowed([world.organisation], since=datetime.now(UTC) - timedelta(days=1))
    with CaptureQueriesContext(connection) as asked:
        assert word_index.find([{of_column(world.machine.public_id)}], narrowed, most=5)
        audit.search(world.owner, Sought(), most=50)
    for query in asked.captured_queries:
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET LOCAL enable_seqscan = off")  # so small a table it reads through by choice
            cursor.execute(f"{explain} {query['sql']}")
            plan = " ".join(str(row[-1]) for row in cursor.fetchall())
        assert re.search(through, plan) is None, plan


@pytest.mark.parametrize("about", ["session", "machine", "gateway"])
def test_what_is_about_one_thing_is_found_by_its_index(world: World, about: str) -> None:
    """Its index is of rows that have one alone: not used, a page of a session would read the whole register."""
    found = audit.events(world.owner, **{about: "ses_aaaaaaaaaaaaaaaa"})
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert f"audit_event_{about}" in found.explain()


@pytest.mark.sqlite
@pytest.mark.parametrize("about", ["session", "machine", "gateway"])
def test_so_it_is_in_a_register_of_ten_million(world: World, about: str) -> None:
    """SQLite judges by what it counted: there an index of registers, which each event is in, looked no worse."""
    query, values = audit.events(world.owner, **{about: "ses_aaaaaaaaaaaaaaaa"})[:8].query.sql_with_params()
    with connection.cursor() as cursor, sqlite3.connect(":memory:") as large:
        cursor.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'audit_event' AND sql IS NOT NULL")
        for [made] in cursor.fetchall():
            large.execute(made)
        large.execute("ANALYZE")
        indexes = large.execute("SELECT name FROM sqlite_master WHERE type = 'index'").fetchall()
        counted = {"audit_event_code": "669900 2501 1667 1"}
        rows = [("audit_event", name, counted.get(name, "12000000 20001 1")) for (name,) in indexes]
        large.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", rows)
        large.execute("ANALYZE sqlite_schema")
        plan = str(large.execute(f"EXPLAIN QUERY PLAN {query}".replace("%s", "?"), values).fetchall())
    large.close()
    assert f"audit_event_{about}" in plan


@pytest.mark.parametrize("model", [Stream, ServiceReport, Recording, HeldOperation])
def test_what_belongs_to_sessions_is_seen_without_a_list_of_them(world: World, model: type[Model]) -> None:
    for actor in (world.owner, world.technician):
        asked = str(model._default_manager.all().visible_to(actor).query)  # type: ignore[attr-defined]
        assert 'IN (SELECT U0."id" FROM "remote_sessions_session"' not in asked


def test_the_events_of_old_are_found_once_the_migration_has_filled_the_index(reasoned: World) -> None:
    before = list(Hour.objects.order_by("first").values_list("organisation", "hour", "first"))
    word_index.empty()
    Hour.objects.all().delete()
    Event.objects.update(supplier="")
    Head.objects.update(hour=0)
    assert found(reasoned.owner, text="seal") == []
    fill = importlib.import_module("portineria.control.audit.migrations.0005_search_filled").fill
    for _ in range(2):  # stopped half-way it begins anew
        fill(apps, None)
        assert found(reasoned.owner, text="seal") == ["access.request.made"]
        assert Event.objects.filter(supplier=reasoned.supplier).exists()
        assert set(before) <= set(Hour.objects.values_list("organisation", "hour", "first"))
        assert Head.objects.get(organisation=reasoned.organisation).hour > 0
    assert verify_chain(reasoned.organisation) > 0
    erase(reasoned.technician.public_id)
    assert found(reasoned.owner, text="seal") == []
