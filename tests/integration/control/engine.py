# SPDX-License-Identifier: Apache-2.0
"""What a test does to the database itself, in the words of the one that this run is on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from django.db import connection, connections


def on_postgresql() -> bool:
    return connection.vendor == "postgresql"


@contextmanager
def writers_held_up() -> Iterator[None]:
    """Somebody else holds what everybody needs who writes. Readers are free."""
    if on_postgresql():
        with psycopg.connect(**connection.get_connection_params()) as holder:
            holder.execute("LOCK TABLE audit_head IN EXCLUSIVE MODE")
            yield
            holder.rollback()
        return
    writer = sqlite3.connect(str(connection.settings_dict["NAME"]), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        writer.execute("ROLLBACK")
        writer.close()


@contextmanager
def impatience() -> Iterator[None]:
    """Connections wait a third of a second for a lock instead of ten."""
    options = connections.settings["default"]["OPTIONS"]
    name, short = ("options", "-c lock_timeout=300ms") if on_postgresql() else ("timeout", 0.3)
    before, options[name] = options[name], short
    _new_connections()
    try:
        yield
    finally:
        options[name] = before
        _new_connections()


def _new_connections() -> None:
    connections.close_all()
    if on_postgresql():
        cast(Any, connection).close_pool()


@contextmanager
def refused_rows(table: str, condition: str) -> Iterator[None]:
    """No room for a NEW row of ``table`` on this connection; PostgreSQL's own code for it is 53100."""
    with connection.cursor() as cursor:
        if on_postgresql():
            cursor.execute(
                "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
            )
            cursor.execute(
                f'CREATE TRIGGER "full" BEFORE INSERT ON {table} FOR EACH ROW WHEN ({condition}) '
                "EXECUTE FUNCTION no_room()"
            )
        else:
            cursor.execute(
                f'CREATE TEMP TRIGGER "full" BEFORE INSERT ON {table} WHEN {condition} '
                "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP TRIGGER "full" ON {table}' if on_postgresql() else 'DROP TRIGGER "full"')
            if on_postgresql():
                cursor.execute("DROP FUNCTION no_room")


@contextmanager
def full_disk() -> Iterator[None]:
    """SQLite may not grow any more: what its pages have left is used up first."""
    if on_postgresql():
        with refused_rows("audit_event", "true"):
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")  # of the tests before, pages are left free
        cursor.execute("PRAGMA page_count")
        cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0]}")
        try:
            yield
        finally:
            cursor.execute("PRAGMA max_page_count = 1073741823")
