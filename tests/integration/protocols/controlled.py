# SPDX-License-Identifier: Apache-2.0
"""A real device in a process of its own, which tells on request what reached it."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.plant.running import end, first_line


@dataclass(slots=True)
class Controlled:
    """``server.py`` of a protocol: prints its port, and its state for each line that it is given."""

    address: tuple[str, int]
    process: subprocess.Popen[str]

    def state(self) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert select.select([self.process.stdout], [], [], 10)[0], "the device does not answer"
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def connect(self) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


@contextmanager
def controlled(server: Path) -> Iterator[Controlled]:
    with running([sys.executable, str(server)]) as made:
        yield made


@contextmanager
def running(command: list[str]) -> Iterator[Controlled]:
    """Where it listens only it knows; the port that it says is on loopback unless the command says otherwise."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Controlled(("127.0.0.1", int(first_line(process))), process)
    finally:
        end(process)
