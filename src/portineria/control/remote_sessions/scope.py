# SPDX-License-Identifier: Apache-2.0
"""What a session may reach is what its order says. When the machine is no longer like that, the session is not what
somebody approved: it ends as a narrowed rule would end it.
"""

from collections.abc import Iterable

import msgspec

from portineria.control.estate.queries import reachable_now
from portineria.control.remote_sessions.models import Session
from portineria.wire.envelope import read_signed
from portineria.wire.statement import Asset, Order

_ORDER = msgspec.msgpack.Decoder(Order)


def altered(sessions: Iterable[Session]) -> set[int]:
    """Keys of those whose order names a service that is gone or elsewhere, or another gateway than the machine's.

    A service that was added alters nothing: the order does not open it. Sessions come with ``machine``.
    """
    ordered = list(sessions)
    there = reachable_now({session.machine_id for session in ordered})
    return {
        session.pk
        for session in ordered
        if session.gateway_id != session.machine.gateway_id
        or not _assets(session) <= there.get(session.machine_id, frozenset())
    }


def _assets(session: Session) -> frozenset[tuple[str, str, int]]:
    """Our own signed bytes, out of our own database."""
    assets: list[Asset] = _ORDER.decode(read_signed(bytes(session.order)).statement).assets
    return frozenset((asset.service, asset.address, asset.port) for asset in assets)
