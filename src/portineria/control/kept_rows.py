# SPDX-License-Identifier: Apache-2.0
"""Rows of a model by a query whose text is made once: what every message of a gateway and every opening asks anew.

As ``kept_statement``, for whole rows; its values are single ones or lists of keys.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators

from portineria.control.kept_statement import MOST_KEYS, Converters, compiled, converted, filled, plain

M = TypeVar("M", bound=Model)
Single = int | str | bytes | datetime
Asked = Single | Sequence[int]
_MARK = 2_000_000_000  # fits any column of numbers
_MOST = (1 << 63) - 1  # that a column holds; what a gateway says may be more


class _Place(NamedTuple):
    at: int
    within: int = 0  # of a list


class _Kept(NamedTuple):
    sql: str
    given: list[Any]  # with places in it
    converters: Converters
    model: type[Model]
    fields: list[str]
    first: int  # column of the model's own
    populators: list[Any]  # of what select_related named
    annotated: dict[str, int]  # name → column


class KeptRows(Generic[M]):
    """``build``: from values, a query of rows that depends on nothing else. No single value may be None; keys of a list
    stand in an ``__in``, and which lists are empty may change the query.
    """

    def __init__(self, build: Callable[..., QuerySet[M]]) -> None:
        self._build = build
        self._kept: dict[tuple[str, tuple[type | int, ...]], _Kept | None] = {}  # None: it can have no rows

    def all(self, *values: Asked) -> list[M]:
        if any(isinstance(value, int) and value > _MOST for value in values):
            return []
        lists = {at: filled(value) for at, value in enumerate(values) if not isinstance(value, Single)}
        if any(len(some) > MOST_KEYS for some in lists.values()):
            return list(self._build(*values))
        connection = connections[DEFAULT_DB_ALIAS]
        form = connection.vendor, tuple(len(lists[at]) if at in lists else type(one) for at, one in enumerate(values))
        if form not in self._kept:
            self._kept[form] = self._text([lists.get(at, value) for at, value in enumerate(values)])
        kept = self._kept[form]
        if kept is None:
            return []
        single = {at: _adapted(value) for at, value in enumerate(values) if isinstance(value, Single)}

        def asked(place: _Place) -> Any:
            return lists[place.at][place.within] if place.at in lists else single[place.at]

        given = [asked(one) if isinstance(one, _Place) else one for one in kept.given]
        with connection.cursor() as cursor:
            cursor.execute(kept.sql, given)
            found = cursor.fetchall()
        return [_instance(kept, row) for row in converted(found, kept.converters)]

    def first(self, *values: Asked) -> M | None:
        return next(iter(self.all(*values)), None)

    def _text(self, values: list[Asked]) -> _Kept | None:
        marks = [_mark(value, at) for at, value in enumerate(values)]
        try:
            compiler, sql, given = compiled(lambda: self._build(*marks))
        except EmptyResultSet:  # for want of keys in a list
            return None
        wanted = dict(_marked(marks))
        places = [_place(one, wanted) for one in given]
        if {one for one in places if isinstance(one, _Place)} != wanted.keys():
            raise AssertionError("a value of the query is not where it was expected")
        select, info = compiler.select, compiler.klass_info
        columns = info["select_fields"]
        first, last = columns[0], columns[-1] + 1
        return _Kept(
            sql, places, compiler.get_converters([one[0] for one in select]), info["model"],
            [one[0].target.attname for one in select[first:last]], first,
            _populators(info, select), compiler.annotation_col_map or {},
        )  # fmt: skip


def _populators(info: Any, select: Any) -> list[Any]:
    return list(get_related_populators(info, select, DEFAULT_DB_ALIAS))  # type: ignore[call-arg]  # typed for Django 6


def _instance(kept: _Kept, row: list[Any]) -> Any:
    made = kept.model.from_db(DEFAULT_DB_ALIAS, kept.fields, row[kept.first : kept.first + len(kept.fields)])
    for populator in kept.populators:
        populator.populate(row, made)
    for name, column in kept.annotated.items():
        setattr(made, name, row[column])
    return made


def _mark(value: Asked, at: int) -> Asked:
    """By which the place of a value of this type is found in what the text was made with."""
    if not isinstance(value, Single):
        return [_MARK + MOST_KEYS * at + within for within in range(len(value))]
    if isinstance(value, datetime):
        return datetime(1901, 1, 1 + at, tzinfo=UTC)
    if isinstance(value, bytes):
        return f"\N{SYMBOL FOR NULL}{at}".encode()
    return f"\N{SYMBOL FOR NULL}{at}" if isinstance(value, str) else _MARK + MOST_KEYS * at


def _marked(marks: list[Asked]) -> Iterator[tuple[_Place, Any]]:
    for at, mark in enumerate(marks):
        if isinstance(mark, Single):
            yield _Place(at), plain(_adapted(mark))
        else:
            yield from ((_Place(at, within), one) for within, one in enumerate(mark))


def _place(given: Any, marks: dict[_Place, Any]) -> Any:
    found = plain(given)
    # PostgreSQL's numbers are of a type of their own, which is one of int's.
    return next((place for place, mark in marks.items() if isinstance(found, type(mark)) and mark == found), given)


def _adapted(value: Single) -> Any:
    connection: Any = connections[DEFAULT_DB_ALIAS]  # its type does not know of every engine's own parts
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return connection.Database.Binary(value) if isinstance(value, bytes) else value
