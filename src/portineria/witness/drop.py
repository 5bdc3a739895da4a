# SPDX-License-Identifier: Apache-2.0
"""A folder that carries requests and answers where no network goes: a stick, a share that nobody can overwrite.

Whoever else can write there can put anything there: only plain files are read, up to the length that they may have.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from portineria.core.errors import Unavailable
from portineria.ledger.witness import (
    ANSWER_BYTES,
    REQUEST_BYTES,
    Answer,
    answer_name,
    answered,
    size_asked,
    write_answer,
)

FILES = 10_000  # looked at in one folder


class NoDrop(Unavailable):
    code = "witness.no-drop"


def names_in(folder: Path) -> list[str]:
    """Raise NoDrop for a stick that is not there."""
    try:
        with os.scandir(folder) as found:
            return sorted(entry.name for _, entry in zip(range(FILES), found, strict=False))
    except OSError as error:
        raise NoDrop(f"{folder} cannot be read: {error.strerror}") from error


def read_plain(path: Path, limit: int) -> bytes | None:
    """At most one byte more than ``limit``. None for what is no plain file or cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(limit + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes) -> None:
    """Under its name only when all of it is on the disk. Raise NoDrop."""
    new = path.with_name(f"{path.name}.part")
    try:
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise NoDrop(f"{path} cannot be written: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # some file systems cannot
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def requests_in(folder: Path, key_id: bytes) -> Iterator[tuple[str, bytes]]:
    """Those that this witness has not answered: the smallest register first, as they were written."""
    names = set(names_in(folder))
    waiting = [(size, name) for name in names if (size := size_asked(name)) is not None]
    for _, name in sorted(waiting):
        data = None if answer_name(name, key_id) in names else read_plain(folder / name, REQUEST_BYTES)
        if data is not None:
            yield name, data


def answer_all(folder: Path, key_id: bytes, answer: Callable[[bytes], Answer]) -> list[tuple[str, Answer]]:
    """Write an answer beside every request that has none of this witness. Raise NoDrop."""
    done = []
    for name, data in requests_in(folder, key_id):
        given = answer(data)
        write_whole(folder / answer_name(name, key_id), write_answer(given))
        done.append((name, given))
    return done


def answers_in(folder: Path, key_id: bytes, stem: str) -> Iterator[tuple[str, int, bytes]]:
    """(request, its size, what was answered) of one register, from this witness. Raise NoDrop."""
    for name in names_in(folder):
        found = answered(name, key_id) if name.startswith(f"{stem}-") else None
        if found and (data := read_plain(folder / name, ANSWER_BYTES)) is not None:
            yield *found, data


def remove(folder: Path, *names: str) -> None:
    """Where that is allowed."""
    for name in names:
        with suppress(OSError):
            (folder / name).unlink()
