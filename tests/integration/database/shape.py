# SPDX-License-Identifier: Apache-2.0
"""What a database looks like, without the order in which its columns came to be."""

from __future__ import annotations

import sqlite3

import psycopg

from tests.integration.database.conftest import Place

Shape = dict[str, object]
_OF_POSTGRESQL = (
    """
    SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default, is_identity
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
    """,
    """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
    """,
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
)


def shape(place: Place) -> Shape:
    if place.postgresql is None:
        return _of_sqlite(sqlite3.connect(place.state / "portineria.sqlite3"))
    with psycopg.connect(place.url) as connection:
        return {asked: connection.execute(asked).fetchall() for asked in _OF_POSTGRESQL}


def _of_sqlite(connection: sqlite3.Connection) -> Shape:
    found: Shape = {}
    for kind, name, text in connection.execute("SELECT type, name, sql FROM sqlite_master"):
        found[name] = sorted(_parts(text)) if kind == "table" else text
    connection.close()
    return found


def _parts(text: str) -> list[str]:
    """Of CREATE TABLE: its columns and constraints, which a comma divides where no bracket is open."""
    depth, parts = 0, [""]
    for sign in text[text.index("(") + 1 : text.rindex(")")]:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]
