# SPDX-License-Identifier: Apache-2.0
"""The database as it is at one moment, as a file, while others go on writing; and more questions about that moment."""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connection

from portineria.backup.archive import BackupFailed
from portineria.backup.manifest import POSTGRESQL, SQLITE
from portineria.control.settings.database import PARAMETERS

_PAGES = 1024  # of 4 KiB, between two words of progress
_SAY_S = 1.0
Said = Callable[[int, int], None]  # bytes so far, bytes in all; 0 where nobody knows
Ask = Callable[[str], Iterator[tuple[Any, ...]]]


class NoDumper(BackupFailed):
    code = "backup.program"


@dataclass(frozen=True, slots=True)
class Copy:
    """``ask``: SQL of both databases, answered from the same moment as the file. Rows come as they are asked for."""

    name: str
    file: Path
    ask: Ask


@contextmanager
def copied(folder: Path, said: Said) -> Iterator[Copy]:
    """Raise BackupFailed, NoDumper, OSError."""
    make = _of_postgresql if connection.vendor == "postgresql" else _of_sqlite
    try:
        with make(folder, said) as copy:
            yield copy
    except (DatabaseError, sqlite3.Error) as error:
        raise BackupFailed(
            f"the database could not be copied: {' '.join(str(error).split())[:300]}; nothing was left behind. The "
            f"copy lies in {folder} and needs as much room as the database itself"
        ) from error


@contextmanager
def _of_sqlite(folder: Path, said: Said) -> Iterator[Copy]:
    """By SQLite's own means. The read transaction fixes the moment: without it each write would begin it anew."""
    file = folder / SQLITE
    source = sqlite3.connect(str(connection.settings_dict["NAME"]), isolation_level=None)
    target = sqlite3.connect(file, isolation_level=None)
    try:
        [page] = source.execute("PRAGMA page_size").fetchone()
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.backup(target, pages=_PAGES, progress=lambda _, left, every: said((every - left) * page, every * page))
        source.execute("ROLLBACK")
        # One file, without another beside it: the next to open it sets what it likes.
        target.execute("PRAGMA journal_mode=DELETE")
        yield Copy(SQLITE, file, lambda question: iter(target.execute(question)))
    finally:
        target.close()
        source.close()


@contextmanager
def _of_postgresql(folder: Path, said: Said) -> Iterator[Copy]:
    """pg_dump, in the snapshot of a transaction that stays open for the other questions."""
    import psycopg  # not there where SQLite is all there is

    parameters = connection.get_connection_params()
    with connection.wrap_database_errors, psycopg.connect(**parameters) as client:
        client.execute("SET idle_in_transaction_session_timeout = 0")
        client.commit()
        client.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        client.read_only = True
        row = client.execute("SELECT pg_export_snapshot()").fetchone()
        snapshot = str(row[0]) if row else ""
        file = folder / POSTGRESQL
        words = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={file}"]
        _follow(program("pg_dump", words), file, said)

        def ask(question: str) -> Iterator[tuple[Any, ...]]:
            with client.cursor(name="backup") as rows:
                yield from rows.execute(question.encode())

        yield Copy(POSTGRESQL, file, ask)


def program(name: str, words: list[str], stdin: Any = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
    """One of PostgreSQL's programs on our database; the password is in no command line."""
    from psycopg.conninfo import make_conninfo

    parameters: dict[str, Any] = connection.get_connection_params()
    # What the settings say and nothing else: a library newer than the programs knows words that they do not.
    reached = {key: value for key, value in parameters.items() if key == "dbname" or key in PARAMETERS}
    surroundings = dict(os.environ)
    if parameters.get("password"):
        surroundings["PGPASSWORD"] = parameters["password"]
    command = [name, f"--dbname={make_conninfo(**reached)}", "--no-password", *words]
    try:
        return subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=surroundings
        )
    except FileNotFoundError as error:
        raise NoDumper(
            f"PostgreSQL's {name} is not installed here: sudo apt-get install postgresql-client, of the server's "
            "version or newer"
        ) from error


def _follow(dumping: "subprocess.Popen[bytes]", file: Path, said: Said) -> None:
    try:
        while True:
            try:
                dumping.wait(_SAY_S)
                break
            except subprocess.TimeoutExpired:
                said(file.stat().st_size if file.exists() else 0, 0)
        complaint = finished(dumping)
    finally:
        dumping.kill()
    if complaint:
        raise BackupFailed(f"pg_dump: {complaint}; nothing was written")


def finished(work: "subprocess.Popen[bytes]") -> str:
    """Wait for its end; what it complained about, empty when it went well."""
    _, complaints = work.communicate()
    if work.returncode == 0:
        return ""
    return " ".join(complaints.decode("utf-8", "replace").split())[:600] or f"it ended with {work.returncode}"
