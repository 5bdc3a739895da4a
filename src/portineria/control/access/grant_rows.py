# SPDX-License-Identifier: Apache-2.0
"""Grants with their rules and what is asked of them, by a statement whose text is kept: every decision reads it."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Case

from portineria.control.access.models import Grant, Rule
from portineria.control.kept_query import KeptValues

_GRANT = [field.attname for field in Grant._meta.concrete_fields]
_RULE = [field.attname for field in Rule._meta.concrete_fields]
_BOTH = len(_GRANT) + len(_RULE)


def grant_statement(asked: Mapping[str, Case]) -> KeptValues:
    """Of some people to some machines, of those that ended after a time."""
    return KeptValues(
        lambda people, machines, since: (
            Grant.objects.filter(person__in=people, machine__in=machines, ends_at__gt=since)
            .annotate(**asked)
            .values_list(*_GRANT, *(f"rule__{name}" for name in _RULE), *asked)
        )
    )


def grant_of(row: Sequence[Any]) -> tuple[Grant, list[bool]]:
    """With its rule, as ``select_related`` would bring it, and what is true of it."""
    found = Grant.from_db(DEFAULT_DB_ALIAS, _GRANT, row[: len(_GRANT)])
    found.rule = Rule.from_db(DEFAULT_DB_ALIAS, _RULE, row[len(_GRANT) : _BOTH])
    return found, [bool(one) for one in row[_BOTH:]]
