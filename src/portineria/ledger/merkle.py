# SPDX-License-Identifier: Apache-2.0
"""Merkle trees as RFC 6962, 2.1 hashes them: growing one, proving with it, checking what somebody else proved.

A tree of n leaves is never held in memory. Growing needs its ``Frontier`` (one hash per bit of n); proving needs the
hashes of the leaves and, for speed, those of every complete subtree of 256, 65,536, … leaves: ``Rows`` fetches them.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence

from portineria.core.errors import ProtocolError

EMPTY_ROOT = hashlib.sha256().digest()
ROW_BITS = 8  # a stored row stands for 256 of the row below it
_ROW = 1 << ROW_BITS
# Level 0 are leaves, level 1 the roots of 256 leaves each, and so on: (level, first, count) -> as many as there are.
Rows = Callable[[int, int, int], Sequence[bytes]]


class BadProof(ProtocolError):
    code = "ledger.proof"


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf begins with 0x00, that of an inner node with 0x01: neither passes for the other."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: the roots of its complete subtrees, the largest first."""

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """Raise BadProof when there are not as many peaks as a tree of this size has."""
        self.size = size
        self.peaks = list(peaks)
        self.completed: list[tuple[int, int, bytes]] = []  # (level, index, root) of the rows that were filled
        if len(self.peaks) != size.bit_count():
            raise BadProof(f"a tree of {size} leaves has {size.bit_count()} peaks, not {len(self.peaks)}")

    def append(self, leaf: bytes) -> None:
        """``leaf`` is its hash already."""
        peaks, height = self.peaks, 0
        peaks.append(leaf)
        self.size += 1
        rest = self.size
        while not rest & 1:
            right = peaks.pop()
            peaks[-1] = node_hash(peaks[-1], right)
            rest >>= 1
            height += 1
            if not height % ROW_BITS:
                self.completed.append((height // ROW_BITS, rest - 1, peaks[-1]))

    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


class Tree:
    """Proofs from a tree of ``size`` leaves; somebody keeps its rows. One object a proof: it remembers what it read."""

    def __init__(self, size: int, rows: Rows) -> None:
        self.size = size
        self._rows = rows
        self._read: dict[tuple[int, int], Sequence[bytes]] = {}

    def root(self) -> bytes:
        return self._range(0, self.size) if self.size else EMPTY_ROOT

    def frontier(self) -> Frontier:
        peaks, start = [], 0
        for bit in reversed(range(self.size.bit_length())):
            if self.size >> bit & 1:
                peaks.append(self._complete(bit, start >> bit))
                start += 1 << bit
        return Frontier(self.size, peaks)

    def inclusion(self, index: int) -> list[bytes]:
        """The audit path of leaf ``index``, counted from 0 (RFC 6962, 2.1.1)."""
        if not 0 <= index < self.size:
            raise BadProof(f"a tree of {self.size} leaves has no leaf {index}")
        return self._path(index, 0, self.size)

    def consistency(self, old: int) -> list[bytes]:
        """That the tree of the first ``old`` leaves is the beginning of this one (RFC 6962, 2.1.2)."""
        if not 0 <= old <= self.size:
            raise BadProof(f"a tree of {self.size} leaves was never one of {old}")
        return self._subproof(old, 0, self.size, whole=True) if 0 < old < self.size else []

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        middle = start + _split(end - start)
        if index < middle:
            return [*self._path(index, start, middle), self._range(middle, end)]
        return [*self._path(index, middle, end), self._range(start, middle)]

    def _subproof(self, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        if old == end:
            return [] if whole else [self._range(start, end)]
        middle = start + _split(end - start)
        if old <= middle:
            return [*self._subproof(old, start, middle, whole=whole), self._range(middle, end)]
        return [*self._subproof(old, middle, end, whole=False), self._range(start, middle)]

    def _range(self, start: int, end: int) -> bytes:
        count = end - start
        if not count & (count - 1):  # complete, and by the way ranges are split also aligned
            return self._complete(count.bit_length() - 1, start // count)
        middle = start + _split(count)
        return node_hash(self._range(start, middle), self._range(middle, end))

    def _complete(self, height: int, index: int) -> bytes:
        """The root of the complete subtree ``index`` of those with 2**height leaves."""
        level, within = divmod(height, ROW_BITS)
        first, count = index << within, 1 << within
        row = self._row(level, first // _ROW)[first % _ROW : first % _ROW + count]
        if len(row) != count:
            raise BadProof(f"hashes are missing: level {level}, from {first}, {count} wanted, {len(row)} there")
        hashes = list(row)
        while len(hashes) > 1:
            hashes = [node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
        return hashes[0]

    def _row(self, level: int, number: int) -> Sequence[bytes]:
        if (level, number) not in self._read:
            self._read[level, number] = self._rows(level, number * _ROW, _ROW)
        return self._read[level, number]


def _split(count: int) -> int:
    """The largest power of two below ``count`` (k in RFC 6962, 2.1)."""
    return 1 << ((count - 1).bit_length() - 1)


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root of a tree that holds ``leaf`` (its hash) at ``index``; raise BadProof (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise BadProof(f"a tree of {size} leaves has no leaf {index}")
    node, last, root = index, size - 1, leaf
    for step in proof:
        if not last:
            raise BadProof("the proof is too long")
        if node & 1 or node == last:
            root = node_hash(step, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, step)
        node, last = node >> 1, last >> 1
    if last:
        raise BadProof("the proof is too short")
    return root


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raise BadProof unless the tree with this root holds ``leaf`` (its hash) at ``index``."""
    if root_from_inclusion(leaf, index, size, proof) != root:
        raise BadProof(f"leaf {index} does not lead to the root of the tree of {size} leaves")


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise BadProof unless the older tree is the beginning of the newer one (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        raise BadProof(f"a tree of {new} leaves was never one of {old}")
    if old in (0, new):
        if proof or (old == new and old_root != new_root) or (not old and old_root != EMPTY_ROOT):
            raise BadProof(f"the trees of {old} and {new} leaves do not fit")
        return
    if not proof:
        raise BadProof("the proof is empty")
    _check_proper_consistency(old, old_root, new, new_root, proof)


def _check_proper_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    steps = [old_root, *proof] if not old & (old - 1) else list(proof)
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if not last:
            raise BadProof("the proof is too long")
        if node & 1 or node == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(second, step)
        node, last = node >> 1, last >> 1
    if last or first != old_root or second != new_root:
        raise BadProof(f"the tree of {old} leaves is not the beginning of that of {new}")
