# SPDX-License-Identifier: Apache-2.0
"""Trainings: short texts or links that an organisation wants read and confirmed before work, each with its versions."""

from datetime import datetime, timedelta
from functools import partial

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from portineria.control.identity.models import ID, Language, Organisation, Person
from portineria.core.ids import Kind, new_id

TRAINING_TEXT = 4000  # characters: read in two minutes
TRAINING_LINK = 500
MOST_TRAININGS = 8  # of one rule
TRAININGS_TEXT = MOST_TRAININGS * 21  # ids of 20 characters, by words apart
MOST_DAYS = 3650


class TrainingQuerySet(models.QuerySet["Training"]):
    def offered(self) -> "TrainingQuerySet":
        return self.filter(ended_at__isnull=True)


class Training(models.Model):
    """What is to be read. Once it has ended no rule asks for it any more, and nobody can confirm it."""

    public_id = models.CharField(max_length=ID, unique=True, editable=False, default=partial(new_id, Kind.TRAINING))
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="trainings")
    name = models.CharField(max_length=60)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = TrainingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="access_training_name", fields=["organisation", "name"], condition=Q(ended_at__isnull=True)
            ),
            models.CheckConstraint(name="access_training_named", condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return self.name


class TrainingVersionQuerySet(models.QuerySet["TrainingVersion"]):
    def current(self) -> "TrainingVersionQuerySet":
        """The newest of each training that is still offered: the one that counts."""
        later = TrainingVersion.objects.filter(training=OuterRef("training"), number__gt=OuterRef("number"))
        return self.filter(~Exists(later), training__ended_at__isnull=True)


class TrainingVersion(models.Model):
    """As it was published: it never changes, another one follows it."""

    training = models.ForeignKey(Training, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    days = models.PositiveSmallIntegerField(null=True, blank=True)  # that a confirmation counts; null: for good
    published_at = models.DateTimeField(default=timezone.now)
    published_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")

    objects = TrainingVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="access_training_version", fields=["training", "number"]),
            models.CheckConstraint(name="access_training_numbered", condition=Q(number__gte=1)),
            models.CheckConstraint(
                name="access_training_days", condition=Q(days__isnull=True) | Q(days__gte=1, days__lte=MOST_DAYS)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.training_id}.{self.number}"

    def until(self, at: datetime) -> datetime | None:
        """When a confirmation of this moment is over; None: never."""
        return None if self.days is None else at + timedelta(days=self.days)


class TrainingText(models.Model):
    """One version in one language: a text, an address where it is to be read, or both."""

    version = models.ForeignKey(TrainingVersion, on_delete=models.PROTECT, related_name="texts")
    language = models.CharField(max_length=5, choices=Language.choices)
    text = models.CharField(max_length=TRAINING_TEXT, blank=True)
    link = models.CharField(max_length=TRAINING_LINK, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="access_training_language", fields=["version", "language"]),
            models.CheckConstraint(name="access_training_known", condition=Q(language__in=Language.values)),
            models.CheckConstraint(name="access_training_says", condition=~Q(text="", link="")),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.language}"


class TrainingDone(models.Model):
    """A person said that they read one version, last at this time; the register has the earlier ones."""

    version = models.ForeignKey(TrainingVersion, on_delete=models.PROTECT, related_name="done")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="trainings")
    language = models.CharField(max_length=5, choices=Language.choices)
    at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(null=True, blank=True)  # null: for good

    class Meta:
        constraints = [
            models.UniqueConstraint(name="access_training_once", fields=["version", "person"]),
            models.CheckConstraint(name="access_training_read_in", condition=Q(language__in=Language.values)),
            models.CheckConstraint(
                name="access_training_until", condition=Q(until__isnull=True) | Q(until__gt=models.F("at"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.person_id}"
