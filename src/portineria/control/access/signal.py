# SPDX-License-Identifier: Apache-2.0
"""Consent signals: what stands in the plant and says that somebody there agrees."""

from functools import partial

from django.db import models
from django.db.models import Q
from django.utils import timezone

from portineria.control.estate.models import Gateway, Line, Machine
from portineria.control.identity.models import ID, Organisation, Person
from portineria.core.ids import Kind, new_id
from portineria.policy.consent import Reading, SignalKind

NAME, PLACE = 60, 120


class SignalSourceKind(models.TextChoices):
    FILE = "file"
    COIL = "modbus-coil"
    DISCRETE = "modbus-discrete"
    NODE = "opcua-node"


class SignalState(models.TextChoices):
    """``unheard``: it was on before this server started, and its gateway has not been heard since, for seconds."""

    ON = "on"
    OFF = "off"
    LOST = "lost"
    UNHEARD = "unheard"


class SignalQuerySet(models.QuerySet["Signal"]):
    def visible_to(self, actor: Person) -> "SignalQuerySet":
        return self.filter(organisation__in=actor.staff_of)

    def standing(self) -> "SignalQuerySet":
        return self.filter(removed_at__isnull=True)


class Signal(models.Model):
    """Of a machine, or of everything on a line. Where it is read never changes: another place is another signal."""

    public_id: "models.CharField[str, str]" = models.CharField(
        max_length=ID, unique=True, editable=False, default=partial(new_id, Kind.SIGNAL)
    )
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="signals")
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, null=True, blank=True, related_name="signals")
    line = models.ForeignKey(Line, on_delete=models.PROTECT, null=True, blank=True, related_name="signals")
    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="signals")
    kind = models.CharField(max_length=12)
    name = models.CharField(max_length=NAME)
    # Where it is read, as wire.statement.SignalSource has it.
    source = models.CharField(max_length=16, choices=SignalSourceKind.choices)
    address = models.CharField(max_length=45, blank=True, default="")
    port = models.PositiveIntegerField(default=0)
    unit = models.PositiveSmallIntegerField(default=0)
    number = models.PositiveIntegerField(default=0)
    place = models.CharField(max_length=PLACE, blank=True, default="")
    inverted = models.BooleanField(default=False)  # 0 is a yes
    # What it was last, by the process that listens to the gateways: no time is compared by anybody else.
    state = models.CharField(max_length=8, choices=SignalState.choices, default=SignalState.LOST)
    state_at = models.DateTimeField(default=timezone.now)
    fault = models.CharField(max_length=64, blank=True, default="")  # why it cannot be read, as its gateway says
    added_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)
    removed_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = SignalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="access_signal_names_one",
                condition=Q(machine__isnull=True, line__isnull=False) | Q(machine__isnull=False, line__isnull=True),
            ),
            models.CheckConstraint(
                name="access_signal_kind", condition=Q(kind__in=[kind.value for kind in SignalKind]) & ~Q(name="")
            ),
            models.CheckConstraint(
                name="access_signal_state", condition=Q(state__in=[state.value for state in SignalState])
            ),
            # The limits of the letter that carries it.
            models.CheckConstraint(
                name="access_signal_source",
                condition=Q(source="file", address="", port=0)
                | Q(source__in=["modbus-coil", "modbus-discrete", "opcua-node"], port__gte=1, port__lte=65535)
                & ~Q(address=""),
            ),
            models.CheckConstraint(name="access_signal_number", condition=Q(unit__lte=255, number__lte=65535)),
            models.CheckConstraint(
                name="access_signal_removed_by_somebody",
                condition=Q(removed_at__isnull=True, removed_by__isnull=True)
                | Q(removed_at__isnull=False, removed_by__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="access_signal_gateway", fields=["gateway", "removed_at"]),
            models.Index(name="access_signal_machine", fields=["machine", "removed_at"]),
            models.Index(name="access_signal_line", fields=["line", "removed_at"]),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def reading(self) -> Reading:
        if self.source == SignalSourceKind.FILE:
            return Reading("", "")
        if self.source == SignalSourceKind.NODE:
            return Reading("opcua", self.address, "node", name=self.place)
        area = "coil" if self.source == SignalSourceKind.COIL else "discrete"
        return Reading("modbus", self.address, area, self.number)
