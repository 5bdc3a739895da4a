# SPDX-License-Identifier: Apache-2.0
"""A database that was put back from a backup has forgotten events that it acknowledged, and their gateways kept none.

A gateway says under signature how far it was acknowledged, and each acknowledgement was signed here after the events
were stored. What it says is gone is gone: that is told, and the next event is taken. To wait for what nobody has would
fill its spool, and nothing new could begin at the plant.
"""

import structlog

from portineria.control.audit.services import record
from portineria.control.estate.models import Gateway
from portineria.control.identity.authority import SYSTEM
from portineria.control.remote_sessions.late_chain import newest_of

log = structlog.get_logger()
ANY_PREVIOUS = b""  # in the place of a hash: the event that it was of is gone


def go_on(gateway: Gateway, epoch: bytes, acknowledged: int) -> None:
    """``gateway``: its row is locked. ``acknowledged``: number of the last event of ``epoch`` that it forgot."""
    current = bytes(gateway.epoch) == epoch
    here = gateway.seq if current else 0
    if acknowledged <= here or (not current and newest_of(gateway, epoch) is not None):
        return
    record(
        "estate.gateway.events-lost",
        organisation=gateway.plant.organisation.public_id,
        actor=SYSTEM,
        gateway=gateway.public_id,
        epoch=epoch.hex(),
        first=here + 1,
        last=acknowledged,
    )
    log.error("gateway.events-lost", gateway=gateway.public_id, first=here + 1, last=acknowledged)
    gateway.epoch, gateway.seq, gateway.chain_sha256 = epoch, acknowledged, ANY_PREVIOUS
    gateway.save(update_fields=["epoch", "seq", "chain_sha256"])
