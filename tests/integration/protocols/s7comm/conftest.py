# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.plant.running import end, first_line

SERVER = Path(__file__).with_name("server.py")


@dataclass(slots=True)
class Station:
    address: tuple[str, int]
    process: subprocess.Popen[str]

    def state(self) -> dict[str, Any]:
        """CPU state, memory, and what the server's events and log say that reached it."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert select.select([self.process.stdout], [], [], 10)[0], "the server does not answer"
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def connect(self) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=5)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


@pytest.fixture
def station() -> Iterator[Station]:
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, str(SERVER)], stdin=pipe, stdout=pipe, text=True)
    try:
        yield Station(("127.0.0.1", int(first_line(process))), process)
    finally:
        end(process)
