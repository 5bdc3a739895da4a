# SPDX-License-Identifier: Apache-2.0
"""Machines and lines that the plant's people have taken out of work, so that others may work on them."""

from datetime import datetime
from functools import partial

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from portineria.control.estate.models import Line, Machine
from portineria.control.identity.models import ID, Organisation, Person
from portineria.core.ids import Kind, new_id


class MaintenanceQuerySet(models.QuerySet["Maintenance"]):
    def visible_to(self, actor: Person) -> "MaintenanceQuerySet":
        return self.filter(organisation__in=actor.staff_of)

    def holding(self, at: datetime) -> "MaintenanceQuerySet":
        """Nobody has ended it, and its own end has not come."""
        return self.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=at), ended_at__isnull=True)


class Maintenance(models.Model):
    """Of one machine, or of everything on one line."""

    public_id: "models.CharField[str, str]" = models.CharField(
        max_length=ID, unique=True, editable=False, default=partial(new_id, Kind.MAINTENANCE)
    )
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="maintenance")
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, null=True, blank=True, related_name="maintenance")
    line = models.ForeignKey(Line, on_delete=models.PROTECT, null=True, blank=True, related_name="maintenance")
    reason = models.CharField(max_length=500)
    begun_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    begun_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True, blank=True)  # by itself; null: until somebody ends it
    ended_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.CharField(max_length=500, blank=True, default="")

    objects = MaintenanceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="access_maintenance_names_one",
                condition=Q(machine__isnull=True, line__isnull=False) | Q(machine__isnull=False, line__isnull=True),
            ),
            models.CheckConstraint(
                name="access_maintenance_ends_after_start",
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("begun_at")),
            ),
            # Whoever ends it says why; what ends by itself is ended by nobody.
            models.CheckConstraint(
                name="access_maintenance_ended_with_reason",
                condition=~Q(reason="")
                & (
                    Q(ended_by__isnull=True, ended_reason="")
                    | Q(ended_by__isnull=False, ended_at__isnull=False) & ~Q(ended_reason="")
                ),
            ),
            models.UniqueConstraint(
                name="access_maintenance_machine_once", fields=["machine"], condition=Q(ended_at__isnull=True)
            ),
            models.UniqueConstraint(
                name="access_maintenance_line_once", fields=["line"], condition=Q(ended_at__isnull=True)
            ),
        ]
        indexes = [models.Index(name="access_maintenance_holding", fields=["organisation", "ended_at"])]

    def __str__(self) -> str:
        return self.public_id
