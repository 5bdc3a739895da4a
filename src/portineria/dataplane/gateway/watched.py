# SPDX-License-Identifier: Apache-2.0
"""Who is looked at, and for how long: a letter that is played again must not show more than was asked for."""

from collections.abc import Mapping

import structlog

from portineria.dataplane.gateway.session import Session
from portineria.wire.statement import Watch

log = structlog.get_logger()
WATCHED = 64  # sessions at once: each may send 30 KiB a second over the control link


def watch(sessions: Mapping[str, Session], letter: Watch, unix_ms: int | None) -> None:
    """``unix_ms``: the trusted time; without it nobody can say how long."""
    session = sessions.get(letter.session)
    if session is None or unix_ms is None or letter.until_ms <= unix_ms:
        return
    if not session.glances.watched and sum(one.glances.watched for one in sessions.values()) >= WATCHED:
        log.warning("watch.many", session=letter.session, most=WATCHED)
        return
    session.glances.watch((letter.until_ms - unix_ms) / 1000)
