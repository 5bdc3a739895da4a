# SPDX-License-Identifier: Apache-2.0
"""A throw-away PostgreSQL of Debian's binaries: as root and as a user, on a Unix socket, nothing else touched.

``database_url`` gives every caller a database of its own on the one server of this test process.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

CHOICE = "PORTINERIA_TEST_DATABASE"  # "postgresql", or nothing for SQLite
_START_S = 60.0
# What a crash of this machine would take away is of no interest here; what a crash of PostgreSQL would is not affected.
_QUICK = ("fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=64MB")
_numbers = count(1)


def chosen() -> bool:
    """Whether this run is the one on PostgreSQL."""
    return os.environ.get(CHOICE, "") == "postgresql"


def binaries() -> Path:
    """Skip the test, with the command to type, where there is no PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("PostgreSQL is missing: sudo apt-get install --no-install-recommends postgresql")
    return found[-1].parent


class Server:
    """``start``, ``stop`` or ``kill`` it as often as needed; ``close`` removes its folder."""

    def __init__(self, options: Sequence[str] = _QUICK, *, authentication: str = "trust", password: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self.log = self.folder / "log"
        self._binaries, self._options = binaries(), options
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        (self.folder / "password").write_text(password or "none")
        command = ["initdb", "--username=postgres", f"--auth={authentication}", "--encoding=UTF8", "--no-sync"]
        command += ["--locale=C.UTF-8", f"--pwfile={self.folder / 'password'}"]
        done = subprocess.run(
            [*_as_somebody(), self._binaries / command[0], *command[1:], "-D", self.folder / "data"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def start(self, url: str = "") -> None:
        """Return when it answers (at ``url``); also after a kill, when it has recovered."""
        options = ["listen_addresses=", f"unix_socket_directories={self.folder}", "log_lock_waits=on", *self._options]
        command = [str(self._binaries / "postgres"), "-D", str(self.folder / "data")]
        command += [word for option in options for word in ("-c", option)]
        # A test run that is killed takes its server with it: INT is PostgreSQL's fast shutdown.
        with_us = ["setpriv", "--pdeathsig", "INT"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([*_as_somebody(), *with_us, *command], stdout=log, stderr=log)
        deadline = time.monotonic() + _START_S
        while not self.answers(url):
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def answers(self, url: str = "") -> bool:
        try:
            psycopg.connect(url or self.url(), password=self._password or None).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """As by power loss: the postmaster first, and what served connections with it."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As the operator does: open connections end."""
        self._end(signal.SIGINT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(_START_S)
            self._process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_database(self, like: str = "template1") -> str:
        """Return its URL; ``like`` is the name of one that nobody is connected to, and is copied."""
        name = f"test_{next(_numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(like)))
        return self.url(name)

    def deadlocks(self) -> list[str]:
        return [line for line in self.log.read_text(errors="replace").splitlines() if "deadlock detected" in line]


def _as_somebody() -> list[str]:
    """PostgreSQL refuses uid 0: a user namespace in which root has the number 1000 is enough."""
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []


@cache
def server() -> Server:
    """The one of this test process."""
    made = Server()
    atexit.register(made.close)
    made.start()
    return made


def settings_lines(like: str = "") -> str:
    """What a test adds to its ``portineria.toml``: nothing, or a new database on PostgreSQL."""
    if not chosen():
        return ""
    url = server().new_database(like.partition("@/")[2].partition("?")[0]) if like else server().new_database()
    return f'database = "{url}"\n'
