# SPDX-License-Identifier: Apache-2.0
"""A register as the control plane would seal it, of leaves that mean nothing: to grow, to cut, to fork."""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.ledger.checkpoint import Checkpoint, origin_of
from portineria.ledger.merkle import Tree, leaf_hash
from portineria.ledger.note import Note, sign


class SealedRegister:
    """``origin`` as ``Credentials`` names its installation; another one for the register of somebody else."""

    def __init__(self, organisation: str, key: Ed25519PrivateKey, *, installation: str = "test") -> None:
        self.origin, self.key = origin_of(installation, organisation), key
        self.leaves: list[bytes] = []

    def grow(self, count: int, what: str = "event") -> "SealedRegister":
        self.leaves += [leaf_hash(f"{what} {len(self.leaves) + number}".encode()) for number in range(count)]
        return self

    def tree(self, size: int | None = None) -> Tree:
        """Only small ones are made here: level 0 is all that is asked for."""
        leaves = self.leaves[: len(self.leaves) if size is None else size]

        def rows(level: int, first: int, count: int) -> Sequence[bytes]:
            assert level == 0
            return leaves[first : first + count]

        return Tree(len(leaves), rows)

    def note(self, size: int | None = None) -> str:
        tree = self.tree(size)
        text = Checkpoint(self.origin, tree.size, tree.root()).text()
        return str(Note(text, (sign(text, self.origin, self.key),)))

    def proof(self, old: int) -> list[bytes]:
        size = len(self.leaves)
        return self.tree().consistency(old) if old <= size else []
