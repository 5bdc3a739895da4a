# SPDX-License-Identifier: Apache-2.0
"""Who may look through what was recorded of a person, and what is kept beyond its time."""

from datetime import datetime, timedelta
from functools import partial

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from portineria.control.identity.models import ID, Organisation, Person
from portineria.control.remote_sessions.models.session import Session
from portineria.core.ids import Kind, new_id

MOST_HOURS = 168


class PlaybackQuerySet(models.QuerySet["Playback"]):
    def visible_to(self, actor: Person) -> "PlaybackQuerySet":
        return self.filter(organisation__in=actor.staff_of)

    def waiting(self) -> "PlaybackQuerySet":
        return self.filter(decided_at__isnull=True, ended_at__isnull=True)

    def open_at(self, at: datetime) -> "PlaybackQuerySet":
        return self.filter(until__gt=at, ended_at__isnull=True)


class Playback(models.Model):
    """One person asked to look through the recordings of one session, for a reason; another one said yes or no."""

    public_id = models.CharField(max_length=ID, unique=True, editable=False, default=partial(new_id, Kind.PLAYBACK))
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="playbacks")
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="playbacks")
    recorded = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")  # the session's own
    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=500)
    reference = models.CharField(max_length=60)  # of the case
    hours = models.PositiveSmallIntegerField()
    decided_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)  # null: undecided, or a no
    ended_at = models.DateTimeField(null=True, blank=True)  # before its time

    objects = PlaybackQuerySet.as_manager()

    class Meta:
        constraints = [
            # Nobody says yes to themselves, nor about what was recorded of themselves.
            models.CheckConstraint(
                name="sessions_playback_two",
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("asked_by")) & ~Q(decided_by=F("recorded")),
            ),
            models.CheckConstraint(
                name="sessions_playback_decided",
                condition=Q(decided_by__isnull=True, decided_at__isnull=True, until__isnull=True)
                | Q(decided_by__isnull=False, decided_at__isnull=False),
            ),
            models.CheckConstraint(name="sessions_playback_hours", condition=Q(hours__gte=1, hours__lte=MOST_HOURS)),
            models.CheckConstraint(name="sessions_playback_why", condition=~Q(reason="") & ~Q(reference="")),
            models.UniqueConstraint(
                name="sessions_playback_asked_once",
                fields=["session", "asked_by"],
                condition=Q(decided_at__isnull=True, ended_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def waits(self) -> bool:
        return self.decided_at is None and self.ended_at is None

    def decide(self, by: Person, at: datetime, *, allowed: bool) -> None:
        """In memory; the service saves it."""
        self.decided_by, self.decided_at = by, at
        self.until = at + timedelta(hours=self.hours) if allowed else None


class RecordingHold(models.Model):
    """Keeps the recordings of one session from being deleted, for as long as somebody needs them as evidence."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="recording_holds")
    reason = models.CharField(max_length=500)
    set_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField(default=timezone.now)
    lifted_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="sessions_one_hold", fields=["session"], condition=Q(lifted_at__isnull=True)),
            models.CheckConstraint(
                name="sessions_hold_lifted",
                condition=~Q(reason="")
                & (
                    Q(lifted_at__isnull=True, lifted_by__isnull=True)
                    | Q(lifted_at__isnull=False, lifted_by__isnull=False)
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"hold of {self.session_id}"
