# SPDX-License-Identifier: Apache-2.0
"""What this gateway remembers of orders, on disk, so that a replay after a restart fails as it did before."""

import sqlite3
from dataclasses import dataclass, replace

from portineria.dataplane.gateway.spool import Also
from portineria.wire.statement import Order

FOREVER_MS = 400 * 86400 * 1000  # a withdrawal of an order that never came: longer than any order may live
SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (session TEXT PRIMARY KEY, order_seq INTEGER NOT NULL, order_sha256 BLOB NOT NULL,
  expires_ms INTEGER NOT NULL, withdrawn_seq INTEGER NOT NULL, ended INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS running (stream TEXT PRIMARY KEY, session TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One session. ``expires_ms`` is the latest of all its orders: after that every one of them is refused anyway."""

    session: str
    order_seq: int
    order_sha256: bytes
    expires_ms: int
    withdrawn_seq: int = 0
    ended: bool = False

    def refuses(self, order: Order, order_sha256: bytes) -> str | None:
        """The code of why this order may not be obeyed beside what was seen; None when it may."""
        if self.ended:
            return "order.ended"
        if order.order_seq <= self.withdrawn_seq:
            return "order.withdrawn"
        if order.order_seq < self.order_seq:
            return "order.replayed"
        if order.order_seq == self.order_seq and order_sha256 != self.order_sha256:
            return "order.forked"
        return None


def with_order(seen: Seen | None, order: Order, order_sha256: bytes) -> Seen:
    expires_ms = max(order.expires_ms, seen.expires_ms if seen else 0)
    withdrawn = seen.withdrawn_seq if seen else 0
    return Seen(order.session, order.order_seq, order_sha256, expires_ms, withdrawn)


def with_withdrawal(seen: Seen | None, session: str, order_seq: int, now_ms: int) -> Seen:
    if seen is None:
        return Seen(session, 0, b"", now_ms + FOREVER_MS if now_ms else 1 << 62, order_seq)
    return replace(seen, withdrawn_seq=max(seen.withdrawn_seq, order_seq))


def remember(seen: Seen) -> Also:
    row = (seen.session, seen.order_seq, seen.order_sha256, seen.expires_ms, seen.withdrawn_seq, int(seen.ended))

    def write(db: sqlite3.Connection) -> None:
        db.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?, ?)", row)

    return write


def forget(now_ms: int) -> Also:
    def write(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM seen WHERE ended = 1 AND expires_ms < ?", (now_ms,))

    return write


def all_seen(db: sqlite3.Connection) -> list[Seen]:
    rows = db.execute("SELECT session, order_seq, order_sha256, expires_ms, withdrawn_seq, ended FROM seen")
    return [
        Seen(session, order_seq, order_sha256, expires_ms, withdrawn_seq, bool(ended))
        for session, order_seq, order_sha256, expires_ms, withdrawn_seq, ended in rows
    ]


def remember_stream(session: str, stream: str) -> Also:
    def write(db: sqlite3.Connection) -> None:
        db.execute("INSERT OR REPLACE INTO running VALUES (?, ?)", (stream, session))

    return write


def forget_stream(stream: str) -> Also:
    def write(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM running WHERE stream = ?", (stream,))

    return write


def all_running(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """(session, stream) of what ran when the process ended without a word."""
    return db.execute("SELECT session, stream FROM running").fetchall()
