# SPDX-License-Identifier: Apache-2.0
"""More time for work that runs, asked for by whoever works. The table; what may be done with it is in ``extending``."""

from functools import partial

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from portineria.control.access.substitution import Substitution
from portineria.control.estate.models import Machine
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import ID, Organisation, Person
from portineria.core.ids import Kind, new_id

EXTENSION_REASON = 500  # characters, of the question and of the answer


class ExtensionQuerySet(models.QuerySet["Extension"]):
    def visible_to(self, actor: Person) -> "ExtensionQuerySet":
        """As the grant that it would prolong."""
        return self.filter(actor.sees_where("organisation", "person", Power.WORK))

    def waiting(self) -> "ExtensionQuerySet":
        return self.filter(state=ExtensionState.PENDING)


class ExtensionState(models.TextChoices):
    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"  # the grant ended before anybody decided
    CANCELLED = "cancelled"  # by whoever asked


class Extension(models.Model):
    """One question for so many minutes more of one grant. ``person`` is the grant's, so that the database itself can
    hold the four eyes.
    """

    public_id: "models.CharField[str, str]" = models.CharField(
        max_length=ID, unique=True, editable=False, default=partial(new_id, Kind.EXTENSION)
    )
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    grant = models.ForeignKey("access.Grant", on_delete=models.PROTECT, related_name="extensions")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    minutes = models.PositiveIntegerField()
    reason = models.CharField(max_length=EXTENSION_REASON)
    asked_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=12, choices=ExtensionState.choices, default=ExtensionState.PENDING)
    # Nobody where the rule needs no approval.
    decided_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    substitution = models.ForeignKey(Substitution, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=EXTENSION_REASON, blank=True, default="")
    reminded_at = models.DateTimeField(null=True, blank=True)

    objects = ExtensionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="access_extension_waits_once", fields=["grant"], condition=Q(state="pending")),
            models.CheckConstraint(name="access_extension_minutes", condition=Q(minutes__gte=1, minutes__lte=10080)),
            models.CheckConstraint(
                name="access_extension_four_eyes", condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("person"))
            ),
            models.CheckConstraint(
                name="access_extension_decided",
                condition=Q(
                    state__in=["pending", "expired", "cancelled"], decided_by__isnull=True, decided_at__isnull=True
                )
                | Q(state="approved", decided_at__isnull=False)
                | Q(state="refused", decided_by__isnull=False, decided_at__isnull=False),
            ),
        ]
        indexes = [
            # What the timer looks at each second, and what waits for whoever approves.
            models.Index(name="access_extension_waiting", fields=["organisation"], condition=Q(state="pending")),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def machine(self) -> Machine:
        return self.grant.machine
