# SPDX-License-Identifier: Apache-2.0
"""`portineria backup`: everything of an installation, of one moment, in one encrypted file."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from django.db import connection, transaction

from portineria import __version__
from portineria.backup.archive import BackupFailed, BackupRuns, Writer, pieces_of, written
from portineria.backup.manifest import (
    FORMAT,
    RECORDINGS,
    STATE,
    BadBackup,
    Checkpoint,
    Manifest,
    Recordings,
    section_of,
)
from portineria.control.audit.services import record
from portineria.control.database_copy import Copy, copied
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Installation
from portineria.control.recording_store import NoChunk, store
from portineria.control.settings.master_key import FILE as MASTER_KEY
from portineria.control.settings.master_key import derive
from portineria.control.settings.server import ServerSettings
from portineria.control.settings.start import current
from portineria.process.lock import take
from portineria.recording.chunk import parse_recipient

Progress = Callable[[str, int, int], None]  # of what, bytes so far, bytes in all (0: nobody knows)
LOCK = "backup.lock"
WORKPLACE = "backup.part"  # the database's copy, in the state folder: as well guarded as the database itself
# Made again at each start, or of this machine only; the database comes as its copy, recordings as the rows name them.
_NOT_STATE = re.compile(r"static|run|recordings|backup\.part|test\.sqlite3.*|portineria\.sqlite3.*")
_NOT_A_STATE_FILE = re.compile(r"lock|.*\.(part|new|sock|lock)")
_OUTSIDE = (
    "console_certificate", "console_key", "bus_seed", "bus_ca", "database_password_file", "witness_authorities",
    "timestamp_authorities",
)  # fmt: skip
_CHUNKS = """
    SELECT o.public_id, s.public_id, r.public_id, c.number, c.size, c.sha256
    FROM remote_sessions_recordingchunk c
    JOIN remote_sessions_recording r ON r.id = c.recording_id
    JOIN remote_sessions_session s ON s.id = r.session_id
    JOIN identity_organisation o ON o.id = s.organisation_id
    ORDER BY r.id, c.number
"""
_NEWEST = """
    SELECT c.organisation, c.size, c.note FROM audit_checkpoint c
    WHERE c.size = (SELECT max(n.size) FROM audit_checkpoint n WHERE n.organisation = c.organisation)
    ORDER BY c.organisation
"""


@dataclass
class Made:
    manifest: Manifest
    size: int
    left_out: list[str] = field(default_factory=list)  # of the state folder: links, and names that no file of ours has


def master_key_check() -> str:
    """Tells one master key from another, and nothing else about it."""
    return derive("backup-check").hex()


def back_up(path: Path, recipients: Sequence[str], *, recordings: bool | None, progress: Progress) -> Made:
    """Everything, to ``path``, while others write. ``recordings``: with their files; None where they are a folder.

    Raise BadRecipient, BackupThere, BackupRuns, BackupFailed.
    """
    settings, sealed_to = current(), [parse_recipient(one) for one in recipients]
    inside = not settings.recordings.startswith("s3:") if recordings is None else recordings
    with _workplace(settings.state) as folder, (folder / "members").open("w+b") as listed:
        with written(path, sealed_to, listed) as writer:
            if _events_have_a_place():
                _record(recipients)
            with copied(folder, lambda done, of: progress("database", done, of)) as copy:
                manifest, left_out = _Backup(settings, copy, writer, progress).write(inside)
        return Made(manifest, path.stat().st_size, left_out)


def _events_have_a_place() -> bool:
    """Not before an upgrade: this version's events want this version's tables."""
    from portineria.control.tables import pending

    return not pending()


@transaction.atomic
def _record(recipients: Sequence[str]) -> None:
    """Before the copy is taken: what left the house is in its register, and in the copy."""
    installation = Installation.objects.get(pk=1).public_id
    record(
        "identity.installation.backed-up", organisation=installation, actor=Operator().public_id,
        version=__version__, recipients=" ".join(recipients),
    )  # fmt: skip


@contextmanager
def _workplace(state: Path) -> Iterator[Path]:
    """Empty at the beginning, gone at the end, nobody else's meanwhile; what a crash left is removed."""
    folder = state / WORKPLACE
    try:
        lock = take(state / LOCK)
        if lock is None:
            raise BackupRuns("another backup of this installation runs just now; nothing was begun")
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
    except OSError as error:
        raise BackupFailed(
            f"{error.filename or folder}: {error.strerror or error}; nothing was left behind. The copy of the "
            "database needs as much room in the state folder as the database itself"
        ) from error


