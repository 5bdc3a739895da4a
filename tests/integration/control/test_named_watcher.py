# SPDX-License-Identifier: Apache-2.0
"""Whoever a rule names to watch: nothing begins before they are there, and nothing goes on for long without them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.models import Grant
from portineria.control.access.rules import Conditions
from portineria.control.identity.connector import base64url
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import outgoing, services
from portineria.control.remote_sessions.models import Session, StandingBy
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, again, session_key
from tests.integration.control.test_live import BACKEND, Page
from tests.integration.control.world import ConnectorEnd, World, fresh
from tests.integration.process import WAIT_S

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def linked(committed_world: World) -> Iterator[World]:
    committed_world.link()
    yield committed_world
    outgoing.detach()


def begun(world: World) -> Any:
    body = {"machine": world.machine.public_id, "key": base64url(session_key())}
    return ConnectorEnd(fresh(world.technician)).call("POST", "/sessions", body)


def said(person: Person, address: str) -> str:
    return shown(signed_in(fresh(person)), address)


def watched_by_the_operator(world: World) -> Grant:
    access.change_rule(actor=world.owner, rule=world.rule, conditions=Conditions(watcher=world.operator.public_id))
    world.grant(60)
    return Grant.objects.select_related("request").get()


async def looks(person: Person, **at: str) -> Page:
    client = AsyncClient()
    await client.aforce_login(person, backend=BACKEND)
    answer: Any = await client.get("/live/", at)
    page = Page(aiter(answer.streaming_content))
    assert (await page.line()).startswith("retry:")
    return page


def times() -> list[Any]:
    return list(StandingBy.objects.values_list("seen_at", flat=True))


async def comes_true(ask: Callable[[], object]) -> None:
    """``ask`` may use the database."""
    async with asyncio.timeout(WAIT_S):
        while not await sync_to_async(ask)():  # noqa: ASYNC110 the database has no other way to tell
            await asyncio.sleep(0.02)


async def test_nothing_begins_before_whoever_is_named_is_there_and_nothing_goes_on_without_them(linked: World) -> None:
    w = linked
    grant = await sync_to_async(watched_by_the_operator)(w)
    request, address = grant.request.public_id, f"/requests/{grant.request.public_id}/"
    for person in (w.owner, w.technician, w.rival, w.stranger):
        await looks(person, request=request)
    refused = await sync_to_async(begun)(w)
    assert (refused.status_code, refused.json()["code"]) == (403, "access.waits-for-watcher")
    assert f"Waiting for {w.operator.name} to watch" in refused.json()["detail"]
    assert f"waiting for {w.operator.name} to watch" in await sync_to_async(said)(w.technician, address)
    assert not await sync_to_async(times)()  # that others have the page open is nothing
    assert f'data-live-request="{request}"' in await sync_to_async(said)(w.operator, address)

    there = await looks(w.operator, request=request)
    await comes_true(lambda: times() and all(times()))
    assert "is there: work may begin" in await sync_to_async(said)(w.technician, address)
    assert (await sync_to_async(begun)(w)).status_code == 200
    there.reading.cancel()
    await comes_true(lambda: times() == [None])
    assert (await sync_to_async(begun)(w)).status_code == 403

    session = await sync_to_async(Session.objects.select_related("person").get)()
    await sync_to_async(left_alone)(w, session)


def left_alone(w: World, session: Session) -> None:
    session, began = accepted(w, session), session.requested_at
    address = f"/sessions/{session.public_id}/"
    assert f"{w.operator.name} has to watch, and does not look on." in said(w.technician, address)
    assert services.enforce(began + timedelta(seconds=60)) == 0  # time to come here from the request's page
    Session.objects.update(watched_at=began + timedelta(seconds=30))
    assert services.enforce(began + timedelta(seconds=90)) == 0
    assert services.enforce(began + timedelta(seconds=91)) == 1
    ended = again(session)
    assert (ended.state, ended.ending_class, ended.end_why) == ("draining", "administrative", "not-watched")


async def test_an_open_page_of_the_session_keeps_it_going_although_its_bytes_say_nothing(linked: World) -> None:
    w = linked
    grant = await sync_to_async(watched_by_the_operator)(w)
    await sync_to_async(StandingBy.objects.create)(grant=grant, person=w.operator, seen_at=timezone.now())
    assert (await sync_to_async(begun)(w)).status_code == 200
    session = await sync_to_async(Session.objects.get)()
    for person in (w.owner, w.rival):
        await looks(person, session=session.public_id)
    page = await looks(w.operator, session=session.public_id)
    await comes_true(lambda: again(session).watched_at is not None)
    assert w.operator.name in await sync_to_async(said)(w.technician, f"/sessions/{session.public_id}/")
    assert await sync_to_async(lambda: list(session.watchings.values_list("person", flat=True)))() == [w.operator.pk]
    page.reading.cancel()
