# SPDX-License-Identifier: Apache-2.0
"""A plant as a picture: where machines stand, who is inside, and what keeps others out."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portineria.control.access.locks import lift, lock
from portineria.control.access.maintaining import begin_maintenance
from portineria.control.access.signals import Where, add_signal
from portineria.control.estate import services as estate
from portineria.control.estate.models import Line, Machine
from portineria.control.identity.delegation_models import Power
from portineria.control.remote_sessions.models import Session, Watching
from portineria.policy.ending import Locked
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.delegated import provider
from tests.integration.control.sessions import accepted, started
from tests.integration.control.test_held import held_in
from tests.integration.control.world import World, fresh

MOST_QUERIES = 12  # TARGETS, console.pages


def words(html: str) -> str:
    """What somebody reads of the map, without the menu."""
    main = html.partition("<main")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


def drawn(world: World, who: str = "owner") -> str:
    return words(shown(signed_in(fresh(getattr(world, who))), f"/plants/{world.plant}/"))


def spots(text: str) -> str:
    return text.partition("The same as a table")[0]


@pytest.fixture
def inside(linked: World) -> Session:
    """The technician, at the first machine of a line in a zone."""
    estate.create_zone(actor=linked.owner, plant=linked.plant, name="Pressing")
    estate.create_line(actor=linked.owner, plant=linked.plant, name="Line 1", zone="Pressing")
    Machine.objects.filter(pk=linked.machine.pk).update(line=Line.objects.get(name="Line 1"))
    return accepted(linked, started(linked))


def test_the_map_shows_where_machines_stand_and_who_is_inside(linked: World, inside: Session) -> None:
    text = drawn(linked)
    assert re.search(r"Zone Pressing Line 1 1 of 1 machine in use Press 3 Technician · Presses & Co inside for", text)
    assert "On no line 1 machine Press 4" in text
    assert "cabinet 4 connected" in text
    page = shown(signed_in(linked.owner), f"/plants/{linked.plant}/")
    for address in (f"/sessions/{inside.public_id}/", f"/machines/{linked.machine.public_id}/",
                    f"/gateways/{linked.gateway.id}/"):  # fmt: skip
        assert page.count(f'href="{address}"') >= 2, address  # in the picture and in its table
    # Whatever the picture says its table says as well.
    table = text.partition("The same as a table")[2]
    assert re.search(r"Pressing › Line 1 Press 3 Technician · Presses & Co inside for .* cabinet 4 connected", table)


def test_what_is_seen_of_a_session_is_on_the_map(linked: World, inside: Session) -> None:
    assert not {"held", "recorded", "watched", "frozen"} & set(spots(drawn(linked)).split())
    held_in(linked, inside)
    Watching.objects.create(session=inside, person=linked.operator, seen_at=timezone.now())
    Machine.objects.filter(pk=linked.machine.pk).update(recording="full")
    Session.objects.filter(pk=inside.pk).update(frozen=True, freeze_number=1)
    assert "freezing… held recorded watched" in spots(drawn(linked))
    Session.objects.filter(pk=inside.pk).update(freeze_proven_at=timezone.now())
    assert "frozen held recorded watched" in spots(drawn(linked))


def test_a_machine_is_shown_as_locked_by_whatever_it_belongs_to(linked: World, inside: Session) -> None:
    things = {
        Locked.MACHINE: linked.machine.public_id, Locked.LINE: f"{linked.plant}/Line 1",
        Locked.ZONE: f"{linked.plant}/Pressing", Locked.PLANT: linked.plant, Locked.GATEWAY: linked.gateway.id,
        Locked.EVERYTHING: "",
    }  # fmt: skip
    for kind, thing in things.items():
        assert "locked" not in drawn(linked)
        row = lock(actor=linked.owner, organisation=linked.organisation, kind=kind, thing=thing, reason="smoke")
        table = drawn(linked).partition("The same as a table")[2]
        assert "locked" in table.partition("Press 3")[2].partition("cabinet 4")[0], kind
        others = "locked" in table.partition("Press 4")[2]
        assert others is (kind in (Locked.PLANT, Locked.GATEWAY, Locked.EVERYTHING)), kind
        lift(actor=linked.owner, lock=row.public_id, reason="over")


def test_maintenance_a_signal_and_a_gateway_that_is_away_are_told(linked: World, inside: Session) -> None:
    begin_maintenance(actor=linked.operator, organisation=linked.organisation, machine=linked.machine.public_id,
                      reason="belt")  # fmt: skip
    add_signal(actor=linked.owner, organisation=linked.organisation, machine=linked.machine.public_id, kind="key",
               name="Key", where=Where("file", place="key"))  # fmt: skip
    linked.machine.gateway.links.all().delete()
    assert "in maintenance key switch: nothing heard of it gateway away" in spots(drawn(linked))
    assert "1 of 1 away" in drawn(linked)


def test_of_a_long_line_those_in_use_are_drawn_and_the_others_counted(linked: World, inside: Session) -> None:
    line, gateway = Line.objects.get(name="Line 1"), linked.machine.gateway
    Machine.objects.bulk_create(
        Machine(plant=line.plant, line=line, gateway=gateway, name=f"A mill {number:02}") for number in range(30)
    )
    text = spots(drawn(linked))
    assert "1 of 31 machines in use Press 3 Technician" in text
    assert text.count("A mill") == 17
    assert "13 more" in text


def test_where_lines_do_not_fit_on_one_page_those_in_use_come_first(linked: World, inside: Session) -> None:
    for number in range(13):
        estate.create_line(actor=linked.owner, plant=linked.plant, name=f"Assembly {number:02}")
    text = spots(drawn(linked))
    assert text.index("Press 3") < text.index("Assembly 00")
    assert "page 1 of 3" in text
    last = shown(signed_in(linked.owner), f"/plants/{linked.plant}/?page=3")
    assert "On no line 1 machine Press 4" in words(last)


def test_nobody_else_has_a_map_of_the_plant(linked: World, inside: Session) -> None:
    for who in (linked.technician, linked.rival, linked.stranger):
        assert signed_in(who).get(f"/plants/{linked.plant}/").status_code == 404
    for who in (linked.technician, linked.rival):
        assert signed_in(who).get("/plants/").status_code == 404
    assert "North" not in shown(signed_in(linked.stranger), "/plants/")


def test_a_provider_sees_of_the_map_what_was_delegated(linked: World, inside: Session) -> None:
    lock(actor=linked.owner, organisation=linked.organisation, kind=Locked.MACHINE,
         thing=linked.rivals_machine.public_id, reason="smoke")  # fmt: skip
    watchful = provider()
    watchful.of(linked, [Power.ESTATE])
    browser = watchful.inside(linked)
    text = words(shown(browser, f"/plants/{linked.plant}/"))
    assert "Press 3" in text
    for kept in ("Technician", "nobody inside", "in use", "locked", "session"):
        assert kept not in text
    watchful.of(linked, [Power.ESTATE, Power.WORK, Power.LOCK])
    text = words(shown(browser, f"/plants/{linked.plant}/"))
    assert "Technician" in text
    assert "locked" in text


def test_the_only_plant_opens_at_once_and_of_several_each_has_its_figures(linked: World, inside: Session) -> None:
    browser = signed_in(linked.owner)
    assert browser.get("/plants/").headers["Location"] == f"/plants/{linked.plant}/"
    estate.create_plant(actor=linked.owner, organisation=linked.organisation, name="South", time_zone="Asia/Tokyo")
    text = words(shown(browser, "/plants/"))
    assert "North 1 2 1 connected South 0 0 no gateway yet" in text


def test_a_map_with_everything_on_it_takes_no_more_queries_than_any_page(linked: World, inside: Session) -> None:
    test_what_is_seen_of_a_session_is_on_the_map(linked, inside)
    test_maintenance_a_signal_and_a_gateway_that_is_away_are_told(linked, inside)
    lock(actor=linked.owner, organisation=linked.organisation, kind=Locked.ZONE, thing=f"{linked.plant}/Pressing",
         reason="smoke")  # fmt: skip
    browser = signed_in(linked.owner)
    shown(browser, f"/plants/{linked.plant}/")
    with CaptureQueriesContext(connection) as asked:
        shown(browser, f"/plants/{linked.plant}/")
    assert len(asked) <= MOST_QUERIES
