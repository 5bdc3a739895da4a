# SPDX-License-Identifier: Apache-2.0
"""One SQLite file in a thread of its own: what is said to be written is on the disk, and no stream waits for the disk.

What happens meanwhile is committed together. When the disk is full a reserve on it is given up, so that what has to be
kept (how something ended) still finds room while nothing new is begun.
"""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog

from portineria.core.errors import Unavailable

log = structlog.get_logger()
T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]
RESERVE_BYTES = 4 << 20  # 1,000 transactions of one 4 KiB page: more than the streams a gateway may have to close
_TOGETHER = 256
_RETRY_S = 1.0


class StoreFull(Unavailable):
    code = "spool.full"


@dataclass(slots=True)
class _Item:
    job: Job[Any]
    must: bool
    reads: bool
    future: asyncio.Future[Any]


class Store:
    """``submit`` from the event loop's thread. Jobs run in the order in which they were submitted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reserve = path.with_name("spool.reserve")
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._kept: list[_Item] = []  # must be written and could not be; bounded by what runs, as nothing new begins
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self.full = False

    def open(self, schema: str) -> None:
        """Create what is missing. Raises sqlite3.Error for a file that is none of ours."""
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._path.chmod(0o600)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA journal_size_limit = 4194304")
        with contextlib.suppress(sqlite3.OperationalError):  # full already: the tables are there, or nothing works
            self._db.executescript(schema)
        self.full = not self._keep_reserve()
        self._thread.start()

    def submit(self, job: Job[T], *, must: bool = False, reads: bool = False) -> "asyncio.Future[T]":
        """Run ``job`` in a transaction; the result arrives when it is on the disk.

        Without ``must`` the future fails with StoreFull when there is no room; with it the job waits for room. A job
        that only ``reads`` waits for nothing.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Item(job, must or reads, reads, future))
        return future

    async def close(self) -> None:
        """Write what is waiting, then stop."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._db.close()

    # -- the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        going = True
        while going:
            batch, going = self._take()
            items, self._kept = self._kept + batch, []
            if self.full and not self._keep_reserve():
                self._refuse([item for item in items if not item.must])
                items = [item for item in items if item.must]
            else:
                self.full = False
            self._attempt(items)

    def _take(self) -> tuple[list[_Item], bool]:
        """Everything that waits, at most _TOGETHER; and whether to go on."""
        batch: list[_Item] = []
        try:
            item = self._queue.get(timeout=_RETRY_S if self._kept or self.full else None)
            while item is not None:
                batch.append(item)
                if len(batch) == _TOGETHER:
                    return batch, True
                item = self._queue.get_nowait()
        except queue.Empty:
            return batch, True
        return batch, False

    def _attempt(self, items: list[_Item]) -> None:
        if not items:
            return
        try:
            results = self._transact(items)
        except sqlite3.Error as error:
            if not self.full:
                log.error("spool.full", why=str(error))
            self.full = True
            released = self._release_reserve()
            self._refuse([item for item in items if not item.must])
            kept = [item for item in items if item.must]
            if released:
                self._attempt(kept)
            else:
                self._kept = [item for item in kept if not item.reads]
                self._attempt([item for item in kept if item.reads])
            return
        for item, result in zip(items, results, strict=True):
            self._loop.call_soon_threadsafe(_resolve, item.future, result)

    def _transact(self, items: list[_Item]) -> list[Any]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            results = [item.job(self._db) for item in items]
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                with contextlib.suppress(sqlite3.Error):  # SQLite rolled back by itself
                    self._db.execute("ROLLBACK")
            raise
        return results

    def _refuse(self, items: list[_Item]) -> None:
        for item in items:
            self._loop.call_soon_threadsafe(_fail, item.future, StoreFull("no room on the disk for what must be kept"))

    def _keep_reserve(self) -> bool:
        """Whether the reserve is on the disk, after trying to put it there."""
        try:
            if self._reserve.exists() and self._reserve.stat().st_size == RESERVE_BYTES:
                return True
            with self._reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        except OSError:
            self._release_reserve()
            return False
        return True

    def _release_reserve(self) -> bool:
        """Whether there was one to give up."""
        try:
            size = self._reserve.stat().st_size
            self._reserve.unlink()
        except OSError:
            return False
        return size > 0


def _resolve(future: "asyncio.Future[Any]", result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # whoever awaits it sees it; nobody else must be warned
