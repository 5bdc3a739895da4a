# SPDX-License-Identifier: Apache-2.0
"""A query whose text is made once, and asked again with other values.

To make the text of a query out of expressions, and to find out how its rows are read, takes the processor ten times as
long as SQLite takes to answer it; a decision, and every message of a gateway, asks the same few each time. Only values
differ: whatever else is in the query stays as it was when the text was made.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.query import get_related_populators
from django.db.transaction import TransactionManagementError

R = TypeVar("R")
M = TypeVar("M", bound=Model)
Row = Sequence[Any]
Single = int | str | bytes | datetime
Asked = Single | Collection[int]
_MOST_KEYS = 64  # of a list: a longer one is rare, and its text is made anew
_MOST = (1 << 63) - 1  # that a column holds; what a gateway says may be more
_MARK = 2_000_000_000  # fits a column of numbers: by such values their places are found in what the text was made with


class _Place(NamedTuple):
    at: int
    within: int = 0  # of a list


class _Kept(NamedTuple, Generic[R]):
    sql: str
    given: list[Any]  # with places in it
    locks: bool
    converters: dict[int, tuple[list[Callable[..., Any]], Any]]  # of columns, as the fields have them
    read: Callable[[Row], R]


class _KeptQuery(Generic[R]):
    """``build``: from values, a query that depends on nothing else. No single value may be None; keys of a list stand
    in an ``__in``, and which lists are empty may change the query.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]]) -> None:
        self._build = build
        self._kept: dict[tuple[str, tuple[type | int, ...]], _Kept[R] | None] = {}  # None: it can have no rows

    def all(self, *values: Asked) -> list[R]:
        lists = {at: _filled([*value]) for at, value in enumerate(values) if not isinstance(value, Single)}
        single = {at: value for at, value in enumerate(values) if isinstance(value, Single)}
        if any(isinstance(value, int) and abs(value) > _MOST for value in single.values()):
            return []
        if any(len(some) > _MOST_KEYS for some in lists.values()):
            return list(self._build(*values))
        form = tuple(len(lists[at]) if at in lists else type(value) for at, value in enumerate(values))
        kept = self._text(form)
        if kept is None:
            return []
        asked: dict[int, list[Any]] = {**lists, **{at: [_adapted(value)] for at, value in single.items()}}
        given = [asked[one.at][one.within] if isinstance(one, _Place) else one for one in kept.given]
        return [kept.read(row) for row in _rows(kept, given)]

    def first(self, *values: Asked) -> R | None:
        return next(iter(self.all(*values)), None)

    def _text(self, form: tuple[type | int, ...]) -> _Kept[R] | None:
        key = connections[DEFAULT_DB_ALIAS].vendor, form
        if key not in self._kept:
            self._kept[key] = self._made(form)
        return self._kept[key]

    def _made(self, form: tuple[type | int, ...]) -> _Kept[R] | None:
        marks = [_mark(kind, at) for at, kind in enumerate(form)]
        query, again = (self._build(*marks).query for _ in "12")
        compiler = query.get_compiler(DEFAULT_DB_ALIAS)
        try:
            sql, given = compiler.as_sql()
        except EmptyResultSet:
            if 0 in form:  # for want of keys
                return None
            raise
        same, twice = again.get_compiler(DEFAULT_DB_ALIAS).as_sql()
        if same != sql or [_plain(one) for one in twice] != [_plain(one) for one in given]:
            raise AssertionError("something of the query's own changes by itself, as a time does")
        wanted = dict(_places(marks))
        places = [_place(one, wanted) for one in given]
        if {one for one in places if isinstance(one, _Place)} != wanted.keys():
            raise AssertionError("a value of the query is not where it was expected")
        columns = compiler.select[: compiler.col_count]
        converters = compiler.get_converters([one[0] for one in columns])
        return _Kept(sql, places, query.select_for_update, converters, self._reader(compiler))

    def _reader(self, compiler: Any) -> Callable[[Row], R]:
        raise NotImplementedError


class KeptValues(_KeptQuery[tuple[Any, ...]]):
    """Of ``values_list``."""

    def _reader(self, compiler: Any) -> Callable[[Row], tuple[Any, ...]]:
        return tuple


