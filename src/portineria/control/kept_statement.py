# SPDX-License-Identifier: Apache-2.0
"""A query whose text is made once, and asked again with other keys.

To make the text of a query with many conditions out of expressions takes the processor ten times as long as SQLite
takes to answer it; a decision asks the same few each time. Only keys differ: whatever else is in the query stays as it
was when the text was made.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet

MOST_KEYS = 64  # keys of a kind: a list that is longer is rare, and its text is made anew
_MARK = -(10**15)  # no key is below zero: by these the places of keys are found in what the text was made with
_TIME = datetime(1901, 1, 1, tzinfo=UTC)  # likewise of the time


Converters = dict[int, tuple[list[Callable[..., Any]], Any]]  # of columns


class _Place(NamedTuple):
    """Which kind of keys, and which of them; before the first kind the time."""

    kind: int
    at: int


class _Kept(NamedTuple):
    sql: str
    given: list[Any]  # with places in it
    converters: Converters


class KeptStatement:
    """``build``: from as many collections of keys as there are kinds, and a time if it is ``timed``, a query of plain
    values. Each key stands in an ``__in``.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], *, timed: bool = False) -> None:
        self._build, self._timed = build, timed
        self._kept: dict[tuple[str, tuple[int, ...]], _Kept] = {}

    def rows(self, *keys: Collection[int], at: datetime = _TIME) -> Sequence[tuple[Any, ...]]:
        if not all(keys) or any(len(some) > MOST_KEYS for some in keys):
            return list(self._build(*keys, *([at] if self._timed else [])))
        lists = [filled(list(some)) for some in keys]
        connection = connections[DEFAULT_DB_ALIAS]
        times = [connection.ops.adapt_datetimefield_value(at)]
        kept = self._text(tuple(len(some) for some in lists))
        by_kind: list[list[Any]] = [*lists, times]  # the time is kind -1
        given = [by_kind[one.kind][one.at] if isinstance(one, _Place) else one for one in kept.given]
        with connection.cursor() as cursor:
            cursor.execute(kept.sql, given)
            found = cursor.fetchall()
        return [tuple(row) for row in converted(found, kept.converters)]

    def _text(self, numbers: tuple[int, ...]) -> _Kept:
        connection = connections[DEFAULT_DB_ALIAS]
        kept = self._kept.get((connection.vendor, numbers))
        if kept is not None:
            return kept
        lists = [[_MARK - kind * MOST_KEYS - at for at in range(number)] for kind, number in enumerate(numbers)]
        marks: dict[Any, _Place] = {
            mark: _Place(kind, at) for kind, some in enumerate(lists) for at, mark in enumerate(some)
        }
        if self._timed:
            marks[connection.ops.adapt_datetimefield_value(_TIME)] = _Place(-1, 0)
        compiler, sql, given = compiled(lambda: self._build(*lists, *([_TIME] if self._timed else [])))
        places = [marks.get(one, one) if isinstance(one, int | str | datetime) else one for one in given]
        if {one for one in places if isinstance(one, _Place)} != set(marks.values()):
            raise AssertionError("a key of the query is not where it was expected")
        converters = compiler.get_converters([one[0] for one in compiler.select[: compiler.col_count]])
        kept = self._kept[connection.vendor, numbers] = _Kept(sql, places, converters)
        return kept


def compiled(build: Callable[[], QuerySet[Any, Any]]) -> tuple[Any, str, list[Any]]:
    """Django's compiler of a query, after it has made the text; the text; and what it is asked with."""
    compiler, again = (build().query.get_compiler(DEFAULT_DB_ALIAS) for _ in "12")
    sql, given = compiler.as_sql()
    same, twice = again.as_sql()
    if same != sql or [plain(one) for one in twice] != [plain(one) for one in given]:
        raise AssertionError("something of the query's own changes by itself, as a time does")
    return compiler, sql, list(given)


def plain(given: Any) -> Any:
    """Bytes as such, whatever way the database is given them in."""
    inside = getattr(given, "obj", given)
    return bytes(inside) if isinstance(inside, bytes | memoryview) else given


def converted(rows: Iterable[Sequence[Any]], converters: Converters) -> list[list[Any]]:
    """As the fields have them."""
    connection, found = connections[DEFAULT_DB_ALIAS], [list(row) for row in rows]
    for column, (converts, expression) in converters.items():
        for row in found:
            for convert in converts:
                row[column] = convert(row[column], expression, connection)
    return found


def filled(keys: Sequence[int]) -> list[int]:
    """As many as a power of two, the last one said again: a text for each number of keys would be many."""
    wanted = 1 << (len(keys) - 1).bit_length()
    return [*keys, *([keys[-1]] * (wanted - len(keys)) if keys else [])]
