# SPDX-License-Identifier: Apache-2.0
"""Events by their words: FTS5 on SQLite, a GIN index over ``tsvector`` on PostgreSQL. Nothing else knows which.

A table without a model, because no two databases have it alike. It holds words and numbers of rows, no text: what is
removed has to be named with the very words that it was put in with (``words.event_words``).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

TABLE = "audit_words"
CREATE = {
    # No positions and no text: a tenth of the size. "_" begins the words that nobody can type.
    "sqlite": [
        f"CREATE VIRTUAL TABLE {TABLE} USING fts5(words, content='', columnsize=0, detail=none, "
        "tokenize=\"ascii tokenchars '_'\")"
    ],
    "postgresql": [
        f"CREATE TABLE {TABLE} (event bigint PRIMARY KEY, words tsvector NOT NULL)",
        f"CREATE INDEX audit_words_words ON {TABLE} USING gin (words)",
    ],
}
DROP = {vendor: [f"DROP TABLE IF EXISTS {TABLE}"] for vendor in CREATE}
_INSERT = {
    "sqlite": f"INSERT INTO {TABLE} (rowid, words) VALUES (%s, %s)",  # noqa: S608
    # All in one statement: words hold no blank.
    "postgresql": f"INSERT INTO {TABLE} (event, words) "  # noqa: S608
    "SELECT event, array_to_tsvector(string_to_array(words, ' ')) "
    "FROM unnest(%s::bigint[], %s::text[]) AS new(event, words) "
    "ON CONFLICT (event) DO UPDATE SET words = excluded.words",
}
_REMOVE = {
    "sqlite": f"INSERT INTO {TABLE} ({TABLE}, rowid, words) VALUES ('delete', %s, %s)",  # noqa: S608
    "postgresql": f"DELETE FROM {TABLE} WHERE event = %s",  # noqa: S608
}
# The index leads: rows are looked at from the newest that has the words, and no more than are wanted.
_FIND = {
    "sqlite": "SELECT w.rowid FROM {table} w CROSS JOIN audit_event e ON e.id = w.rowid "
    "WHERE w.{table} MATCH %s AND {narrowed} ORDER BY w.rowid {order} LIMIT %s",
    "postgresql": "SELECT w.event FROM {table} w JOIN audit_event e ON e.id = w.event "
    "WHERE w.words @@ %s::tsquery AND {narrowed} ORDER BY w.event {order} LIMIT %s",
}
_ROW = {"sqlite": "w.rowid", "postgresql": "w.event"}
Terms = Sequence[Collection[str]]  # one word of each has to be there


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What else has to hold of the rows; both ends of ``rows`` are excluded."""

    organisations: Collection[str]
    after_row: int | None = None
    before_row: int | None = None
    since: datetime | None = None
    before: datetime | None = None


def put(rows: Iterable[tuple[int, Sequence[str]]]) -> None:
    """(event's row, its words); each event once."""
    written = _written(rows)
    if connection.vendor == "postgresql":
        written = [tuple(list(column) for column in zip(*written, strict=True))] if written else []
    _many(_INSERT[connection.vendor], written)


def remove(rows: Iterable[tuple[int, Sequence[str]]]) -> None:
    """With exactly the words that were put in."""
    if connection.vendor == "postgresql":
        _many(_REMOVE["postgresql"], [(row,) for row, _ in rows])
    else:
        _many(_REMOVE["sqlite"], _written(rows))


def empty() -> None:
    with connection.cursor() as cursor:
        for statement in [*DROP[connection.vendor], *CREATE[connection.vendor]]:
            cursor.execute(statement)


def find(terms: Terms, narrowed: Narrowed, *, most: int, ascending: bool = False) -> list[int]:
    """Rows of events, newest first unless ``ascending``."""
    if not narrowed.organisations or not all(terms):
        return []
    vendor = connection.vendor
    conditions, values = _conditions(narrowed, _ROW[vendor])
    sql = _FIND[vendor].format(
        table=TABLE, narrowed=" AND ".join(conditions), order="ASC" if ascending else "DESC"
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(sql, [_wanted(terms), *values, most])
        return [row for (row,) in cursor.fetchall()]


def _conditions(narrowed: Narrowed, row: str) -> tuple[list[str], list[Any]]:
    names = sorted(narrowed.organisations)
    conditions = [f"e.organisation IN ({', '.join(['%s'] * len(names))})"]
    values: list[Any] = [*names]
    bounds = ((f"{row} >", narrowed.after_row), (f"{row} <", narrowed.before_row))
    moments = (("e.at >=", narrowed.since), ("e.at <", narrowed.before))
    for condition, value in bounds:
        if value is not None:
            conditions.append(f"{condition} %s")
            values.append(value)
    for condition, moment in moments:
        if moment is not None:
            conditions.append(f"{condition} %s")
            values.append(connection.ops.adapt_datetimefield_value(moment))
    return conditions, values


def _wanted(terms: Terms) -> str:
    """Words hold letters, digits and "_" alone (``words``): no quote can end them."""
    either, both, quote = (" | ", " & ", "'") if connection.vendor == "postgresql" else (" OR ", " AND ", '"')
    return both.join(f"({either.join(f'{quote}{word}{quote}' for word in sorted(term))})" for term in terms)


def _written(rows: Iterable[tuple[int, Sequence[str]]]) -> list[tuple[Any, ...]]:
    return [(row, " ".join(words)) for row, words in rows]


def _many(sql: str, rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(sql, rows)
