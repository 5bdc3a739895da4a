# SPDX-License-Identifier: Apache-2.0
"""The register's newest checkpoint for a gateway that asks, with the proof that it continues the one kept there.

A gateway that keeps more than is here has seen what this database lost: it is told the truth all the same, and raises
the alarm in the plant; here it is an event.
"""

import structlog

from portineria.control.audit.services import record
from portineria.control.audit.tree import newest_checkpoint, tree_of
from portineria.control.estate.models import Gateway
from portineria.control.identity.authority import SYSTEM
from portineria.ledger.merkle import BadProof
from portineria.wire.report import Question
from portineria.wire.statement import RegisterCheckpoint

log = structlog.get_logger()


def checkpoints_for(gateway: Gateway, question: Question) -> list[RegisterCheckpoint]:
    """At most one letter; the caller holds the gateway's row."""
    kept = question.register_size
    if kept is None:
        return []
    organisation = gateway.plant.organisation.public_id
    newest = newest_checkpoint(organisation)
    _learn(gateway, kept, newest.size if newest else 0)
    if newest is None:
        return []
    return [
        RegisterCheckpoint(
            gateway=gateway.public_id,
            nonce=question.nonce,
            note=newest.note,
            old_size=kept,
            proof=_proof(organisation, kept, newest.size),
        )
    ]


def _proof(organisation: str, kept: int, size: int) -> list[bytes]:
    """Empty where there is none: the gateway sees that."""
    try:
        return tree_of(organisation, size).consistency(kept) if kept <= size else []
    except BadProof as error:
        log.error("register.no-proof", organisation=organisation, kept_size=kept, size=size, why=str(error))
        return []


def _learn(gateway: Gateway, kept: int, sealed: int) -> None:
    ahead = kept > sealed and kept != gateway.register_ahead
    if gateway.register_size != kept or ahead:
        gateway.register_size = kept
        gateway.register_ahead = kept if ahead else gateway.register_ahead
        gateway.save(update_fields=["register_size", "register_ahead"])
    if ahead:
        log.error("register.ahead", gateway=gateway.public_id, kept_size=kept, sealed_size=sealed)
        record(
            "estate.gateway.register-ahead",
            organisation=gateway.plant.organisation.public_id,
            actor=SYSTEM,
            gateway=gateway.public_id,
            size=kept,
            sealed_size=sealed,
        )
