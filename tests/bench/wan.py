# SPDX-License-Identifier: Apache-2.0
"""The plant behind a bad line (150 ms each way, 1 % loss, 1 Mbit/s): our own path over it, as a technician uses it."""

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portineria.demo.main_job import HeldSession, sign_in
from portineria.demo.namespace import Kind, available
from portineria.demo.processes import portineria
from portineria.demo.stage import Stage
from tests.bench.load import asked_downloads, connect, opening, running_device
from tests.bench.ours import MACHINE, Ours
from tests.bench.peers import free_port

HERE, THERE = "10.204.7.1", "10.204.7.2"
DEVICE, PORT = "192.168.10.11", 4321
OUTAGE_S, STREAM_BYTES = 30.0, 64 << 20  # the bulk stream that runs beside the echo is longer than it
_SLOWEST = 100_000  # bits a second at which a download still counts as going on
MONTH_S = 30 * 24 * 3600


class Line:
    """The process that is the line."""

    def __init__(self, namespace: str) -> None:
        command = [sys.executable, "-m", "tests.bench.line", HERE, THERE, namespace]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))

    def say(self, **command: object) -> dict[str, Any]:
        """Returns the counters, one value each way."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def usable() -> str:
    """Empty, or why this machine cannot do it."""
    if not Path("/dev/net/tun").exists():
        return "no /dev/net/tun"
    return "" if available().kind is Kind.ROOT else f"network namespaces of root are needed: {available().reason}"


@dataclass
class Far:
    """One plant behind the line, its gateway linked over it, one machine that may be reached."""

    ours: Ours
    line: Line
    stage: Stage
    env: dict[str, str]

    def held(self) -> HeldSession:
        return HeldSession(MACHINE, self.env)


@contextlib.contextmanager
def far_plant() -> Iterator[Far]:
    with tempfile.TemporaryDirectory(prefix="bench-wan-") as folder, contextlib.ExitStack() as stack:
        stage = Stage(Path(folder), free_port(), lambda text: None, reach=(f"{DEVICE}:{PORT}",))
        stack.callback(stage.close)
        stage.open()
        plant = stage.plants[0]
        relay, namespace = plant.network.uplink(stage.port)[0], plant.network._name("gateway")
        name = f"gateway-{plant.name.lower()}"
        stage.processes.stop(name)
        line = Line(namespace)
        stack.callback(line.close)
        subprocess.run(["ip", "-n", namespace, "route", "add", f"{relay}/32", "via", HERE, "src", THERE], check=True)
        stack.enter_context(running_device(DEVICE, PORT, tuple(plant.network.command([], where="floor"))))
        (plant.gateway_state / "status.json").unlink(missing_ok=True)
        stage.start_gateway(plant)
        stage.processes.wait_until(name, lambda: stage.linked(plant) > 0, seconds=60)
        env = stage.environment("technician")
        sign_in(stage, "Technician", env)
        stage.seed("single", plant.gateway, DEVICE, str(PORT), MACHINE, "600")
        portineria("request", MACHINE, "--reason", "bench", "--minutes", "240", "--json", env=env)
        yield Far(Ours(stage, env), line, stage, env)


async def openings(far: Far, rounds: int, further: int) -> tuple[list[float], list[float]]:
    """As on loopback; people open one connection after another, and a ready leg needs two seconds on this line."""
    first, following = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        async with far.ours.inside() as line:
            address = (line.doors[0].address, line.doors[0].port)
            await asyncio.to_thread(opening, address)
            first.append(time.perf_counter() - start)
            for _ in range(further):
                await asyncio.sleep(4)
                following.append(await asyncio.to_thread(opening, address))
    return sorted(first), sorted(following)


class Bulk:
    """A download or an upload in a thread. ``got`` grows while it runs; ``finished`` says that every byte arrived."""

    def __init__(self, address: tuple[str, int], count: int, *, up: bool = False) -> None:
        self.got, self._count, self.finished, self.stopped = 0, count, False, False
        self._sock = connect(address)
        self._sock.settimeout(180)
        self._thread = threading.Thread(target=self._up if up else self._down, daemon=True)
        self._thread.start()

    def _down(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.sendall(b"D" + self._count.to_bytes(8, "big"))
            while taken := self._sock.recv(1 << 16):
                self.got += len(taken)
            self.finished = self.got == self._count

    def _up(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.sendall(b"U")
            while self.got < self._count:
                self.got += self._sock.send(bytes(1 << 14))

    def wait(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return self.finished

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(2)
        self._sock.close()
        self._thread.join(5)


def echo_loaded(far: Far, seconds: float) -> tuple[list[float], float, dict[str, Any]]:
    """(sorted times of 12-byte echoes while one stream comes down and one goes up, Mbit/s that came down, line)."""
    times = []
    with far.held() as held:
        address = next(iter(held.doors.values()))
        down, up = Bulk(address, STREAM_BYTES), Bulk(address, STREAM_BYTES, up=True)
        with connect(address) as connection:
            connection.sendall(b"E")
            time.sleep(10)  # both have found the line's rate
            begun, before, counted = time.perf_counter(), down.got, far.line.say()
            while time.perf_counter() - begun < seconds:
                start, got = time.perf_counter(), 0
                connection.sendall(b"twelve bytes")
                while got < 12:
                    got += len(connection.recv(12 - got))
                times.append(time.perf_counter() - start)
                time.sleep(0.2)
            mbit = (down.got - before) * 8 / (time.perf_counter() - begun) / 1e6
        for bulk in (down, up):
            bulk.stop()
    after = far.line.say()
    return (
        sorted(times),
        mbit,
        {name: [b - a for a, b in zip(counted[name], after[name], strict=True)] for name in after},
    )


def idle_bytes(far: Far, seconds: float) -> float:
    """Of IP packets, both ways, a month long, from what passed in ``seconds`` without any session."""
    time.sleep(60)  # what the last session left to say is said
    before = sum(far.line.say()["moved"])
    time.sleep(seconds)
    return float(sum(far.line.say()["moved"]) - before) * MONTH_S / seconds


def _asked_patiently(address: tuple[str, int]) -> int:
    """After an outage as long as a lease nothing new is opened before the next lease came."""
    deadline = time.monotonic() + 90
    while True:
        try:
            return asked_downloads(address)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def blip(far: Far, count: int) -> dict[str, Any]:
    """A download with the line dead for half a minute in its middle. ``connections``: what the device saw of it."""
    with far.held() as held:
        address = next(iter(held.doors.values()))
        before, start = asked_downloads(address), time.perf_counter()
        bulk = Bulk(address, count)
        while bulk.got < count / 3:
            time.sleep(0.1)
        far.line.say(outage=True)
        time.sleep(OUTAGE_S)
        far.line.say(outage=False)
        finished = bulk.wait(count * 8 / _SLOWEST + 60)
        seconds = time.perf_counter() - start
        connections = _asked_patiently(address) - before if finished else 0
        bulk.stop()
    return {"finished": finished, "seconds": round(seconds, 1), "bytes": bulk.got, "connections": connections}
