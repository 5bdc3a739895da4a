# SPDX-License-Identifier: Apache-2.0
"""Events until the control plane has them: signed, chained, sealed, on disk (WIRE 18, 19).

Only an acknowledgement that names the very hash of an event lets the spool forget it and what came before.
"""

import asyncio
import secrets
import sqlite3
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from portineria.dataplane.gateway.clock import TrustedClock, boot_s
from portineria.dataplane.gateway.store import Store
from portineria.wire.report import Context, Event, Field, write_report
from portineria.wire.statement import Acknowledgement, OpeningKey, sha256

TEXT_CHARACTERS = 256  # of one field: thirty-two of them stay below the 8 KiB of an event
_EMPTY = bytes(32)
SCHEMA = """
CREATE TABLE IF NOT EXISTS chain (one INTEGER PRIMARY KEY CHECK (one = 1), epoch BLOB NOT NULL, seq INTEGER NOT NULL,
  sha256 BLOB NOT NULL, acknowledged INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS event (seq INTEGER PRIMARY KEY, report BLOB NOT NULL, sha256 BLOB NOT NULL);
"""
Also = Callable[[sqlite3.Connection], None]


class Spool:
    def __init__(
        self, store: Store, *, gateway: str, key: Ed25519PrivateKey, opening_key: Callable[[], OpeningKey],
        clock: TrustedClock, limit_bytes: int,
    ) -> None:  # fmt: skip
        self._store, self._gateway, self._key, self._opening_key = store, gateway, key, opening_key
        self._clock, self._limit_bytes = clock, limit_bytes
        self.boot = secrets.token_bytes(32)
        self.epoch = _EMPTY
        self.count = self.bytes = 0
        self.acknowledged = 0
        self.on_recorded: Callable[[], None] = lambda: None

    async def open(self) -> None:
        """Go on where the file ends; a new file begins a new epoch."""

        def begin(db: sqlite3.Connection) -> tuple[bytes, int, int, int]:
            db.execute("INSERT OR IGNORE INTO chain VALUES (1, ?, 0, ?, 0)", (secrets.token_bytes(32), _EMPTY))
            epoch, acknowledged = db.execute("SELECT epoch, acknowledged FROM chain").fetchone()
            count, size = db.execute("SELECT count(*), coalesce(sum(length(report)), 0) FROM event").fetchone()
            return epoch, acknowledged, count, size

        self.epoch, self.acknowledged, self.count, self.bytes = await self._store.submit(begin, must=True)

    @property
    def full(self) -> bool:
        """Nothing new may begin: it could not be recorded. How things end is still written."""
        return self._store.full or self.bytes >= self._limit_bytes

    def record(
        self, code: str, session: str = "", /, *, must: bool = True, also: Also | None = None, **fields: Field
    ) -> "asyncio.Future[int]":
        """Write an event; the future gives its number once it is on the disk. ``also`` commits with it or not at all.

        ``must`` is for what has happened already: it waits for room. Otherwise the future fails with StoreFull.
        """
        event = Event(self.boot, self._clock.unix_ms, round(boot_s() * 1000), code, session, _short(fields))
        recipient = self._opening_key()

        def write(db: sqlite3.Connection) -> tuple[int, int]:
            epoch, last, previous = db.execute("SELECT epoch, seq, sha256 FROM chain").fetchone()
            context = Context(recipient.key_id, self._gateway, epoch, last + 1, previous)
            opening = X25519PublicKey.from_public_bytes(recipient.key)
            report, signed = write_report(event, context, key=self._key, recipient=opening)
            digest = sha256(signed)
            db.execute("INSERT INTO event VALUES (?, ?, ?)", (last + 1, report, digest))
            db.execute("UPDATE chain SET seq = ?, sha256 = ?", (last + 1, digest))
            if also is not None:
                also(db)
            return last + 1, len(report)

        written: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._store.submit(write, must=must).add_done_callback(lambda done: self._recorded(done, written))
        return written

    def _recorded(self, done: "asyncio.Future[tuple[int, int]]", written: "asyncio.Future[int]") -> None:
        if done.cancelled():
            return
        if (error := done.exception()) is not None:
            if not written.done():
                written.set_exception(error)
                written.exception()  # whoever awaits it sees it; nobody else must be warned
            return
        number, size = done.result()
        self.count += 1
        self.bytes += size
        if not written.done():
            written.set_result(number)
        self.on_recorded()

    def acknowledge(self, acknowledgement: Acknowledgement) -> "asyncio.Future[bool]":
        """Forget what is stored elsewhere; the future says whether the named event is ours, hash for hash."""

        def forget(db: sqlite3.Connection) -> tuple[int, int, int] | None:
            up_to = acknowledgement.up_to_seq
            row = db.execute("SELECT sha256 FROM event WHERE seq = ?", (up_to,)).fetchone()
            if row is None or row[0] != acknowledgement.sha256:
                return None
            found = "SELECT count(*), coalesce(sum(length(report)), 0) FROM event WHERE seq <= ?"
            count, size = db.execute(found, (up_to,)).fetchone()
            db.execute("DELETE FROM event WHERE seq <= ?", (up_to,))
            db.execute("UPDATE chain SET acknowledged = ?", (up_to,))
            return up_to, count, size

        result: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if acknowledgement.epoch != self.epoch:
            result.set_result(False)
        else:
            forgetting = self._store.submit(forget, must=True)
            forgetting.add_done_callback(lambda done: self._forgotten(done, result))
        return result

    def _forgotten(self, done: "asyncio.Future[tuple[int, int, int] | None]", result: "asyncio.Future[bool]") -> None:
        if done.cancelled():
            return
        forgotten = done.result()
        if forgotten is not None:
            self.acknowledged, count, size = forgotten
            self.count -= count
            self.bytes -= size
            self.on_recorded()
        if not result.done():
            result.set_result(forgotten is not None)

    def unsent(self, after: int, limit: int) -> "asyncio.Future[list[tuple[int, bytes]]]":
        """The next events behind number ``after``, in order."""
        query = "SELECT seq, report FROM event WHERE seq > ? ORDER BY seq LIMIT ?"
        return self._store.submit(lambda db: db.execute(query, (after, limit)).fetchall(), reads=True)


def _short(fields: Mapping[str, Field]) -> dict[str, Field]:
    return {name: value[:TEXT_CHARACTERS] if isinstance(value, str) else value for name, value in fields.items()}
