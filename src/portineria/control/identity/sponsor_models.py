# SPDX-License-Identifier: Apache-2.0
"""Of a supplier's person: until when they belong to an organisation, and who of its own people answers for them."""

from datetime import date, datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone

LONGEST_STAY = 3650  # days
USUAL_DAYS = 365


class BoundsStays(models.Model):
    """Of an organisation: how many days from now the end of such a membership lies at most."""

    stay_days = models.PositiveSmallIntegerField(default=USUAL_DAYS)

    class Meta:
        abstract = True

    def usual_end(self, at: datetime) -> date:
        """The last day, of UTC."""
        return at.date() + timedelta(days=min(self.stay_days, USUAL_DAYS))


STAY_DAYS = models.CheckConstraint(name="identity_stay_days", condition=Q(stay_days__range=(1, LONGEST_STAY)))


class Sponsored(models.Model):
    """``ends_at``: the moment after the last day; null: of the organisation's own, of whom a provider says each time,
    or from before there were ends. ``sponsor``: null where nobody was named.
    """

    ends_at = models.DateTimeField(null=True, blank=True)
    sponsor = models.ForeignKey(
        "identity.Person", on_delete=models.PROTECT, null=True, blank=True, related_name="sponsored_%(class)ss"
    )

    class Meta:
        abstract = True

    @property
    def over(self) -> bool:
        return self.ends_at is not None and self.ends_at <= timezone.now()

    @property
    def last_day(self) -> date | None:
        return None if self.ends_at is None else (self.ends_at - timedelta(days=1)).date()


OF_SUPPLIERS = Q(supplier__isnull=False) | Q(ends_at__isnull=True, sponsor__isnull=True)