class KeptKeys(_KeptQuery[tuple[Any, ...]]):
    """Of one column, to stand in an ``__in`` of another query. Its values are single ones."""

    def within(self, *values: Single) -> RawSQL:
        kept = self._text(tuple(type(value) for value in values))
        if kept is None:
            raise AssertionError("a query without lists has a text")
        adapted = [_adapted(value) for value in values]
        return RawSQL(kept.sql, [adapted[one.at] if isinstance(one, _Place) else one for one in kept.given])  # noqa: S611  # a text of Django's

    def _reader(self, compiler: Any) -> Callable[[Row], tuple[Any, ...]]:
        return tuple


class KeptRows(_KeptQuery[M]):
    """Of a model, with what is joined by ``select_related`` and what is annotated."""

    def __init__(self, build: Callable[..., QuerySet[M]]) -> None:
        super().__init__(build)

    def _reader(self, compiler: Any) -> Callable[[Row], M]:
        select, info, annotated = compiler.select, compiler.klass_info, compiler.annotation_col_map or {}
        first, last = info["select_fields"][0], info["select_fields"][-1] + 1
        fields = [one[0].target.attname for one in select[first:last]]
        joined: Any = get_related_populators  # typed for Django 6, which gives it one thing more
        populators = joined(info, select, DEFAULT_DB_ALIAS)

        def read(row: Row) -> M:
            made: M = info["model"].from_db(DEFAULT_DB_ALIAS, fields, row[first:last])
            for populator in populators:
                populator.populate(row, made)
            for name, column in annotated.items():
                setattr(made, name, row[column])
            return made

        return read


def _rows(kept: _Kept[Any], given: list[Any]) -> list[list[Any]]:
    connection = connections[DEFAULT_DB_ALIAS]
    if kept.locks and connection.features.has_select_for_update and not connection.in_atomic_block:
        # As Django, which looks when it makes the text: a lock outside a transaction is none.
        raise TransactionManagementError("select_for_update cannot be used outside of a transaction.")
    with connection.cursor() as cursor:
        cursor.execute(kept.sql, given)
        found = [list(row) for row in cursor.fetchall()]
    for column, (converts, expression) in kept.converters.items():
        for row in found:
            for convert in converts:
                row[column] = convert(row[column], expression, connection)
    return found


def _filled(keys: list[int]) -> list[int]:
    """As many as a power of two, the last one said again: a text for each number of keys would be many."""
    wanted = 1 << (len(keys) - 1).bit_length()
    return keys + keys[-1:] * (wanted - len(keys))


def _mark(kind: type | int, at: int) -> Asked:
    """Of this type, or a list of so many keys."""
    if isinstance(kind, int):
        return [_MARK + _MOST_KEYS * at + within for within in range(kind)]
    if issubclass(kind, datetime):
        return datetime(1901, 1, 1 + at, tzinfo=UTC)
    text = f"\N{SYMBOL FOR NULL}{at}"
    if issubclass(kind, bytes):
        return text.encode()
    return text if issubclass(kind, str) else _MARK + _MOST_KEYS * at


def _places(marks: list[Asked]) -> Iterator[tuple[_Place, Any]]:
    for at, mark in enumerate(marks):
        if isinstance(mark, Single):
            yield _Place(at), _plain(_adapted(mark))
        else:
            yield from ((_Place(at, within), one) for within, one in enumerate(mark))


def _place(given: Any, marks: dict[_Place, Any]) -> Any:
    found = _plain(given)
    # PostgreSQL's numbers are of a type of their own, which is one of int's.
    return next((place for place, mark in marks.items() if isinstance(found, type(mark)) and mark == found), given)


def _adapted(value: Single) -> Any:
    connection: Any = connections[DEFAULT_DB_ALIAS]  # its type does not know of every engine's own parts
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return connection.Database.Binary(value) if isinstance(value, bytes) else value


def _plain(given: Any) -> Any:
    """Bytes as such, whatever way the database is given them in."""
    inside = getattr(given, "obj", given)
    return bytes(inside) if isinstance(inside, bytes | memoryview) else given
