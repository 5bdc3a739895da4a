# SPDX-License-Identifier: Apache-2.0
"""The stream of an open page tells nobody anything that the page itself would not show them at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from portineria.control.access.withdrawal import withdraw
from portineria.control.console.views import live
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.first_run import set_password
from portineria.control.identity.models import Person
from tests.integration.control.delegated import provider
from tests.integration.control.world import World, fresh

PATIENCE_S = 20
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
pytestmark = pytest.mark.django_db(transaction=True)


class Page:
    """Reads all the time, as a browser does."""

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        self._said: asyncio.Queue[str] = asyncio.Queue()
        self.reading = asyncio.ensure_future(self._read(lines))

    async def _read(self, lines: AsyncIterator[bytes]) -> None:
        async for line in lines:
            self._said.put_nowait(line.decode())
        self._said.put_nowait("")

    @property
    def unread(self) -> int:
        return self._said.qsize()

    async def line(self) -> str:
        """The next one; empty when the stream has ended."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._said.get()


async def opened(person: Person) -> Page:
    page = Page(await lines_for(person))
    assert (await page.line()).startswith("retry:")
    return page


async def lines_for(person: Person) -> AsyncIterator[bytes]:
    client = AsyncClient()
    await client.aforce_login(person, backend=BACKEND)
    answer: Any = await client.get("/live/")
    return aiter(answer.streaming_content)


async def does(act: Callable[..., Any], *given: Any, **more: Any) -> None:
    await sync_to_async(act)(*given, **more)


async def adds_a_supplier(world: World, name: str) -> None:
    owner = await sync_to_async(fresh)(world.owner)
    await does(identity.create_supplier, actor=owner, organisation=world.organisation, name=name)


async def test_staff_hear_what_happens_in_their_organisation(committed_world: World) -> None:
    page = await opened(committed_world.operator)
    await adds_a_supplier(committed_world, "Drives")
    assert await page.line() == "event: changed\ndata: identity.supplier.created\n\n"
    page.reading.cancel()


async def test_from_its_first_line_on_a_stream_misses_nothing(committed_world: World) -> None:
    lines = await lines_for(committed_world.operator)
    async with asyncio.timeout(PATIENCE_S):
        assert (await anext(lines)).startswith(b"retry:")  # now the page is told that it listens, and asks once more
        await adds_a_supplier(committed_world, "Drives")  # nobody reads meanwhile
        assert await anext(lines) == b"event: changed\ndata: identity.supplier.created\n\n"


async def test_a_page_inside_a_customer_ends_when_what_was_delegated_is_withdrawn(committed_world: World) -> None:
    world = committed_world
    watchful = await sync_to_async(provider)()
    row = await sync_to_async(watchful.of)(world, [Power.WORK])
    client = AsyncClient()
    await client.aforce_login(watchful.watcher, backend=BACKEND)
    assert (await client.post(f"/customers/{world.organisation}/enter/")).status_code == 302
    answer: Any = await client.get("/live/")
    page = Page(aiter(answer.streaming_content))
    assert (await page.line()).startswith("retry:")
    await adds_a_supplier(world, "Drives")  # not delegated
    await does(world.request)
    assert await page.line() == "event: changed\ndata: access.request.made\n\n"
    await does(withdraw, actor=world.owner, delegation=row.public_id, reason="x")
    assert (await page.line()).startswith("event: elsewhere\n")
    assert await page.line() == ""


async def test_whoever_left_hears_nothing_more(committed_world: World) -> None:
    world = committed_world
    page = await opened(world.operator)
    await does(
        identity.end_membership, actor=world.owner, person=world.operator.public_id, organisation=world.organisation,
        reason="left",
    )  # fmt: skip
    assert "identity.membership.removed" in await page.line()  # that concerns them
    await adds_a_supplier(world, "Drives")
    await does(_ends_all_browsers)
    await adds_a_supplier(world, "Belts")
    assert await page.line() == ""


def _ends_all_browsers() -> None:
    from django.contrib.sessions.models import Session

    Session.objects.all().delete()


@pytest.mark.parametrize("how", ["signed out", "locked", "another password"])
async def test_the_stream_ends_with_the_sign_in_before_anything_is_told(committed_world: World, how: str) -> None:
    world, who = committed_world, committed_world.operator.public_id
    page = await opened(world.operator)
    if how == "signed out":
        await does(_ends_all_browsers)
    elif how == "locked":
        await does(Person.objects.filter(public_id=who).update, disabled_at=world.operator.created_at)
    else:
        await does(set_password, actor=Operator(), person=who, password="another long one 9")
    await adds_a_supplier(world, "Drives")
    assert await page.line() == ""


async def test_one_person_has_so_many_streams_and_the_oldest_ends(
    committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_PER_PERSON", 2)
    pages = [await opened(committed_world.operator) for _ in range(3)]
    assert await pages[0].line() == ""
    await adds_a_supplier(committed_world, "Drives")
    for page in pages[1:]:
        assert "identity.supplier.created" in await page.line()
        page.reading.cancel()
