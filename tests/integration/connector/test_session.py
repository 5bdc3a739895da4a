# SPDX-License-Identifier: Apache-2.0
"""A session of the connector over real relays: what the tool sees, what the device sees, what the technician reads."""

import asyncio
import contextlib
import hashlib
import os
import re
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from portineria.dataplane.aio.leg import Way
from portineria.dataplane.aio.task import until
from portineria.dataplane.connector.admission import Admission, SessionAnswer, admit, session_key
from portineria.dataplane.connector.door import Door, open_doors
from portineria.dataplane.connector.legs import AT_ONCE, NoLeg
from portineria.dataplane.connector.session import Session
from portineria.dataplane.connector.text import text_of
from portineria.wire.statement import RelayAddress
from portineria.wire.stream import Hello, Notice
from tests.integration.connector.relay_world import MACHINE, ORDER, World, relay_world
from tests.integration.connector.wire_pair import read_all, read_exactly
from tests.integration.middlebox import Line

MEBIBYTE = 1 << 20


class Told:
    """What the technician reads, as codes and as lines."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.lines: list[str] = []

    def __call__(self, code: str, **values: object) -> None:
        self.codes.append(code)
        self.lines.append(text_of(code, **values) or f"NO TEXT FOR {code} {values}")


@contextlib.asynccontextmanager
async def session_in(
    world: World, *, nested: bool = False, **options: Any
) -> AsyncIterator[tuple[Session, Door, Told]]:
    told = Told()
    admission = admission_of(world)
    way = Way(admission.relay_issuer, lambda _host: None, nested=nested)
    session = Session(admission, way, told, **options)
    doors = open_doors(MACHINE, admission.services)
    await session.begin(doors)
    try:
        yield session, doors[0], told
    finally:
        await session.close()
        doors[0].listener.close()


def admission_of(world: World) -> Admission:
    key, public = session_key()
    answer = msgspec.convert(world.session_answer(public), SessionAnswer)
    return admit(answer, key=key, pin=world.pin)


TOOLS: list[socket.socket] = []


@pytest.fixture(autouse=True)
def no_tool_is_left_open() -> Iterator[None]:
    yield
    while TOOLS:
        TOOLS.pop().close()


async def tool_at(door: Door) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    TOOLS.append(sock)
    await asyncio.get_running_loop().sock_connect(sock, (door.address, door.port))
    return sock


async def echoed(sock: socket.socket, data: bytes) -> bytes:
    """Send, say the end, read to the end."""
    loop = asyncio.get_running_loop()

    async def send() -> None:
        await loop.sock_sendall(sock, data)
        sock.shutdown(socket.SHUT_WR)

    _, got = await asyncio.gather(send(), read_all(sock))
    sock.close()
    return got


async def carried(line: Line, count: int) -> None:
    assert await until(lambda: line.carried > count, timeout_s=20, step_s=0.001)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with relay_world(tmp_path) as made:
        yield made


@pytest.fixture
async def damaged(tmp_path: Path) -> AsyncIterator[tuple[World, Line]]:
    """The connector's way to its only relay leads over a line that can be cut."""
    async with relay_world(tmp_path) as world, Line(world.relays[0].address) as line:
        world.relays[0].shown = line.address
        yield world, line


@pytest.mark.parametrize("nested", [False, True], ids=["spliced", "nested"])
async def test_what_the_tool_sends_comes_back_from_the_device(world: World, nested: bool) -> None:
    data = os.urandom(5 * MEBIBYTE)
    async with asyncio.timeout(30), session_in(world, nested=nested) as (session, door, told):
        assert hashlib.sha256(await echoed(await tool_at(door), data)).digest() == hashlib.sha256(data).digest()
        assert await until(lambda: session.connections == 0, timeout_s=30)
        assert world.gateway.ends == {"finished": 1}
    assert told.lines == []
    assert world.gateway.hellos[0].order_sha256 == ORDER


