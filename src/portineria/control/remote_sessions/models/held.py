# SPDX-License-Identifier: Apache-2.0
"""Requests that a gateway holds until somebody said yes or no."""

from datetime import datetime
from functools import partial

from django.db import models
from django.db.models import F, Q

from portineria.control.estate.models import Service
from portineria.control.identity.models import ID, Person
from portineria.control.remote_sessions.models.session import Session, SessionState, of_sessions_seen
from portineria.core.errors import Conflict
from portineria.core.ids import Kind, new_id


class HeldOver(Conflict):
    code = "held.over"


class HeldQuerySet(models.QuerySet["HeldOperation"]):
    def visible_to(self, actor: Person) -> "HeldQuerySet":
        return self.filter(of_sessions_seen(actor))

    def waiting(self, at: datetime) -> "HeldQuerySet":
        """Those that may still be answered."""
        open_now = [state for state in SessionState if state not in (SessionState.CUTTING, SessionState.ENDED)]
        return self.filter(allowed__isnull=True, outcome="", answer_until__gt=at, session__state__in=open_now)


class HeldOperation(models.Model):
    """A request that a gateway holds until somebody said yes or no, as the gateway decoded it. Texts are the client's
    words.
    """

    public_id = models.CharField(max_length=ID, unique=True, editable=False, default=partial(new_id, Kind.HELD))
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="held")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")  # whose session it is
    question = models.BinaryField(max_length=32)
    request_sha256 = models.BinaryField(max_length=32)
    service = models.ForeignKey(Service, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    protocol = models.CharField(max_length=24, blank=True)
    function = models.CharField(max_length=140, blank=True)
    code = models.CharField(max_length=140, blank=True)
    kind = models.CharField(max_length=24, blank=True)
    targets = models.CharField(max_length=256, blank=True)
    values = models.CharField(max_length=256, blank=True)
    route = models.CharField(max_length=256, blank=True)
    besides = models.CharField(max_length=256, blank=True)  # what else is in the same request
    asked_at = models.DateTimeField()
    held_until = models.DateTimeField()  # then its client gets a no, and a yes only arms it
    answer_until = models.DateTimeField()
    allowed = models.BooleanField(null=True, blank=True)
    decided_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    answer = models.BinaryField(default=b"")  # as signed; said again to a gateway that comes back
    outcome = models.CharField(max_length=12, blank=True)  # as the gateway says: released, armed, expired
    outcome_at = models.DateTimeField(null=True, blank=True)

    objects = HeldQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="sessions_held", fields=["session", "question"]),
            models.CheckConstraint(
                name="sessions_held_four_eyes", condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("person"))
            ),
            models.CheckConstraint(
                name="sessions_held_decided",
                condition=Q(allowed__isnull=True, decided_by__isnull=True, decided_at__isnull=True)
                | Q(allowed__isnull=False, decided_by__isnull=False, decided_at__isnull=False),
            ),
        ]
        indexes = [models.Index(name="sessions_held_until", fields=["answer_until"])]

    def __str__(self) -> str:
        return self.public_id

    def decide(self, by: Person, at: datetime, *, allowed: bool) -> None:
        """Change in memory; raise HeldOver for what was answered, or is over."""
        if self.allowed is not None or self.outcome or self.answer_until <= at:
            raise HeldOver(f"held operation {self.public_id} is answered or over")
        self.allowed, self.decided_by, self.decided_at = allowed, by, at
