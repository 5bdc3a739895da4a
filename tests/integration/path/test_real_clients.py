# SPDX-License-Identifier: Apache-2.0
"""The vendor's own tools through connector, relay and gateway, to two plants with the same addresses at once."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from portineria.demo.main_job import HeldSession
from portineria.demo.plant.panel import file_chunks
from tests.integration.path.conftest import WholePath
from tests.integration.path.tool import ask, tool_at

FILE_BYTES = 200_000_000
_CLIENTS = Path(__file__).parents[1] / "plant" / "client.py"


@pytest.fixture(scope="module")
def both(path: WholePath) -> Iterator[list[HeldSession]]:
    torino, nagoya = path.stage.plants
    with path.connected(torino) as first, path.connected(nagoya) as second:
        yield [first, second]


def _client(session: HeldSession, protocol: str) -> dict[str, object]:
    address, port = session.doors[protocol]
    done = subprocess.run(
        [sys.executable, str(_CLIENTS), protocol, address, str(port)],
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-1500:]
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("protocol", ["modbus", "s7", "opcua"])
def test_each_plant_answers_for_itself_while_the_other_works(both: list[HeldSession], protocol: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        torino, nagoya = pool.map(lambda session: _client(session, protocol), both)
    assert "Torino" in str(torino["name"])
    assert "Nagoya" in str(nagoya["name"])


def test_opc_ua_connects_although_the_endpoint_answers_with_the_devices_own_address(both: list[HeldSession]) -> None:
    seen = _client(both[0], "opcua")
    assert any("192.168.10.13" in str(url) for url in seen["endpoints"])  # type: ignore[attr-defined]
    assert seen["setpoint"] == 123.0


def test_the_doors_of_both_plants_have_the_devices_own_ports(both: list[HeldSession]) -> None:
    for session in both:
        wanted = {"modbus": 502, "s7": 102, "opcua": 4840, "ssh": 22, "http": 80}
        if os.geteuid() != 0:
            wanted = {"opcua": 4840}
        assert wanted.items() <= {name: port for name, (_, port) in session.doors.items()}.items()


class Ssh:
    def __init__(self, path: WholePath, session: HeldSession, folder: Path) -> None:
        self._session, self.folder = session, folder
        self._options = [
            "-F", "none", "-i", str(path.stage.state / "ssh-key"), "-o", "StrictHostKeyChecking=no",
            "-o", f"UserKnownHostsFile={folder}/known", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
        ]  # fmt: skip

    def run(self, program: str, *words: str, text: str = "") -> str:
        address, port = self._session.doors["ssh"]
        flag = "-p" if program == "ssh" else "-P"
        command = [
            program,
            *self._options,
            flag,
            str(port),
            *(word.replace("@", f"operator@{address}") for word in words),
        ]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-800:]
        return done.stdout


@pytest.fixture(scope="module")
def ssh(path: WholePath, both: list[HeldSession], tmp_path_factory: pytest.TempPathFactory) -> Ssh:
    if shutil.which("sftp") is None:
        pytest.skip("sftp is missing: sudo apt-get install openssh-client")
    return Ssh(path, both[0], tmp_path_factory.mktemp("ssh"))


def test_ssh_runs_a_command_on_the_machine(ssh: Ssh) -> None:
    assert ssh.run("ssh", "-n", "@", "status").strip()


@pytest.mark.parametrize("program", ["scp", "sftp"])
def test_a_file_of_200_mb_arrives_whole_and_comes_back_whole(ssh: Ssh, program: str) -> None:
    sent, back = ssh.folder / f"{program}.bin", ssh.folder / f"{program}.back"
    with sent.open("wb") as file:
        for chunk in file_chunks(FILE_BYTES, program):
            file.write(chunk)
    if program == "scp":
        ssh.run("scp", str(sent), "@:/scp.bin")
        ssh.run("scp", "@:/scp.bin", str(back))
    else:
        ssh.run("sftp", "-b", "-", "@", text=f"put {sent} /sftp.bin\nget /sftp.bin {back}\n")
    assert _sha256(back) == _sha256(sent)
    sent.unlink()
    back.unlink()


def test_the_operator_panel_shows_and_downloads(both: list[HeldSession]) -> None:
    for session, city in zip(both, ("Torino", "Nagoya"), strict=True):
        address, port = session.doors["http"]
        page = subprocess.run(
            ["curl", "-sf", f"http://{address}:{port}/"], capture_output=True, text=True, timeout=20, check=True
        )
        assert city in page.stdout
        file = subprocess.run(
            ["curl", "-sf", f"http://{address}:{port}/file?bytes=20000000"], capture_output=True, timeout=60, check=True
        ).stdout
        expected = hashlib.sha256()
        for chunk in file_chunks(20_000_000, f"{city} press line 3"):
            expected.update(chunk)
        assert hashlib.sha256(file).digest() == expected.digest()


def test_all_protocols_at_once(both: list[HeldSession], ssh: Ssh) -> None:
    with contextlib.ExitStack() as held, ThreadPoolExecutor(7) as pool:
        tools = [held.enter_context(tool_at(session.doors["modbus"])) for session in both for _ in range(4)]
        work = [pool.submit(_client, session, protocol) for session in both for protocol in ("modbus", "s7", "opcua")]
        shell = pool.submit(ssh.run, "ssh", "-n", "@", "hostname")
        assert all(one.result(120) for one in work)
        assert shell.result(120).strip()
        for tool in tools:  # open all the while
            ask(tool)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
