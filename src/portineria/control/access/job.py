# SPDX-License-Identifier: Apache-2.0
"""What people write to each other about the work of a request: notes, small files, hand-overs. The table."""

from functools import partial

from django.db import models
from django.db.models import Q
from django.utils import timezone

from portineria.control.identity.models import ID, Organisation, Person
from portineria.core.ids import Kind, new_id

TEXT_CHARACTERS = 2000
FILE_BYTES = 1024 * 1024
FILE_NAME = 100


class EntryKind(models.TextChoices):
    NOTE = "note"
    HANDOVER = "handover"


class JobEntry(models.Model):
    """``job``: the id of the request, or of the bundle that it was asked for in. Nothing of it changes afterwards."""

    public_id: "models.CharField[str, str]" = models.CharField(
        max_length=ID, unique=True, editable=False, default=partial(new_id, Kind.JOB_ENTRY)
    )
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="job_entries")
    job = models.CharField(max_length=ID)
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=8, choices=EntryKind.choices)
    to = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    text = models.CharField(max_length=TEXT_CHARACTERS, blank=True)
    file_name = models.CharField(max_length=FILE_NAME, blank=True)
    file_kind = models.CharField(max_length=4, blank=True)  # by its bytes
    content = models.BinaryField(max_length=FILE_BYTES, default=b"")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="access_job_handover_to",
                condition=Q(kind="note", to__isnull=True) | Q(kind="handover", to__isnull=False),
            ),
            models.CheckConstraint(name="access_job_says_something", condition=~Q(text="") | ~Q(file_name="")),
        ]
        indexes = [models.Index(name="access_job_of", fields=["job", "id"])]

    def __str__(self) -> str:
        return self.public_id
