# SPDX-License-Identifier: Apache-2.0
"""Backup and upgrade beside the server that works, under a session in which a tool goes on asking a controller."""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from portineria.backup.archive import walk
from portineria.recording.chunk import parse_identities
from tests.integration.control.commands import surroundings
from tests.integration.path.conftest import WholePath
from tests.integration.path.tool import ask, tool_at


class Asking:
    """Asks without a pause; ``counted`` answers so far. The first that does not come ends it, and is raised."""

    def __init__(self, door: tuple[str, int]) -> None:
        self.counted, self._stop, self._fault = 0, threading.Event(), list[Exception]()
        self._tool = tool_at(door)
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        try:
            while not self._stop.wait(0.02):
                ask(self._tool)
                self.counted += 1
        except (OSError, AssertionError, IndexError) as error:
            self._fault.append(error)

    @contextlib.contextmanager
    def going_on(self) -> Iterator["Asking"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(60)
            self._tool.close()
        assert self._fault == []


def command(path: WholePath, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "portineria.cli.main", *words, "--state", str(path.stage.server_state)],
        env=surroundings(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def as_before_kept_answers(database: Path) -> None:
    """What the version before that change left: its table does not exist yet."""
    with contextlib.closing(sqlite3.connect(database)) as tables, tables:
        tables.execute("DROP TABLE rest_keptanswer")
        tables.execute("DELETE FROM django_migrations WHERE app = 'rest' AND name = '0001_kept_answers'")


@pytest.mark.timeout(300)
def test_a_backup_and_an_upgrade_go_on_under_a_session(path: WholePath, tmp_path: Path) -> None:
    plant, key = path.stage.plants[0], tmp_path / "identity.txt"
    path.may_reach(f"{plant.name} press 3")
    with path.connected(plant) as held, Asking(held.doors["modbus"]).going_on() as asking:
        path.until(lambda: path.session(held.session)["state"] == "live")
        made = command(path, "backup", str(tmp_path / "live.age"), "--new-identity", str(key))
        assert made.returncode == 0, made.stderr
        identities = parse_identities(key.read_text())
        assert walk(tmp_path / "live.age", identities, lambda *member: [*member[2]].clear()).master_key_inside

        as_before_kept_answers(path.stage.server_state / "portineria.sqlite3")
        looked = command(path, "doctor")
        assert "1 changes wait: rest 0001_kept_answers" in looked.stdout
        before, recipient = asking.counted, str(identities[0].to_public())
        upgraded = command(path, "upgrade", "--backup", str(tmp_path / "before.age"), "--recipient", recipient)
        assert upgraded.returncode == 0, upgraded.stderr
        assert "To go back: stop it" in upgraded.stdout
        assert not walk(tmp_path / "before.age", identities, lambda *member: [*member[2]].clear()).recordings.inside
        assert asking.counted > before
        path.stage.processes.kill("server", signal.SIGKILL)
        path.until(lambda: "server" in path.stage.processes.dead())
        path.stage.start_server()
        path.until(lambda: path.session(held.session)["state"] == "live", seconds=60)
    path.until(lambda: path.session(held.session)["state"] == "ended", seconds=60)
    assert path.act("chain")
