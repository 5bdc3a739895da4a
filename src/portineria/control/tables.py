# SPDX-License-Identifier: Apache-2.0
"""The tables of this version: looked at before anything else, brought up to date without holding anybody up."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pkgutil import iter_modules
from typing import Any, cast

import structlog
from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from portineria.control.new_tables import make_tables
from portineria.core.errors import Unavailable

log = structlog.get_logger()
# Behind a migration that waits for its lock everybody else waits too: rather fail, and be tried again.
LOCK_S = 4
_MAKING = "which may be `portineria setup`, `upgrade` or `serve` that is making the tables this moment"
_ONE_AT_A_TIME = 0x706F7274_6E657269  # "portneri": which advisory lock of this database is ours


class DatabaseAway(Unavailable):
    code = "database.away"


class DatabaseNewer(Unavailable):
    code = "database.newer"


class DatabaseOlder(Unavailable):
    code = "database.older"


class MigrationWaited(Unavailable):
    code = "database.migration"


def check_tables() -> None:
    """Raise DatabaseAway when nobody answers or somebody else writes, DatabaseNewer when a later version was here."""
    try:
        _reach()
        applied = MigrationRecorder(connection).applied_migrations()
    except DatabaseError as error:
        if _locked(error):
            raise DatabaseAway(
                f"somebody else is writing to the database just now ({_line(error)}): {_MAKING}; nothing was started "
                "and nothing changed. Start again when that is over"
            ) from error
        raise DatabaseAway(
            f"the database cannot be reached ({_line(error)}); nothing was started and nothing changed. See that "
            "it runs, and that database in portineria.toml names it, its user and the way to the password"
        ) from error
    known = _ours()
    later = [f"{app} {name}" for app, name in applied if app in known and name not in known[app]]
    if later:
        raise DatabaseNewer(
            f"the database belongs to a later version of Portineria (it has {', '.join(sorted(later))}); nothing was "
            "started and nothing changed. Install that version again, or restore the backup from before it"
        )


def _ours() -> dict[str, set[str]]:
    """App → names of its migrations, and no more of them: to load the files takes longer than many a command does."""
    folders = {app.label: f"{app.path}/migrations" for app in apps.get_app_configs()}
    found = {label: {one.name for one in iter_modules([folder])} for label, folder in folders.items()}
    return {label: names for label, names in found.items() if names}


def pending() -> list[str]:
    """The changes of this version that the database does not have yet, in their order."""
    executor = MigrationExecutor(connection)
    return [f"{one.app_label} {one.name}" for one, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]


def check_up_to_date() -> None:
    """Raise DatabaseOlder when this version knows tables that the database does not have yet."""
    if missing := pending():
        raise DatabaseOlder(
            f"the database lacks {len(missing)} changes of this version; nothing was started and nothing changed. Run "
            "`portineria setup --bare` of this version once, on any of the machines: what runs of the version before "
            "goes on beside it"
        )


def bring_up_to_date() -> None:
    """Raise DatabaseAway, DatabaseNewer, or MigrationWaited when tables are in use: what was done stays, the rest is
    done by the next attempt.
    """
    check_tables()
    try:
        with _one_at_a_time():
            if not make_tables():
                call_command("migrate", verbosity=0, interactive=False)
    except OperationalError as error:
        raise MigrationWaited(
            f"the tables could not be brought up to date within {LOCK_S} s ({_line(error)}): something else uses them, "
            f"{_MAKING}; each step is whole or not done, and nothing was lost. Start again when that is over, or stop "
            "what else uses this database first"
        ) from error


def _reach() -> None:
    """Once without the pool, which would only say that nothing came in time."""
    if connection.vendor != "postgresql":
        connection.ensure_connection()
        return
    import psycopg  # not there where SQLite is all there is

    parameters = connection.get_connection_params()
    with connection.wrap_database_errors, psycopg.connect(**parameters) as probe:
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            row = probe.execute("SELECT current_setting(%s)", [name]).fetchone()
            if row is not None and row[0] == "off":
                log.warning("database.not-durable", setting=name, why="what was acknowledged may be lost in a crash")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Short patience for locks; and on PostgreSQL, where nothing else prevents it, one migrating process at a time."""
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {LOCK_S * 1000}")
        try:
            yield
        finally:
            connection.close()  # the next one has the usual patience again
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{LOCK_S}s'")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_ONE_AT_A_TIME])
        yield
    finally:
        connection.close()
        cast(Any, connection).close_pool()  # ends the connection itself, and with it the lock and the short patience


def _locked(error: DatabaseError) -> bool:
    """SQLite: another process has the whole file, as whoever makes it has it for a moment."""
    return getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
