# SPDX-License-Identifier: Apache-2.0
"""Whether sessions are still permitted, those that a directory's change would end as long as somebody is asked."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from portineria.control.access.staying import Stayed, decisions_with_stays
from portineria.control.remote_sessions.models import DirectoryEndState, Session, Stay
from portineria.policy.decision import Decision
from portineria.policy.ending import Reason


def judged_now(sessions: Iterable[Session], at: datetime) -> dict[int, Decision]:
    """Session → is it still permitted? Each comes as ``decisions_by_use`` wants it."""
    rows = list(sessions)
    return decisions_with_stays(rows, at, _stays({row.pk for row in rows}, at))


def _stays(sessions: set[int], at: datetime) -> dict[int, Stayed]:
    """Those that count: no answer yet and still time for one, whatever any timer did, or the answer was no."""
    if not sessions:
        return {}
    count = Q(directory_end__state=DirectoryEndState.WAITING, directory_end__ends_at__gt=at)
    count |= Q(directory_end__state=DirectoryEndState.REFUSED)
    rows = Stay.objects.filter(count, over=False).order_by("pk")
    return {row.session_id: _as_stayed(row) for row in rows if row.session_id in sessions}


def _as_stayed(row: Stay) -> Stayed:
    return Stayed(row.since, frozenset(Reason(one) for one in row.reasons.split()), row.version, row.approvals)
