# SPDX-License-Identifier: Apache-2.0
"""Sessions that stand still by letter: remembered on the disk, so that a restart of this process thaws nothing.

Obeyed in memory at once, as a cut is, and told in a signed event.
"""

import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from portineria.dataplane.gateway.clock import boot_s
from portineria.dataplane.gateway.spool import Also, Spool
from portineria.dataplane.gateway.store import Store
from portineria.wire.statement import Freeze

SCHEMA = """
CREATE TABLE IF NOT EXISTS freeze (session TEXT PRIMARY KEY, number INTEGER NOT NULL, stands INTEGER NOT NULL);
"""
KEPT = 4096  # sessions; of one that is over nothing is kept, of one that never came the letter is


class Freezing(Protocol):
    """A session, as far as it matters here."""

    def freeze(self, stands: bool) -> None: ...
    def when_calm(self, act: Callable[[], None], *, at_once: bool) -> None: ...


class Freezes:
    def __init__(self, store: Store, spool: Spool) -> None:
        self._store, self._spool = store, spool
        self._known: dict[str, tuple[int, bool]] = {}

    async def open(self) -> None:
        self._known = await self._store.submit(_all, reads=True)

    def obey(self, letter: Freeze, sessions: Mapping[str, Freezing], arrived: float) -> None:
        """The newest letter counts; saying it again changes nothing."""
        if letter.number <= self._known.get(letter.session, (0, False))[0]:
            return
        self._known[letter.session] = (letter.number, letter.stands)
        if len(self._known) > KEPT:
            self.over(next(iter(self._known)))
        self._store.submit(_remember(letter.session, letter.number, letter.stands), must=True)
        if (live := sessions.get(letter.session)) is not None:
            live.when_calm(partial(self._act, live, letter, arrived), at_once=not letter.stands)

    def _act(self, live: Freezing, letter: Freeze, arrived: float) -> None:
        live.freeze(letter.stands)
        self._tell(letter.session, latency_ms=round((boot_s() - arrived) * 1000))

    def begun(self, session: str) -> bool:
        """Whether it begins frozen; it is told then, as it could not be told before."""
        number, stands = self._known.get(session, (0, False))
        if number:
            self._tell(session)
        return stands

    def _tell(self, session: str, **fields: Any) -> None:
        number, stands = self._known[session]
        code = "session.frozen" if stands else "session.unfrozen"
        self._spool.record(code, session, number=number, **fields)

    def over(self, session: str) -> None:
        if self._known.pop(session, None) is not None:
            self._store.submit(_forget(session), must=True)


def _remember(session: str, number: int, stands: bool) -> Also:
    def write(db: sqlite3.Connection) -> None:
        db.execute("INSERT OR REPLACE INTO freeze VALUES (?, ?, ?)", (session, number, int(stands)))

    return write


def _forget(session: str) -> Also:
    def write(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM freeze WHERE session = ?", (session,))

    return write


def _all(db: sqlite3.Connection) -> dict[str, tuple[int, bool]]:
    rows = db.execute("SELECT session, number, stands FROM freeze ORDER BY rowid")
    return {session: (number, bool(stands)) for session, number, stands in rows}
