# SPDX-License-Identifier: Apache-2.0
"""A change that would end many sessions says which, and is made when somebody says yes to exactly these.

It is rehearsed: made in a transaction, its sessions judged by the decision that counts, and taken back. Until the
second yes nothing new begins under the rules that those sessions rest on, so that the list grows no longer meanwhile.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import transaction
from django.utils import timezone

from portineria.control.access.pausing import pause_rules, resume_rules
from portineria.control.identity.authority import Actor
from portineria.control.remote_sessions.models import Session
from portineria.control.remote_sessions.models.session import SessionState
from portineria.control.remote_sessions.scope import altered
from portineria.control.remote_sessions.stays import judged_now
from portineria.core.errors import Conflict

T = TypeVar("T")
MOST = 5  # sessions that a change ends without a second yes
PAUSE = timedelta(minutes=5)
WITH = (
    "person", "machine__plant", "gateway", "organisation", "grant__rule__profile", "grant__machine__plant",
    "grant__machine__gateway",
)  # fmt: skip


class SecondYes(Conflict):
    """``sessions``: what would end. Whoever catches it at the edge, where nothing of the change is kept any more, calls
    ``pause`` and says which they are.
    """

    code = "session.second-yes"

    def __init__(self, actor: Actor, sessions: list[Session]) -> None:
        super().__init__(f"would end {len(sessions)} sessions")
        self.actor, self.sessions, self.values = actor, sessions, {"count": len(sessions)}

    @property
    def ids(self) -> list[str]:
        return [row.public_id for row in self.sessions]

    def pause(self) -> None:
        pause_rules(self.actor, [row.grant.rule for row in self.sessions], until=timezone.now() + PAUSE,
                    sessions=len(self.sessions))  # fmt: skip


def ending(organisation: int, at: datetime) -> list[Session]:
    """Of this organisation, what runs and is not permitted as things stand in this transaction, or whose order
    names what is gone or elsewhere. Oldest first.
    """
    runs = (SessionState.OPENING, SessionState.LIVE)
    rows = list(Session.objects.filter(organisation=organisation, state__in=runs).select_related(*WITH).order_by("pk"))
    if len(rows) <= MOST:
        return []
    judged, moved = judged_now(rows, at), altered(rows)
    return [row for row in rows if row.pk in moved or not judged[row.pk].permitted]


def foreseen(act: Callable[[], T], *, actor: Actor, organisation: int, confirmed: Iterable[str] = ()) -> T:
    """Do it, all or nothing. ``confirmed``: ids of the sessions that whoever acts saw. Raise SecondYes where more than
    five would end, and one of them is not among these.
    """
    with transaction.atomic():
        done = act()
        rows = ending(organisation, timezone.now())
        if len(rows) > MOST:
            if {row.public_id for row in rows} - set(confirmed):
                raise SecondYes(actor, rows)
            resume_rules([row.grant.rule for row in rows])
    return done
