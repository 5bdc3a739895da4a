# SPDX-License-Identifier: Apache-2.0
"""Where an organisation's register goes besides, how far each receiver has it, and what it would not take."""

from datetime import datetime, timedelta
from functools import partial

from django.db import models
from django.db.models import Q
from django.utils import timezone

from portineria.control.identity.delegation_models import Delegation, Power
from portineria.control.identity.models import ID, Organisation, Person
from portineria.core.ids import Kind, new_id

WHY = 200
TICKET_TEXT = 1000
_MINUTE = timedelta(minutes=1)


class SinkQuerySet(models.QuerySet["Sink"]):
    def visible_to(self, actor: Person) -> "SinkQuerySet":
        """Of a provider's people those that they added; of the owner's also those, as it is their register."""
        return self.filter(Q(organisation__in=actor.staff_of) | Q(delegation__in=actor.acts_by(Power.SINK)))

    def leaving(self, at: datetime) -> "SinkQuerySet":
        """Not paused, and what a provider added only while that is delegated."""
        given = Delegation.objects.holding(at).filter(sink=True)
        return self.filter(Q(delegation__isnull=True) | Q(delegation__in=given), paused_at__isnull=True)


class Personal(models.TextChoices):
    """What leaves of personal fields. Secrets never do: nobody has them."""

    NONE = "none"
    PSEUDONYMS = "pseudonyms"  # the same text has the same one in this sink, and in no other
    VALUES = "values"


class Sink(models.Model):
    """``delivered``: every event up to this number was acknowledged, left out by the filter, or put aside."""

    public_id: "models.CharField[str, str]" = models.CharField(
        max_length=ID, unique=True, editable=False, default=partial(new_id, Kind.SINK)
    )
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="sinks")
    # Whose it is, where a provider added it.
    delegation = models.ForeignKey(Delegation, models.PROTECT, null=True, blank=True, related_name="sinks")
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=16)
    settings = models.JSONField(default=dict)
    wrapped = models.BinaryField()  # secret settings and the key of the pseudonyms, under the master key
    personal = models.CharField(max_length=16, choices=Personal.choices, default=Personal.NONE)
    codes = models.JSONField(default=list)  # beginnings of codes; none: every event
    severity = models.PositiveSmallIntegerField(default=6)  # syslog's: this one, and what is worse
    created_at = models.DateTimeField(default=timezone.now)
    paused_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)  # of what was set up: a batch counts for the one it was made by

    delivered = models.PositiveBigIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True, blank=True)
    sent = models.PositiveBigIntegerField(default=0)
    counted = models.PositiveBigIntegerField(default=0)  # events since ``counted_from``, about a minute: the rate
    counted_from = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)  # in a row
    failed_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=WHY, blank=True)
    told = models.BooleanField(default=False)  # that it fails
    dead_in_a_row = models.PositiveIntegerField(default=0)

    objects = SinkQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="sinks_sink_name", fields=["organisation", "name"]),
            models.CheckConstraint(name="sinks_sink_personal", condition=Q(personal__in=Personal.values)),
            models.CheckConstraint(name="sinks_sink_severity", condition=Q(severity__gte=2, severity__lte=6)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def paused(self) -> bool:
        return self.paused_at is not None

    @property
    def per_minute(self) -> int:
        """Over the last minute in which something was sent; clocks are set back."""
        if self.counted_from is None or self.delivered_at is None:
            return 0
        over = max(self.delivered_at - self.counted_from, timedelta(seconds=1))
        return round(self.counted * (_MINUTE / over)) if over > _MINUTE else self.counted


class TicketNote(models.Model):
    """That a session ended, as a comment on the ticket that it was asked for with. Said once, or given up."""

    sink = models.ForeignKey(Sink, on_delete=models.CASCADE, related_name="notes")
    session: "models.CharField[str, str]" = models.CharField(max_length=ID, unique=True)
    ticket = models.CharField(max_length=60)
    text = models.CharField(max_length=TICKET_TEXT)
    made_at = models.DateTimeField(default=timezone.now)
    over_at = models.DateTimeField(null=True, blank=True)  # said, or given up

    class Meta:
        indexes = [models.Index(name="sinks_note_waiting", fields=["over_at"])]

    def __str__(self) -> str:
        return f"{self.sink_id}.{self.session}"


class DeadLetter(models.Model):
    """An event that the receiver refused for good. It stays in the register, and is sent again when somebody asks."""

    sink = models.ForeignKey(Sink, on_delete=models.CASCADE, related_name="dead_letters")
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField(default=timezone.now)
    why = models.CharField(max_length=WHY)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="sinks_dead_letter_once", fields=["sink", "seq"]),
            models.CheckConstraint(name="sinks_dead_letter_numbered", condition=Q(seq__gte=1)),
        ]
