# SPDX-License-Identifier: Apache-2.0
"""The PINs of those who may open here in an emergency: two different people type theirs, and few wrong ones are borne.

Kept are scrypt hashes (RFC 7914), here and nowhere else. A PIN counts only once the server knows that it was set:
whoever is alone with the machine while no line leads away cannot make themselves two holders. A wrong try is counted
on the disk before it is looked at, so that pulling the plug wins nothing; after ``MOST_TRIES`` in a row nothing opens
until the server has heard of it.
"""

import itertools
import secrets
import sqlite3
from dataclasses import dataclass

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from portineria.core.errors import Invalid
from portineria.dataplane.gateway.spool import Also

MOST_TRIES = 6
HOLDERS = 32
PIN_CHARACTERS = (6, 64)
_SALT_BYTES, _VERIFIER_BYTES = 16, 32
_COST, _BLOCK, _PARALLEL = 1 << 15, 8, 1  # 32 MiB and about 0.1 s of one core for each try
SCHEMA = """
CREATE TABLE IF NOT EXISTS emergency_pin (holder TEXT PRIMARY KEY, salt BLOB NOT NULL, verifier BLOB NOT NULL,
  seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS emergency_tries (one INTEGER PRIMARY KEY CHECK (one = 1), failures INTEGER NOT NULL,
  locked_seq INTEGER NOT NULL);
"""


class BadPin(Invalid):
    code = "emergency.pin"


@dataclass(frozen=True, slots=True)
class Pin:
    """``known``: the server has acknowledged that it was set."""

    holder: str
    salt: bytes
    verifier: bytes
    known: bool


@dataclass(frozen=True, slots=True)
class Tries:
    """``failures``: in a row, the one of now included. ``locked``: none is looked at; ``untold``: and the server was
    never told, as the process was stopped before it could say so.
    """

    failures: int
    locked: bool
    untold: bool = False


def check_form(pin: str) -> None:
    """Raise BadPin for what anybody guesses first."""
    least, most = PIN_CHARACTERS
    digits = [ord(symbol) for symbol in pin]
    steps = {after - before for before, after in itertools.pairwise(digits)}
    if not least <= len(pin) <= most or not pin.isprintable() or (len(steps) == 1 and steps <= {-1, 0, 1}):
        raise BadPin(f"{least} to {most} characters, and not one that everybody tries first")


def made(pin: str) -> tuple[bytes, bytes]:
    """Salt and verifier. Takes a while: in a thread."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return salt, _hash(salt).derive(pin.encode())


def _hash(salt: bytes) -> Scrypt:
    return Scrypt(salt=salt, length=_VERIFIER_BYTES, n=_COST, r=_BLOCK, p=_PARALLEL)


_NOBODY = Pin("", bytes(_SALT_BYTES), bytes(_VERIFIER_BYTES), known=False)


def fits(pins: list[Pin], holder: str, pin: str) -> bool:
    """As slow for somebody whom nobody knows. In a thread."""
    found = next((one for one in pins if one.holder == holder and one.known), _NOBODY)
    try:
        _hash(found.salt).verify(pin.encode(), found.verifier)
    except InvalidKey:
        return False
    return found is not _NOBODY


def taken(pins: list[Pin], pin: str) -> bool:
    """Whether somebody else has the same: one person would then know two. In a thread."""
    return any(fits([Pin(one.holder, one.salt, one.verifier, known=True)], one.holder, pin) for one in pins)


# -- jobs of the store ------------------------------------------------------------------------------------------


def load(db: sqlite3.Connection) -> list[Pin]:
    rows = db.execute(
        "SELECT holder, salt, verifier, seq <= (SELECT acknowledged FROM chain) FROM emergency_pin ORDER BY holder"
    )
    return [Pin(holder, salt, verifier, bool(known)) for holder, salt, verifier, known in rows]


def keep(holder: str, salt: bytes, verifier: bytes) -> Also:
    """Beside the event that tells of it, whose number it keeps."""

    def write(db: sqlite3.Connection) -> None:
        db.execute(
            "INSERT OR REPLACE INTO emergency_pin SELECT ?, ?, ?, seq FROM chain", (holder, salt, verifier)
        )  # fmt: skip

    return write


def remove(holder: str) -> Also:
    def write(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM emergency_pin WHERE holder = ?", (holder,))

    return write


def tried(db: sqlite3.Connection) -> Tries:
    return _tries(db, counts=False)


def try_once(db: sqlite3.Connection) -> Tries:
    """Count a try as failed before anybody knows; ``over`` forgives it."""
    return _tries(db, counts=True)


def _tries(db: sqlite3.Connection, *, counts: bool) -> Tries:
    row = db.execute("SELECT failures, locked_seq, (SELECT acknowledged FROM chain) FROM emergency_tries").fetchone()
    failures, locked_seq, acknowledged = row or (0, 0, 0)
    if locked_seq > acknowledged:
        return Tries(failures, locked=True)
    if locked_seq:
        failures = 0
    elif failures >= MOST_TRIES:
        return Tries(failures, locked=True, untold=True)
    if counts:
        failures += 1
        db.execute("INSERT OR REPLACE INTO emergency_tries VALUES (1, ?, 0)", (failures,))
    return Tries(failures, locked=False)


def over(db: sqlite3.Connection) -> None:
    """Both PINs were right."""
    db.execute("DELETE FROM emergency_tries")


def wrong(failures: int) -> Also:
    """Beside the event that tells of it: with the last one nothing opens until the server has acknowledged that."""

    def write(db: sqlite3.Connection) -> None:
        if failures >= MOST_TRIES:
            db.execute("UPDATE emergency_tries SET locked_seq = (SELECT seq FROM chain)")

    return write
