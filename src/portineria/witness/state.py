# SPDX-License-Identifier: Apache-2.0
"""What a witness must never forget, in one SQLite file: its key, whom it watches, what it cosigned, what it caught.

The key lies in the same file as the memory: a witness that lost the one cannot go on signing with the other. Reading,
comparing and storing are one IMMEDIATE transaction, on the disk before anything is signed: two processes on one folder
cosign one history.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.core.errors import Conflict, NotFound, ProtocolError
from portineria.ledger.checkpoint import ORIGIN_CHARACTERS
from portineria.ledger.note import (
    COSIGNATURE,
    ED25519,
    BadNote,
    VerifierKey,
    cosign,
    is_key_name,
    parse_verifier_key,
    verifier_key,
)
from portineria.ledger.witness import (
    MALFORMED,
    Answer,
    Evidence,
    Known,
    Request,
    consider,
    cosigned,
    read_request,
    refusal,
)

FILE = "witness.sqlite3"
EVIDENCE = 1000  # pieces kept of one register; whoever signs more histories was caught long ago
_BUSY_S = 30
_TABLES = """
CREATE TABLE own (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL, key BLOB NOT NULL);
CREATE TABLE watched (origin TEXT, key TEXT, at INTEGER NOT NULL, PRIMARY KEY (origin, key));
CREATE TABLE cosigned (
    origin TEXT, size INTEGER, root BLOB NOT NULL, note TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (origin, size)
);
CREATE TABLE evidence (
    origin TEXT, note TEXT, size INTEGER NOT NULL, kind TEXT NOT NULL, why TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (origin, note)
);
"""


class NotInitialised(NotFound):
    code = "witness.not-initialised"


class AlreadyInitialised(Conflict):
    code = "witness.already-initialised"


@dataclass(frozen=True, slots=True)
class Caught:
    """A checkpoint with a valid signature that does not fit the history that was cosigned."""

    origin: str
    size: int
    kind: Evidence
    why: str
    note: str
    at: int


@dataclass(frozen=True, slots=True)
class Watched:
    """``size`` 0 and no ``note``: nothing of it was cosigned yet."""

    origin: str
    size: int = 0
    at: int = 0
    note: str = ""


def initialise(folder: Path, name: str) -> "WitnessState":
    """Make the folder and a new key in it. Raise AlreadyInitialised, BadNote for a name that no key may have."""
    if not is_key_name(name):
        raise BadNote(
            "a witness's name has neither blanks nor plus signs: write it like an address, witness.example/w1"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise AlreadyInitialised(f"{folder / FILE} is a witness already; nothing was changed") from error
    with closing(_opened(folder)) as database:
        database.executescript(f"BEGIN IMMEDIATE;{_TABLES}")
        database.execute("INSERT INTO own VALUES (1, ?, ?)", (name, Ed25519PrivateKey.generate().private_bytes_raw()))
        database.execute("COMMIT")
    return WitnessState(folder)


def _opened(folder: Path) -> sqlite3.Connection:
    database = sqlite3.connect(folder / FILE, timeout=_BUSY_S, isolation_level=None)
    database.execute("PRAGMA synchronous=FULL")
    return database


class WitnessState:
    def __init__(self, folder: Path) -> None:
        """Raise NotInitialised. A new memory is made by ``initialise`` only, with a new key in it."""
        self._folder = folder
        row = _own(folder)
        if row is None:
            raise NotInitialised(
                f"there is no witness in {folder}: `portineria witness init` makes one, with a new key"
            )
        self.name: str = row[0]
        self._key = Ed25519PrivateKey.from_private_bytes(row[1])

    @property
    def key(self) -> VerifierKey:
        """By which others verify what this witness cosigned."""
        return verifier_key(self.name, self._key, COSIGNATURE)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with closing(_opened(self._folder)) as database:
            yield database

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Alone among all processes, and on the disk when it is left."""
        if _own(self._folder) != (self.name, self._key.private_bytes_raw()):
            raise NotInitialised(f"{self._folder / FILE} is no longer what it was: this witness signs nothing more")
        with closing(_opened(self._folder)) as database:
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")

    def trust(self, origin: str, key: VerifierKey, at: int) -> None:
        """Watch this register, or believe a further key of it. Raise BadNote for a key of another kind."""
        if key.kind != ED25519 or len(origin) > ORIGIN_CHARACTERS:
            raise BadNote("the key of a register signs plain notes; a cosigner's key signs none")
        with self._writing() as database:
            database.execute("INSERT OR IGNORE INTO watched VALUES (?, ?, ?)", (origin, str(key), at))

    def answer(self, data: bytes, at: int) -> Answer:
        """To an add-checkpoint request; ``at`` in Unix seconds. What it cosigns is on the disk."""
        try:
            request = read_request(data)
        except ProtocolError as error:
            return refusal(MALFORMED, str(error))
        with self._writing() as database:
            refused = consider(request, _keys(database, request.checkpoint.origin), _known(database, request))
            if refused is None:
                _keep(database, request, at)
            elif refused.evidence is not None:
                _keep_evidence(database, request, refused, at)
        return refused or cosigned(cosign(request.note.text, self.name, self._key, at))

    def watched(self) -> list[Watched]:
        query = """
            SELECT origin, size, at, note FROM cosigned JOIN (
                SELECT origin, MAX(size) AS size FROM cosigned GROUP BY origin) USING (origin, size)"""
        with self._reading() as database:
            newest = {row[0]: Watched(*row) for row in database.execute(query)}
            origins = [row[0] for row in database.execute("SELECT DISTINCT origin FROM watched ORDER BY origin")]
        return [newest.get(origin, Watched(origin)) for origin in origins]

    def caught(self) -> list[Caught]:
        with self._reading() as database:
            rows = list(database.execute("SELECT origin, size, kind, why, note, at FROM evidence ORDER BY at, size"))
        return [Caught(origin, size, Evidence(kind), why, note, at) for origin, size, kind, why, note, at in rows]


