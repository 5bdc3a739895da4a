# SPDX-License-Identifier: Apache-2.0
"""Each test here runs on both databases, in a state folder of its own; processes of their own do the work."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.control.commands import run, surroundings
from tests.integration.postgresql_server import Server, server


@dataclass
class Place:
    """An installation's folder, and where its rows are."""

    state: Path
    postgresql: Server | None = None
    url: str = ""

    def portineria(self, *words: str) -> subprocess.CompletedProcess[str]:
        return run(self.state, *words)

    def act(self, *words: str) -> Any:
        """See ``act``: the control plane's own functions, in another process."""
        command = [sys.executable, "-m", "tests.integration.database.act", str(self.state), *words]
        done = subprocess.run(
            command, env=surroundings(), capture_output=True, text=True, check=False, timeout=240
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """The same, without waiting: each line it prints is one thing done."""
        command = [sys.executable, "-m", "tests.integration.database.act", str(self.state), *words]
        return subprocess.Popen(
            command, env=surroundings(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )  # fmt: skip

    def sql(self, statement: str) -> None:
        """Behind everybody's back."""
        if self.postgresql is None:
            import sqlite3

            with sqlite3.connect(self.state / "portineria.sqlite3") as tables:
                tables.execute(statement)
            return
        with psycopg.connect(self.url) as connection:
            connection.execute(statement)


@pytest.fixture
def state() -> Iterator[Path]:
    """Below a short folder: the paths of Unix sockets have at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="db-") as folder:
        yield Path(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, state: Path) -> Place:
    if request.param == "sqlite":
        return Place(state)
    return on(server(), state)


def on(postgresql: Server, state: Path) -> Place:
    url = postgresql.new_database()
    (state / "portineria.toml").write_text(f'database = "{url}"\n')
    return Place(state, postgresql, url)
