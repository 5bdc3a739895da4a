# SPDX-License-Identifier: Apache-2.0
"""Of lists that are mostly empty: which are not. One query, where each list would be one."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Exists, QuerySet

from portineria.control.identity.models import Person


def which_wait(actor: Person, lists: Mapping[str, "QuerySet[Any]"]) -> frozenset[str]:
    [found] = Person.objects.filter(pk=actor.pk).values_list(*(Exists(rows) for rows in lists.values()))
    return frozenset(name for name, some in zip(lists, found, strict=True) if some)
