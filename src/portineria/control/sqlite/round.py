# SPDX-License-Identifier: Apache-2.0
"""Open SQLite connections that wait for whoever asks next.

Each request has a thread of its own. To open a connection for each (the file, the tables' definitions, functions, the
first pages) and to close the last one (the whole WAL into the file) took more of the processor than the questions.
As many wait as were busy at a time within the last seconds: what a burst opened does not stay (decision 136). None of
them grows old: what it prepared in a busy minute lies scattered over the heap, and holds pages that are free but for it
(decision 146).
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
OLD_S = 30.0  # then it goes though it is needed; the next one opens in 1.4 ms and prepares what is asked, 5 ms

File = tuple[int, int]  # device and inode


class Opened(NamedTuple):
    """``file``: what was at its path then."""

    connection: sqlite3.Connection
    path: str
    file: File | None
    at: float


class _Waiting(NamedTuple):
    one: Opened
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
            for waiting in left:
                waiting.one.connection.close()

    def take(self, path: str) -> Opened | None:
        """As good as a new one, or None."""
        with self._lock:
            found = next((waiting for waiting in reversed(self._waiting) if waiting.one.path == path), None)
            if found is None:
                return None
            self._waiting.remove(found)
        if found.one.file != file_at(path):  # somebody put another database in its place
            found.one.connection.close()
            return self.take(path)
        return found.one

    def give(self, one: Opened) -> bool:
        """Whether it waits from now on; it must be closed otherwise."""
        now = time.monotonic()
        if one.file is None or one.connection.in_transaction or one.at < now - OLD_S:
            return False
        with self._lock:
            if not self._going or len(self._waiting) >= _MOST:
                return False
            rested = [waiting for waiting in self._waiting if waiting.since < now - REST_S]
            del self._waiting[: len(rested)]  # the last is taken first, so the first waited longest
            self._waiting.append(_Waiting(one, now))
        for waiting in rested:
            waiting.one.connection.close()
        return True


def file_at(path: str) -> File | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


ROUND = Round()
