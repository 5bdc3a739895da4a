# SPDX-License-Identifier: Apache-2.0
"""The bus of one machine: a Unix socket to each relay process, plain calls inside the control plane.

Each relay has a socket of its own, so that it can speak for itself only. Nothing is queued for a relay that is away:
on its return it says ``RelayUp`` and the control plane tells it again what it has to know.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import structlog

from portineria.bus.interface import Greeting, Orders, Receiver
from portineria.bus.message import TO_CONTROL, TO_RELAY, RelayUp, ToControl, ToControls, ToRelay
from portineria.bus.persistence import for_ever
from portineria.core.errors import Invalid, ProtocolError
from portineria.wire.frame import Codec, FrameDecoder

log = structlog.get_logger()
T = TypeVar("T")
# A relay's admitted list of 25,000 gateways is about 2 MB; nothing else on the bus is larger than a link frame.
FRAME_BYTES = 16 << 20
QUEUE_BYTES = 64 << 20  # a relay that does not read this much is dropped, not waited for
_PATH_BYTES = 107  # sun_path of unix(7), less its final zero


class PathTooLong(Invalid):
    code = "bus.path"


class LocalBus:
    """The control plane's end. ``receive`` is awaited for one message at a time per relay, in order."""

    def __init__(self, directory: Path, receive: Receiver) -> None:
        self._directory = directory
        self._receive = receive
        self._writers: dict[str, asyncio.StreamWriter] = {}
        self._servers: list[asyncio.Server] = []
        self._turns: dict[str, asyncio.Lock] = {}  # a relay's old and new connection take turns
        self._arrived: dict[str, asyncio.Event] = {}
        self._let_go = asyncio.Event()  # set while no relay is connected
        self._let_go.set()

    async def open(self, relays: list[str]) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for relay in relays:
            path = self.path(relay)
            if len(os.fsencode(path)) > _PATH_BYTES:
                raise PathTooLong(
                    f"{path}: a socket's path has at most {_PATH_BYTES} bytes; choose a shorter state folder"
                )
            path.unlink(missing_ok=True)
            server = await asyncio.start_unix_server(self._connected(relay), path, limit=FRAME_BYTES)
            os.chmod(path, 0o600)
            self._servers.append(server)

    def path(self, relay: str) -> Path:
        return self._directory / f"{relay}.sock"

    @property
    def relays(self) -> list[str]:
        return list(self._writers)

    @property
    def connected(self) -> bool:
        """On one machine a relay hears us, or nobody does."""
        return bool(self.relays)

    async def arrival(self, relay: str) -> None:
        """Returns once this relay has been there: it listens before it speaks to us."""
        await self._arrived.setdefault(relay, asyncio.Event()).wait()

    def publish(self, relay: str, message: ToRelay) -> bool:
        """Return whether the relay is there to read it. Call from the event loop's thread."""
        writer = self._writers.get(relay)
        if writer is None:
            return False
        if writer.transport.get_write_buffer_size() > QUEUE_BYTES:
            log.warning("bus.relay.stuck", relay=relay)
            writer.transport.abort()
            return False
        writer.write(TO_RELAY.frame(message, limit=FRAME_BYTES))
        return True

    def publish_all(self, message: ToRelay) -> None:
        for relay in self.relays:
            self.publish(relay, message)

    def tell(self, told: ToControls) -> None:
        """There is no other control process: a second one could not have these sockets."""

    def _connected(self, relay: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        turn = self._turns.setdefault(relay, asyncio.Lock())

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            previous = self._writers.pop(relay, None)
            if previous is not None:
                previous.transport.abort()
            self._writers[relay] = writer
            self._let_go.clear()
            self._arrived.setdefault(relay, asyncio.Event()).set()
            try:
                async for message in _messages(reader, TO_CONTROL):
                    if message.relay != relay:
                        raise ProtocolError(f"{relay} speaks for {message.relay}")
                    async with turn:
                        if self._writers.get(relay) is not writer:
                            break  # what it said before its return is outdated by its greeting
                        await self._receive(message)
            except (ProtocolError, ConnectionError) as error:
                log.warning("bus.relay.lost", relay=relay, why=str(error))
            finally:
                await self._left(relay, writer, turn)

        return serve

    async def _left(self, relay: str, writer: asyncio.StreamWriter, turn: asyncio.Lock) -> None:
        writer.close()
        try:
            async with turn:
                if self._writers.get(relay) is writer:
                    del self._writers[relay]
                    await self._receive(RelayUp(relay, []))
        finally:
            if not self._writers:
                self._let_go.set()

    async def close(self) -> None:
        """Returns once every relay's connection has been let go of."""
        for server in self._servers:
            server.close()
        for writer in list(self._writers.values()):
            writer.transport.abort()
        await self._let_go.wait()


class LocalBusEnd:
    """The relay's end. Reconnects by itself; ``greeting`` is said first on every connection."""

    def __init__(self, path: Path, receive: Orders, greeting: Greeting) -> None:
        self._path = path
        self._receive = receive
        self._greeting = greeting
        self._writer: asyncio.StreamWriter | None = None

    def publish(self, message: ToControl) -> bool:
        writer = self._writer
        if writer is None or writer.transport.get_write_buffer_size() > QUEUE_BYTES:
            return False
        writer.write(TO_CONTROL.frame(message, limit=FRAME_BYTES))
        return True

    @property
    def connected(self) -> bool:
        return self._writer is not None

    async def run(self) -> None:
        async def converse() -> None:
            with contextlib.suppress(OSError):
                await self._converse()

        await for_ever(converse)

    async def _converse(self) -> None:
        """One connection, until it ends. What we cannot read ends it too: after an update both sides agree again."""
        reader, writer = await asyncio.open_unix_connection(self._path, limit=FRAME_BYTES)
        self._writer = writer
        try:
            self.publish(self._greeting())
            async for message in _messages(reader, TO_RELAY):
                self._receive(message)
        except ProtocolError as error:
            log.warning("bus.control.unreadable", code=error.code, why=str(error))
        finally:
            self._writer = None
            writer.close()


async def _messages(reader: asyncio.StreamReader, codec: Codec[T]) -> AsyncIterator[T]:
    decoder = FrameDecoder(limit=FRAME_BYTES)
    while data := await reader.read(1 << 18):
        for frame in decoder.receive(data):
            yield codec.decode(frame)
