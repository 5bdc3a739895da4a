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
class Controlled:
    address: tuple[str, int]
    process: subprocess.Popen[str]

    def state(self) -> dict[str, Any]:
        """What the station's own callbacks say that reached it: commands and clocks, and I frames by type."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert select.select([self.process.stdout], [], [], 10)[0], "the station does not answer"
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def connect(self) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


@pytest.fixture
def station() -> Iterator[Controlled]:
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, str(SERVER)], stdin=pipe, stdout=pipe, text=True)
    try:
        yield Controlled(("127.0.0.1", int(first_line(process))), process)
    finally:
        end(process)
