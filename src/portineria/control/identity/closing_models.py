# SPDX-License-Identifier: Apache-2.0
"""Memberships that close by themselves: after how many days without use, and what is remembered of one that did."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

SHORTEST_UNUSED, LONGEST_UNUSED = 30, 3650  # days; 30: longer than anything that one use leaves open


class ClosesUnused(models.Model):
    """Of an organisation: after how many days without use whose membership closes. 0: never."""

    unused_days_supplied = models.PositiveSmallIntegerField(default=90)  # a supplier's people
    unused_days_own = models.PositiveSmallIntegerField(default=0)  # its own people
    unused_days_programs = models.PositiveSmallIntegerField(default=180)  # service accounts and AI agents

    class Meta:
        abstract = True


def _days(field: str) -> Q:
    return Q(**{field: 0}) | Q(**{f"{field}__range": (SHORTEST_UNUSED, LONGEST_UNUSED)})


UNUSED_DAYS = models.CheckConstraint(
    name="identity_unused_days",
    condition=_days("unused_days_supplied") & _days("unused_days_own") & _days("unused_days_programs"),
)


class Used(models.Model):
    """Of a person or a program: when they last used their account, to the hour (``use``)."""

    used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True


class Idle(models.Model):
    """Of a membership. ``since``: given then, or unlocked: nobody has been away for longer. ``warned_at``: whoever has
    it was told that it closes; older than their last use it says nothing.
    """

    since = models.DateTimeField(default=timezone.now)
    warned_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True


class ClosedWhy(models.TextChoices):
    UNUSED = "unused"


class ClosedMembership(models.Model):
    """What somebody was until it closed by itself: whoever may invite opens it again as it was."""

    person = models.ForeignKey("identity.Person", on_delete=models.CASCADE, related_name="closed_memberships")
    organisation = models.ForeignKey("identity.Organisation", on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=16)
    supplier = models.ForeignKey("identity.Supplier", on_delete=models.PROTECT, null=True, related_name="+")
    why = models.CharField(max_length=8, choices=ClosedWhy.choices)
    used_at = models.DateTimeField()  # or given, by whoever never came
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="identity_closed_one", fields=["person", "organisation"]),
            models.CheckConstraint(name="identity_closed_why", condition=Q(why__in=ClosedWhy.values)),
            models.CheckConstraint(
                name="identity_closed_supplier_is_technician",
                condition=Q(supplier__isnull=True) | Q(role="technician"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.role} in {self.organisation_id}, {self.why}"
