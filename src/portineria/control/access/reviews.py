# SPDX-License-Identifier: Apache-2.0
"""What was opened in an emergency, and whether somebody else has looked at it since."""

from functools import partial
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from portineria.control.access.standing_asked import LEVELS
from portineria.control.estate.models import Gateway, Machine
from portineria.control.identity.models import ID, Organisation, Person, Supplier
from portineria.core.errors import Conflict
from portineria.core.ids import Kind, new_id

_LEVELS = ["", *(level for level, _ in LEVELS)]


class SignedAlready(Conflict):
    code = "access.emergency.signed"


class ReviewQuerySet(models.QuerySet["EmergencyReview"]):
    def visible_to(self, actor: Person) -> "ReviewQuerySet":
        """Staff see those of their plants; whoever opened sees that it is not signed yet."""
        return self.filter(actor.sees_where("organisation", own="person"))

    def unsigned(self) -> "ReviewQuerySet":
        return self.filter(signed_at__isnull=True)


class EmergencyReview(models.Model):
    """One opening that nobody approved beforehand. It stays open until somebody else than its users signs it.

    Of a grant; or of what was opened at the console of a gateway without us, as ``gateway`` reported it: ``opening`` is
    its id there, ``person`` and ``second`` those whose PINs were typed, as far as they are known here.
    """

    public_id = models.CharField(max_length=ID, unique=True, editable=False, default=partial(new_id, Kind.REVIEW))
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="emergency_reviews")
    grant = models.OneToOneField(
        "access.Grant", on_delete=models.PROTECT, null=True, blank=True, related_name="emergency_review"
    )
    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    opening = models.CharField(max_length=ID, blank=True, default="")
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    second = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # Of somebody of a supplier: whose person that is, how it was judged at that moment, and which standing a rule asks
    # of them there that it had not got. An emergency waits for nobody's assessment, but is seen with it.
    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    standing = models.CharField(max_length=1, choices=LEVELS, blank=True, default="")  # empty: none that counted
    least_standing = models.CharField(max_length=1, choices=LEVELS, blank=True, default="")
    reason = models.CharField(max_length=500)
    opened_at = models.DateTimeField(default=timezone.now)
    signed_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    signed_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=500, blank=True, default="")

    objects = ReviewQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="access_review_two_eyes",
                condition=(Q(signed_by__isnull=True) | Q(person__isnull=True) | ~Q(signed_by=F("person")))
                & (Q(signed_by__isnull=True) | Q(second__isnull=True) | ~Q(signed_by=F("second"))),
            ),
            models.CheckConstraint(
                name="access_review_signed_with_note",
                condition=Q(signed_at__isnull=True, signed_by__isnull=True, note="")
                | Q(signed_at__isnull=False, signed_by__isnull=False) & ~Q(note=""),
            ),
            models.CheckConstraint(
                name="access_review_of_one",
                condition=Q(grant__isnull=False, gateway__isnull=True, opening="", person__isnull=False)
                | Q(grant__isnull=True, gateway__isnull=False) & ~Q(opening=""),
            ),
            models.CheckConstraint(
                name="access_review_standing",
                condition=Q(standing="", least_standing="")
                | Q(supplier__isnull=False, standing__in=_LEVELS, least_standing__in=_LEVELS),
            ),
            models.UniqueConstraint(
                name="access_review_opening", fields=["gateway", "opening"], condition=Q(gateway__isnull=False)
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(name="access_review_unsigned", fields=["organisation", "signed_at"])
        ]

    def __str__(self) -> str:
        return self.public_id

    def sign(self, by: Person, note: str) -> None:
        """In memory; raise SignedAlready: a signature is final."""
        if self.signed_at is not None:
            raise SignedAlready(f"review {self.public_id} is signed")
        self.signed_by, self.signed_at, self.note = by, timezone.now(), note
