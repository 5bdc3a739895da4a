# SPDX-License-Identifier: Apache-2.0
"""A list in the order that somebody chose by the head of a column: ``?sort=name``, ``?sort=-name``."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Case, CharField, F, IntegerField, OrderBy, Q, QuerySet, Value, When
from django.db.models.functions import Cast
from django.http import HttpRequest

from portineria.control.estate.models import Criticality, GatewayState
from portineria.control.identity.models import Person

PARAMETER = "sort"
Columns = Mapping[str, Any]  # name in the address → field or expression

_CRITICALITY = [Criticality.LOW, Criticality.NORMAL, Criticality.HIGH]
# What somebody has to do something about comes first.
_GATEWAYS = [
    Q(state=GatewayState.WAITING),
    Q(state=GatewayState.QUARANTINED),
    Q(state=GatewayState.ADMITTED, linked=0),
    Q(state=GatewayState.ADMITTED),
]


def _ranked(conditions: Sequence[Q]) -> Cast:
    """For who sees none of it, one and the same for all rows: cast, or SQL takes a bare number for a column's place."""
    ranks = [When(condition, then=Value(rank)) for rank, condition in enumerate(conditions)]
    return Cast(Case(*ranks, default=Value(len(conditions))), IntegerField())


def machine_columns(actor: Person) -> Columns:
    """Tag and criticality are the owner's: the place of somebody else's machine in the list must not tell them."""
    theirs = ~Q(plant__organisation__in=actor.staff_of)
    weights = [Q(criticality=criticality) for criticality in reversed(_CRITICALITY)]
    return {
        "machine": F("name"),
        "tag": Cast(Case(When(theirs, then=Value("")), default=F("tag")), CharField()),
        "criticality": _ranked([*(weight & ~theirs for weight in weights)]),
        "answering": F("answering__name"),
    }


GATEWAY_COLUMNS: Columns = {
    "gateway": F("name"),
    "plant": F("plant__name"),
    "state": _ranked(_GATEWAYS),
    "seen": F("last_seen_at"),
    "version": F("version"),
}


def chosen(request: HttpRequest, columns: Columns) -> str:
    """The wanted column with its sign; empty for the list's own order, also where the address names no column."""
    wanted = request.GET.get(PARAMETER, "")
    return wanted if wanted.removeprefix("-") in columns else ""


def ordered(rows: QuerySet[Any], columns: Columns, wanted: str) -> QuerySet[Any]:
    """``wanted`` comes from ``chosen``. What is equal stays in the list's own order; what is empty comes last."""
    if not wanted:
        return rows
    descending = wanted.startswith("-")
    first = OrderBy(columns[wanted.removeprefix("-")], descending=descending, nulls_last=True)
    return rows.order_by(first, *rows.query.order_by)
