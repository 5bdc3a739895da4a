# SPDX-License-Identifier: Apache-2.0
"""How good an organisation judged the security of one of its suppliers."""

from datetime import UTC, date, datetime, time, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from portineria.policy.supplier_standing import UNASSESSED, Firm, Level

STANDING_TEXT = 120  # characters: of who assessed, and of where the assessment lies
LEVELS = [(level.value, level.value) for level in Level]


def over_at(last: date) -> datetime:
    """When what counts until a day counts no longer: days are those of UTC, the last one included."""
    return datetime.combine(last + timedelta(days=1), time(), UTC)


def firm_of(level: str, until: date | None) -> Firm:
    """As policy has it."""
    return UNASSESSED if until is None else Firm(Level(level), over_at(until))


class Assessed(models.Model):
    """Of a supplier: what it was assessed as last, beside the history, for every decision reads it with the supplier.
    An older assessment never counts again, also where it would be valid for longer.
    """

    standing = models.CharField(max_length=1, choices=LEVELS, blank=True, default="")  # empty: never assessed
    standing_until = models.DateField(null=True, blank=True)  # the last day, of UTC

    class Meta:
        abstract = True

    @property
    def firm(self) -> Firm:
        return firm_of(self.standing, self.standing_until)


ASSESSED = models.CheckConstraint(
    name="identity_supplier_standing",
    condition=Q(standing="", standing_until__isnull=True)
    | Q(standing__in=[level.value for level in Level], standing_until__isnull=False),
)


class SupplierStanding(models.Model):
    """One assessment. It never changes, another one follows it."""

    supplier = models.ForeignKey("identity.Supplier", on_delete=models.PROTECT, related_name="standings")
    level = models.CharField(max_length=1, choices=LEVELS)
    assessed_by = models.CharField(max_length=STANDING_TEXT)
    assessed_on = models.DateField()
    valid_until = models.DateField()
    reference = models.CharField(max_length=STANDING_TEXT)
    kept_at = models.DateTimeField(default=timezone.now)
    kept_by = models.ForeignKey("identity.Person", on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="identity_standing_level", condition=Q(level__in=[level.value for level in Level])
            ),
            models.CheckConstraint(name="identity_standing_days", condition=Q(valid_until__gte=F("assessed_on"))),
        ]

    def __str__(self) -> str:
        return f"{self.supplier_id} {self.level}"