class _Backup:
    def __init__(self, settings: ServerSettings, copy: Copy, writer: Writer, progress: Progress) -> None:
        self._settings, self._copy, self._writer, self._progress = settings, copy, writer, progress
        self._have = set(connection.introspection.table_names())

    def write(self, with_recordings: bool) -> tuple[Manifest, list[str]]:
        at = datetime.now(UTC)
        self._file(self._copy.name, self._copy.file, "database, encrypted")
        left_out = self._state()
        recordings = self._recordings(with_recordings)
        checkpoints = [Checkpoint(str(row[0]), row[1], row[2]) for row in self._asked("audit_checkpoint", _NEWEST)]
        [[installation]] = self._copy.ask("SELECT public_id FROM identity_installation")
        key_inside = (self._settings.state / MASTER_KEY).exists()
        made: list[Manifest] = []

        def manifest(members: int, digest: str) -> bytes:
            found = Manifest(
                format=FORMAT, made_at=at.isoformat(timespec="seconds"), version=__version__,
                installation=installation, database=self._copy.name, master_key_inside=key_inside,
                master_key_check=master_key_check(), recordings=recordings, checkpoints=checkpoints,
                outside=_outside(self._settings), members=members, members_sha256=digest,
            )  # fmt: skip
            made.append(found)
            return msgspec.json.format(msgspec.json.encode(found), indent=1)

        self._writer.finish(manifest)
        return made[0], left_out

    def _asked(self, table: str, question: str) -> Iterator[tuple[str, int, str]]:
        """Nothing where an older version's tables lack this one."""
        return self._copy.ask(question) if table in self._have else iter(())

    def _file(self, name: str, path: Path, called: str = "") -> None:
        with path.open("rb") as file:
            size, done = os.fstat(file.fileno()).st_size, 0

            def told() -> Iterator[bytes]:
                nonlocal done
                for piece in pieces_of(file, size):
                    yield piece
                    done += len(piece)
                    if called:
                        self._progress(called, done, size)

            self._writer.add(name, size, told())

    def _state(self) -> list[str]:
        left_out: list[str] = []
        for name, path in sorted(_state_files(self._settings.state, left_out)):
            self._file(name, path)
        return left_out

    def _recordings(self, inside: bool) -> Recordings:
        chunks = size = gone = damaged = 0
        place, rows = store(), self._chunks()
        every = sum(row[4] for row in self._chunks()) if inside else 0
        for organisation, session, recording, number, length, digest in rows:
            chunks, size = chunks + 1, size + length
            if not inside:
                continue
            name = f"{organisation}/{session}/{recording}/{number:08}.chunk"
            try:
                data = place.get(name)
            except NoChunk:  # its time was over, or it is lost; the database goes on naming it
                gone += 1
                continue
            damaged += hashlib.sha256(data).digest() != bytes(digest)
            self._writer.add(RECORDINGS + name, len(data), iter([data]))
            self._progress("recordings", size, every)
        return Recordings(inside, chunks, size, gone, damaged)

    def _chunks(self) -> Iterator[tuple[str, str, str, int, int, bytes]]:
        if "remote_sessions_recordingchunk" not in self._have:
            return iter(())
        return self._copy.ask(_CHUNKS)


def _state_files(state: Path, left_out: list[str]) -> Iterator[tuple[str, Path]]:
    for folder, folders, files in os.walk(state):
        at = Path(folder)
        if at == state:
            folders[:] = [name for name in folders if not _NOT_STATE.fullmatch(name)]
            files = [name for name in files if not _NOT_STATE.fullmatch(name)]
        left_out += [str((at / name).relative_to(state)) for name in folders if (at / name).is_symlink()]
        for file in files:
            path = at / file
            name = STATE + path.relative_to(state).as_posix()
            if _NOT_A_STATE_FILE.fullmatch(file) or path.is_socket():
                continue
            if path.is_symlink() or not path.is_file() or not _may_be_called(name):
                left_out.append(str(path.relative_to(state)))
            else:
                yield name, path


def _may_be_called(name: str) -> bool:
    try:
        section_of(name)
    except BadBackup:
        return False
    return len(name) <= 100  # what fits a tar header's name


def _outside(settings: ServerSettings) -> list[str]:
    """What has to be put back by whoever put it there."""
    named = [str(path) for name in _OUTSIDE if (path := getattr(settings, name)) is not None]
    found = [path for path in named if settings.state not in (Path.cwd() / path).resolve().parents]
    return [*found, settings.recordings] if settings.recordings.startswith("s3:") else found
