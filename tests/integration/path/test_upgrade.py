# SPDX-License-Identifier: Apache-2.0
"""Backup and upgrade beside the server that works, and its replacement, while a tool downloads 40 MB from a machine."""

import contextlib
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portineria.backup.archive import walk
from portineria.demo.plant.panel import file_chunks
from portineria.recording.chunk import parse_identities
from tests.integration.control.commands import surroundings
from tests.integration.path.conftest import WholePath

FILE_BYTES, PAUSE_S = 40_000_000, 0.01


class Downloading:
    """A file of the operator panel at the pace of a slow line; ``taken`` bytes so far, ``most`` for now, so that the
    transfer is under way as long as it is wanted. What does not come, or is another byte, is raised at the end.
    """

    def __init__(self, door: tuple[str, int], plant: str) -> None:
        self.taken, self.most, self._fault = 0, FILE_BYTES // 4, list[Exception]()
        self._door, self._wanted = door, file_chunks(FILE_BYTES, plant)
        self._thread = threading.Thread(target=self._download)

    def _download(self) -> None:
        try:
            with socket.create_connection(self._door, timeout=60) as tool, tool.makefile("rb") as answer:
                tool.sendall(f"GET /file?bytes={FILE_BYTES} HTTP/1.0\r\n\r\n".encode())
                while answer.readline().strip():
                    pass
                for piece in self._wanted:
                    while self.taken >= self.most:
                        time.sleep(PAUSE_S)
                    assert answer.read(len(piece)) == piece
                    self.taken += len(piece)
                    time.sleep(PAUSE_S)  # 6 MB a second
        except (OSError, AssertionError) as error:
            self._fault.append(error)

    @contextlib.contextmanager
    def going_on(self) -> Iterator["Downloading"]:
        self._thread.start()
        try:
            yield self
        finally:
            self.most = FILE_BYTES
            self._thread.join(120)
        assert self._fault == []
        assert self.taken == FILE_BYTES


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
    name = f"{plant.name} press line 3"
    with path.connected(plant) as held, Downloading(held.doors["http"], name).going_on() as download:
        path.until(lambda: path.session(held.session)["state"] == "live")
        made = command(path, "backup", str(tmp_path / "live.age"), "--new-identity", str(key))
        assert made.returncode == 0, made.stderr
        identities = parse_identities(key.read_text())
        assert walk(tmp_path / "live.age", identities, lambda *member: [*member[2]].clear()).master_key_inside

        as_before_kept_answers(path.stage.server_state / "portineria.sqlite3")
        looked = command(path, "doctor")
        assert "1 changes wait: rest 0001_kept_answers" in looked.stdout
        before, recipient = download.taken, str(identities[0].to_public())
        download.most = FILE_BYTES * 3 // 4
        upgraded = command(path, "upgrade", "--backup", str(tmp_path / "before.age"), "--recipient", recipient)
        assert upgraded.returncode == 0, upgraded.stderr
        assert "To go back: stop it" in upgraded.stdout
        assert not walk(tmp_path / "before.age", identities, lambda *member: [*member[2]].clear()).recordings.inside
        assert before < download.taken < FILE_BYTES
        path.stage.processes.kill("server", signal.SIGKILL)
        path.until(lambda: "server" in path.stage.processes.dead())
        path.stage.start_server()
        path.until(lambda: path.session(held.session)["state"] == "live", seconds=60)
    path.until(lambda: path.session(held.session)["state"] == "ended", seconds=60)
    assert path.act("chain")
