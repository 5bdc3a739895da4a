# SPDX-License-Identifier: Apache-2.0
"""Whoever takes a connection that went round finds it as a new one; nothing is kept that could hold something."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar, cast

import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler
from pytest_django import DjangoDbBlocker

from portineria.control.settings.database import database
from portineria.control.settings.server import ServerSettings
from portineria.control.sqlite import round as round_
from portineria.control.sqlite.base import DatabaseWrapper
from portineria.control.sqlite.round import ROUND

T = TypeVar("T")
MOST = 8


class House:
    """A server's database, and threads that ask it as requests do."""

    def __init__(self, state: Path) -> None:
        state.mkdir(exist_ok=True)
        self.path = state / "portineria.sqlite3"
        self._handler = ConnectionHandler({"default": database(ServerSettings(state=state))})
        self.ask("CREATE TABLE noted (word TEXT)")

    def in_thread(self, work: Callable[[DatabaseWrapper], T]) -> T:
        """``work`` with the thread's own wrapper, which is closed behind it as a request's is."""
        found: list[T] = []

        def worked() -> None:
            wrapper = cast("DatabaseWrapper", self._handler["default"])
            try:
                found.append(work(wrapper))
            finally:
                wrapper.close()

        thread = threading.Thread(target=worked)
        thread.start()
        thread.join()
        [one] = found
        return one

    def ask(self, question: str) -> int:
        """Which connection answered it."""

        def asked(wrapper: DatabaseWrapper) -> int:
            with wrapper.cursor() as cursor:
                cursor.execute(question)
            return id(wrapper.connection)

        return self.in_thread(asked)


def opened(wrapper: DatabaseWrapper) -> sqlite3.Connection:
    wrapper.ensure_connection()
    connection: sqlite3.Connection = wrapper.connection
    return connection


@pytest.fixture
def house(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[House]:
    with django_db_blocker.unblock():  # these databases are no test's own
        yield House(tmp_path / "server")


@pytest.fixture
def going() -> Iterator[None]:
    with ROUND.going():
        yield


@pytest.mark.usefixtures("going")
def test_the_next_thread_gets_the_connection_of_the_last(house: House) -> None:
    first = house.in_thread(opened)
    second = house.in_thread(opened)
    assert first is second
    assert first.execute("PRAGMA synchronous").fetchone() == (2,)
    assert first.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_a_command_closes_what_it_opened(house: House) -> None:
    left = house.in_thread(opened)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        left.execute("SELECT 1")


def test_a_server_that_stops_leaves_no_wal(house: House) -> None:
    wal = house.path.with_name(f"{house.path.name}-wal")
    with ROUND.going():
        house.ask("INSERT INTO noted VALUES ('kept')")
        assert wal.exists()
    assert not wal.exists()


@pytest.mark.usefixtures("going")
def test_what_was_not_read_to_its_end_holds_no_snapshot(house: House) -> None:
    for _ in range(300):
        house.ask("INSERT INTO noted VALUES ('word')")

    def half_read(wrapper: DatabaseWrapper) -> sqlite3.Cursor:
        wrapper.ensure_connection()
        cursor = wrapper.create_cursor()
        cursor.execute("SELECT word FROM noted")
        cursor.fetchone()
        return cursor

    held = house.in_thread(half_read)  # somebody keeps it: a traceback does
    house.ask("INSERT INTO noted VALUES ('later')")
    with sqlite3.connect(house.path) as other:
        busy, written, moved = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert (busy, written, moved) == (0, 0, 0)
    del held


@pytest.mark.usefixtures("going")
def test_one_in_a_transaction_is_closed_which_undoes_it(house: House) -> None:
    def broken_off(wrapper: DatabaseWrapper) -> sqlite3.Connection:
        with wrapper.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("INSERT INTO noted VALUES ('half')")
        connection: sqlite3.Connection = wrapper.connection
        return connection

    left = house.in_thread(broken_off)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        left.execute("SELECT 1")
    with sqlite3.connect(house.path) as other:
        assert other.execute("SELECT count(*) FROM noted").fetchone() == (0,)


@pytest.mark.usefixtures("going")
def test_one_that_met_an_error_is_closed(house: House) -> None:
    def failing(wrapper: DatabaseWrapper) -> sqlite3.Connection:
        with wrapper.cursor() as cursor, pytest.raises(OperationalError):
            cursor.execute("SELECT nothing FROM nowhere")
        connection: sqlite3.Connection = wrapper.connection
        return connection

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        house.in_thread(failing).execute("SELECT 1")


def put_another_in_its_place(house: House, folder: Path) -> None:
    other = House(folder / "other")
    other.ask("INSERT INTO noted VALUES ('new')")
    with sqlite3.connect(other.path) as whole:
        whole.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(other.path, folder / "copy")
    (folder / "copy").rename(house.path)
    for suffix in ("-wal", "-shm"):
        house.path.with_name(f"{house.path.name}{suffix}").unlink()


def words(wrapper: DatabaseWrapper) -> list[tuple[str]]:
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT word FROM noted")
        return list(cursor.fetchall())


@pytest.mark.usefixtures("going")
def test_another_database_in_its_place_is_opened_anew(house: House, tmp_path: Path) -> None:
    house.ask("INSERT INTO noted VALUES ('old')")
    put_another_in_its_place(house, tmp_path)
    assert house.in_thread(words) == [("new",)]


@pytest.mark.usefixtures("going")
def test_so_is_one_that_came_while_the_old_one_was_asked(house: House, tmp_path: Path) -> None:
    def asked(wrapper: DatabaseWrapper) -> list[tuple[str]]:
        found = words(wrapper)
        put_another_in_its_place(house, tmp_path)
        return found

    house.ask("INSERT INTO noted VALUES ('old')")
    assert house.in_thread(asked) == [("old",)]
    assert house.in_thread(words) == [("new",)]


def held_at_a_time(house: House, count: int) -> list[sqlite3.Connection]:
    """The connections of so many that are all open at one moment."""
    ready, leave = threading.Barrier(count + 1), threading.Event()
    used: list[sqlite3.Connection] = []

    def held(wrapper: DatabaseWrapper) -> None:
        used.append(opened(wrapper))
        ready.wait(20)
        leave.wait(20)

    threads = [threading.Thread(target=house.in_thread, args=(held,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    ready.wait(20)
    leave.set()
    for thread in threads:
        thread.join()
    return used


def usable(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return False
    return True


@pytest.mark.usefixtures("going")
def test_only_so_many_wait(house: House) -> None:
    used = held_at_a_time(house, MOST + 2)
    assert sum(usable(connection) for connection in used) == MOST


@pytest.mark.usefixtures("going")
def test_what_a_burst_opened_goes_when_nobody_needs_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    used = held_at_a_time(house, 3)
    assert all(usable(connection) for connection in used)
    monkeypatch.setattr(round_, "REST_S", 0.0)
    last = house.in_thread(opened)
    assert [connection for connection in used if usable(connection)] == [last]


@pytest.mark.usefixtures("going")
def test_an_old_one_goes_though_it_is_needed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    first = house.in_thread(opened)
    assert usable(first)
    monkeypatch.setattr(round_, "OLD_S", 0.0)
    assert house.in_thread(opened) is first
    assert not usable(first)
    assert house.in_thread(opened) is not first
