# SPDX-License-Identifier: Apache-2.0
"""Computers that an organisation knows by their key, as they were enrolled by its administrators."""

from datetime import datetime
from functools import partial

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from portineria.control.identity.models import ID, Organisation, Person
from portineria.core.ids import Kind, new_id

MOST_DEVICE_DAYS = 1095


class CompanyDeviceQuerySet(models.QuerySet["CompanyDevice"]):
    def visible_to(self, actor: Person) -> "CompanyDeviceQuerySet":
        return self.filter(organisation__in=actor.staff_of)


class CompanyDevice(models.Model):
    """One person's one computer: whoever opens a session from it proves that they hold its key."""

    public_id = models.CharField(
        max_length=ID, unique=True, editable=False, default=partial(new_id, Kind.COMPANY_DEVICE)
    )
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="company_devices")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="company_devices")
    name = models.CharField(max_length=60)
    key = models.BinaryField(max_length=32)  # public half, Ed25519
    added_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = CompanyDeviceQuerySet.as_manager()

    class Meta:
        constraints = [
            # For good: a key that was revoked does not come back under another name.
            models.UniqueConstraint(name="access_device_once", fields=["organisation", "key"]),
            models.CheckConstraint(name="access_device_ends", condition=Q(expires_at__gt=F("added_at"))),
        ]

    def __str__(self) -> str:
        return self.name

    def standing(self, at: datetime) -> str:
        """One of policy.ending.Device."""
        if self.revoked_at is not None:
            return "revoked"
        return "known" if self.expires_at > at else "none"
