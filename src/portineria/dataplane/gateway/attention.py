# SPDX-License-Identifier: Apache-2.0
"""Letters that change no order of a session that runs: who looks on, what stands still, what was held and may pass."""

from collections.abc import Mapping

import structlog

from portineria.dataplane.gateway.clock import TrustedClock
from portineria.dataplane.gateway.freezes import Freezes
from portineria.dataplane.gateway.session import Session
from portineria.wire.statement import Freeze, HoldAnswer, Watch

log = structlog.get_logger()
WATCHED = 64  # sessions at once: each may send 30 KiB a second over the control link


def attend(
    letter: Freeze | Watch | HoldAnswer, sessions: Mapping[str, Session], freezes: Freezes, clock: TrustedClock,
    arrived: float,
) -> None:  # fmt: skip
    if isinstance(letter, Freeze):
        freezes.obey(letter, sessions, arrived)
    elif isinstance(letter, Watch):
        _watch(sessions, letter, clock.known_ms)
    elif clock.known and (session := sessions.get(letter.session)) is not None:
        session.inspections.holds.answer(letter, clock.boot_of(letter.not_after_ms))


def _watch(sessions: Mapping[str, Session], letter: Watch, unix_ms: int | None) -> None:
    """``unix_ms``: the trusted time; without it nobody can say how long. Played again the letter shows no more."""
    session = sessions.get(letter.session)
    if session is None or unix_ms is None or letter.until_ms <= unix_ms:
        return
    if not session.glances.watched and sum(one.glances.watched for one in sessions.values()) >= WATCHED:
        log.warning("watch.many", session=letter.session, most=WATCHED)
        return
    session.glances.watch((letter.until_ms - unix_ms) / 1000)
