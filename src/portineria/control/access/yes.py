# SPDX-License-Identifier: Apache-2.0
"""What a yes was said to, and whether it counts still."""

from django.db import models


class MarkedYes(models.Model):
    """``mark``: of what the rule opened when it was said (``profiles.mark_of``). ``counts``: while a request waits, the
    rule may come to open something else; a yes to what it opened before counts no more, and may be said again.
    ``level`` and ``of_levels``: which level was asked when it was said, of how many; 0 where its rule had none, and of
    those that were said before this was kept.
    """

    minutes = models.PositiveIntegerField(null=True, blank=True)  # a yes to less than was asked; null: to all of it
    mark = models.CharField(max_length=40, blank=True, default="")
    counts = models.BooleanField(default=True)
    level = models.PositiveSmallIntegerField(default=0)
    of_levels = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True

    @property
    def in_level(self) -> str:
        """As events write it."""
        return f"{self.level}/{self.of_levels}" if self.level else ""


IN_LEVEL = models.CheckConstraint(
    name="access_approval_level",
    condition=models.Q(level=0, of_levels=0) | models.Q(level__gte=1, of_levels__gte=models.F("level"), approved=True),
)
