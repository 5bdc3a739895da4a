# SPDX-License-Identifier: Apache-2.0
"""A relay that dies, freezes or is replaced does not cost the tool or the device their connection (WIRE 13)."""

import contextlib
import hashlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from portineria.demo.main_job import journal
from portineria.demo.plant.panel import file_chunks
from tests.integration.path.conftest import WholePath

BYTES = 40_000_000
RATE = "5M"  # per second: eight seconds, long enough to be interrupted three times


def _expected(city: str) -> str:
    whole = hashlib.sha256()
    for chunk in file_chunks(BYTES, f"{city} press line 3"):
        whole.update(chunk)
    return whole.hexdigest()


def _download(address: tuple[str, int], to: Path) -> "subprocess.Popen[bytes]":
    url = f"http://{address[0]}:{address[1]}/file?bytes={BYTES}"
    return subprocess.Popen(["curl", "-sf", "--limit-rate", RATE, "-o", str(to), url])


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_download_survives_three_deaths_of_the_relay(path: WholePath, tmp_path: Path) -> None:
    plant = path.stage.plants[0]
    before = len(journal(plant, "connect", "panel"))
    with path.connected(plant) as held:
        file = tmp_path / "file"
        download = _download(held.doors["http"], file)
        for death in (1, 2, 3):
            path.until(lambda death=death: _size(file) > BYTES * death // 5)  # type: ignore[misc]
            for pid in path.relay_pids():
                os.kill(pid, signal.SIGKILL)
            path.until(lambda: len(path.relay_pids()) == 2)
        assert download.wait(120) == 0
    assert hashlib.sha256(file.read_bytes()).hexdigest() == _expected("Torino")
    assert len(journal(plant, "connect", "panel")) == before + 1


@pytest.mark.parametrize("number", [0, 1])  # one of them carries it
def test_a_download_goes_on_whichever_relay_freezes(path: WholePath, tmp_path: Path, number: int) -> None:
    plant = path.stage.plants[1]
    path.until(lambda: path.stage.linked(plant) == 2, seconds=60)
    before = len(journal(plant, "connect", "panel"))
    with path.connected(plant) as held:
        file = tmp_path / "file"
        download = _download(held.doors["http"], file)
        path.until(lambda: _size(file) > BYTES // 4)
        with frozen(path.relay_pids()[number]):
            assert download.wait(120) == 0
    assert hashlib.sha256(file.read_bytes()).hexdigest() == _expected("Nagoya")
    assert len(journal(plant, "connect", "panel")) == before + 1
