# SPDX-License-Identifier: Apache-2.0
"""A newer checkpoint beside an older one: grown, or contradicting it."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.ledger.checkpoint import Checkpoint
from portineria.ledger.keeping import Contradicted, Reason, check_follows
from portineria.ledger.merkle import EMPTY_ROOT
from tests.integration.sealed_register import SealedRegister


def register(count: int, what: str = "event", organisation: str = "org_a") -> SealedRegister:
    return SealedRegister(organisation, Ed25519PrivateKey.generate()).grow(count, what)


def at(sealed: SealedRegister, size: int | None = None) -> Checkpoint:
    tree = sealed.tree(size)
    return Checkpoint(sealed.origin, tree.size, tree.root())


@pytest.mark.parametrize("new", range(1, 40))
def test_a_register_that_grew_follows_each_of_its_earlier_checkpoints(new: int) -> None:
    sealed = register(new)
    for old in range(new + 1):
        check_follows(at(sealed, old), at(sealed), sealed.proof(old))


def test_anything_follows_nothing_but_only_of_the_same_origin() -> None:
    sealed = register(3)
    check_follows(Checkpoint(sealed.origin, 0, EMPTY_ROOT), at(sealed), [])
    with pytest.raises(Contradicted) as refused:
        check_follows(Checkpoint("portineria/test/org_b", 0, EMPTY_ROOT), at(sealed), [])
    assert refused.value.reason == "origin"


ONE, OTHER = register(9), register(4).grow(8, "changed")
ANOTHERS = register(12, organisation="org_b")


@pytest.mark.parametrize(
    ("new", "proof", "reason"),
    [
        (at(ONE, 8), [], "smaller"),
        (at(ANOTHERS), [], "origin"),
        (at(OTHER, 9), [], "root"),
        (at(OTHER), OTHER.proof(9), "proof"),
        (at(register(12)), [], "proof"),
        (at(register(12)), [*register(12).proof(9), bytes(32)], "proof"),
        (at(register(12)), register(12).proof(8), "proof"),
        (at(ONE), [bytes(32)], "proof"),
    ],
)
def test_what_does_not_continue_it_says_why(new: Checkpoint, proof: list[bytes], reason: Reason) -> None:
    with pytest.raises(Contradicted) as refused:
        check_follows(at(ONE), new, proof)
    assert refused.value.reason == reason
