# SPDX-License-Identifier: Apache-2.0
"""The reasons that an organisation offers to whoever asks, of one plant or of all that have none of their own."""

from django.db import models
from django.db.models import Q

from portineria.control.estate.models import Plant
from portineria.control.identity.models import Organisation

REASON_TEXT = 60
MOST_REASONS = 30  # what one finds in a list without searching


class ListedReason(models.Model):
    """In the owner's own words. A request keeps those words, not this row: lists change."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="listed_reasons")
    plant = models.ForeignKey(Plant, on_delete=models.PROTECT, null=True, blank=True, related_name="listed_reasons")
    position = models.PositiveSmallIntegerField()
    text = models.CharField(max_length=REASON_TEXT)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="access_reason_once", fields=["organisation", "text"], condition=Q(plant__isnull=True)
            ),
            models.UniqueConstraint(name="access_reason_once_there", fields=["plant", "text"]),
            models.CheckConstraint(name="access_reason_says", condition=~Q(text="")),
        ]

    def __str__(self) -> str:
        return self.text


def has_list(organisation: Organisation) -> bool:
    """Which counts everywhere, so that nobody who has to choose finds nothing to choose from."""
    return ListedReason.objects.filter(organisation=organisation, plant__isnull=True).exists()
