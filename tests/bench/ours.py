# SPDX-License-Identifier: Apache-2.0
"""Our own path, as the processes a customer runs; the connector runs inside the benchmark to time its openings."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from portineria.dataplane.connector.api import Api
from portineria.dataplane.connector.connect import Connected, Wish, connected
from portineria.dataplane.connector.state import Server, Store
from portineria.demo.main_job import HeldSession, sign_in
from portineria.demo.namespace import Kind
from portineria.demo.processes import portineria
from portineria.demo.stage import Stage
from tests.bench.load import opening
from tests.bench.peers import Path3, free_port

MACHINE = "Bench"


class Ours:
    """One plant on loopback, as OpenSSH and stunnel have it; ``device_port`` is the load's device."""

    def __init__(self, stage: Stage, env: dict[str, str]) -> None:
        self._stage, self.env = stage, env
        self.server_state = stage.server_state
        self.server_pid = stage.processes.pid("server")
        store = Store(Path(env["PORTINERIA_HOME"]))
        self._server: Server = store.server()
        credential = store.credential(self._server.url)
        self.api = Api(self._server.url, ca="", proxy="none", credential=lambda: credential)

    @property
    def gateway_pid(self) -> int:
        return self._stage.processes.pid(f"gateway-{self._stage.plants[0].name.lower()}")

    @property
    def relay_pids(self) -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.server_pid and b"dataplane.relay" in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return found

    @contextlib.contextmanager
    def path(self) -> Iterator[Path3]:
        """The connector as its own process, for throughput and echo."""
        with HeldSession(MACHINE, self.env) as held:
            yield Path3("Portineria", held.doors["tcp"], self.relay_pids)

    def add(self, machine: str, device_port: int) -> None:
        """One more machine, with the same device behind it."""
        self._stage.seed("single", self._stage.plants[0].gateway, "127.0.0.1", str(device_port), machine)

    def add_inspected(self, machine: str, device_port: int) -> None:
        """The same device once more, inspected under a profile and recorded."""
        gateway = self._stage.plants[0].gateway
        words = ["inspected_single", gateway, "127.0.0.1", str(device_port), machine]
        command = [sys.executable, "-m", "tests.integration.path.act", str(self.server_state), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def ask(self, machine: str, minutes: int) -> None:
        """Its rule needs no approval."""
        made = portineria(
            "request", machine, "--reason", "bench", "--minutes", str(minutes), "--json", env=self.env
        )  # fmt: skip
        if json.loads(made)["state"] not in ("approved", "granted"):
            raise RuntimeError(f"the bench's request is {made}")

    @contextlib.asynccontextmanager
    async def inside(self, machine: str = MACHINE) -> AsyncIterator[Connected]:
        wish = Wish(machine, proxy="none")
        async with connected(
            self.api, wish, pin=self._server.root_spki_sha256, tell=lambda code, **values: None
        ) as line:
            yield line

    async def opening_times(self, rounds: int, further: int) -> tuple[list[float], list[float]]:
        """Seconds from asking for the session to the device's first byte; and of each further connection."""
        first, following = [], []
        for _ in range(rounds):
            start = time.perf_counter()
            async with self.inside() as line:
                address = (line.doors[0].address, line.doors[0].port)
                await asyncio.to_thread(opening, address)
                first.append(time.perf_counter() - start)
                for _ in range(further):
                    await asyncio.sleep(0.1)  # people open one connection after another; the next leg gets ready
                    following.append(await asyncio.to_thread(opening, address))
        return sorted(first), sorted(following)

    async def cut_times(self, rounds: int, device_port: int) -> list[float]:
        """Seconds from the click (the API call) to the reset at the device."""
        times = []
        for _ in range(rounds):
            with ClosingDevice(device_port) as device:
                async with self.inside() as line:
                    door = (line.doors[0].address, line.doors[0].port)
                    tool = await asyncio.to_thread(socket.create_connection, door)
                    await asyncio.to_thread(device.accepted.wait, 10)
                    start = time.perf_counter()
                    await self.api.in_thread(
                        "POST", f"/api/v1/sessions/{line.session.id}/cut", dict[str, object], {"reason": "measured"}
                    )
                    closed = await asyncio.to_thread(device.wait_closed)
                    times.append(closed - start)
                    tool.close()
        return sorted(times)


class ClosingDevice:
    """Takes one connection and notes when it is closed under it."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.accepted = threading.Event()
        self._closed = threading.Event()
        self._at = 0.0
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            self.accepted.set()
            with connection, contextlib.suppress(ConnectionError):
                connection.recv(1)
            self._at = time.perf_counter()
            self._closed.set()

    def wait_closed(self) -> float:
        if not self._closed.wait(20):
            raise RuntimeError("the device's connection was not closed")
        return self._at

    def __enter__(self) -> "ClosingDevice":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()


@contextlib.contextmanager
def running(device_port: int) -> Iterator[Ours]:
    with tempfile.TemporaryDirectory(prefix="bench-ours-") as folder:
        stage = Stage(
            Path(folder), free_port(), lambda text: None, kind=Kind.NONE, reach=(f"127.0.0.1:{device_port}",),
            loopback=f"127.0.{20 + os.getpid() % 200}.10",  # a soak may run beside another group
        )  # fmt: skip
        try:
            stage.open()
            env = stage.environment("technician")
            sign_in(stage, "Technician", env)
            own = Ours(stage, env)
            own.add(MACHINE, device_port)
            own.ask(MACHINE, 240)
            yield own
        finally:
            stage.close()