async def test_a_leg_in_reserve_that_died_unnoticed_costs_seconds_and_not_the_session(world: World) -> None:
    """Its line forgot it; the relay joins it all the same, and the next leg is dialled."""
    relay = world.relays[0]
    await world.gateway.dead_spare(RelayAddress(relay.id, *relay.shown))
    assert await until(lambda: relay.relay.figures["spares"] == 1, timeout_s=5)
    async with session_in(world) as (_, door, _told):
        tool = await tool_at(door)
        assert await echoed(tool, b"question") == b"question"


async def test_a_further_connection_uses_the_leg_that_stands_ready(world: World) -> None:
    async with session_in(world) as (session, door, _):
        assert await until(lambda: world.gateway.legs == 1, timeout_s=30)
        assert await echoed(await tool_at(door), b"first") == b"first"
        assert await until(lambda: session.legs.has_ready and world.gateway.legs == 2, timeout_s=30)
        assert world.gateway.legs == 2
        assert len(world.gateway.hellos) == 1


async def test_what_the_tool_says_first_is_at_the_gateway_before_its_answer(world: World) -> None:
    """Not to the device; a round trip less is what a tool feels on a line that has 300 ms of them."""
    world.gateway.answering.clear()
    async with asyncio.timeout(20), session_in(world) as (_, door, told):
        tool, loop = await tool_at(door), asyncio.get_running_loop()
        assert await until(lambda: bool(world.gateway.hellos), timeout_s=30)
        await loop.sock_sendall(tool, b"twelve bytes")
        assert await until(lambda: world.gateway.early == b"twelve bytes", timeout_s=10)
        assert (world.gateway.opened, world.device.bytes) == (0, 0)
        world.gateway.answering.set()
        assert await read_exactly(tool, 12) == b"twelve bytes"
        assert await echoed(tool, b", then more") == b", then more"
        assert world.device.bytes == 23
    assert told.lines == []


async def test_what_the_device_may_have_heard_is_not_said_to_it_again(damaged: tuple[World, Line]) -> None:
    """The gateway dies with the tool's first words: the tool is told, and decides itself whether to say them again."""
    world, line = damaged
    world.gateway.script = lambda _hello: "hold.expired"
    world.gateway.answering.clear()
    async with asyncio.timeout(20), session_in(world) as (_, door, told):
        tool = await tool_at(door)
        await asyncio.get_running_loop().sock_sendall(tool, b"write")
        assert await until(lambda: world.gateway.early == b"write", timeout_s=10)
        line.cut()
        world.gateway.answering.set()
        with pytest.raises(ConnectionResetError):
            await read_all(tool)
        assert await until(lambda: bool(told.codes), timeout_s=10)
    assert told.codes == ["hold.expired"]
    assert [hello.resume for hello in world.gateway.hellos] == [False, True]
    assert world.device.bytes == 0


async def test_many_connections_at_once_queue_for_their_legs_and_all_are_served(world: World) -> None:
    async with asyncio.timeout(60), session_in(world) as (_, door, told):
        tools = [await tool_at(door) for _ in range(200)]
        got = await asyncio.gather(*(echoed(tool, f"tool {n}".encode()) for n, tool in enumerate(tools)))
    assert got == [f"tool {n}".encode() for n in range(200)]
    assert world.gateway.most_at_once <= AT_ONCE
    assert told.lines == []
    assert world.gateway.opened == 200


@pytest.mark.parametrize(
    "reason", ["device.silent", "service.not-granted", "reach.refused", "order.expired", "new.reason"]
)
async def test_a_refused_connection_is_closed_at_once_with_one_clear_line(world: World, reason: str) -> None:
    world.gateway.script = lambda _hello: reason
    async with asyncio.timeout(10), session_in(world) as (_, door, told):
        with pytest.raises(ConnectionResetError):
            await read_all(await tool_at(door))
        assert await until(lambda: bool(told.codes), timeout_s=30)
    assert told.codes == [reason]
    assert world.gateway.opened == 0


