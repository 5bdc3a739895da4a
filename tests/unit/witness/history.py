# SPDX-License-Identifier: Apache-2.0
"""A register to be witnessed, and what its log would ask."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.ledger.checkpoint import Checkpoint
from portineria.ledger.merkle import Tree, leaf_hash
from portineria.ledger.note import Note, sign, verifier_key
from portineria.ledger.witness import write_request

ORIGIN = "log.example/presses"
KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n in (1, 2))
TRUSTED = [verifier_key(ORIGIN, KEY)]


class History:
    """``fork``: from this event on it is another history."""

    def __init__(self, size: int, fork: int | None = None) -> None:
        self.leaves = [leaf_hash(b"%d%s" % (n, b"!" if fork and n >= fork else b"")) for n in range(1, size + 1)]

    def tree(self, size: int) -> Tree:
        leaves = self.leaves[:size]
        return Tree(size, lambda level, first, count: leaves[first : first + count] if not level else [])

    def root(self, size: int) -> bytes:
        return self.tree(size).root()

    def note(self, size: int, key: Ed25519PrivateKey = KEY, origin: str = ORIGIN) -> str:
        text = Checkpoint(origin, size, self.root(size)).text()
        return str(Note(text, (sign(text, origin, key),)))

    def request(self, old: int, size: int, key: Ed25519PrivateKey = KEY, origin: str = ORIGIN) -> bytes:
        return write_request(old, self.tree(size).consistency(old), self.note(size, key, origin))


HONEST, FORGED = History(40), History(40, fork=5)
