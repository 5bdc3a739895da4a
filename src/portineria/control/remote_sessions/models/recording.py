# SPDX-License-Identifier: Apache-2.0
"""Recordings as the register has them, and who may read them."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from portineria.control.identity.models import ID, Organisation, Person
from portineria.control.remote_sessions.models.session import Session, of_sessions_seen


class RecordingQuerySet(models.QuerySet["Recording"]):
    def visible_to(self, actor: Person) -> "RecordingQuerySet":
        """Of sessions that the actor sees; what is in it only the owner's people may read."""
        return self.filter(of_sessions_seen(actor))


class Recording(models.Model):
    """What one gateway recorded of one session, as far as it is here. Its chunks lie in the recording store."""

    public_id = models.CharField(max_length=ID, unique=True)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="recordings")
    key = models.BinaryField(max_length=32)  # the gateway's event key, which signs every entry
    chunks = models.PositiveIntegerField(default=0)
    head = models.BinaryField(max_length=32, default=bytes(32))
    size = models.PositiveBigIntegerField(default=0)
    to_device = models.PositiveBigIntegerField(default=0)
    from_device = models.PositiveBigIntegerField(default=0)
    lost = models.PositiveBigIntegerField(default=0)
    end = models.CharField(max_length=32, blank=True)  # empty while it goes on
    began_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)  # when its last chunk came
    expired_at = models.DateTimeField(null=True, blank=True)  # its time is over: shown to nobody, to be deleted
    deleted_at = models.DateTimeField(null=True, blank=True)  # its chunks are gone; what they hashed to stays

    objects = RecordingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="sessions_recording_end", condition=Q(end="") | Q(ended_at__isnull=False, chunks__gte=1)
            ),
            models.CheckConstraint(
                name="sessions_recording_deleted", condition=Q(deleted_at__isnull=True) | Q(expired_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class RecordingChunk(models.Model):
    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="parts")
    number = models.PositiveIntegerField()
    sha256 = models.BinaryField(max_length=32)  # of the whole file
    size = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="sessions_chunk", fields=["recording", "number"]),
            models.CheckConstraint(name="sessions_chunk_numbered", condition=Q(number__gte=1)),
        ]


class RecordingReading(models.Model):
    """Somebody opened a recording on its page: an event the first time, though a page asks chunk by chunk."""

    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="readings")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    first_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(name="sessions_recording_reading", fields=["recording", "person"])]


class RecordingRecipient(models.Model):
    """Whom an organisation's recordings are encrypted to. ``wrapped``: its identity, where it is ours to read with."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="recording_recipients")
    recipient = models.CharField(max_length=128)
    wrapped = models.BinaryField(default=b"")
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True, blank=True)  # new orders do not name it; old recordings still open

    class Meta:
        constraints = [models.UniqueConstraint(name="sessions_recipient", fields=["organisation", "recipient"])]
