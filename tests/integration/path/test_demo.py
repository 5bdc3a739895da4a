# SPDX-License-Identifier: Apache-2.0
"""``portineria demo`` as people run it: the main job, a second start that resumes, Ctrl-C."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portineria.demo.processes import PORTINERIA
from portineria.demo.visitor import Visitor
from tests.integration.middlebox import free_port

PERFORM_S = 120


@contextlib.contextmanager
def demo(state: Path, port: int, *more: str) -> Iterator[subprocess.Popen[str]]:
    said = state.with_suffix(".said")
    with said.open("w") as out:
        process = subprocess.Popen(
            [*PORTINERIA, "demo", "--state", str(state), "--port", str(port), *more],
            stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def wait_for(text: str, said: Path) -> None:
    deadline = time.monotonic() + PERFORM_S
    while text not in said.read_text():
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.1)


def still_there(state: Path) -> list[str]:
    """Processes that were started for this state folder."""
    commands = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(state) in command:
                commands.append(command)
    return commands


def listening(port: int) -> set[str]:
    """Addresses of this machine on which something listens."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, _, number = local.partition(":")
            if state == "0A" and int(number, 16) == port:
                words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
                found.add(str(ipaddress.ip_address(b"".join(words))))
    return found


@pytest.mark.timeout(300)
def test_the_demo_performs_resumes_and_leaves_nothing_running() -> None:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        state = Path(folder) / "state"
        said = state.with_suffix(".said")
        with demo(state, port, "--once") as first:
            assert first.wait(PERFORM_S) == 0, said.read_text()
        assert "cut, proven by the gateway's signed receipt" in said.read_text()
        assert still_there(state) == []
        with demo(state, port) as second:
            wait_for("The console is open", said)
            assert "Enrolling" not in said.read_text()
            assert Visitor(f"http://localhost:{port}").get("/accounts/login/").status == 200
            inside = ipaddress.ip_network("10.203.0.0/16")
            for address in map(ipaddress.ip_address, listening(port)):
                assert address.is_loopback or address in inside, address
            os.kill(second.pid, signal.SIGINT)
            assert second.wait(30) == 0
        assert still_there(state) == []
        assert listening(port) == set()
