# SPDX-License-Identifier: Apache-2.0
"""The two buses as one thing to be tested: their ends, and somebody at a relay's place who keeps to no rule."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

from portineria.bus.envelope import Envelope
from portineria.bus.interface import Bus, BusEnd, Greeting, Hearer, Orders, Receiver
from portineria.bus.local import FRAME_BYTES, LocalBus, LocalBusEnd
from portineria.bus.message import TO_CONTROL, RelayUp, ToControl, ToRelay
from portineria.bus.nats_bus import NatsBus
from portineria.bus.nats_connection import PAYLOAD_BYTES, Connection
from portineria.bus.nats_end import NatsBusEnd
from portineria.wire.frame import encode_frame
from tests.integration.nats_server import NatsServer
from tests.integration.process import WAIT_S, eventually

NORTH, SOUTH = "rel_north", "rel_south"
BEAT_S = 0.5
Say = Callable[[bytes], None]  # one message, or what should be one


class World(Protocol):
    limit: int

    def bus(self, receive: Receiver) -> Bus: ...

    def end(self, relay: str, receive: Orders, greeting: Greeting) -> BusEnd: ...

    def raw(self, relay: str) -> contextlib.AbstractAsyncContextManager[Say]:
        """As the relay, by hand; with an empty greeting said."""


class LocalWorld:
    limit = FRAME_BYTES

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, relay: str) -> Path:
        return self._folder / f"{relay}.sock"

    def bus(self, receive: Receiver) -> Bus:
        return LocalBus(self._folder, receive)

    def end(self, relay: str, receive: Orders, greeting: Greeting) -> BusEnd:
        return LocalBusEnd(self.path(relay), receive, greeting)

    @contextlib.asynccontextmanager
    async def raw(self, relay: str) -> AsyncIterator[Say]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.path(relay)))
            sock.sendall(TO_CONTROL.frame(RelayUp(relay, [])))
            yield lambda data: sock.sendall(encode_frame(data))


class NatsWorld:
    limit = PAYLOAD_BYTES

    def __init__(self, server: NatsServer) -> None:
        self.server = server

    def bus(self, receive: Receiver | None, hear: Hearer | None = None) -> NatsBus:
        return NatsBus(self.server.access("control"), receive, hear, beat_s=BEAT_S)

    def end(self, relay: str, receive: Orders, greeting: Greeting, *, url: str = "") -> NatsBusEnd:
        return NatsBusEnd(self.server.access(relay, url=url), receive, greeting, beat_s=BEAT_S)

    @contextlib.asynccontextmanager
    async def raw(self, relay: str) -> AsyncIterator[Say]:
        connection, number = Connection(self.server.access(relay), beat_s=BEAT_S), 0
        asked = asyncio.Event()  # for the greeting: somebody listens

        def say(data: bytes) -> None:
            nonlocal number
            assert connection.send("up", Envelope(bytes(8), 1, number, data).encode())
            number += 1

        try:
            await connection.open()
            await connection.hear("down", lambda data: asked.set())
            await asyncio.wait_for(asked.wait(), WAIT_S)
            say(TO_CONTROL.encode(RelayUp(relay, [])))
            yield say
        finally:
            await connection.close()


class Control:
    """The control plane's side: what it heard, and a hand to hold it back."""

    def __init__(self, world: World) -> None:
        self.heard: list[ToControl] = []
        self.at_once = 0
        self.most_at_once = 0
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.world = world
        self.bus = world.bus(self._receive)

    async def _receive(self, message: ToControl) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.may_go_on.wait()
        self.heard.append(message)
        self.at_once -= 1


@contextlib.asynccontextmanager
async def controlling(world: World) -> AsyncIterator[Control]:
    control = Control(world)
    await control.bus.open([NORTH, SOUTH])
    yield control
    control.may_go_on.set()
    async with asyncio.timeout(20):
        await control.bus.close()


class RelaySide:
    def __init__(self, world: World, relay: str, gateways: list[str]) -> None:
        self.heard: list[ToRelay] = []
        self.gateways = gateways
        self.end = world.end(relay, self.heard.append, lambda: RelayUp(relay, self.gateways))
        self.task = asyncio.ensure_future(self.end.run())


@contextlib.asynccontextmanager
async def relay(control: Control, name: str = NORTH, gateways: list[str] | None = None) -> AsyncIterator[RelaySide]:
    side = RelaySide(control.world, name, gateways or [])
    try:
        await eventually(lambda: name in control.bus.relays and side.end.connected, "the relay is there")
        yield side
    finally:
        side.task.cancel()
        await asyncio.gather(side.task, return_exceptions=True)
