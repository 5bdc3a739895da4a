# SPDX-License-Identifier: Apache-2.0
"""What Django loads for ``ENGINE = "portineria.control.sqlite"``."""

import sqlite3
import time
from typing import Any
from weakref import WeakSet

from django.db.backends.sqlite3 import base

from portineria.control.sqlite.round import ROUND, Opened, file_at


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()
        self._opened: Opened | None = None

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        self._opened = ROUND.take(self._path())
        if self._opened is None:
            file = file_at(self._path())  # before it is opened: of another one in between nothing is kept
            made = super().get_new_connection(conn_params)
            self._opened = Opened(made, self._path(), file, time.monotonic())
        return self._opened.connection

    def create_cursor(self, name: str | None = None) -> sqlite3.Cursor:
        cursor: sqlite3.Cursor = super().create_cursor(name)
        self._cursors.add(cursor)
        return cursor

    def _close(self) -> None:
        # An answer that nobody read to its end would hold its snapshot, and the WAL with it.
        for cursor in list(self._cursors):
            cursor.close()
        self._cursors.clear()
        # After an error (a full disk, a damaged page) a new connection looks at the file anew.
        if self.connection is None or self.errors_occurred or not self._given():
            super()._close()  # type: ignore[misc]  # of Django, whose types leave it out

    def _given(self) -> bool:
        one, self._opened = self._opened, None
        return one is not None and one.connection is self.connection and ROUND.give(one)

    def _path(self) -> str:
        return str(self.settings_dict["NAME"])
