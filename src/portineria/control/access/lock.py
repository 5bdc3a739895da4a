# SPDX-License-Identifier: Apache-2.0
"""What somebody has locked."""

from functools import partial, reduce
from operator import or_

from django.db import models
from django.db.models import Q
from django.utils import timezone

from portineria.control.estate.models import Gateway, Line, Machine, Plant, Zone
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import ID, Organisation, Person, Supplier
from portineria.core.ids import Kind, new_id
from portineria.policy.ending import Locked


class LockQuerySet(models.QuerySet["Lock"]):
    def visible_to(self, actor: Person) -> "LockQuerySet":
        return self.filter(organisation__in=actor.sees(Power.LOCK))

    def holding(self) -> "LockQuerySet":
        return self.filter(lifted_at__isnull=True)


LOCKABLE = ("person", "supplier", "machine", "line", "zone", "plant", "gateway")  # none of them: everything


def _nothing_but(names: tuple[str, ...]) -> Q:
    return Q(**{f"{name}__isnull": name not in names for name in LOCKABLE})


class Lock(models.Model):
    """Keeps everybody from something, or somebody from everything, until it is lifted. Always a matter of security."""

    public_id: "models.CharField[str, str]" = models.CharField(
        max_length=ID, unique=True, editable=False, default=partial(new_id, Kind.LOCK)
    )
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="locks")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="locks")
    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, null=True, blank=True, related_name="locks")
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, null=True, blank=True, related_name="locks")
    line = models.ForeignKey(Line, on_delete=models.PROTECT, null=True, blank=True, related_name="locks")
    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, null=True, blank=True, related_name="locks")
    plant = models.ForeignKey(Plant, on_delete=models.PROTECT, null=True, blank=True, related_name="locks")
    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, null=True, blank=True, related_name="locks")
    reason = models.CharField(max_length=500)
    # Null: the operator of the server.
    made_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    lifted_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_reason = models.CharField(max_length=500, blank=True, default="")

    objects = LockQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="access_lock_names_one",
                condition=reduce(or_, (_nothing_but((name,)) for name in LOCKABLE), _nothing_but(())),
            ),
            models.CheckConstraint(
                name="access_lock_lifted_with_reason",
                condition=~Q(reason="")
                & (
                    Q(lifted_at__isnull=True, lifted_by__isnull=True, lifted_reason="")
                    | Q(lifted_at__isnull=False) & ~Q(lifted_reason="")
                ),
            ),
        ]
        indexes = [models.Index(name="access_lock_holding", fields=["organisation", "lifted_at"])]

    def __str__(self) -> str:
        return self.public_id

    @property
    def kind(self) -> Locked:
        return Locked(next((name for name in LOCKABLE if getattr(self, f"{name}_id") is not None), Locked.EVERYTHING))

    @property
    def holds(self) -> bool:
        return self.lifted_at is None
