# SPDX-License-Identifier: Apache-2.0
"""Recordings on the gateway's disk until the control plane has them: a folder each, a file for each chunk.

Everything here blocks: call it in a thread. A chunk never lies half-written under its name.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from portineria.core.errors import ProtocolError, Unavailable
from portineria.core.ids import Kind, is_id
from portineria.recording.chunk import CHUNK_BYTES, Chunk, read_chunk

_SUFFIX = ".chunk"


class NoRoom(Unavailable):
    """The limit for recordings is reached, or the disk takes no more."""

    code = "recording.full"


@dataclass(frozen=True, slots=True)
class Waiting:
    """One chunk that waits to be taken away."""

    path: Path
    recording: str
    number: int
    size: int


class ChunkFolder:
    """``used``: bytes of all chunks here. Written by many threads at a time: the count may be off by one chunk."""

    def __init__(self, path: Path, *, limit_bytes: int) -> None:
        self.path, self.limit_bytes = path, limit_bytes
        self.used = 0

    @property
    def full(self) -> bool:
        return self.used >= self.limit_bytes

    def open(self) -> None:
        """Raises OSError."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        self.used = sum(chunk.size for chunk in self.waiting())

    def recordings(self) -> list[str]:
        """The oldest first, as far as their folders' times say so."""
        folders = [folder for folder in self.path.iterdir() if folder.is_dir() and is_id(folder.name, Kind.RECORDING)]
        return [folder.name for folder in sorted(folders, key=lambda folder: (folder.stat().st_mtime_ns, folder.name))]

    def chunks(self, recording: str) -> list[Path]:
        return sorted((self.path / recording).glob(f"*{_SUFFIX}"))

    def waiting(self) -> Iterator[Waiting]:
        """Everything that is here, recording by recording, each in its order."""
        for recording in self.recordings():
            yield from self.waiting_of(recording)

    def waiting_of(self, recording: str) -> list[Waiting]:
        paths = [path for path in self.chunks(recording) if path.stem.isdecimal()]
        return [Waiting(path, recording, int(path.stem), path.stat().st_size) for path in paths]

    def write(self, recording: str, number: int, data: bytes, *, must: bool = False) -> None:
        """On the disk when this returns. Raise NoRoom. ``must``: beyond the limit too (how something ended)."""
        if self.full and not must:
            raise NoRoom(f"recordings have {self.used} bytes here, {self.limit_bytes} are allowed")
        folder = self.path / recording
        new = folder / f"{number:08}.part"
        try:
            if not folder.exists():
                folder.mkdir(mode=0o700)
                _sync(self.path)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(new.with_suffix(_SUFFIX))
            _sync(folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise NoRoom(f"{new}: {error.strerror}") from error
        self.used += len(data)

    def forget(self, chunk: Waiting) -> None:
        """It is kept elsewhere."""
        chunk.path.unlink(missing_ok=True)
        self.used -= chunk.size
        with contextlib.suppress(OSError):  # others are in it
            chunk.path.parent.rmdir()

    def read(self, path: Path) -> bytes:
        """One byte more than a chunk may have shows that it is none."""
        with path.open("rb") as file:
            return file.read(CHUNK_BYTES + 1)

    def newest(self, recording: str) -> Chunk | None:
        """The last chunk that is whole; what is not is put aside, under a name that is no chunk's."""
        for part in (self.path / recording).glob("*.part"):
            part.unlink()
        for path in reversed(self.chunks(recording)):
            try:
                return read_chunk(self.read(path))
            except ProtocolError:
                path.rename(path.with_suffix(".broken"))
        return None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
