# SPDX-License-Identifier: Apache-2.0
"""Letters about running sessions that change no permission: who is looked at, and what stands still."""

from collections.abc import Mapping

import structlog

from portineria.dataplane.gateway.freezes import Freezes
from portineria.dataplane.gateway.session import Session
from portineria.wire.statement import Freeze, Watch

log = structlog.get_logger()
WATCHED = 64  # sessions at once: each may send 30 KiB a second over the control link


def attend(
    letter: Freeze | Watch, sessions: Mapping[str, Session], freezes: Freezes, unix_ms: int | None, arrived: float
) -> None:
    if isinstance(letter, Freeze):
        freezes.obey(letter, sessions, arrived)
    else:
        _watch(sessions, letter, unix_ms)


def _watch(sessions: Mapping[str, Session], letter: Watch, unix_ms: int | None) -> None:
    """``unix_ms``: the trusted time; without it nobody can say how long. Played again the letter shows no more."""
    session = sessions.get(letter.session)
    if session is None or unix_ms is None or letter.until_ms <= unix_ms:
        return
    if not session.glances.watched and sum(one.glances.watched for one in sessions.values()) >= WATCHED:
        log.warning("watch.many", session=letter.session, most=WATCHED)
        return
    session.glances.watch((letter.until_ms - unix_ms) / 1000)
