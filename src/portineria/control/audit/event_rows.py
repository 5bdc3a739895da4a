# SPDX-License-Identifier: Apache-2.0
"""Events on their way into the database: their rows, their personal values, their words and their head, at once.

On PostgreSQL all of it is one statement: nobody else writes to the register from the first trip to the server to the
last. SQLite has no trips. Both past the ORM, which took most of the time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from json import dumps
from typing import Any

from django.db import connection

from portineria.control.audit import word_index
from portineria.control.audit.drafts import Draft
from portineria.control.audit.models import Event, Head

_TEXTS = ("code", "actor", "session", "machine", "gateway", "person", "supplier")
_BYTES = ("leaf", "leaf_sha256", "prev_sha256")
_COLUMNS = ("seq", "at", *_TEXTS, *_BYTES)
_NAMES = ", ".join(_COLUMNS)
_GIVEN = ", ".join(("seq bigint", "at timestamptz", *(f"{name} text" for name in (*_TEXTS, *_BYTES))))
_READ = ", ".join(("seq", "at", *_TEXTS, *(f"decode({name}, 'hex')" for name in _BYTES)))
# Where the head moved meanwhile nothing is updated, and so nothing inserted. JSON, because psycopg writes arrays symbol
# by symbol in Python. Ids are given in the order of the numbers: sorting comes before what a column gets by itself.
_AT_ONCE = f"""
WITH head AS (
  UPDATE audit_head SET seq = %s, leaf_sha256 = %s, hour = %s
  WHERE organisation = %s AND seq = %s AND leaf_sha256 = %s RETURNING organisation
),
given AS MATERIALIZED (SELECT * FROM json_to_recordset(%s::json) AS given({_GIVEN}, words text)),
event AS (
  INSERT INTO audit_event (organisation, {_NAMES})
  SELECT organisation, {_READ} FROM head CROSS JOIN given ORDER BY seq RETURNING id, seq
),
words AS (
  INSERT INTO {word_index.TABLE} (event, words)
  SELECT id, array_to_tsvector(string_to_array(words, ' ')) FROM event JOIN given USING (seq)
  ON CONFLICT (event) DO UPDATE SET words = excluded.words
),
kept AS (
  INSERT INTO audit_personalvalue (event_id, field, about, salt, value)
  SELECT id, field, about, decode(salt, 'hex'), value
  FROM json_to_recordset(%s::json) AS kept(seq bigint, field text, about text, salt text, value text)
  JOIN event USING (seq)
),
hours AS (
  INSERT INTO audit_hour (organisation, hour, first)
  SELECT %s, hour, id FROM json_to_recordset(%s::json) AS begun(seq bigint, hour bigint) JOIN event USING (seq)
)
SELECT id FROM event ORDER BY seq
"""  # noqa: S608 names of ours alone
_EVENT = f"INSERT INTO audit_event (organisation, {_NAMES}) VALUES (%s{', %s' * len(_COLUMNS)})"  # noqa: S608
_KEPT = "INSERT INTO audit_personalvalue (event_id, field, about, salt, value) VALUES (%s, %s, %s, %s, %s)"
_HOUR = "INSERT INTO audit_hour (organisation, hour, first) VALUES (%s, %s, %s)"
_HEAD = (
    "UPDATE audit_head SET seq = %s, leaf_sha256 = %s, hour = %s "
    "WHERE organisation = %s AND seq = %s AND leaf_sha256 = %s"
)


@dataclass(frozen=True, slots=True)
class Rows:
    """What follows ``head`` in one register, in the order of the numbers. ``begun``: (place among them, hour) of those
    with which an hour begins; ``hour``: of the last one."""

    head: Head
    events: Sequence[Event]
    drafts: Sequence[Draft]
    words: Sequence[Sequence[str]]
    begun: Sequence[tuple[int, int]]
    hour: int


def at_once() -> bool:
    """Whether ``write`` is one statement here, which needs no transaction around it."""
    return connection.vendor == "postgresql"


def write(rows: Rows) -> bool:
    """Set ``pk`` of each event. False, and nothing is written, if ``head`` is not the newest any more."""
    last, head = rows.events[-1], rows.head
    moved = [last.seq, last.leaf_sha256, rows.hour, head.organisation, head.seq, bytes(head.leaf_sha256)]
    return _at_once(rows, moved) if at_once() else _one_by_one(rows, moved)


def _at_once(rows: Rows, moved: list[Any]) -> bool:
    given = [_written(event) | {"words": " ".join(each)} for event, each in zip(rows.events, rows.words, strict=True)]
    kept = [
        {"seq": event.seq, "field": field, "about": about, "salt": salt.hex(), "value": value}
        for event, field, about, salt, value in _kept(rows)
    ]
    begun = [{"seq": rows.events[place].seq, "hour": hour} for place, hour in rows.begun]
    with connection.cursor() as cursor:
        cursor.execute(_AT_ONCE, [*moved, dumps(given), dumps(kept), rows.head.organisation, dumps(begun)])
        found = cursor.fetchall()
    for event, (row,) in zip(rows.events, found, strict=bool(found)):
        event.pk = row
    return bool(found)


def _one_by_one(rows: Rows, moved: list[Any]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_HEAD, moved)
        if not cursor.rowcount:
            return False
        for event in rows.events:
            at = connection.ops.adapt_datetimefield_value(event.at)
            values = (at if name == "at" else getattr(event, name) for name in _COLUMNS)
            cursor.execute(_EVENT, [event.organisation, *values])
            event.pk = cursor.lastrowid
        if kept := [(event.pk, *row) for event, *row in _kept(rows)]:
            cursor.executemany(_KEPT, kept)
        for place, hour in rows.begun:
            cursor.execute(_HOUR, [rows.head.organisation, hour, rows.events[place].pk])
    word_index.put((event.pk, words) for event, words in zip(rows.events, rows.words, strict=True))
    return True


def _written(event: Event) -> dict[str, Any]:
    texts = {name: getattr(event, name) for name in _TEXTS}
    return (
        {"seq": event.seq, "at": event.at.isoformat()} | texts | {name: getattr(event, name).hex() for name in _BYTES}
    )


def _kept(rows: Rows) -> Iterator[tuple[Event, str, str, bytes, str | None]]:
    for event, draft in zip(rows.events, rows.drafts, strict=True):
        for kept in draft.kept:
            yield event, kept.field, draft.about, kept.salt, kept.value
