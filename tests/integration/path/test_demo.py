# SPDX-License-Identifier: Apache-2.0
"""``portineria demo`` as people run it: the main job, a second start that resumes, Ctrl-C."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portineria.demo.main import _empty
from portineria.demo.processes import PORTINERIA
from portineria.demo.visitor import Visitor
from portineria.process.lock import take
from tests.integration.middlebox import free_port
from tests.integration.process import as_from_a_terminal

PERFORM_S = 120
END_S = 60


@contextlib.contextmanager
def demo(state: Path, port: int, *more: str) -> Iterator[subprocess.Popen[str]]:
    said = state.with_suffix(".said")
    with said.open("w") as out:
        process = subprocess.Popen(
            [*PORTINERIA, "demo", "--state", str(state), "--port", str(port), *more],
            stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, start_new_session=True,
            preexec_fn=as_from_a_terminal,
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(END_S)


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


def type_along(performed: str) -> None:
    """What the visitor reads does for the visitor, in a shell with nothing of ours on its PATH, what it did there."""
    [home] = re.findall(r"\$ (export PORTINERIA_HOME=.*)", performed)
    typed = re.findall(r"\$ (\S*portineria .*)", performed)
    assert [shlex.split(line)[1] for line in typed] == ["machines", "request", "machines", "connect"]
    plain = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    for line in (typed[0], typed[3]):
        command = ["/bin/sh", "-c", f"{home}; {line}"]
        done = subprocess.run(command, env=plain, capture_output=True, text=True, timeout=PERFORM_S, check=False)
        assert done.returncode == 0, (line, done.stderr)
        assert ("Torino press 3" if line is typed[0] else "reads back 1500") in done.stdout


def test_a_demo_that_runs_is_left_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "kept").write_text("of the demo that runs")
    held = take(state / "demo.lock")
    assert held is not None
    try:
        for more in (["--clean"], []):
            command = [*PORTINERIA, "demo", "--state", str(state), "--port", str(free_port()), "--once", *more]
            done = subprocess.run(command, capture_output=True, text=True, timeout=PERFORM_S, check=False)
            assert done.returncode == 1, done.stdout + done.stderr
            assert f"a demo runs in {state} already (pid {os.getpid()})" in done.stderr
            assert "Traceback" not in done.stderr
        assert (state / "kept").read_text() == "of the demo that runs"
    finally:
        os.close(held)


def test_beginning_anew_leaves_nothing_but_the_lock(tmp_path: Path) -> None:
    (tmp_path / "server/relays").mkdir(parents=True)
    (tmp_path / "server/portineria.sqlite3").touch()
    (tmp_path / "performed").touch()
    (tmp_path / "link").symlink_to(tmp_path / "server")
    held = take(tmp_path / "demo.lock")
    assert held is not None
    _empty(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["demo.lock"]
    assert take(tmp_path / "demo.lock") is None
    os.close(held)


@pytest.mark.timeout(600)
def test_the_demo_performs_resumes_and_leaves_nothing_running() -> None:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        state = Path(folder) / "state"
        said = state.with_suffix(".said")
        with demo(state, port, "--once") as first:
            assert first.wait(PERFORM_S) == 0, said.read_text()
        performed = said.read_text()
        assert "cut, proven by the gateway's signed receipt" in performed
        assert "Technician of Drive Works asks for Torino press 3, 60 minutes: “Replace the drive's" in performed
        assert re.search(r"Shift leader of Demo Presses reads req_\w+ in the console and approves it", performed)
        assert still_there(state) == []
        with demo(state, port) as second:
            wait_for("The console is open", said)
            assert "Enrolling" not in said.read_text()
            assert Visitor(f"http://localhost:{port}").get("/accounts/login/").status == 200
            inside = ipaddress.ip_network("10.203.0.0/16")
            for address in map(ipaddress.ip_address, listening(port)):
                assert address.is_loopback or address in inside, address
            type_along(performed)
            [login] = re.findall(r"^    (\S*portineria login .*)$", said.read_text(), re.MULTILINE)
            assert shutil.which(shlex.split(login)[0])
            os.kill(second.pid, signal.SIGINT)
            wait_for("Ending …", said)
            for impatient in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(second.pid, impatient)
            assert second.wait(END_S) == 0
        assert still_there(state) == []
        assert listening(port) == set()