async def test_an_interrupted_line_costs_the_tool_and_the_device_nothing(damaged: tuple[World, Line]) -> None:
    world, line = damaged
    data = os.urandom(30 * MEBIBYTE)
    async with asyncio.timeout(60), session_in(world) as (_, door, told):
        moving = asyncio.ensure_future(echoed(await tool_at(door), data))
        for mark in (4, 15, 30):
            await carried(line, mark * MEBIBYTE)
            line.cut()
        assert hashlib.sha256(await moving).digest() == hashlib.sha256(data).digest()
    assert world.gateway.opened == 1
    assert told.codes.count("line.restored") >= 1
    assert set(told.codes) == {"line.interrupted", "line.restored"}
    assert "the connection is kept at the device, 60 s left" in told.lines[0]
    assert any(hello.resume for hello in world.gateway.hellos)


async def test_the_other_relay_takes_over(tmp_path: Path) -> None:
    async with asyncio.timeout(60), relay_world(tmp_path, relays=2) as world, Line(world.relays[0].address) as line:
        world.relays[0].shown = line.address
        async with session_in(world) as (_, door, told):
            tool = await tool_at(door)
            await asyncio.get_running_loop().sock_sendall(tool, b"before")
            assert await read_exactly(tool, 6) == b"before"
            line.target = ("127.0.0.1", 1)  # nobody there any more
            line.cut()
            await asyncio.get_running_loop().sock_sendall(tool, b"after")
            assert await read_exactly(tool, 5) == b"after"
            tool.close()
    assert world.gateway.opened == 1
    assert told.codes[-1] in ("line.restored", "line.interrupted")


async def test_a_line_that_stays_away_ends_the_connection_after_the_hold_time(damaged: tuple[World, Line]) -> None:
    world, line = damaged
    world.hold_s = 1
    async with asyncio.timeout(20), session_in(world) as (session, door, told):
        tool = await tool_at(door)
        await asyncio.get_running_loop().sock_sendall(tool, b"x")
        assert await read_exactly(tool, 1) == b"x"
        line.target = ("127.0.0.1", 1)
        line.cut()
        with pytest.raises(ConnectionResetError):
            await read_all(tool)
        assert await until(lambda: session.connections == 0, timeout_s=30)
    assert told.codes == ["line.interrupted", "hold.expired"]


async def test_without_a_hold_time_a_lost_line_ends_the_connection(damaged: tuple[World, Line]) -> None:
    world, line = damaged
    world.hold_s = 0
    async with asyncio.timeout(20), session_in(world) as (_, door, told):
        tool = await tool_at(door)
        await asyncio.get_running_loop().sock_sendall(tool, b"x")
        assert await read_exactly(tool, 1) == b"x"
        line.cut()
        with pytest.raises(ConnectionResetError):
            await read_all(tool)
    assert told.codes == ["hold.expired"]


async def test_a_cut_at_the_relay_ends_the_session_at_once(world: World) -> None:
    async with asyncio.timeout(20), session_in(world) as (session, door, told):
        tool = await tool_at(door)
        await asyncio.get_running_loop().sock_sendall(tool, b"x")
        assert await read_exactly(tool, 1) == b"x"
        world.close_legs()
        assert await session.over == "relay.closed"
        with pytest.raises(ConnectionResetError):
            await read_all(tool)
    assert told.codes[-1] == "relay.closed"
    assert "cut" not in told.codes  # that is the gateway's to say


async def test_a_gateway_that_cuts_resets_the_tool_and_says_so(world: World) -> None:
    async with asyncio.timeout(20), session_in(world) as (session, door, told):
        tool = await tool_at(door)
        await asyncio.get_running_loop().sock_sendall(tool, b"x")
        assert await read_exactly(tool, 1) == b"x"
        [stream] = world.gateway.streams.values()
        stream.end("cut")
        with pytest.raises(ConnectionResetError):
            await read_all(tool)
        assert await until(lambda: session.connections == 0, timeout_s=30)
    assert told.lines == ["The session was cut."]


