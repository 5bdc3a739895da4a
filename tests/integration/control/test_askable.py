# SPDX-License-Identifier: Apache-2.0
"""A machine that may only be asked for is a name and an owner, on every page, in the API and on the command line; and
so is one that is absent, in the records of one's own requests and sessions.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.models import Grant
from portineria.control.estate import services as estate
from portineria.control.estate.models import Machine, Plant
from portineria.control.remote_sessions.models import Session
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, again, report, started
from tests.integration.control.test_every_address import OPERATIONS, PAGES, PLACE, Things, filled
from tests.integration.control.world import ConnectorEnd, World

pytestmark = pytest.mark.sqlite  # what pages say, whatever the database
SECRETS = ("Quokka plant", "Quokka line", "Quokka zone", "QK-771", "Asia/Tokyo", "JST", "Japan", "192.168.10.5")


@pytest.fixture
def hidden(world: World) -> World:
    """The technician's own zone is another than the plant's, and all that they must not learn has a name of its own."""
    world.link()
    Plant.objects.filter(public_id=world.plant).update(name="Quokka plant", time_zone="Asia/Tokyo")
    estate.create_zone(actor=world.owner, plant=world.plant, name="Quokka zone")
    line = estate.create_line(actor=world.owner, plant=world.plant, name="Quokka line", zone="Quokka zone")
    Machine.objects.filter(pk=world.machine.pk).update(line=line, tag="QK-771")
    type(world.technician).objects.filter(pk=world.technician.pk).update(time_zone="Europe/Rome")
    world.technician.refresh_from_db()
    return world


def worked_before(world: World) -> tuple[Session, str]:
    """A session of theirs that is over, and its request; nothing of it can be reached any more."""
    session = accepted(world, started(world))
    grant = session.grant
    report(world, "session.ended", session, ending="expired", reason="order.expired")
    past = timezone.now() - timedelta(hours=3)
    Grant.objects.filter(pk=grant.pk).update(starts_at=past - timedelta(hours=1), ends_at=past)
    return again(session), grant.public_id


def pages(things: Things) -> Iterator[str]:
    for route in PAGES:
        if route not in ("live/", "language/"):
            yield filled(route, things) if PLACE.search(route) else f"/{route}"


async def file_of(answer: Any) -> bytes:
    return b"".join([part async for part in answer])


def read(answer: Any) -> str:
    """What the page or the file says. A list of every zone there is tells nothing about a plant."""
    said = async_to_sync(file_of)(answer) if answer.streaming else answer.content
    if said.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(said)) as packed:
            said = b"".join(packed.read(name) for name in packed.namelist())
    if said.startswith(b"%PDF-"):  # drawn from the page of the report, which is read too
        return ""
    return re.sub(r"<option.*?</option>", "", said.decode(errors="replace"), flags=re.DOTALL)


def told(said: str) -> list[str]:
    return [secret for secret in SECRETS if secret in said]


def all_that_is_said(world: World) -> dict[str, list[str]]:
    """Every address of pages and API, as the technician opens it → what it tells that it must not."""
    session, grant = worked_before(world)
    waiting = world.request()
    later = world.request(30, in_days=2)
    access.refuse(actor=world.owner, request=later, reason="not then")
    found = {}
    client, end = signed_in(world.technician, proved=True), ConnectorEnd(world.technician)
    for request in (waiting, later):
        things = Things(
            world.machine.public_id, request, grant, session.public_id, world.gateway.id,
            world.organisation, world.technician.public_id, world.supplier,
        )  # fmt: skip
        for address in pages(things):
            if f"GET {address}" not in found:  # most have no request in it
                found[f"GET {address}"] = told(read(client.get(address, follow=True)))
        for _, path in OPERATIONS:
            if f"GET api {(route := filled(path.removeprefix('/api/v1'), things))}" not in found:
                found[f"GET api {route}"] = told(read(end.call("GET", route)))
    for route in ("/machines", "/requests", "/sessions", "/me"):
        found[f"GET api {route}"] = told(read(end.call("GET", route)))
    for address in pages(things):  # forms that are sent wrongly show the page again
        if "withdraw" not in address:
            found[f"POST {address}"] = told(read(client.post(address, {"minutes": "x", "starts_at": "x"}, follow=True)))
    return {address: secrets for address, secrets in found.items() if secrets}


def test_no_page_and_no_operation_tells_where_an_askable_machine_stands(hidden: World) -> None:
    assert all_that_is_said(hidden) == {}


def test_no_page_and_no_operation_tells_where_an_absent_machine_stood(hidden: World) -> None:
    session, grant = worked_before(hidden)
    waiting = hidden.request()
    access.end_rule(actor=hidden.owner, rule=hidden.rule, reason="contract over")
    client, end = signed_in(hidden.technician, proved=True), ConnectorEnd(hidden.technician)
    things = Things(
        hidden.machine.public_id, waiting, grant, session.public_id, hidden.gateway.id,
        hidden.organisation, hidden.technician.public_id, hidden.supplier,
    )  # fmt: skip
    said = {address: told(read(client.get(address, follow=True))) for address in pages(things)}
    said |= {route: told(read(end.call("GET", route))) for route in ("/requests", "/sessions", "/machines")}
    assert {address: secrets for address, secrets in said.items() if secrets} == {}
    assert client.get(f"/machines/{hidden.machine.public_id}/").status_code == 404


def test_one_keeps_the_record_of_ones_own_work_with_name_and_owner(hidden: World) -> None:
    session, _ = worked_before(hidden)
    waiting = hidden.request()
    access.end_rule(actor=hidden.owner, rule=hidden.rule, reason="contract over")
    client = signed_in(hidden.technician)
    for address in ("/sessions/", "/requests/", f"/requests/{waiting}/", f"/sessions/{session.public_id}/"):
        page = shown(client, address)
        assert "Press 3" in page, address
        assert "Owner&#x27;s plant" in page, address
        assert f'href="/machines/{hidden.machine.public_id}/"' not in page, address  # there is no such page for them
    assert [row["machine_name"] for row in ConnectorEnd(hidden.technician).call("GET", "/sessions").json()] == [
        "Press 3"
    ]


def test_times_of_an_askable_machine_are_the_readers_own(hidden: World) -> None:
    hidden.request()
    page = shown(signed_in(hidden.technician), "/")
    assert re.search(r"<time[^>]*title=\"Europe/Rome\"", page)
    asking = shown(signed_in(hidden.technician), f"/machines/{hidden.machine.public_id}/ask/")
    assert "Your time (Europe/Rome)" in asking


def test_what_is_typed_as_ones_own_time_is_taken_as_that(hidden: World) -> None:
    """08:00 in Rome, not 08:00 in Tokyo."""
    day = (timezone.now() + timedelta(days=3)).date().isoformat()
    form = {"reason": "seal", "minutes": "60", "starts_at": f"{day}T08:00"}
    answer = signed_in(hidden.technician).post(f"/machines/{hidden.machine.public_id}/ask/", form)
    assert answer.status_code == 302
    [asked] = ConnectorEnd(hidden.technician).call("GET", "/requests").json()
    assert asked["starts_at"] in (f"{day}T07:00:00Z", f"{day}T06:00:00Z")


def test_whoever_reaches_a_machine_and_the_owner_see_where_it_stands_in_its_own_time(hidden: World) -> None:
    session = accepted(hidden, started(hidden))
    for who in (hidden.technician, hidden.owner):
        client = signed_in(who)
        for address in ("/sessions/", f"/sessions/{session.public_id}/", "/"):
            page = shown(client, address)
            assert "Quokka plant" in page, (who, address)
            assert "Quokka line" in page, (who, address)
        assert "Asia/Tokyo" in shown(client, f"/sessions/{session.public_id}/")


def test_the_lists_ask_the_database_no_more_for_more_rows(hidden: World, django_assert_max_num_queries: Any) -> None:
    client = signed_in(hidden.technician)
    for days in range(2):
        hidden.request(30, in_days=days)
    client.get("/requests/")
    with django_assert_max_num_queries(60) as few:
        client.get("/requests/")
    for days in range(2, 12):
        hidden.request(30, in_days=days)
    with django_assert_max_num_queries(len(few)):
        client.get("/requests/")


def test_the_answer_about_an_askable_machine_has_no_place_in_any_field(hidden: World) -> None:
    [machine] = ConnectorEnd(hidden.technician).call("GET", "/machines").json()
    assert told(json.dumps(machine)) == []
    assert (machine["name"], machine["owner"]) == ("Press 3", "Owner")
