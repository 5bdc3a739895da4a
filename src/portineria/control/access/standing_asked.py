# SPDX-License-Identifier: Apache-2.0
"""The standing of a supplier that a rule asks for, and for whom it is not enough."""

from datetime import datetime

from django.db import models
from django.db.models import Q

from portineria.policy.supplier_standing import Firm, Level, falls_short

LEVELS = [(level.value, level.value) for level in Level]


class AsksStanding(models.Model):
    """Of a rule. It concerns people of a supplier, and AI agents for which one of them answers; nobody else."""

    least_standing = models.CharField(max_length=1, choices=LEVELS, blank=True, default="")  # empty: none

    class Meta:
        abstract = True

    @property
    def least_level(self) -> Level | None:
        return Level(self.least_standing) if self.least_standing else None

    def falls_short(self, firm: Firm | None, at: datetime) -> bool:
        return falls_short(self.least_level, firm, at)


LEAST_STANDING = models.CheckConstraint(
    name="access_rule_standing", condition=Q(least_standing__in=["", *(level.value for level in Level)])
)
