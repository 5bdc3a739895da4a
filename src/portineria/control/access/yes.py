# SPDX-License-Identifier: Apache-2.0
"""What a yes was said to, and whether it counts still."""

from django.db import models


class MarkedYes(models.Model):
    """``mark``: of what the rule opened when it was said (``profiles.mark_of``). ``counts``: while a request waits, the
    rule may come to open something else; a yes to what it opened before counts no more, and may be said again.
    """

    minutes = models.PositiveIntegerField(null=True, blank=True)  # a yes to less than was asked; null: to all of it
    mark = models.CharField(max_length=40, blank=True, default="")
    counts = models.BooleanField(default=True)

    class Meta:
        abstract = True
