# SPDX-License-Identifier: Apache-2.0
"""Two installations, each the witness of the other, as two servers on loopback."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from portineria.ledger.note import parse_verifier_key
from tests.integration.control.commands import run
from tests.integration.control.test_serve import free_port
from tests.integration.process import as_a_child_of_a_test

pytestmark = pytest.mark.sqlite  # its servers have a database of their own

DEADLINE_S = 120.0
COSIGNED = "SELECT id FROM audit_cosignature LIMIT 1"


def said(state: Path, *words: str) -> str:
    done = run(state, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def served(state: Path) -> Iterator[Path]:
    """The server's log."""
    command = [sys.executable, "-m", "portineria.cli.main", "serve", "--state", str(state)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PORTINERIA", "DJANGO"))}
    log = state / "log"
    with log.open("ab") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, preexec_fn=as_a_child_of_a_test)
    try:
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def settings(state: Path, port: int, scheme: str, *more: str) -> None:
    address = f'public_url = "{scheme}://localhost:{port}"\nrelays = ["127.0.0.1:{port}"]\n'
    (state / "portineria.toml").write_text(address + "\n".join(more) + "\n")


def asked(state: Path, query: str) -> str:
    with closing(sqlite3.connect(f"file:{state / 'portineria.sqlite3'}?mode=ro", uri=True)) as database:
        row = database.execute(query).fetchone()
    return str(row[0]) if row and row[0] is not None else ""


def when(state: Path, query: str, wanted: str, log: Path) -> None:
    """Servers that start beside other tests take their time."""
    deadline = time.monotonic() + DEADLINE_S
    while wanted not in (found := asked(state, query)) or not found:
        assert time.monotonic() < deadline, f"{query}: {found}\n{log.read_text()}"
        time.sleep(0.1)


def test_two_installations_witness_each_other_and_verify(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="two-") as folder, ExitStack() as running:
        states = {name: Path(folder) / name for name in ("a", "b")}
        ports = {name: free_port() for name in states}
        for name, state in states.items():
            state.mkdir()
            settings(state, ports[name], "http")
            owner = ("--organisation", name, "--name", "Ada", "--email", "ada@example.com")
            said(state, "setup", *owner)
        keys = {name: said(state, "ledger", "witness-key") for name, state in states.items()}
        registers = {name: said(state, "ledger", "key") for name, state in states.items()}
        logs = {}
        for name, other in (("a", "b"), ("b", "a")):
            said(states[other], "ledger", "watch", registers[name])
            where = f"http://localhost:{ports[other]}/witness"
            settings(states[name], ports[name], "http", f'witnesses = ["{keys[other]} {where}"]')
        for name, state in states.items():
            logs[name] = running.enter_context(served(state))
        for name, other in (("a", "b"), ("b", "a")):
            origin = parse_verifier_key(registers[name]).name
            when(states[name], COSIGNED, "", logs[name])
            file = tmp_path / name
            said(states[name], "ledger", "export", "-o", str(file))
            done = run(tmp_path, "ledger", "verify", str(file), "--witness", keys[other])
            assert done.returncode == 0, done.stderr
            assert "witnessed events 1 to" in done.stdout
            assert f"{origin}: events 1 to" in said(states[other], "ledger", "watched")
