# SPDX-License-Identifier: Apache-2.0
"""What ``bus.interface`` promises, held against every bus: real Unix sockets, and a real nats-server."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from portineria.bus.message import (
    TO_CONTROL,
    TO_RELAY,
    CloseLegs,
    Deliver,
    DropGateway,
    FromGateway,
    LegsClosed,
    LinkDown,
    LinkUp,
    RelayUp,
    ToControl,
    ToRelay,
)
from portineria.core.errors import ProtocolError
from tests.integration.bus.world import NORTH, SOUTH, Control, LocalWorld, NatsWorld, World, controlling, relay
from tests.integration.nats_server import NatsServer
from tests.integration.process import eventually


@pytest.fixture(params=["local", "nats"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "local":
        yield LocalWorld(tmp_path / "bus")
        return
    server = NatsServer(tmp_path / "nats", [NORTH, SOUTH])
    await server.start()
    yield NatsWorld(server)
    await server.process.end()


@pytest.fixture
async def control(world: World) -> AsyncIterator[Control]:
    async with controlling(world) as control:
        yield control


async def test_messages_pass_both_ways_in_their_order(control: Control) -> None:
    async with relay(control) as side:
        await eventually(lambda: control.heard, "greeted")
        orders: list[ToRelay] = [Deliver("gw_a", [bytes([n]) * 5000]) for n in range(200)]
        for order in orders:
            assert control.bus.publish(NORTH, order)
        reports = [FromGateway(NORTH, "gw_a", [bytes([n]) * 5000]) for n in range(200)]
        for report in reports:
            assert side.end.publish(report)
        await eventually(lambda: len(side.heard) == 200 and control.heard[-1] == reports[-1], "all of them")
        assert side.heard == orders
        assert [message for message in control.heard if message != RelayUp(NORTH, [])] == reports
    assert control.most_at_once == 1


async def test_a_message_for_all_reaches_each_relay_and_one_for_none_is_known_to_be_lost(control: Control) -> None:
    assert not control.bus.publish(NORTH, CloseLegs("ses_a"))
    async with relay(control) as north, relay(control, SOUTH) as south:
        control.bus.publish_all(DropGateway("gw_a"))
        await eventually(lambda: north.heard == south.heard == [DropGateway("gw_a")], "both")


@pytest.mark.parametrize(
    "lie",
    [RelayUp(SOUTH, ["gw_a"]), LinkUp(SOUTH, "gw_a", bytes(32), ""), LinkDown(SOUTH, "gw_a"),
     FromGateway(SOUTH, "gw_a", []), LegsClosed(SOUTH, "ses_a", 0, 0)],
    ids=lambda lie: type(lie).__name__,
)  # fmt: skip
async def test_a_relay_that_speaks_for_another_is_dropped_unheard(control: Control, lie: ToControl) -> None:
    async with control.world.raw(NORTH) as say:
        await eventually(lambda: control.heard == [RelayUp(NORTH, [])], "taken in")
        say(TO_CONTROL.encode(lie))
        await eventually(lambda: NORTH not in control.bus.relays, "dropped")
        await eventually(lambda: len(control.heard) == 2, "and said to be gone")
        assert control.heard == [RelayUp(NORTH, [])] * 2


@pytest.mark.parametrize(
    "rubbish", [b"\xc1", TO_RELAY.encode(CloseLegs("ses_a")), b"\x81\xa2is"],
    ids=["no message", "the other direction's", "half a message"],
)  # fmt: skip
async def test_rubbish_costs_its_sender_the_connection_and_nobody_else(control: Control, rubbish: bytes) -> None:
    async with relay(control, SOUTH, ["gw_a"]) as south:
        async with control.world.raw(NORTH) as say:
            await eventually(lambda: NORTH in control.bus.relays, "taken in")
            say(rubbish)
            await eventually(lambda: NORTH not in control.bus.relays, "dropped")
        assert south.end.publish(LinkDown(SOUTH, "gw_a"))
        await eventually(lambda: LinkDown(SOUTH, "gw_a") in control.heard, "the other goes on")
        assert RelayUp(SOUTH, []) not in control.heard


async def test_a_message_beyond_the_limit_is_not_even_sent(control: Control) -> None:
    limit = control.world.limit
    async with relay(control) as side:
        with pytest.raises(ProtocolError, match=f"allowed .*{limit}"):
            control.bus.publish(NORTH, Deliver("gw_a", [bytes(limit)]))
        with pytest.raises(ProtocolError, match=f"allowed .*{limit}"):
            side.end.publish(FromGateway(NORTH, "gw_a", [bytes(limit)]))
        largest, report = Deliver("gw_a", [bytes(limit - 100)]), FromGateway(NORTH, "gw_a", [bytes(limit - 100)])
        assert control.bus.publish(NORTH, largest)
        assert side.end.publish(report)
        await eventually(lambda: side.heard == [largest], "the largest passes")
        await eventually(lambda: report in control.heard, "and back")


async def test_a_relay_that_comes_back_greets_with_what_it_has_now(control: Control) -> None:
    async with relay(control, gateways=["gw_a"]):
        await eventually(lambda: RelayUp(NORTH, ["gw_a"]) in control.heard, "the first greeting")
    await eventually(lambda: control.heard[-1] == RelayUp(NORTH, []), "gone")
    assert not control.bus.publish(NORTH, CloseLegs("ses_a"))
    async with relay(control, gateways=["gw_a", "gw_b"]):
        await eventually(lambda: control.heard[-1] == RelayUp(NORTH, ["gw_a", "gw_b"]), "back")
    await eventually(lambda: control.heard[-1] == RelayUp(NORTH, []), "gone for good")


async def test_a_control_plane_that_starts_again_finds_its_relays(control: Control) -> None:
    async with relay(control, gateways=["gw_a"]):
        await eventually(lambda: control.heard, "greeted")
        await control.bus.close()
        assert control.heard[-1] == RelayUp(NORTH, [])
        assert not control.bus.relays
        again = Control(control.world)
        await again.bus.open([NORTH, SOUTH])
        await eventually(lambda: again.heard[:1] == [RelayUp(NORTH, ["gw_a"])], "greeted anew")
        assert again.bus.publish(NORTH, CloseLegs("ses_a"))
        await again.bus.close()


async def test_what_a_relays_old_connection_said_does_not_outlive_its_new_greeting(control: Control) -> None:
    """A relay that was killed and came back has no links: a LinkUp still waiting in line would invent one."""
    control.may_go_on.clear()
    async with control.world.raw(NORTH) as say:
        await eventually(lambda: control.at_once == 1, "the greeting is being dealt with")
        say(TO_CONTROL.encode(LinkUp(NORTH, "gw_a", bytes(32), "")))
        async with relay(control, gateways=["gw_b"]):
            control.may_go_on.set()
            await eventually(lambda: RelayUp(NORTH, ["gw_b"]) in control.heard, "the new greeting")
            since = control.heard[control.heard.index(RelayUp(NORTH, ["gw_b"])) :]
            assert all(isinstance(message, RelayUp) for message in since)  # what came before it counts no more
    assert control.most_at_once == 1


async def test_closing_ends_though_the_control_plane_fails_to_note_it(world: World) -> None:
    async def broken(message: ToControl) -> None:
        raise ValueError("the database is away")

    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # it is logged there
    bus = world.bus(broken)
    await bus.open([NORTH])
    async with world.raw(NORTH):
        async with asyncio.timeout(20):
            await bus.arrival(NORTH)
            await bus.close()


async def test_a_receiver_that_failed_once_is_told_again(world: World) -> None:
    """Of whatever it missed: by the next greeting."""
    heard: list[ToControl] = []
    failed = False

    async def fails_once(message: ToControl) -> None:
        nonlocal failed
        if isinstance(message, LinkDown) and not failed:
            failed = True
            raise ValueError("the database is away")
        heard.append(message)

    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    bus = world.bus(fails_once)
    await bus.open([NORTH])
    end = world.end(NORTH, lambda message: None, lambda: RelayUp(NORTH, ["gw_a"]))
    running = asyncio.ensure_future(end.run())
    await eventually(lambda: heard, "greeted")
    assert end.publish(LinkDown(NORTH, "gw_b"))
    await eventually(lambda: heard[-2:] == [RelayUp(NORTH, []), RelayUp(NORTH, ["gw_a"])], "gone, and back")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await bus.close()
