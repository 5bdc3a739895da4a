# SPDX-License-Identifier: Apache-2.0
"""The one file of the gateway, and what of it is on the disk when somebody was told so."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from portineria.dataplane.gateway.store import RESERVE_BYTES, Store, StoreFull

SCHEMA = "CREATE TABLE IF NOT EXISTS word (word TEXT NOT NULL UNIQUE);"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store(tmp_path / "spool.sqlite3")
    opened.open(SCHEMA)
    yield opened
    await opened.close()


def write(db: sqlite3.Connection, word: str) -> None:
    db.execute("INSERT INTO word VALUES (?)", (word,))


def words(path: Path) -> list[str]:
    db = sqlite3.connect(path)
    found = [row[0] for row in db.execute("SELECT word FROM word ORDER BY rowid")]
    db.close()
    return found


async def test_what_was_confirmed_is_on_the_disk_in_its_order(store: Store, tmp_path: Path) -> None:
    await asyncio.gather(*(store.submit(partial(write, word=str(number))) for number in range(500)))
    assert words(tmp_path / "spool.sqlite3") == [str(number) for number in range(500)]


async def test_a_job_that_fails_leaves_nothing_half_done(store: Store, tmp_path: Path) -> None:
    def twice(db: sqlite3.Connection) -> None:
        write(db, "once")
        write(db, "once")

    with pytest.raises(StoreFull):
        await store.submit(twice)
    assert words(tmp_path / "spool.sqlite3") == []


async def test_without_room_only_what_must_be_kept_is_kept(store: Store, tmp_path: Path) -> None:
    """The limit on pages plays the full disk: the same error comes out of SQLite."""
    await store.submit(lambda db: db.execute("PRAGMA max_page_count = 2"))
    long = "x" * 20_000
    with pytest.raises(StoreFull):
        await store.submit(lambda db: write(db, long))
    kept = store.submit(lambda db: write(db, f"{long}!"), must=True)
    reading = await store.submit(lambda db: db.execute("SELECT count(*) FROM word").fetchone()[0], reads=True)
    assert (reading, kept.done()) == (0, False)
    await store.submit(lambda db: db.execute("PRAGMA max_page_count = 1000"), reads=True)
    async with asyncio.timeout(10):
        await kept
    assert words(tmp_path / "spool.sqlite3") == [f"{long}!"]


async def test_the_reserve_is_there_from_the_beginning(store: Store, tmp_path: Path) -> None:
    assert not store.full
    assert (tmp_path / "spool.reserve").stat().st_size == RESERVE_BYTES
