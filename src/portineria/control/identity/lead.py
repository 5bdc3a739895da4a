# SPDX-License-Identifier: Apache-2.0
"""Which of several processes does what only one should do at a time: a row in the database, held for seconds.

Not a lock of the database's own: those are held as long as a connection stands, and that of a frozen process stands.
The holder judges by a clock that nobody sets and that goes on while it is frozen, and stops before others may begin.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import ParamSpec, TypeVar

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from portineria.control.identity.models import LeadRow
from portineria.core.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")
LEAD_S = 6.0  # from the last prolongation; three of them may fail
RENEW_S = 1.5
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_NEVER = timedelta(seconds=1)


class LeadLost(Unavailable):
    """Somebody else does this now; nothing was changed."""

    code = "identity.lead.lost"


def _now_s() -> float:
    return time.clock_gettime(_CLOCK)


class Lead:
    """``holder`` names this process and no other."""

    def __init__(self, duty: str, holder: str) -> None:
        self._duty, self._holder = duty, holder
        self._until = 0.0

    def take(self) -> bool:
        """Take the lead. By the database's clock, which is one for all."""
        with transaction.atomic():
            LeadRow.objects.get_or_create(duty=self._duty, defaults={"holder": "", "until": Now() - _NEVER})
            return self._until_later(Q(holder=self._holder) | Q(until__lt=Now()))

    def prolong(self) -> bool:
        """Go on leading. Not behind a moment without the lead, though nobody else took it: what was said in it was
        not heeded, and has to be asked for anew.
        """
        return self.held and self._until_later(Q(holder=self._holder, until__gte=Now()))

    def _until_later(self, free: Q) -> bool:
        asked = _now_s()
        rows = LeadRow.objects.filter(free, duty=self._duty)
        taken = rows.update(holder=self._holder, until=Now() + timedelta(seconds=LEAD_S))
        if taken:
            self._until = asked + LEAD_S  # counted from before the question: it ends here before it ends there
        return bool(taken)

    @property
    def held(self) -> bool:
        return _now_s() < self._until

    def leading(self, work: Callable[P, T]) -> Callable[P, T]:
        """``work`` in one transaction in which we lead: who succeeds us waits until it is over. It raises LeadLost.

        A statement of ours may reach the database long after it was sent, when a cable is plugged again. Then somebody
        else leads and knows better, and ``held`` was asked too early.
        """

        def led(*given: P.args, **named: P.kwargs) -> T:
            with transaction.atomic():
                row = LeadRow.objects.select_for_update(no_key=True).filter(duty=self._duty, holder=self._holder)
                if row.filter(until__gte=Now()).first() is None:
                    raise LeadLost(f"{self._duty} is led by another one")
                return work(*given, **named)

        return led

    def give_up(self) -> None:
        """The next one need not wait."""
        self._until = 0.0
        LeadRow.objects.filter(duty=self._duty, holder=self._holder).update(until=Now() - _NEVER)