async def test_an_order_that_changed_is_learnt_and_the_connection_opened_with_it(world: World) -> None:
    """Extending a grant makes a new order: the one the connector knows is stale."""
    world.gateway.script = lambda hello: None if hello.order_sha256 == b"n" * 32 else "order.stale"
    asked: list[Session] = []

    async def refresh() -> bool:
        [session] = asked
        session.order_sha256 = b"n" * 32
        return True

    async with asyncio.timeout(20), session_in(world, refresh=refresh) as (session, door, told):
        asked.append(session)
        assert await echoed(await tool_at(door), b"x") == b"x"
    assert told.lines == []


async def test_a_leg_that_dies_before_the_answer_is_replaced(damaged: tuple[World, Line]) -> None:
    world, line = damaged
    cuts = 0

    def script(hello: Hello) -> str | None:
        nonlocal cuts
        if cuts == 0:
            cuts += 1
            line.cut()
        return None

    world.gateway.script = script
    async with asyncio.timeout(20), session_in(world) as (_, door, told):
        assert await echoed(await tool_at(door), b"x") == b"x"
    assert [hello.resume for hello in world.gateway.hellos][:2] == [False, True]
    assert world.gateway.opened == 1
    assert told.lines == []


async def test_a_refusal_that_was_lost_with_its_leg_is_not_asked_for_again(damaged: tuple[World, Line]) -> None:
    """The gateway says it again on the next leg; only a stream that it does not know is opened anew."""
    world, line = damaged

    def script(hello: Hello) -> str | None:
        if not hello.resume:
            line.cut()
        return "device.refused"

    world.gateway.script = script
    async with asyncio.timeout(20), session_in(world) as (_, door, told):
        with pytest.raises(ConnectionResetError):
            await read_all(await tool_at(door))
        assert await until(lambda: bool(told.codes), timeout_s=30)
    assert told.codes == ["device.refused"]
    assert [hello.resume for hello in world.gateway.hellos] == [False, True]
    assert len({hello.stream for hello in world.gateway.hellos}) == 1


async def test_a_stream_of_which_the_gateway_knows_nothing_is_opened_under_another_name(
    damaged: tuple[World, Line],
) -> None:
    world, line = damaged
    streams: list[str] = []

    def script(hello: Hello) -> str | None:
        streams.append(hello.stream)
        if len(streams) == 1:
            line.cut()
            return "hold.expired"
        return None

    world.gateway.script = script
    async with asyncio.timeout(20), session_in(world) as (_, door, _told):
        tool = await tool_at(door)
        assert await until(lambda: world.gateway.opened == 1, timeout_s=10)
        assert await echoed(tool, b"x") == b"x"
    assert [hello.resume for hello in world.gateway.hellos] == [False, True, False]
    assert streams[0] == streams[1] != streams[2]


async def test_another_gateway_than_the_named_one_gets_no_hello(tmp_path: Path) -> None:
    async with relay_world(tmp_path) as world:
        admission = admission_of(world)
        other_key, other_name = {"gateway_spki_sha256": b"x" * 32}, {"gateway": "gw_bbbbbbbbbbbbbbbb"}
        for wrong in (replace(admission, **other_key), replace(admission, **other_name)):  # type: ignore[arg-type]
            session = Session(wrong, Way(wrong.relay_issuer, lambda _host: None), Told())
            with pytest.raises(NoLeg) as caught:
                await session.begin([])
            assert caught.value.code == "wire.certificate"
            await session.close()
        assert world.gateway.hellos == []


async def test_nobody_is_reached_with_a_certificate_of_yesterday(world: World) -> None:
    """The certificates of this world live an hour: the relay's is looked at first, then the gateway's."""
    admission = admission_of(world)
    tomorrow = round(time.time() * 1000) + 86_400_000
    way = Way(admission.relay_issuer, lambda _host: None, unix_ms=lambda: tomorrow)
    relay = Session(admission, way, Told())
    with pytest.raises(NoLeg) as caught:
        await relay.begin([])
    assert caught.value.code == "certificate.date"
    assert "rel_" in caught.value.why
    asked = iter([None, tomorrow])
    gateway = Session(admission, replace(way, unix_ms=lambda: next(asked)), Told())
    with pytest.raises(NoLeg) as caught:
        await gateway.begin([])
    assert caught.value.code == "certificate.date"
    assert "gw_" in caught.value.why
    await relay.close()
    await gateway.close()


