# SPDX-License-Identifier: Apache-2.0
"""What a customer's directory, which speaks SCIM with us, says of the people of its organisation."""

from django.db import models
from django.utils import timezone

from portineria.control.identity.provider_models import GROUP_CHARACTERS


class DirectoryEntry(models.Model):
    """Of one person in one organisation. Only what the directory itself did may it undo: ``closed`` is true while it
    keeps somebody out, and then says as what they would come back.
    """

    organisation = models.ForeignKey("identity.Organisation", on_delete=models.PROTECT, related_name="directory")
    person = models.ForeignKey("identity.Person", on_delete=models.CASCADE, related_name="directory")
    external_id = models.CharField(max_length=GROUP_CHARACTERS, blank=True, default="")
    made = models.BooleanField(default=False)  # it made the account: it may change its name and address
    closed = models.BooleanField(default=False)
    removed = models.BooleanField(default=False)  # for the directory they are not there any more
    role = models.CharField(max_length=16, blank=True, default="")
    supplier = models.ForeignKey("identity.Supplier", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="identity_directory_once", fields=["organisation", "person"]),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} in {self.organisation_id}"
