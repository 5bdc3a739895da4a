# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL would refuse, watched on SQLite, which takes anything: every parameter, and every row in the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import connection, models

_SMALL, _INTEGER, _BIG = (1 << 15) - 1, (1 << 31) - 1, (1 << 63) - 1
_MOST: dict[type[models.Field[Any, Any]], int] = {
    models.SmallIntegerField: _SMALL,
    models.PositiveSmallIntegerField: _SMALL,
    models.IntegerField: _INTEGER,
    models.PositiveIntegerField: _INTEGER,
    models.BigIntegerField: _BIG,
    models.PositiveBigIntegerField: _BIG,
    models.BigAutoField: _BIG,
}


def our_fields() -> list[models.Field[Any, Any]]:
    ours = [model for model in apps.get_models() if model.__module__.startswith("portineria.")]
    return [field for model in ours for field in model._meta.concrete_fields]


def fault(field: models.Field[Any, Any], value: Any) -> str:
    """Empty for a value that the column takes."""
    if value is None:
        return ""
    if isinstance(field, models.JSONField):
        return "U+0000" if "\\u0000" in json.dumps(value) else ""
    if isinstance(value, str):
        if "\x00" in value:
            return "U+0000"
        return f"{len(value)} characters" if field.max_length and len(value) > field.max_length else ""
    if isinstance(field, models.IntegerField):
        least = 0 if field.get_internal_type().startswith("Positive") else -_BIG - 1
        return "" if least <= value <= _MOST[type(field)] else f"{value}"
    return ""


def rows_it_would_refuse() -> list[str]:
    """Of every table, in one query each."""
    fields: dict[type[models.Model], list[models.Field[Any, Any]]] = {}
    for field in our_fields():
        fields.setdefault(field.model, []).append(field)
    return [
        f"{field}: {why}"
        for model, columns in fields.items()
        for row in model._base_manager.values_list(*(field.attname for field in columns))
        for field, value in zip(columns, row, strict=True)
        if (why := fault(field, value))
    ]


@contextmanager
def watched() -> Iterator[list[str]]:
    """Collects the statements of this connection that PostgreSQL would refuse for a parameter of theirs."""
    refused: list[str] = []

    def look(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        for value in [value for given in params or () for value in (given if many else [given])]:
            if isinstance(value, str) and ("\x00" in value or "\\u0000" in value):
                refused.append(f"U+0000: {sql[:200]}")
            if isinstance(value, int) and not -_BIG - 1 <= value <= _BIG:
                refused.append(f"{value}: {sql[:200]}")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        yield refused
