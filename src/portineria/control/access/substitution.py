# SPDX-License-Identifier: Apache-2.0
"""Somebody stands in for an approver, for a time or for one request. The table; what it opens is in ``deciding``."""

from collections.abc import Collection
from datetime import datetime
from functools import partial

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from portineria.control.identity.models import ID, Membership, Organisation, Person, Role
from portineria.core.ids import Kind, new_id

APPROVING = [role.value for role in Role if role.approves]
STAFF = [role.value for role in Role if role.staff]


class SubstitutionQuerySet(models.QuerySet["Substitution"]):
    def visible_to(self, actor: Person) -> "SubstitutionQuerySet":
        return self.filter(organisation__in=actor.staff_of)

    def standing(self) -> "SubstitutionQuerySet":
        """Nobody ended it, the approver still is one, and the substitute still works there."""
        return self.filter(
            Exists(_there(OuterRef("approver"), APPROVING)), Exists(_there(OuterRef("substitute"), STAFF)),
            ended_at__isnull=True, approver__disabled_at__isnull=True, substitute__disabled_at__isnull=True,
        )  # fmt: skip

    def lent(self, at: datetime) -> "SubstitutionQuerySet":
        """For whatever comes, or for one request."""
        return self.standing().filter(starts_at__lte=at, ends_at__gt=at)

    def holding(self, at: datetime) -> "SubstitutionQuerySet":
        """For whatever comes: those for one request open nothing else."""
        return self.lent(at).filter(request__isnull=True)

    def holding_for(self, requests: Collection[int], at: datetime) -> "SubstitutionQuerySet":
        """Those, and the ones for one of these requests alone."""
        return self.lent(at).filter(Q(request__isnull=True) | Q(request__in=requests))

    def handed(self, at: datetime) -> "SubstitutionQuerySet":
        """For one request each."""
        return self.lent(at).filter(request__isnull=False)

    def watching(self, at: datetime) -> "SubstitutionQuerySet":
        """Those by which somebody may look on in another's place: both work there. Nothing is approved by one alone."""
        return self.filter(
            Exists(_there(OuterRef("approver"), STAFF)), Exists(_there(OuterRef("substitute"), STAFF)),
            ended_at__isnull=True, approver__disabled_at__isnull=True, substitute__disabled_at__isnull=True,
            starts_at__lte=at, ends_at__gt=at, request__isnull=True,
        )  # fmt: skip


def _there(person: OuterRef, roles: list[str]) -> models.QuerySet[Membership]:
    return Membership.objects.filter(person=person, organisation=OuterRef("organisation"), role__in=roles)


class Substitution(models.Model):
    """From ``starts_at`` on, until ``ends_at`` or until somebody ends it, ``substitute`` decides for ``approver``:
    whatever comes, or ``request`` alone, which the approver handed to them.
    """

    public_id: "models.CharField[str, str]" = models.CharField(
        max_length=ID, unique=True, editable=False, default=partial(new_id, Kind.SUBSTITUTION)
    )
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="substitutions")
    approver = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="substitutes")
    substitute = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="substitutions")
    request = models.ForeignKey(
        "access.AccessRequest", on_delete=models.PROTECT, null=True, blank=True, related_name="handed_to"
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    made_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = SubstitutionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(name="access_substitution_of_another", condition=~Q(substitute=F("approver"))),
            models.CheckConstraint(name="access_substitution_ends", condition=Q(ends_at__gt=F("starts_at"))),
            models.UniqueConstraint(
                name="access_substitution_handed_once",
                fields=["request", "approver"],
                condition=Q(request__isnull=False, ended_at__isnull=True),
            ),
        ]
        indexes = [models.Index(name="access_substitution_whose", fields=["substitute", "organisation", "ends_at"])]

    def __str__(self) -> str:
        return self.public_id
