# SPDX-License-Identifier: Apache-2.0
"""How many queries something asks. Django's own way writes each down as text, on SQLite by asking one more for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self

from django.db import connection


class Counted:
    def __init__(self) -> None:
        self._count, self._until = 0, ExitStack()

    def __enter__(self) -> Self:
        self._until.enter_context(connection.execute_wrapper(self._one))
        return self

    def __exit__(self, *_: object) -> None:
        self._until.close()

    def __len__(self) -> int:
        return self._count

    def _one(self, execute: Callable[..., Any], *asked: Any) -> Any:
        self._count += 1
        return execute(*asked)
