# SPDX-License-Identifier: Apache-2.0
"""Where a rule admits whatever stands there: the table."""

from typing import NamedTuple

from django.db import models
from django.db.models import Q

from portineria.control.estate.models import Label, Line, Plant, Zone

MOST_PLACES = 20  # of one rule
KINDS = ("plant", "zone", "line", "label")


def _only(kind: str) -> Q:
    return Q(**{f"{other}__isnull": other != kind for other in KINDS})


class RulePlace(models.Model):
    """A plant, zone, line or label, whose machines of each moment the rule names: none is kept beside it."""

    rule = models.ForeignKey("access.Rule", on_delete=models.CASCADE, related_name="places")
    plant = models.ForeignKey(Plant, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    line = models.ForeignKey(Line, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    label = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="access_place_is_one", condition=_only("plant") | _only("zone") | _only("line") | _only("label")
            ),
            *(models.UniqueConstraint(name=f"access_place_{kind}_once", fields=["rule", kind]) for kind in KINDS),
        ]

    def __str__(self) -> str:
        """As files, requests of the API and events write it: ``line North/Line 1``, ``label paint``."""
        return place_text(self.kind, self.named)

    @property
    def kind(self) -> str:
        return next(kind for kind in KINDS if getattr(self, f"{kind}_id") is not None)

    @property
    def named(self) -> "Plant | Zone | Line | Label":
        found: Plant | Zone | Line | Label = getattr(self, self.kind)
        return found


class OfferedPlace(NamedTuple):
    """One that a rule may name; ``plant``: of a zone or line, by name."""

    key: int
    name: str
    plant: str

    def __str__(self) -> str:
        return self.name


def place_text(kind: str, row: "Plant | Zone | Line | Label | OfferedPlace") -> str:
    plant = getattr(row, "plant", "")
    return f"{kind} {plant}/{row}" if plant else f"{kind} {row}"
