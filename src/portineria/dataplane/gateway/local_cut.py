# SPDX-License-Identifier: Apache-2.0
"""Cut at this machine: every session ends now, and none begins until somebody here lifts it. The server hears later.

It is on the disk beside the event that tells of it, so that a restart neither lifts nor forgets it.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Collection

import structlog

from portineria.dataplane.gateway.clock import boot_s
from portineria.dataplane.gateway.session import Session
from portineria.dataplane.gateway.spool import Also, Spool
from portineria.dataplane.gateway.store import Store

log = structlog.get_logger()
WHY = "cut-locally"
SCHEMA = """
CREATE TABLE IF NOT EXISTS local_cut (one INTEGER PRIMARY KEY CHECK (one = 1), holds INTEGER NOT NULL,
  reason TEXT NOT NULL, told INTEGER NOT NULL);
"""


class LocalCut:
    """``sessions``: those that live now; ``also_end`` ends what else is open, and says how much it was."""

    def __init__(
        self, store: Store, spool: Spool, sessions: Callable[[], Collection[Session]], also_end: Callable[[], int]
    ) -> None:  # fmt: skip
        self._store, self._spool, self._sessions, self._also_end = store, spool, sessions, also_end
        self.holds = False

    async def open(self) -> None:
        """What holds since before; what was done while nothing ran here is told now."""
        holds, reason, told = await self._store.submit(_load, must=True)
        self.holds = holds
        if not told:
            await self._tell(0, reason)

    def closed(self) -> str | None:
        """The code of why nothing may begin; None when it may."""
        return "gateway.cut" if self.holds else None

    async def cut(self, reason: str) -> int:
        """How many sessions and openings it ended. The devices hear nothing more before anything is written."""
        self.holds = True
        ended = self.settle() + self._also_end()
        await self._tell(ended, reason)
        log.warning("gateway.cut", ended=ended)
        return ended

    async def lift(self, reason: str) -> bool:
        """False when nothing held."""
        if not self.holds:
            return False
        self.holds = False
        await self._tell(0, reason)
        return True

    def settle(self) -> int:
        """While it holds: end what runs, also what an order begins whose acceptance was being written meanwhile."""
        sessions = list(self._sessions()) if self.holds else []
        arrived = boot_s()
        for session in sessions:
            session.cut(WHY, arrived)
        return len(sessions)

    def _tell(self, ended: int, reason: str) -> "asyncio.Future[int]":
        also = _remember(self.holds, reason, told=True)
        if self.holds:
            return self._spool.record("gateway.cut", also=also, sessions=ended, reason=reason)
        return self._spool.record("gateway.cut-lifted", also=also, reason=reason)


def _load(db: sqlite3.Connection) -> tuple[bool, str, bool]:
    row = db.execute("SELECT holds, reason, told FROM local_cut").fetchone()
    return (bool(row[0]), row[1], bool(row[2])) if row is not None else (False, "", True)


def _remember(holds: bool, reason: str, *, told: bool) -> Also:
    def write(db: sqlite3.Connection) -> None:
        db.execute("INSERT OR REPLACE INTO local_cut VALUES (1, ?, ?, ?)", (int(holds), reason, int(told)))

    return write


def note(db: sqlite3.Connection, *, holds: bool, reason: str) -> bool:
    """For a gateway that does not run; it tells of it when it starts. False when it is so already."""
    db.executescript(SCHEMA)
    if _load(db)[0] is holds:
        return False
    _remember(holds, reason, told=False)(db)
    return True
