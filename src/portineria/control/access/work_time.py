# SPDX-License-Identifier: Apache-2.0
"""From when and how long a permission holds: by stated times, or counted from the first session opened under it."""

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q

from portineria.control.access.weekly import WEEKLY_TEXT
from portineria.core.errors import Conflict

BEGIN_WITHIN = timedelta(hours=8)  # of a yes without a stated start: a shift; whoever comes later asks with a start


class NoLonger(Conflict):
    code = "access.grant.longest"


class NotBegun(Conflict):
    code = "access.grant.not-begun"


class ComesAgain(Conflict):
    code = "access.grant.comes-again"


class WorkTime(models.Model):
    """``minutes``: how long work lasts from ``opened_at`` on, which is null until the first session was opened; until
    then ``ends_at`` says by when it may begin. Null: the two times say everything. ``weekly``: of what comes again
    every week between the two times (``recurring``): ``minutes`` are of each.
    """

    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    minutes = models.PositiveIntegerField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    weekly = models.CharField(max_length=WEEKLY_TEXT, blank=True, default="")

    class Meta:
        abstract = True

    @property
    def begun(self) -> bool:
        return self.minutes is None or self.opened_at is not None or bool(self.weekly)

    @property
    def lasting(self) -> bool:
        """Whether it has one end, which could be later."""
        return self.begun and not self.weekly

    @property
    def until(self) -> dict[str, Any]:
        """As an event says it."""
        end = self.ends_at.isoformat(timespec="seconds")
        if self.weekly:
            return {"ends_at": end, "weekly": self.weekly, "minutes": self.minutes or 0}
        return {"ends_at": end} if self.begun else {"minutes": self.minutes or 0, "begin_by": end}

    def lasts(self, most_minutes: int) -> timedelta | None:
        """From the first opening, by a rule that allows so many by now; None once that was."""
        return None if self.minutes is None or self.begun else timedelta(minutes=min(self.minutes, most_minutes))

    def ends_under(self, most_minutes: int) -> datetime:
        """A rule that was shortened shortens what was given under it."""
        longest = (self.opened_at or self.starts_at) + timedelta(minutes=most_minutes)
        return min(self.ends_at, longest) if self.lasting else self.ends_at

    def begin_work(self, at: datetime, most_minutes: int) -> bool:
        """In memory; False where it had begun. The row is locked: of two who open at once one begins."""
        if (lasts := self.lasts(most_minutes)) is None:
            return False
        self.opened_at, self.ends_at = at, at + lasts
        return True

    def time_left(self, at: datetime, most_minutes: int) -> int:
        """How many minutes more it may be given, counted from its end or from now: in all as many as its rule allows.
        0 while there is no one end that could be later.
        """
        if not self.lasting:
            return 0
        longest = (self.opened_at or self.starts_at) + timedelta(minutes=most_minutes)
        return max(0, int((longest - max(self.ends_at, at)).total_seconds() // 60))

    def require_lasting(self) -> None:
        """Raise NotBegun, ComesAgain where there is no one end that could be later."""
        if self.weekly:
            raise ComesAgain(f"from {self.starts_at} to {self.ends_at}: {self.weekly}")
        if not self.begun:
            raise NotBegun(f"to begin by {self.ends_at}")


ENDS_AFTER_START = models.CheckConstraint(name="access_grant_ends_after_start", condition=Q(ends_at__gt=F("starts_at")))
MINUTES_COUNTED = models.CheckConstraint(
    name="access_grant_counted",
    condition=Q(minutes__isnull=True, opened_at__isnull=True, weekly="")
    | Q(minutes__gte=1, minutes__lte=10080) & (Q(opened_at__isnull=True) | Q(opened_at__gte=F("starts_at"), weekly="")),
)
