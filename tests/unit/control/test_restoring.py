# SPDX-License-Identifier: Apache-2.0
"""Unpacking a backup: into an empty place only, and nothing stays of what could not be finished."""

from __future__ import annotations

import io
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyrage.x25519 import Identity

from portineria.backup.archive import written
from portineria.backup.manifest import BadBackup
from portineria.control.restoring import PlaceTaken, RestoreFailed, unpack
from portineria.core.errors import PortineriaError
from tests.unit.backup.test_archive import manifest

KEY = Identity.generate()
CHUNK = "recordings/org_a/ses_a/rec_a/00000001.chunk"


def made(folder: Path, settings: str = "", *, chunk: str = CHUNK) -> Path:
    path = folder / "backup.age"
    members = {
        "database.sqlite3": b"rows" * 50_000, "state/console/key.pem": b"k" * 10, "state/master.key": b"secret",
        "state/portineria.toml": settings.encode(), chunk: b"sealed",
    }  # fmt: skip
    with written(path, [KEY.to_public()], io.BytesIO()) as writer:
        for name, data in members.items():
            writer.add(name, len(data), iter([data]))
        writer.finish(manifest)
    return path


def restored(path: Path, state: Path) -> Path:
    return unpack(path, [KEY], state, lambda _what, _done, _every: None).folder


def test_everything_lies_beside_the_place_until_it_is_proven(tmp_path: Path) -> None:
    state = tmp_path / "state"
    folder = restored(made(tmp_path), state)
    assert (folder, state.exists()) == (tmp_path / "state.restoring", False)
    assert (folder / CHUNK).read_bytes() == b"sealed"
    modes = {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
    assert (modes, folder.stat().st_mode & 0o777) == ({0o600}, 0o700)


def test_recordings_go_where_the_settings_in_the_backup_say(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    folder = restored(made(tmp_path, f'recordings = "{elsewhere}"\n'), tmp_path / "state")
    assert (elsewhere / CHUNK.removeprefix("recordings/")).read_bytes() == b"sealed"
    assert not (folder / "recordings").exists()


def filled(state: Path) -> None:
    state.mkdir()
    (state / "mine").touch()


def a_link(state: Path) -> None:
    state.symlink_to(state.parent)


def a_file(state: Path) -> None:
    state.touch()


def left_over(state: Path) -> None:
    state.with_name("state.restoring").mkdir()


@pytest.mark.parametrize("occupy", [filled, a_link, a_file, left_over])
def test_a_place_that_is_not_empty_is_left_as_it_is(tmp_path: Path, occupy: Callable[[Path], None]) -> None:
    path, state = made(tmp_path), tmp_path / "state"
    occupy(state)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(PlaceTaken, match="nothing was changed"):
        restored(path, state)
    assert sorted(tmp_path.rglob("*")) == before


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """What a full disk does to whoever writes on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_nothing_stays_of_what_could_not_be_finished(tmp_path: Path) -> None:
    path, state = made(tmp_path), tmp_path / "state"
    with files_of_at_most(100_000), pytest.raises(RestoreFailed, match="what was begun is removed"):
        restored(path, state)
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(BadBackup):
        restored(path, state)
    assert [one.name for one in tmp_path.iterdir()] == ["backup.age"]


@pytest.mark.parametrize("settings", ['database = "postgresql://a@b/c"\n', "publik_url = 1\n"])
def test_settings_that_do_not_fit_the_backup_leave_nothing(tmp_path: Path, settings: str) -> None:
    path = made(tmp_path, settings)
    with pytest.raises(PortineriaError):
        restored(path, tmp_path / "state")
    assert [one.name for one in tmp_path.iterdir()] == ["backup.age"]
