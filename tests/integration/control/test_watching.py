# SPDX-License-Identifier: Apache-2.0
"""Whoever may see a session sees what it does; nobody else does, and nothing of it stays here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from portineria.bus.message import Deliver, FromGateway, ToRelay
from portineria.control.access import services as access
from portineria.control.audit import queries as audit
from portineria.control.estate import services as estate
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import glances, outgoing
from portineria.control.remote_sessions.inbox import Inbox
from portineria.control.remote_sessions.models import Session
from portineria.control.remote_sessions.reports import receive
from portineria.control.remote_sessions.signal_desk import SignalDesk
from portineria.control.remote_sessions.switchboard import _answer
from portineria.wire.report import Seen
from portineria.wire.statement import Watch
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, started
from tests.integration.control.test_live import BACKEND, Page, does
from tests.integration.control.world import ConnectorEnd, GatewayEnd, World, fresh
from tests.integration.process import eventually

pytestmark = pytest.mark.django_db(transaction=True)
HOSTILE = "<img src=x onerror=alert(1)>\u2028\ndata: {}"


def read(number: int, targets: str = "holding 104") -> Seen:
    return Seen(
        number, 1, "srv_a", "modbus", "passed", "read", "read-holding-registers", targets, "", "", 3, True, "120", ""
    )


def observed(world: World) -> Session:
    """A live session whose operations are decoded."""
    device = world.machine.devices.get().public_id
    estate.add_service(actor=world.owner, device=device, name="Shell", protocol="ssh", port=22)
    access.change_rule(actor=world.owner, rule=world.rule, profile="observe", only_decoded=True)
    receive(world.gateway.id, [world.gateway.ask(inspects=["modbus"])])
    return accepted(world, started(world))


class Sent:
    """What goes to the gateway meanwhile."""

    def __init__(self, gateway: GatewayEnd) -> None:
        self._gateway, self._messages = gateway, list[ToRelay]()
        outgoing.attach(self._messages.append)

    def watches(self) -> list[Watch]:
        sealed = [letter for message in self._messages if isinstance(message, Deliver) for letter in message.sealed]
        return [letter for letter in self._gateway.read(sealed) if isinstance(letter, Watch)]


@pytest.fixture
def linked(committed_world: World) -> Iterator[World]:
    committed_world.link()
    yield committed_world
    outgoing.detach()


@pytest.fixture
def session(linked: World) -> Session:
    return observed(linked)


async def page_of(person: Person, session: Session, last: str = "") -> Page:
    client = AsyncClient()
    await client.aforce_login(person, backend=BACKEND)
    headers = {"Last-Event-ID": last} if last else {}
    answer: Any = await client.get(f"/live/?session={session.public_id}", headers=headers)
    page = Page(aiter(answer.streaming_content))
    assert (await page.line()).startswith("retry:")
    return page


async def glance(page: Page) -> dict[str, Any]:
    while not (line := await page.line()).startswith("event: glance"):
        assert line
    name, data = line.split("\n")[1:3]
    return {"id": name.removeprefix("id: "), **json.loads(data.removeprefix("data: "))}


async def test_a_watched_session_is_shown_to_whoever_sees_it_and_to_nobody_else(
    linked: World, session: Session
) -> None:
    world, gateway = linked, linked.gateway
    sent = await sync_to_async(Sent)(gateway)
    owner, rival = await page_of(world.owner, session), await page_of(world.rival, session)
    technician = await page_of(world.technician, session)
    await does(hears, world, gateway.show(session.public_id, 1, read(1, HOSTILE), beyond=7))
    for page in (owner, technician):
        seen = await glance(page)
        assert seen["lines"][0]["new"]  # this supplier never read there
        assert (seen["beyond"], seen["lines"][0]["targets"]) == (7, HOSTILE)  # one line of text: nothing in it is ours
    assert {watch.session for watch in sent.watches()} == {session.public_id}

    for report in (
        gateway.show(session.public_id, 1, read(9)),  # played again
        gateway.show(session.public_id, 5, read(9), boot=bytes(31) + b"x", late_s=60),  # kept back by a relay
        stranger_of(world).show(session.public_id, 6, read(9)),  # another gateway's
        gateway.say("order.accepted", session.public_id, order_seq=1)[:-1] + b"x",
    ):
        await does(hears, world, report)
    await does(hears, world, gateway.show(session.public_id, 2, read(2)))
    seen = await glance(owner)
    assert [line["number"] for line in seen["lines"]] == [2]
    again = await page_of(world.owner, session, last=seen["id"])
    await does(hears, world, gateway.show(session.public_id, 3, read(3)))
    assert [line["number"] for line in (await glance(again))["lines"]] == [3]  # what it has is not sent again

    events = await sync_to_async(watched)(world, session)
    assert events == [world.owner.public_id]  # once, though two pages were open; whoever works does not watch
    mark = await sync_to_async(page_text)(world.technician, session)
    assert "Somebody looks on at your work." in mark
    assert world.owner.name in mark
    assert await sync_to_async(told_to_be_watched)(world, session)
    assert rival.unread == 0
    for page in (owner, again, technician, rival):
        page.reading.cancel()
    await eventually(lambda: not glances.wanted(world.gateway.id), "nothing is kept when nobody looks on")


def told_to_be_watched(world: World, session: Session) -> bool:
    return bool(ConnectorEnd(world.technician).call("GET", f"/sessions/{session.public_id}").json()["watched"])


def page_text(person: Person, session: Session) -> str:
    return shown(signed_in(fresh(person)), f"/sessions/{session.public_id}/")


def watched(world: World, session: Session) -> list[str]:
    found = audit.of_session(world.organisation, session.public_id)
    return [event.actor for event in found.filter(code="remote_sessions.session.watched")]


def hears(world: World, report: bytes) -> None:
    """As it comes over a link, by way of what waits for the database."""
    inbox = Inbox()
    inbox.put(FromGateway("rel_a", world.gateway.id, [report]))
    message = inbox.take()
    assert isinstance(message, FromGateway)
    _answer(message.gateway, message.sealed, SignalDesk())


def stranger_of(world: World) -> GatewayEnd:
    """With keys of its own, and the name of the other."""
    other = GatewayEnd()
    other.trust, other.id = world.gateway.trust, world.gateway.id
    return other
