# SPDX-License-Identifier: Apache-2.0
"""What a request says of the weeks in which it comes again; what is made of it is in ``recurring``."""

from django.db import models
from django.db.models import Q

WEEKLY_TEXT = 60  # characters: every second day and two times are fewer


class AsksWeekly(models.Model):
    """``weekly``: days and hours by the clock of the plant, as policy.windows writes one weekly window; empty: once.
    ``until``: the last day on which one begins.
    """

    weekly = models.CharField(max_length=WEEKLY_TEXT, blank=True, default="")
    until = models.DateField(null=True, blank=True)

    class Meta:
        abstract = True


ASKS_WEEKLY = models.CheckConstraint(
    name="access_request_weekly", condition=Q(weekly="", until__isnull=True) | ~Q(weekly="") & Q(until__isnull=False)
)