def _own(folder: Path) -> tuple[str, bytes] | None:
    if not (folder / FILE).exists():  # SQLite would make an empty one
        return None
    try:
        with closing(_opened(folder)) as database:
            row: tuple[str, bytes] | None = database.execute("SELECT name, key FROM own").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise
    except sqlite3.DatabaseError:  # somebody else's bytes
        return None
    return row


def _keys(database: sqlite3.Connection, origin: str) -> list[VerifierKey]:
    rows = database.execute("SELECT key FROM watched WHERE origin = ?", (origin,))
    return [parse_verifier_key(text) for (text,) in rows]


def _known(database: sqlite3.Connection, request: Request) -> Known:
    asked = request.checkpoint
    query = "SELECT size, root FROM cosigned WHERE origin = ? ORDER BY size DESC LIMIT 1"
    newest = database.execute(query, (asked.origin,)).fetchone()
    if newest is None:
        return Known()
    query = "SELECT root FROM cosigned WHERE origin = ? AND size = ?"
    same = database.execute(query, (asked.origin, asked.size)).fetchone()
    return Known(newest[0], newest[1], same[0] if same else None)


def _keep(database: sqlite3.Connection, request: Request, at: int) -> None:
    asked = request.checkpoint
    database.execute(
        "INSERT OR IGNORE INTO cosigned VALUES (?, ?, ?, ?, ?)",
        (asked.origin, asked.size, asked.root, str(request.note), at),
    )
    # It was sent with a proof that did not fit, and now with one that does.
    database.execute(
        "DELETE FROM evidence WHERE origin = ? AND size = ? AND kind = ?", (asked.origin, asked.size, Evidence.UNPROVEN)
    )


def _keep_evidence(database: sqlite3.Connection, request: Request, refused: Answer, at: int) -> None:
    asked = request.checkpoint
    kept = database.execute("SELECT COUNT(*) FROM evidence WHERE origin = ?", (asked.origin,)).fetchone()[0]
    if kept < EVIDENCE:
        database.execute(
            "INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?, ?, ?)",
            (asked.origin, str(request.note), asked.size, str(refused.evidence), refused.why, at),
        )
