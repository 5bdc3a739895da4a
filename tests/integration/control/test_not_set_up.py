# SPDX-License-Identifier: Apache-2.0
"""The commands on the server where no server was set up, or where its folder is closed: one sentence, nothing made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.control.commands import run
from tests.integration.gateway.test_folder import ORDINARY

pytestmark = pytest.mark.sqlite  # its servers have a database of their own

EVERY = [
    ["signers"],
    ["signers", "--rotate", "order"],
    ["ledger", "verify"],
    ["rule", "list"],
    ["rule", "end", "rul_x", "--reason", "over"],
    ["invite", "somebody@example.com"],
    ["person", "disable", "somebody@example.com", "--reason", "left"],
    ["supplier", "disable", "Drive Works", "--reason", "left"],
    ["apply", "plant.toml"],
]


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_where_nothing_was_set_up_it_says_so_and_makes_nothing(words: list[str], tmp_path: Path) -> None:
    done = run(tmp_path / "state", *words)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"portineria: {tmp_path / 'state'} is not set up; portineria setup does that\n"
    assert not (tmp_path / "state").exists()


def test_a_folder_of_somebody_else_is_named_with_the_way_in(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    if os.geteuid() == 0:
        os.chown(state, 12345, 12345)
        state.chmod(0o700)
    else:
        state.chmod(0)
    command = [sys.executable, "-m", "portineria.cli.main", "signers", "--state", str(state)]
    before = ORDINARY if os.geteuid() == 0 else []
    done = subprocess.run([*before, *command], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith(f"portineria: {state}/")
    assert "sudo" in done.stderr


def test_a_file_that_is_not_there_is_named_once(tmp_path: Path) -> None:
    assert run(tmp_path / "state", "setup", "--bare").returncode == 0
    missing = tmp_path / "none.toml"
    done = run(tmp_path / "state", "apply", str(missing))
    assert done.returncode == 2
    assert done.stderr == f"{missing}: No such file or directory\nNothing was changed.\n"