async def test_an_opened_path_is_refused_by_name(world: World) -> None:
    """The relay's certificate is not of the issuer that the pinned root signed: somebody decrypts the outer layer."""
    admission = admission_of(world)
    way = Way(world.certificates.issuers["session"], lambda _host: None)
    session = Session(admission, way, Told())
    with pytest.raises(NoLeg) as caught:
        await session.begin([])
    assert caught.value.code == "leg.opened"
    assert "rel_" in (text_of(caught.value.code, why=caught.value.why) or "")
    await session.close()


async def test_a_drain_is_told_once_and_counted_down(world: World) -> None:
    async with asyncio.timeout(20), session_in(world) as (_, door, told):
        tools = [await tool_at(door) for _ in range(3)]
        for tool in tools:
            await asyncio.get_running_loop().sock_sendall(tool, b"x")
            await read_exactly(tool, 1)
        for stream in world.gateway.streams.values():
            stream.notify(Notice("grant ended", 11))
        assert await until(lambda: len(told.codes) == 2, timeout_s=30)
        for tool in tools:
            tool.close()
    assert re.sub(r"\d\d:\d\d:\d\d", "hh:mm:ss", told.lines[0]) == (
        "Permission ended: grant ended; what runs may finish until hh:mm:ss (11 s left)."
    )
    assert told.lines[1:] == ["10 s left."]


async def test_a_drain_that_is_lifted_is_told_and_counted_down_no_more(world: World) -> None:
    async with asyncio.timeout(20), session_in(world) as (session, door, told):
        tools = [await tool_at(door) for _ in range(2)]
        for tool in tools:
            await asyncio.get_running_loop().sock_sendall(tool, b"x")
            await read_exactly(tool, 1)
        for said, seconds_left in enumerate((11, None, 13), start=1):
            begun = asyncio.get_running_loop().time()
            for stream in world.gateway.streams.values():
                stream.notify(Notice("lease.lost", seconds_left))
            assert await until(lambda said=said: len(told.codes) == said, timeout_s=10)  # type: ignore[misc]
        assert await until(lambda: len(told.codes) == 4, timeout_s=10)
        assert asyncio.get_running_loop().time() - begun > 2  # by the drain that holds, not by the one before
        assert told.codes == ["drain.unsupplied", "drain.lifted", "drain.unsupplied", "drain.left"]
        for tool in tools:
            tool.close()
        assert await until(lambda: session.connections == 0, timeout_s=30)
        assert session._drains_at is None  # nothing runs any more whose time could be counted


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user: run as root")
async def test_another_person_on_this_computer_is_turned_away(world: World) -> None:
    async with asyncio.timeout(20), session_in(world) as (_, door, told):
        command = f"exec 3<>/dev/tcp/{door.address}/{door.port}; echo x >&3; cat <&3"
        await asyncio.to_thread(  # uvloop cannot start a program as another user
            subprocess.run, ["bash", "-c", command], user=65534, group=65534, extra_groups=[],
            stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert await echoed(await tool_at(door), b"x") == b"x"
    assert told.codes == ["stranger.refused"]
    assert world.gateway.opened == 1


async def test_a_tool_that_gives_up_while_the_device_is_dialled_frees_its_place(world: World) -> None:
    world.gateway.answering.clear()
    async with asyncio.timeout(20), session_in(world) as (session, door, told):
        tool = await tool_at(door)
        assert await until(lambda: len(world.gateway.hellos) == 1, timeout_s=30)
        assert session.connections == 1
        tool.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        tool.close()
        assert await until(lambda: session.connections == 0, timeout_s=30)
        world.gateway.answering.set()
    assert told.lines == []
