# SPDX-License-Identifier: Apache-2.0
"""What whoever keeps an older checkpoint asks of a newer one: the same register, grown and not changed."""

from collections.abc import Sequence
from typing import Literal

from portineria.core.errors import ProtocolError
from portineria.ledger.checkpoint import Checkpoint
from portineria.ledger.merkle import BadProof, check_consistency

Reason = Literal["origin", "smaller", "root", "proof"]


class Contradicted(ProtocolError):
    """A signed checkpoint that cannot stand beside the kept one, or was not shown to."""

    code = "ledger.contradicted"

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


def check_follows(kept: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> None:
    """Raise Contradicted unless ``kept`` is the beginning of ``new``. Both were signed: that is checked before."""
    if new.origin != kept.origin:
        raise Contradicted("origin", f"of {new.origin}, and {kept.origin} was kept")
    if new.size < kept.size:
        raise Contradicted("smaller", f"{new.size} events, and {kept.size} were signed before")
    if new.size == kept.size and new.root != kept.root:
        raise Contradicted("root", f"other {new.size} events than those that were signed before")
    try:
        check_consistency(kept.size, kept.root, new.size, new.root, proof)
    except BadProof as error:
        raise Contradicted("proof", str(error)) from error
