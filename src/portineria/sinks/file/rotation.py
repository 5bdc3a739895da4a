# SPDX-License-Identifier: Apache-2.0
"""Lines in a folder: whole, on the disk before they count, in files of bounded size and number.

Files are NAME-000001, NAME-000002 and so on; the highest grows, the oldest goes. None is ever renamed, so that whoever
follows them misses nothing. Everything is opened from its folder, never through a link.
"""

import contextlib
import errno
import fcntl
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portineria.sinks.kind import Away

RESERVE_BYTES = 1 << 30  # of the disk: a log that nobody reads must not stop the server that writes it
_BLOCK = 65_536
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_NUMBER = re.compile(r"-(\d{6,12})\.log")


class Rotation:
    """Of one sink in one folder. Nobody else writes to its files meanwhile: a lock says so, between processes too."""

    def __init__(self, folder: Path, name: str, most_bytes: int, most_files: int) -> None:
        """``name`` has no slash and does not begin with a dot."""
        self._top, self._name, self._most_bytes, self._most_files = folder, name, most_bytes, most_files
        self._opened: list[int] = []  # everything, the folder first
        self._alone = threading.Lock()  # whoever closes waits for who writes: numbers of files are used again
        self._growing = self._number = 0

    def append(self, organisation: str, lines: bytes) -> None:
        """All of them or none. Raise Away."""
        with self._alone, _said():
            if not self._opened:
                self._begin(organisation)
            if _free_bytes(self._opened[0]) < RESERVE_BYTES + len(lines):
                raise Away("too little space is left on the disk")
            size = os.fstat(self._growing).st_size
            if size and size + len(lines) > self._most_bytes:
                self._next()
                size = 0
            try:
                _write_all(self._growing, lines)
                os.fsync(self._growing)
            except OSError:
                os.ftruncate(self._growing, size)
                raise

    def close(self) -> None:
        with self._alone:
            self._close()

    def _close(self) -> None:
        while self._opened:
            os.close(self._opened.pop())

    def _begin(self, organisation: str) -> None:
        try:
            self._opened.append(_folder_in(self._top, organisation))
            self._lock()
            self._number = max(self._numbers(), default=1)
            self._grow()
            _whole(self._growing)
        except (OSError, Away):
            self._close()
            raise

    def _lock(self) -> None:
        """By a file of its own, which is never removed."""
        self._opened.append(os.open(f"{self._name}.lock", _FILE, 0o640, dir_fd=self._opened[0]))
        try:
            fcntl.flock(self._opened[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Away("another sink or process writes to these files") from error

    def _numbers(self) -> list[int]:
        names = (entry[len(self._name) :] for entry in os.listdir(self._opened[0]) if entry.startswith(self._name))
        return sorted(int(found[1]) for rest in names if (found := _NUMBER.fullmatch(rest)))

    def _grow(self) -> None:
        self._growing = os.open(self._file_name(self._number), _FILE, 0o640, dir_fd=self._opened[0])
        self._opened.append(self._growing)
        os.fsync(self._opened[0])

    def _file_name(self, number: int) -> str:
        return f"{self._name}-{number:06}.log"

    def _next(self) -> None:
        os.close(self._opened.pop())
        self._number += 1
        self._grow()
        for number in self._numbers()[: -self._most_files]:
            os.unlink(self._file_name(number), dir_fd=self._opened[0])
        os.fsync(self._opened[0])


def _folder_in(top: Path, name: str) -> int:
    above = os.open(top, _FOLDER)
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o750, dir_fd=above)
            os.fsync(above)
        return os.open(name, _FOLDER, dir_fd=above)
    finally:
        os.close(above)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _whole(file: int) -> None:
    """Take away what a crash left of a line: its event was never acknowledged, and comes again."""
    end = size = os.fstat(file).st_size
    while end:
        begin = max(0, end - _BLOCK)
        at = os.pread(file, end - begin, begin).rfind(b"\n")
        if at >= 0:
            end = begin + at + 1
            break
        end = begin
    if end != size:
        os.ftruncate(file, end)
        os.fsync(file)


def _free_bytes(folder: int) -> int:
    found = os.fstatvfs(folder)
    return found.f_bavail * found.f_frsize


@contextmanager
def _said() -> Iterator[None]:
    """The system's words, which name no path."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Away("a link stands where a folder or file belongs") from error
        raise Away(os.strerror(error.errno) if error.errno else "the disk does not answer") from error
