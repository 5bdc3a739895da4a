# SPDX-License-Identifier: Apache-2.0
"""`portineria restore`: a backup into an empty place, proven before anything is said to be there.

The file is read twice: first to the end, with nothing kept, then into a folder beside the final one. This part needs no
Django; what was restored is proven by ``restored_register``, which does.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyrage.x25519 import Identity

from portineria.backup.archive import walk
from portineria.backup.manifest import POSTGRESQL, RECORDINGS, SQLITE, STATE, BadBackup, Manifest
from portineria.control.recording_store import RecordingStore, store_at
from portineria.control.settings.server import ServerSettings, load
from portineria.core.errors import Conflict, Unavailable

Progress = Callable[[str, int, int], None]


class PlaceTaken(Conflict):
    """Something is there already. Nothing was changed."""

    code = "restore.taken"


class RestoreFailed(Unavailable):
    """It could not be written. What was begun is removed, unless the message says otherwise."""

    code = "restore.failed"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Files and rows are there, of an installation that nobody has proven yet. ``folder`` becomes ``state``."""

    manifest: Manifest
    folder: Path
    state: Path

    def settle(self) -> None:
        """Give it its name: from now on it can be started."""
        if self.state.exists():
            self.state.rmdir()  # was empty when this began, and must be now
        self.folder.rename(self.state)
        _sync(self.state.parent)


def staging_of(state: Path) -> Path:
    return state.with_name(f"{state.name}.restoring")


def check_empty(state: Path) -> None:
    """Raise PlaceTaken."""
    if state.is_symlink() or (state.exists() and (not state.is_dir() or any(state.iterdir()))):
        raise PlaceTaken(
            f"{state} is not empty, and nothing was changed: a backup is restored into an empty place only. Stop what "
            "runs there and move that folder away, or name another one with --state"
        )
    if staging_of(state).exists():
        raise PlaceTaken(
            f"{staging_of(state)} is left from a restore that did not end; nothing was changed. Remove it when nobody "
            "needs it any more, and begin again"
        )


def unpack(path: Path, identities: Sequence[Identity], state: Path, progress: Progress) -> Unpacked:
    """Raise PlaceTaken, NoBackup, WrongIdentity, BadBackup, RestoreFailed, BadSettings."""
    state = state.absolute()
    check_empty(state)
    manifest = walk(path, identities, lambda name, _, pieces: _look(name, pieces, progress))
    folder = staging_of(state)
    with _removed_unless_whole(folder):
        folder.mkdir(mode=0o700, parents=True)
        again = walk(path, identities, _Placing(folder, progress).take)
        if again != manifest:
            raise BadBackup(f"{path} changed while it was read")
        _check_rows(manifest, load(folder))
    return Unpacked(manifest, folder, state)


def _look(name: str, pieces: Iterator[bytes], progress: Progress) -> None:
    done = 0
    for piece in pieces:
        done += len(piece)
        progress(f"checking {name.partition('/')[0]}", done, 0)


@contextmanager
def _removed_unless_whole(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise RestoreFailed(
                f"{error.filename or folder}: {error.strerror or error}; what was begun is removed"
            ) from error
        raise


class _Placing:
    """Writes members below one folder. Their names are of a backup: no other reaches this."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self._folder, self._progress = folder, progress
        self._chunks: RecordingStore | None = None

    def take(self, name: str, size: int, pieces: Iterator[bytes]) -> None:
        if name.startswith(RECORDINGS):
            self._recording(name.removeprefix(RECORDINGS), pieces)
        else:
            self._file(self._folder / name.removeprefix(STATE), size, pieces)

    def _file(self, path: Path, size: int, pieces: Iterator[bytes]) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = 0
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            for piece in pieces:
                done += file.write(piece)
                self._progress(path.name, done, size)
            file.flush()
            os.fsync(file.fileno())
        _sync(path.parent)

    def _recording(self, name: str, pieces: Iterator[bytes]) -> None:
        """To where the settings, which came before, say that recordings lie; the same name again is the same bytes."""
        if self._chunks is None:
            self._chunks = store_at(load(self._folder).recordings, self._folder / "recordings")
        self._chunks.put(name, b"".join(pieces))
        self._progress("recordings", 0, 0)


def _check_rows(manifest: Manifest, settings: ServerSettings) -> None:
    """Raise RestoreFailed where settings and backup mean different databases."""
    wanted = POSTGRESQL if settings.database else SQLITE
    if manifest.database != wanted:
        raise RestoreFailed(
            f"the backup holds a {manifest.database}, and the settings mean a {wanted}; what was begun is removed. Set "
            "PORTINERIA_SERVER_DATABASE to where the rows shall be"
        )


def fill_database(unpacked: Unpacked) -> None:
    """Give the copy its place: a file's own name, or an empty PostgreSQL. Django has started with the new folder.

    Raise PlaceTaken, RestoreFailed, NoDumper.
    """
    copy = unpacked.folder / unpacked.manifest.database
    if unpacked.manifest.database == SQLITE:
        copy.rename(unpacked.folder / "portineria.sqlite3")
        return
    import psycopg  # not there where SQLite is all there is
    from django.db import connection

    parameters = connection.get_connection_params()
    with connection.wrap_database_errors, psycopg.connect(**parameters) as client:
        row = client.execute("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()").fetchone()
        client.rollback()
        if row is None or row[0]:
            raise PlaceTaken(
                f"the database {client.info.dbname} has tables already, and nothing was changed in it: a backup is "
                "restored into an empty database only. Make one (docs/howto/postgresql.md), and name it in "
                "PORTINERIA_SERVER_DATABASE"
            )
    _fill(copy)
    copy.unlink()


def _fill(copy: Path) -> None:
    from portineria.control.database_copy import finished, program

    words = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    with copy.open("rb") as dump:
        filling = program("pg_restore", words, stdin=dump)
        try:
            complaint = finished(filling)
        except BaseException:
            filling.kill()  # one transaction: nothing of it stays
            raise
    if complaint:
        raise RestoreFailed(f"pg_restore: {complaint}; the database is as empty as before")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
