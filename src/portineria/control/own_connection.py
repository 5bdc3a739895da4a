# SPDX-License-Identifier: Apache-2.0
"""Every thread that asks the database has a connection of its own, and there are only so many."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")


def given_back(work: Callable[P, T]) -> Callable[P, T]:
    """``work``, after which its thread keeps no connection: a stream of events may stay open for days.

    Django does this by itself at the end of a request; never in the middle of a transaction.
    """

    @wraps(work)
    def working(*given: P.args, **named: P.kwargs) -> T:
        try:
            return work(*given, **named)
        finally:
            for connection in connections.all(initialized_only=True):
                if not connection.in_atomic_block:
                    connection.close_if_unusable_or_obsolete()

    return working
