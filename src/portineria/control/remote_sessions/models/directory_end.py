# SPDX-License-Identifier: Apache-2.0
"""What a directory took from many people at once, and the sessions that go on until somebody said yes or no to that."""

from datetime import datetime
from functools import partial

from django.db import models
from django.db.models import Q
from django.utils import timezone

from portineria.control.identity.models import ID, Organisation, Person
from portineria.control.remote_sessions.models.session import Session, SessionState
from portineria.core.errors import Conflict
from portineria.core.ids import Kind, new_id

REASONS = 200  # every reason that a stay may overlook, by words apart


class DirectoryEndOver(Conflict):
    code = "directory-end.over"


class DirectoryAct(models.Model):
    """A change by a directory that took running sessions their permission: how many. Kept for an hour, to see a burst
    of them. ``of_people``: it closed somebody; otherwise it changed a group.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    of_people = models.BooleanField()
    at = models.DateTimeField(default=timezone.now)
    sessions = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(name="sessions_directory_act", fields=["organisation", "at"])]

    def __str__(self) -> str:
        return f"{self.organisation_id}: {self.sessions}"


class DirectoryEndState(models.TextChoices):
    WAITING = "waiting"
    CONFIRMED = "confirmed"  # they end
    REFUSED = "refused"  # they go on until the directory says it again
    LAPSED = "lapsed"  # nobody answered in time: they end
    SETTLED = "settled"  # nothing was left to answer for


class DirectoryEndQuerySet(models.QuerySet["DirectoryEnd"]):
    def visible_to(self, actor: Person) -> "DirectoryEndQuerySet":
        return self.filter(organisation__in=actor.staff_of)

    def waiting(self, at: datetime) -> "DirectoryEndQuerySet":
        """Those that may still be answered."""
        return self.filter(state=DirectoryEndState.WAITING, ends_at__gt=at)


class DirectoryEnd(models.Model):
    """A question to whoever administers: shall what a directory said of many end their running sessions?"""

    State = DirectoryEndState

    public_id = models.CharField(
        max_length=ID, unique=True, editable=False, default=partial(new_id, Kind.DIRECTORY_END)
    )
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="directory_ends")
    asked_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField()  # then they end without an answer
    state = models.CharField(max_length=12, choices=DirectoryEndState.choices, default=DirectoryEndState.WAITING)
    answered_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)

    objects = DirectoryEndQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="sessions_directory_end_answered",
                condition=Q(state__in=["confirmed", "refused"], answered_by__isnull=False, answered_at__isnull=False)
                | Q(state__in=["waiting", "lapsed", "settled"], answered_by__isnull=True, answered_at__isnull=True),
            ),
            models.UniqueConstraint(
                name="sessions_directory_end_waits_once", fields=["organisation"], condition=Q(state="waiting")
            ),
        ]
        indexes = [models.Index(name="sessions_directory_end_state", fields=["state", "ends_at"])]

    def __str__(self) -> str:
        return self.public_id

    def answer(self, by: Person, at: datetime, *, end: bool) -> None:
        """Change in memory; raise DirectoryEndOver for what was answered, or is over."""
        if self.state != DirectoryEndState.WAITING or self.ends_at <= at:
            raise DirectoryEndOver(f"directory end {self.public_id} is answered or over")
        self.state = DirectoryEndState.CONFIRMED if end else DirectoryEndState.REFUSED
        self.answered_by, self.answered_at = by, at


class StayQuerySet(models.QuerySet["Stay"]):
    def open(self) -> "StayQuerySet":
        """Of sessions that would be running."""
        runs = [SessionState.OPENING, SessionState.LIVE, SessionState.DRAINING]
        return self.filter(over=False, session__state__in=runs)


class Stay(models.Model):
    """One session that is spared meanwhile, or because somebody said no; which reasons are overlooked for it."""

    directory_end = models.ForeignKey(DirectoryEnd, on_delete=models.PROTECT, related_name="stays")
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="stays")
    since = models.DateTimeField()
    reasons = models.CharField(max_length=REASONS)
    version = models.PositiveIntegerField()  # of its rule, then
    approvals = models.PositiveIntegerField()  # that counted, then
    over = models.BooleanField(default=False)

    objects = StayQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(name="sessions_stays_open", fields=["over"])]
        constraints = [
            models.UniqueConstraint(name="sessions_stays_once", fields=["session"], condition=Q(over=False)),
        ]

    def __str__(self) -> str:
        return f"{self.session_id}: {self.reasons}"
