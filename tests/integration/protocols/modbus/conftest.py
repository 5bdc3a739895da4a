# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
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
class Device:
    address: tuple[str, int]
    journal: Path

    def reached(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.journal.read_text().splitlines()]

    def writes(self) -> list[dict[str, Any]]:
        return [access for access in self.reached() if access["writes"]]

    def connect(self) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=5)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    journal = tmp_path / "journal"
    journal.touch()
    process = subprocess.Popen([sys.executable, str(SERVER), str(journal)], stdout=subprocess.PIPE, text=True)
    try:
        yield Device(("127.0.0.1", int(first_line(process))), journal)
    finally:
        end(process)
