# SPDX-License-Identifier: Apache-2.0
"""What this gateway remembers of its organisation's register, in the file of its spool.

The newest checkpoint that was verified, and signed ones that contradict it: evidence, kept until long after somebody on
the gateway accepted them. The gateway's process writes both; only ``accept`` may be somebody else's.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from portineria.core.errors import Conflict, NotFound
from portineria.ledger.keeping import Reason

EVIDENCE = 16  # contradictions kept: of more, the first ones and the newest
SCHEMA = """
CREATE TABLE IF NOT EXISTS register (one INTEGER PRIMARY KEY CHECK (one = 1), note TEXT NOT NULL,
  at_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS contradiction (number INTEGER PRIMARY KEY, kept TEXT NOT NULL, note TEXT NOT NULL,
  reason TEXT NOT NULL, at_ms INTEGER NOT NULL, state TEXT NOT NULL CHECK (state IN ('open', 'accepted', 'told')));
"""
_COLUMNS = "number, kept, note, reason, at_ms, state"


class NothingToAccept(Conflict):
    code = "register.nothing-to-accept"


class NothingKept(NotFound):
    code = "register.nothing-kept"


class Contradiction(msgspec.Struct, frozen=True):
    """Two notes of which one is not true of the register, and why: see ``ledger.keeping``. ``at_ms``: Unix, 0 unknown.

    ``state``: open until accepted here; told once the control plane's register says that it was accepted.
    """

    number: int
    kept: str
    note: str
    reason: Reason
    at_ms: int
    state: str


class Memory(msgspec.Struct, frozen=True):
    """``note`` is empty before the first checkpoint."""

    note: str = ""
    at_ms: int = 0
    contradictions: list[Contradiction] = []

    @property
    def open(self) -> list[Contradiction]:
        return [one for one in self.contradictions if one.state == "open"]

    @property
    def untold(self) -> list[Contradiction]:
        return [one for one in self.contradictions if one.state == "accepted"]


def load(db: sqlite3.Connection) -> Memory:
    note, at_ms = db.execute("SELECT note, at_ms FROM register").fetchone() or ("", 0)
    rows = db.execute(f"SELECT {_COLUMNS} FROM contradiction ORDER BY number")  # noqa: S608 a constant
    return Memory(note, at_ms, [Contradiction(*row) for row in rows])


def keep(db: sqlite3.Connection, before: str, note: str, at_ms: int) -> bool:
    """Put the note in place of the one it was compared with; False when that is not the one that is kept any more."""
    if load(db).note != before:
        return False
    db.execute("INSERT OR REPLACE INTO register VALUES (1, ?, ?)", (note, at_ms))
    return True


def contradict(db: sqlite3.Connection, kept: str, note: str, reason: str, at_ms: int) -> None:
    """Among too many the oldest that was accepted goes; with none of those the newest, which this one replaces."""
    rows = load(db).contradictions
    if len(rows) >= EVIDENCE:
        over = next((row for row in rows if row.state == "told"), rows[-1])
        db.execute("DELETE FROM contradiction WHERE number = ?", (over.number,))
    values = (kept, note, reason, at_ms)
    db.execute("INSERT INTO contradiction (kept, note, reason, at_ms, state) VALUES (?, ?, ?, ?, 'open')", values)


def tell(db: sqlite3.Connection) -> None:
    db.execute("UPDATE contradiction SET state = 'told' WHERE state = 'accepted'")


# -- for whoever stands at the gateway -----------------------------------------------------------------------------


def read(path: Path) -> Memory:
    """Raise NothingKept where there is no file yet. Beside a running gateway, or with its folder locked."""
    if not path.exists():
        raise NothingKept(f"{path} is not there: the gateway has not run yet")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(SCHEMA)
        return load(db)


def accept(path: Path) -> Memory:
    """Believe the newest contradiction from now on; return what was there before. Raise NothingToAccept."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        before = load(db)
        if not before.open:
            raise NothingToAccept("nothing contradicts what this gateway keeps")
        ours = [one for one in before.open if one.reason != "origin"]  # another register never becomes this one
        if ours:
            db.execute("UPDATE register SET note = ?, at_ms = ?", (ours[-1].note, ours[-1].at_ms))
        db.execute("UPDATE contradiction SET state = 'accepted' WHERE state = 'open'")
        db.execute("COMMIT")
        return before
