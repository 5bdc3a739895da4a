# SPDX-License-Identifier: Apache-2.0
"""What the server permitted beforehand to be opened at this machine when no line leads to it: the last word heard."""

import sqlite3
from collections.abc import Callable

import msgspec
import structlog

from portineria.dataplane.gateway.spool import Also
from portineria.dataplane.gateway.store import Store
from portineria.wire.frame import BadFrame, Codec
from portineria.wire.statement import EmergencyMachine, EmergencyService, EmergencyTerms, mark_of

log = structlog.get_logger()
SCHEMA = """
CREATE TABLE IF NOT EXISTS emergency_terms (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL,
  terms BLOB NOT NULL);
"""
_TERMS: Codec[EmergencyTerms] = Codec(EmergencyTerms)


class Terms:
    """``changed`` is called with each newer word."""

    def __init__(self, store: Store, changed: Callable[[], None]) -> None:
        self._store, self._changed = store, changed
        self.kept: EmergencyTerms | None = None
        self._number = 0

    async def open(self) -> None:
        """What another version wrote permits nothing; its number counts all the same, or it could be said once more."""
        self._number, data = await self._store.submit(_load, reads=True)
        try:
            self.kept = _TERMS.decode(data) if data else None
        except BadFrame as error:
            log.error("emergency.terms-unreadable", why=str(error))

    @property
    def mark(self) -> bytes:
        """What a question says of it."""
        return mark_of(self.kept) if self.kept is not None else b""

    def take(self, terms: EmergencyTerms) -> bool:
        """False for a lower number: an old word said again, which a relay may have kept."""
        if terms.number <= self._number:
            log.info("emergency.terms-stale", number=terms.number)
            return False
        self.kept, self._number = terms, terms.number
        self._store.submit(_keep(terms), must=True)
        self._changed()
        return True

    def machine(self, named: str) -> EmergencyMachine | None:
        """By name or id; None for what is not known, and for a name that several have."""
        machines = self.kept.machines if self.kept is not None else []
        found = [one for one in machines if named in (one.name, one.machine)]
        return found[0] if len(found) == 1 else None


def service_of(machine: EmergencyMachine, named: str) -> EmergencyService | None:
    """By name, id or port."""
    found = [one for one in machine.services if named in (one.name, one.service, str(one.port))]
    return found[0] if len(found) == 1 else None


def _load(db: sqlite3.Connection) -> tuple[int, bytes]:
    return db.execute("SELECT number, terms FROM emergency_terms").fetchone() or (0, b"")


def _keep(terms: EmergencyTerms) -> Also:
    row = terms.number, msgspec.msgpack.encode(terms)

    def write(db: sqlite3.Connection) -> None:
        db.execute("INSERT OR REPLACE INTO emergency_terms VALUES (1, ?, ?)", row)

    return write
