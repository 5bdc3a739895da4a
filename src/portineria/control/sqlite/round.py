# SPDX-License-Identifier: Apache-2.0
"""Open SQLite connections that wait for whoever asks next.

Each request has a thread of its own. To open a connection for each (the file, the tables' definitions, functions, the
first pages) and to close the last one (the whole WAL into the file) took more of the processor than the questions.
As many wait as were busy at a time within the last seconds: what a burst opened does not stay (decision 136).
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_MOST = 8  # that wait: more requests at a time are rare
REST_S = 10.0  # nobody needed it so long, so it goes: it keeps 3 MB (128 prepared statements, definitions, pages)


File = tuple[int, int]  # device and inode


class _Waiting(NamedTuple):
    connection: sqlite3.Connection
    path: str
    file: File
    since: float


class Round:
    """Nothing is kept before ``going`` begins or after it ended: a command opens its connection and closes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._going = False
        self._waiting: list[_Waiting] = []  # the last to come is the first to go: its pages are warm

    @contextmanager
    def going(self) -> Iterator[None]:
        self._going = True
        try:
            yield
        finally:
            with self._lock:
                self._going, left, self._waiting = False, self._waiting, []
            for one in left:
                one.connection.close()

    def take(self, path: str) -> sqlite3.Connection | None:
        """As good as a new one, or None."""
        with self._lock:
            one = next((one for one in reversed(self._waiting) if one.path == path), None)
            if one is None:
                return None
            self._waiting.remove(one)
        if one.file != file_at(path):  # somebody put another database in its place
            one.connection.close()
            return self.take(path)
        return one.connection

    def give(self, connection: sqlite3.Connection, path: str, opened: File | None) -> bool:
        """Whether it waits from now on; it must be closed otherwise. ``opened``: what was there when it was opened."""
        now = time.monotonic()
        with self._lock:
            if not self._going or opened is None or connection.in_transaction or len(self._waiting) >= _MOST:
                return False
            rested = [one for one in self._waiting if one.since < now - REST_S]
            del self._waiting[: len(rested)]  # the last is taken first, so the first waited longest
            self._waiting.append(_Waiting(connection, path, opened, now))
        for one in rested:
            one.connection.close()
        return True


def file_at(path: str) -> File | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


ROUND = Round()
