# SPDX-License-Identifier: Apache-2.0
"""Against the published vectors of Certificate Transparency, and against the definition itself for every small tree."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.ledger.merkle import (
    EMPTY_ROOT,
    BadProof,
    Frontier,
    Tree,
    check_consistency,
    check_inclusion,
    leaf_hash,
    node_hash,
)

# The eight leaves and nine roots that RFC 6962 implementations share (certificate-transparency, merkletree tests).
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# (leaf counted from 1, tree size) -> audit path, from the same tests.
PATHS = {
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (3, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
CONSISTENCY = {
    (1, 8): PATHS[1, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


class Rows:
    """What the sealer keeps: the leaves' hashes, and every row that was filled."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.frontier = Frontier()
        self.levels: dict[int, list[bytes]] = {0: list(leaves)}
        for leaf in leaves:
            self.frontier.append(leaf)
        for level, index, root in self.frontier.completed:
            row = self.levels.setdefault(level, [])
            assert index == len(row)
            row.append(root)

    def __call__(self, level: int, first: int, count: int) -> list[bytes]:
        return self.levels.get(level, [])[first : first + count]


def hashes(count: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(count)]


def defined(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word for word."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(defined(leaves[:split]), defined(leaves[split:]))


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size: int) -> None:
    leaves = [leaf_hash(bytes.fromhex(data)) for data in LEAVES[:size]]
    rows = Rows(leaves)
    assert rows.frontier.root().hex() == ROOTS[size]
    assert Tree(size, rows).root().hex() == ROOTS[size]


@pytest.mark.parametrize(("number", "size"), PATHS)
def test_audit_paths_are_the_published_ones(number: int, size: int) -> None:
    rows = Rows([leaf_hash(bytes.fromhex(data)) for data in LEAVES])
    assert [step.hex() for step in Tree(size, rows).inclusion(number - 1)] == PATHS[number, size]


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(old: int, new: int) -> None:
    rows = Rows([leaf_hash(bytes.fromhex(data)) for data in LEAVES])
    assert [step.hex() for step in Tree(new, rows).consistency(old)] == CONSISTENCY[old, new]


SIZES = [*range(18), 255, 256, 257, 511, 512, 513, 700]


@pytest.mark.parametrize("size", SIZES)
def test_every_leaf_of_a_tree_is_proven_and_no_other(size: int) -> None:
    leaves = hashes(size)
    rows, root = Rows(leaves), defined(leaves)
    tree = Tree(size, rows)
    assert tree.root() == rows.frontier.root() == tree.frontier().root() == root
    for index in range(0, size, max(1, size // 40)):
        proof = tree.inclusion(index)
        check_inclusion(leaves[index], index, size, proof, root)
        for wrong in (leaf_hash(b"another"), leaves[index - 1] if size > 1 else bytes(32)):
            with pytest.raises(BadProof):
                check_inclusion(wrong, index, size, proof, root)
        for altered in (proof[:-1], [*proof, bytes(32)], [*proof[:-1], bytes(32)]):
            if altered != proof:
                with pytest.raises(BadProof):
                    check_inclusion(leaves[index], index, size, altered, root)


@pytest.mark.parametrize("new", [1, 2, 3, 7, 8, 9, 255, 256, 257, 513])
def test_every_earlier_tree_is_the_beginning_of_a_later_one(new: int) -> None:
    leaves = hashes(new)
    rows, root = Rows(leaves), defined(leaves)
    for old in range(0, new + 1, max(1, new // 30)):
        proof = Tree(new, rows).consistency(old)
        check_consistency(old, defined(leaves[:old]), new, root, proof)
        if old > 0:
            with pytest.raises(BadProof):
                check_consistency(old, bytes(32), new, root, proof)
        with pytest.raises(BadProof):
            check_consistency(old, defined(leaves[:old]), new, bytes(32), [*proof, bytes(32)])


@given(st.integers(1, 600), st.data())
def test_a_rewritten_past_has_no_proof(size: int, data: st.DataObject) -> None:
    """Whichever leaf is altered: the tree that was seen before is not the beginning of the new one."""
    old = data.draw(st.integers(1, size))
    altered = data.draw(st.integers(0, old - 1))
    leaves = hashes(size)
    before = defined(leaves[:old])
    leaves[altered] = leaf_hash(b"rewritten")
    rewritten = Rows(leaves)
    with pytest.raises(BadProof):
        check_consistency(old, before, size, rewritten.frontier.root(), Tree(size, rewritten).consistency(old))


@given(st.integers(0, 1200), st.integers(0, 1200))
def test_a_frontier_goes_on_where_it_was_put_down(first: int, second: int) -> None:
    leaves = hashes(first + second)
    whole, begun = Rows(leaves).frontier, Rows(leaves[:first]).frontier
    resumed = Frontier(begun.size, begun.peaks)
    for leaf in leaves[first:]:
        resumed.append(leaf)
    assert (resumed.size, resumed.peaks, resumed.root()) == (whole.size, whole.peaks, whole.root())
    assert begun.completed + resumed.completed == whole.completed


def test_peaks_that_do_not_fit_the_size_are_refused() -> None:
    with pytest.raises(BadProof):
        Frontier(3, [bytes(32)])


def test_a_proof_needs_every_hash_it_stands_on() -> None:
    rows = Rows(hashes(300))
    rows.levels[0] = rows.levels[0][:299]
    with pytest.raises(BadProof, match="hashes are missing"):
        Tree(300, rows).inclusion(5)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(BadProof):
        Tree(size, Rows(hashes(size))).inclusion(index)
    with pytest.raises(BadProof):
        check_inclusion(bytes(32), index, size, [], bytes(32))
