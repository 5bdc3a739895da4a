# SPDX-License-Identifier: Apache-2.0
"""The gateway's commands on a folder that is not there, is somebody else's, or holds no gateway: one plain sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = "a" * 26
EVERY = [
    ["enrol", "http://127.0.0.1:9", CODE],
    ["status"],
    ["run"],
    ["reach", "list"],
    ["reach", "add", "10.0.0.1:502"],
    ["reach", "remove", "10.0.0.1:502"],
    ["repin", "http://127.0.0.1:9", CODE, "--yes"],
]
# What lets root into the folders of others; without it root is as shut out as anybody.
ORDINARY = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-chown,-fowner"]


def gateway(*words: str, state: Path, ordinary: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "portineria.cli.main", "gateway", *words, "--state", str(state)]
    before = ORDINARY if ordinary and os.geteuid() == 0 else []
    done = subprocess.run([*before, *command], capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    assert "something is wrong in Portineria itself" not in done.stderr
    return done


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    folder = tmp_path / "closed"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, 12345, 12345)
        folder.chmod(0o700)
    else:
        folder.chmod(0)
    return folder


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_a_folder_of_somebody_else_is_named_with_the_way_in(words: list[str], closed: Path) -> None:
    done = gateway(*words, state=closed, ordinary=True)
    assert done.returncode == 3
    assert str(closed) in done.stderr
    assert "sudo" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", EVERY[1:], ids=" ".join)
def test_where_nobody_is_enrolled_the_folder_is_named_and_not_made(words: list[str], tmp_path: Path) -> None:
    done = gateway(*words, state=tmp_path / "none")
    assert done.returncode == 1
    assert f"no gateway is enrolled in {tmp_path / 'none'}. Enrol it first" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("words", [["add"], ["remove"], ["list", "10.0.0.1:502"]], ids=" ".join)
def test_a_change_of_the_reach_list_needs_its_entries(words: list[str], tmp_path: Path) -> None:
    done = gateway("reach", *words, state=tmp_path)
    assert done.returncode == 2
    assert "10.0.0.1" in " ".join(words) or "192.168.10.0/24:502,102" in done.stderr
