# SPDX-License-Identifier: Apache-2.0
"""A plant started as a child process, and what its journal says."""

import json
import random
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portineria.demo.namespace import PlantNetwork, Where

CLIENT = Path(__file__).with_name("client.py")
HIGH_PORTS = {"modbus": 1502, "s7": 1102, "opcua": 14840, "ssh": 2222, "http": 8081}


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


def first_line(process: subprocess.Popen[str], timeout_s: float = 30.0) -> str:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], timeout_s)[0], "nothing said in time"
    return process.stdout.readline()


def end(process: subprocess.Popen[str]) -> int:
    """SIGTERM; returns the status."""
    process.terminate()
    try:
        process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    return process.returncode


@dataclass
class RunningPlant:
    name: str
    network: PlantNetwork
    folder: Path
    arguments: Sequence[str] = ()
    places: dict[str, tuple[str, int]] = field(default_factory=dict)

    def start(self) -> None:
        arguments = ["--name", self.name, "--state", str(self.folder), "--journal", str(self.journal), *self.arguments]
        self.argv = self.network.command([sys.executable, "-m", "portineria.demo.plant", *arguments], "floor")
        self.process = subprocess.Popen(self.argv, stdout=subprocess.PIPE, text=True)

    def wait_ready(self) -> None:
        said = json.loads(first_line(self.process))
        assert said["plant"] == self.name
        self.places = {service["protocol"]: (service["address"], service["port"]) for service in said["services"]}

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    def noted(self, device: str, what: str) -> list[dict[str, Any]]:
        entries = [json.loads(line) for line in self.journal.read_text().splitlines()]
        return [entry for entry in entries if (entry["device"], entry["what"]) == (device, what)]

    def run(self, *argv: str, where: Where = "gateway") -> str:
        done = subprocess.run(
            self.network.command(argv, where),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{argv}: {done.returncode}: {done.stderr}"
        return done.stdout

    def client(self, program: str) -> dict[str, Any]:
        """Run one of client.py's programs on the gateway side against the service of the same name."""
        address, port = self.places[program]
        return self.ask(program, address, port)

    def ask(self, program: str, address: str, port: int, where: Where = "gateway") -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(
            self.run(sys.executable, str(CLIENT), program, address, str(port), where=where)
        )
        return answer


def free_base() -> str:
    """A 127.0.x.10 that no other run of these tests uses now."""
    for third in random.sample(range(60, 250), 100):  # at random: two may look at the same moment
        with socket.socket() as probe:
            try:
                probe.bind((f"127.0.{third}.11", HIGH_PORTS["modbus"]))
            except OSError:
                continue
            return f"127.0.{third}.10"
    raise AssertionError("no free loopback address")
