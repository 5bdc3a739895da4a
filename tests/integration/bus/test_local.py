# SPDX-License-Identifier: Apache-2.0
"""The bus over its real Unix sockets: who may say what, in which order, and what a bad neighbour costs."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from portineria.bus import local
from portineria.bus.local import FRAME_BYTES, LocalBus, LocalBusEnd
from portineria.bus.message import TO_CONTROL, TO_RELAY, CloseLegs, Deliver, LinkDown, LinkUp, RelayUp
from tests.integration.bus.world import NORTH, SOUTH, Control, LocalWorld, controlling, relay
from tests.integration.process import eventually


@pytest.fixture
def world(tmp_path: Path) -> LocalWorld:
    return LocalWorld(tmp_path / "bus")


@pytest.fixture
async def control(world: LocalWorld) -> AsyncIterator[Control]:
    async with controlling(world) as control:
        yield control


def bus_of(control: Control) -> LocalBus:
    assert isinstance(control.bus, LocalBus)
    return control.bus


async def raw(control: Control, name: str = NORTH) -> socket.socket:
    """A connection of somebody who does not keep to the rules."""
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, str(bus_of(control).path(name)))
    await eventually(lambda: name in control.bus.relays, "taken in")
    return sock


@pytest.mark.parametrize(
    "rubbish",
    [(FRAME_BYTES + 1).to_bytes(4, "big"), bytes(4), b"\0\0\0\1\xc1", TO_RELAY.frame(CloseLegs("ses_a"))],
    ids=["too long", "empty", "no message", "the other direction's"],
)
async def test_rubbish_costs_its_sender_the_connection_and_nobody_else(control: Control, rubbish: bytes) -> None:
    async with relay(control, SOUTH) as south:
        with await raw(control) as sock:
            await asyncio.get_running_loop().sock_sendall(sock, rubbish)
            await eventually(lambda: NORTH not in control.bus.relays, "dropped")
        assert south.end.publish(LinkDown(SOUTH, "gw_a"))
        await eventually(lambda: LinkDown(SOUTH, "gw_a") in control.heard, "the other goes on")


async def test_a_relay_that_does_not_read_is_dropped_not_waited_for(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "QUEUE_BYTES", 1 << 20)
    with await raw(control):
        sent = 0
        while control.bus.publish(NORTH, Deliver("gw_a", [bytes(1 << 16)])):
            sent += 1 << 16
            assert sent < 10 << 20
        await eventually(lambda: NORTH not in control.bus.relays, "dropped")
    assert sent >= 1 << 20
    async with relay(control):  # and may come back
        pass


async def test_a_relay_that_comes_back_greets_with_what_it_has_now(control: Control) -> None:
    async with relay(control, gateways=["gw_a"]) as side:
        await eventually(lambda: control.heard == [RelayUp(NORTH, ["gw_a"])], "the first greeting")
        side.gateways = ["gw_a", "gw_b"]
        bus_of(control)._writers[NORTH].transport.abort()
        await eventually(lambda: len(control.heard) == 3, "gone, and back")
        assert control.heard[1:] == [RelayUp(NORTH, []), RelayUp(NORTH, ["gw_a", "gw_b"])]
    await eventually(lambda: control.heard[-1] == RelayUp(NORTH, []), "gone for good")


async def test_what_a_relays_old_connection_said_does_not_outlive_its_new_greeting(control: Control) -> None:
    """A relay that was killed and came back has no links: a LinkUp still waiting in line would invent one."""
    control.may_go_on.clear()
    with await raw(control) as before:
        said = TO_CONTROL.frame(RelayUp(NORTH, [])) + TO_CONTROL.frame(LinkUp(NORTH, "gw_a", bytes(32), ""))
        await asyncio.get_running_loop().sock_sendall(before, said)
        await eventually(lambda: control.at_once == 1, "the first is being dealt with, the second waits")
        first = bus_of(control)._writers[NORTH]
        with await raw(control) as after:
            await eventually(lambda: bus_of(control)._writers[NORTH] is not first, "replaced")
            await asyncio.get_running_loop().sock_sendall(after, TO_CONTROL.frame(RelayUp(NORTH, ["gw_b"])))
            control.may_go_on.set()
            await eventually(lambda: RelayUp(NORTH, ["gw_b"]) in control.heard, "the new greeting")
            assert control.heard == [RelayUp(NORTH, []), RelayUp(NORTH, ["gw_b"])]
    assert control.most_at_once == 1


async def test_words_a_relay_does_not_know_cost_one_connection_not_the_relay(control: Control) -> None:
    """After an update of the control plane alone: the relay stays, and comes back."""
    async with relay(control) as side:
        first = bus_of(control)._writers[NORTH]
        first.write(b"\0\0\0\4\x81\xa2is")
        await eventually(lambda: bus_of(control)._writers.get(NORTH) not in (None, first), "back again")
        await eventually(lambda: side.end.connected, "both agree")
        assert control.bus.publish(NORTH, CloseLegs("ses_a"))
        await eventually(lambda: side.heard == [CloseLegs("ses_a")], "heard")


async def test_a_relay_that_is_turned_away_does_not_knock_without_pause(control: Control) -> None:
    knocks = 0

    def greeting() -> RelayUp:
        nonlocal knocks
        knocks += 1
        return RelayUp(SOUTH, [])  # at the door of another: turned away each time

    running = asyncio.ensure_future(LocalBusEnd(bus_of(control).path(NORTH), lambda message: None, greeting).run())
    began = asyncio.get_running_loop().time()
    await eventually(lambda: asyncio.get_running_loop().time() > began + 1, "a second")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert 2 <= knocks <= 6  # after 50, 100, 200, 400 ms


async def test_only_this_account_can_reach_a_socket(control: Control) -> None:
    path = bus_of(control).path(NORTH)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700
