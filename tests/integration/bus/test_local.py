# SPDX-License-Identifier: Apache-2.0
"""The bus over its real Unix sockets: who may say what, in which order, and what a bad neighbour costs."""

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from portineria.bus import local
from portineria.bus.local import FRAME_BYTES, LocalBus, LocalBusEnd
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
from tests.integration.aio.ends import eventually

NORTH, SOUTH = "rel_north", "rel_south"


class Control:
    """The control plane's side: what it heard, and a hand to hold it back."""

    def __init__(self, folder: Path) -> None:
        self.heard: list[ToControl] = []
        self.at_once = 0
        self.most_at_once = 0
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.bus = LocalBus(folder, self._receive)

    async def _receive(self, message: ToControl) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.may_go_on.wait()
        self.heard.append(message)
        self.at_once -= 1


class RelaySide:
    def __init__(self, control: Control, relay: str, gateways: list[str] | None = None) -> None:
        self.heard: list[ToRelay] = []
        self.gateways = gateways or []
        self.end = LocalBusEnd(control.bus.path(relay), self.heard.append, lambda: RelayUp(relay, self.gateways))
        self.task = asyncio.ensure_future(self.end.run())

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[Control]:
    control = Control(tmp_path / "bus")
    await control.bus.open([NORTH, SOUTH])
    yield control
    control.may_go_on.set()
    async with asyncio.timeout(10):
        await control.bus.close()


@contextlib.asynccontextmanager
async def relay(control: Control, name: str = NORTH, gateways: list[str] | None = None) -> AsyncIterator[RelaySide]:
    side = RelaySide(control, name, gateways)
    try:
        await eventually(lambda: name in control.bus.relays and side.end.connected, "the relay is there")
        yield side
    finally:
        await side.stop()


async def raw(control: Control, name: str = NORTH) -> socket.socket:
    """A connection of somebody who does not keep to the rules."""
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, str(control.bus.path(name)))
    await eventually(lambda: name in control.bus.relays, "taken in")
    return sock


async def test_messages_pass_both_ways_in_their_order(control: Control) -> None:
    async with relay(control) as side:
        orders: list[ToRelay] = [Deliver("gw_a", [bytes([n]) * 5000]) for n in range(200)]
        for order in orders:
            assert control.bus.publish(NORTH, order)
        reports = [FromGateway(NORTH, "gw_a", [bytes([n]) * 5000]) for n in range(200)]
        for report in reports:
            assert side.end.publish(report)
        await eventually(lambda: len(side.heard) == 200 and len(control.heard) == 201, "all of them")
        assert side.heard == orders
        assert control.heard == [RelayUp(NORTH, []), *reports]
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
    with await raw(control) as sock:
        await asyncio.get_running_loop().sock_sendall(sock, TO_CONTROL.frame(lie))
        await eventually(lambda: NORTH not in control.bus.relays, "dropped")
        assert lie not in control.heard
        assert control.heard == [RelayUp(NORTH, [])]  # whatever it had is forgotten


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


async def test_a_message_beyond_the_limit_is_not_even_sent(control: Control) -> None:
    async with relay(control) as side:
        with pytest.raises(ProtocolError):
            control.bus.publish(NORTH, Deliver("gw_a", [bytes(FRAME_BYTES)]))
        with pytest.raises(ProtocolError):
            side.end.publish(FromGateway(NORTH, "gw_a", [bytes(FRAME_BYTES)]))
        largest = Deliver("gw_a", [bytes(FRAME_BYTES - 100)])
        assert control.bus.publish(NORTH, largest)
        await eventually(lambda: side.heard == [largest], "the largest passes")


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
        control.bus._writers[NORTH].transport.abort()
        await eventually(lambda: len(control.heard) == 3, "gone, and back")
        assert control.heard[1:] == [RelayUp(NORTH, []), RelayUp(NORTH, ["gw_a", "gw_b"])]
    await eventually(lambda: control.heard[-1] == RelayUp(NORTH, []), "gone for good")


async def test_a_control_plane_that_starts_again_finds_its_relays(control: Control, tmp_path: Path) -> None:
    async with relay(control, gateways=["gw_a"]) as side:
        await control.bus.close()
        await eventually(lambda: not side.end.connected, "noticed")
        assert not side.end.publish(LinkDown(NORTH, "gw_a"))
        again = Control(tmp_path / "bus")
        await again.bus.open([NORTH, SOUTH])
        await eventually(lambda: again.heard == [RelayUp(NORTH, ["gw_a"])], "greeted anew")
        await again.bus.close()


async def test_what_a_relays_old_connection_said_does_not_outlive_its_new_greeting(control: Control) -> None:
    """A relay that was killed and came back has no links: a LinkUp still waiting in line would invent one."""
    control.may_go_on.clear()
    with await raw(control) as before:
        said = TO_CONTROL.frame(RelayUp(NORTH, [])) + TO_CONTROL.frame(LinkUp(NORTH, "gw_a", bytes(32), ""))
        await asyncio.get_running_loop().sock_sendall(before, said)
        await eventually(lambda: control.at_once == 1, "the first is being dealt with, the second waits")
        first = control.bus._writers[NORTH]
        with await raw(control) as after:
            await eventually(lambda: control.bus._writers[NORTH] is not first, "replaced")
            await asyncio.get_running_loop().sock_sendall(after, TO_CONTROL.frame(RelayUp(NORTH, ["gw_b"])))
            control.may_go_on.set()
            await eventually(lambda: RelayUp(NORTH, ["gw_b"]) in control.heard, "the new greeting")
            assert control.heard == [RelayUp(NORTH, []), RelayUp(NORTH, ["gw_b"])]
    assert control.most_at_once == 1


async def test_words_a_relay_does_not_know_cost_one_connection_not_the_relay(control: Control) -> None:
    """After an update of the control plane alone: the relay stays, and comes back."""
    async with relay(control) as side:
        first = control.bus._writers[NORTH]
        first.write(b"\0\0\0\4\x81\xa2is")
        await eventually(lambda: control.bus._writers.get(NORTH) not in (None, first), "back again")
        await eventually(lambda: side.end.connected, "both agree")
        assert control.bus.publish(NORTH, CloseLegs("ses_a"))
        await eventually(lambda: side.heard == [CloseLegs("ses_a")], "heard")


async def test_a_relay_that_is_turned_away_does_not_knock_without_pause(control: Control) -> None:
    knocks = 0

    def greeting() -> RelayUp:
        nonlocal knocks
        knocks += 1
        return RelayUp(SOUTH, [])  # at the door of another: turned away each time

    running = asyncio.ensure_future(LocalBusEnd(control.bus.path(NORTH), lambda message: None, greeting).run())
    began = asyncio.get_running_loop().time()
    await eventually(lambda: asyncio.get_running_loop().time() > began + 1, "a second")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert 2 <= knocks <= 6  # after 50, 100, 200, 400 ms


async def test_only_this_account_can_reach_a_socket(control: Control) -> None:
    path = control.bus.path(NORTH)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700


async def test_closing_ends_though_the_control_plane_fails_to_note_it(tmp_path: Path) -> None:
    async def broken(message: ToControl) -> None:
        raise ValueError("the database is away")

    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # it is logged there
    bus = LocalBus(tmp_path / "bus", broken)
    await bus.open([NORTH])
    reader, writer = await asyncio.open_unix_connection(bus.path(NORTH))
    await eventually(lambda: bus.relays == [NORTH], "connected")
    async with asyncio.timeout(30):
        await bus.close()
    assert await reader.read() == b""
    writer.close()
