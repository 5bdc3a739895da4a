# SPDX-License-Identifier: Apache-2.0
"""What stands where: plants, zones, lines, machines, their devices and services; and the gateways in front of them."""

from datetime import datetime, timedelta
from functools import partial

from django.db import models
from django.db.models import Q
from django.utils import timezone

from portineria.control.estate.label import Label as Label
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import ID, Organisation, Person
from portineria.core.errors import Conflict
from portineria.core.ids import Kind, new_id
from portineria.wire.certificate import fingerprint


def _id_field(kind: Kind) -> "models.CharField[str, str]":
    return models.CharField(max_length=ID, unique=True, editable=False, default=partial(new_id, kind))


class PlantQuerySet(models.QuerySet["Plant"]):
    def visible_to(self, actor: Person) -> "PlantQuerySet":
        return self.filter(organisation__in=actor.sees(Power.ESTATE))


class Plant(models.Model):
    public_id = _id_field(Kind.PLANT)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="plants")
    name = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=64)

    objects = PlantQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(name="estate_plant_name", fields=["organisation", "name"])]

    def __str__(self) -> str:
        return self.name


class Zone(models.Model):
    plant = models.ForeignKey(Plant, on_delete=models.PROTECT, related_name="zones")
    name = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(name="estate_zone_name", fields=["plant", "name"])]

    def __str__(self) -> str:
        return self.name


class Line(models.Model):
    plant = models.ForeignKey(Plant, on_delete=models.PROTECT, related_name="lines")
    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, null=True, blank=True, related_name="lines")
    name = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(name="estate_line_name", fields=["plant", "name"])]

    def __str__(self) -> str:
        return self.name


class NotInThisState(Conflict):
    code = "estate.gateway.state"


class GatewayQuerySet(models.QuerySet["Gateway"]):
    def visible_to(self, actor: Person) -> "GatewayQuerySet":
        return self.filter(plant__organisation__in=actor.sees(Power.ESTATE))


class GatewayState(models.TextChoices):
    WAITING = "waiting"
    ADMITTED = "admitted"
    REFUSED = "refused"
    REVOKED = "revoked"
    QUARANTINED = "quarantined"


_FROM = {
    GatewayState.ADMITTED: {GatewayState.WAITING, GatewayState.QUARANTINED},
    GatewayState.REFUSED: {GatewayState.WAITING},
    GatewayState.REVOKED: {GatewayState.ADMITTED, GatewayState.QUARANTINED},
    GatewayState.QUARANTINED: {GatewayState.ADMITTED},
}


class Gateway(models.Model):
    State = GatewayState

    public_id = _id_field(Kind.GATEWAY)
    plant = models.ForeignKey(Plant, on_delete=models.PROTECT, related_name="gateways")
    name = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=GatewayState.choices, default=GatewayState.WAITING)
    state_reason = models.CharField(max_length=200, blank=True)
    version = models.CharField(max_length=32, blank=True)
    enrolled_at = models.DateTimeField(default=timezone.now)
    enrolled_from = models.CharField(max_length=64, blank=True)
    without_code = models.BooleanField(default=False)  # then only whoever compares the fingerprint knows whose it is
    last_seen_at = models.DateTimeField(null=True, blank=True)
    tls_key = models.BinaryField(max_length=128)
    previous_tls_key = models.BinaryField(max_length=128, default=b"")
    spki_sha256 = models.BinaryField(max_length=32)
    event_key = models.BinaryField(max_length=32)
    sealing_key = models.BinaryField(max_length=32)
    signers = models.JSONField(default=list)  # ids of those it believes, by its own word
    register_size = models.PositiveBigIntegerField(null=True)  # of the checkpoint it keeps, as it said; null: never did
    register_ahead = models.PositiveBigIntegerField(default=0)  # the newest such size that was more than is here
    inspects = models.CharField(max_length=1600, blank=True, default="")  # names of protocols, as it says
    holds = models.BooleanField(default=False)  # whether it can hold a request until somebody said yes, as it says
    understands = models.CharField(max_length=1600, blank=True, default="")  # names of wire.feature, as it says
    emergency = models.BooleanField(default=False)  # whether two PINs may open machines there without us
    # Mark of the terms for that which it keeps, as it said; null: it knows of no such thing.
    emergency_kept = models.BinaryField(max_length=32, null=True)
    emergency_number = models.PositiveBigIntegerField(default=0)  # of the newest terms that it was told
    certificate = models.BinaryField(default=b"")
    certificate_expires_at = models.DateTimeField(null=True, blank=True)
    # Where its chain of events stands here.
    epoch = models.BinaryField(max_length=32, default=b"")
    seq = models.PositiveBigIntegerField(default=0)
    chain_sha256 = models.BinaryField(max_length=32, default=bytes(32))

    objects = GatewayQuerySet.as_manager()

    WITHOUT_CODE_LIFE = timedelta(days=1)  # of an entry that nobody admits: a working day and the night before it

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="estate_admitted_has_certificate",
                condition=~Q(state="admitted") | Q(certificate_expires_at__isnull=False),
            ),
            models.CheckConstraint(
                name="estate_gateway_state", condition=Q(state__in=[state.value for state in GatewayState])
            ),
        ]
        indexes = [
            models.Index(name="estate_gateway_state_idx", fields=["state"]),
            models.Index(name="estate_without_code_idx", fields=["without_code", "enrolled_at"]),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def admitted(self) -> bool:
        return self.state == GatewayState.ADMITTED

    def can(self, feature: str) -> bool:
        """Of ``wire.feature``, by its own word."""
        return feature in self.understands.split()

    @property
    def fingerprint(self) -> str:
        """What is compared by eye with what the gateway itself shows."""
        return fingerprint(bytes(self.spki_sha256))

    def overdue(self, at: datetime) -> bool:
        """Came without a code, and nobody admitted it in time."""
        waits = self.without_code and self.state == GatewayState.WAITING
        return waits and at >= self.enrolled_at + self.WITHOUT_CODE_LIFE

    def move(self, state: GatewayState, reason: str = "") -> None:
        """Change state in memory; raise NotInThisState for a way that does not exist."""
        if self.state not in _FROM[state]:
            raise NotInThisState(f"gateway {self.public_id} is {self.state}")
        self.state, self.state_reason = state, reason[:200]


class Boot(models.Model):
    """One start of a gateway's process. An old one that speaks again means two gateways with one identity."""

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="boots")
    boot = models.BinaryField(max_length=32)
    first_seen_at = models.DateTimeField(default=timezone.now)
    returns = models.PositiveSmallIntegerField(default=0)  # times it proved to live beside a later one

    class Meta:
        constraints = [models.UniqueConstraint(name="estate_boot_once", fields=["gateway", "boot"])]


class EnrolmentCode(models.Model):
    plant = models.ForeignKey(Plant, on_delete=models.CASCADE)
    lookup = models.CharField(max_length=8, unique=True)
    wrapped_secret = models.BinaryField()
    created_by = models.ForeignKey(Person, on_delete=models.PROTECT)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    failures = models.PositiveSmallIntegerField(default=0)
    gateway = models.OneToOneField(Gateway, on_delete=models.PROTECT, null=True, blank=True)
    request_sha256 = models.BinaryField(max_length=32, default=b"")
    answer = models.BinaryField(default=b"")

    class Meta:
        constraints = [
            models.CheckConstraint(name="estate_code_ends", condition=Q(expires_at__gt=models.F("created_at"))),
            models.CheckConstraint(name="estate_code_failures", condition=Q(failures__lte=5)),
        ]

    FAILURES = 5

    def usable(self, at: datetime) -> bool:
        return self.failures < self.FAILURES and at < self.expires_at


class Relay(models.Model):
    public_id = _id_field(Kind.RELAY)
    position = models.PositiveSmallIntegerField()  # in the settings' list
    host = models.CharField(max_length=253)
    port = models.PositiveIntegerField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(name="estate_relay_address", fields=["host", "port"])]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Link(models.Model):
    """A control link that stands now."""

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="links")
    relay = models.ForeignKey(Relay, on_delete=models.CASCADE, related_name="links")
    address = models.CharField(max_length=64)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(name="estate_link_once", fields=["gateway", "relay"])]


class Criticality(models.TextChoices):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class OnSilence(models.TextChoices):
    """What running streams do when the gateway hears nothing of us any more."""

    DRAIN = "drain"
    CUT = "cut"
    UNTIL_EXPIRY = "until_expiry"


class MachineQuerySet(models.QuerySet["Machine"]):
    def visible_to(self, actor: Person) -> "MachineQuerySet":
        """By role in the owner's organisation. What technicians see is decided by rules and grants: access.queries."""
        return self.filter(plant__organisation__in=actor.sees(Power.ESTATE))


class RecordingMode(models.TextChoices):
    NONE = "none"
    FULL = "full"  # what passes is kept, and told when it could not be
    STRICT = "strict"  # what cannot be kept does not pass


class Machine(models.Model):
    """What people ask for: a named set of devices behind one gateway."""

    Criticality = Criticality
    OnSilence = OnSilence

    public_id = _id_field(Kind.MACHINE)
    plant = models.ForeignKey(Plant, on_delete=models.PROTECT, related_name="machines")
    line = models.ForeignKey(Line, on_delete=models.PROTECT, null=True, blank=True, related_name="machines")
    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="machines")
    name = models.CharField(max_length=120)
    tag = models.CharField(max_length=60, blank=True)
    criticality = models.CharField(max_length=8, choices=Criticality.choices, default=Criticality.NORMAL)
    answering = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="answers_for")
    deputy = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="deputises_for")
    drain_s = models.PositiveIntegerField(default=600)
    hold_s = models.PositiveIntegerField(default=60)
    on_silence = models.CharField(max_length=12, choices=OnSilence.choices, default=OnSilence.DRAIN)
    recording = models.CharField(max_length=8, choices=RecordingMode.choices, default=RecordingMode.NONE)
    labels: "models.ManyToManyField[Label, models.Model]" = models.ManyToManyField(Label, related_name="machines")

    objects = MachineQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="estate_machine_name", fields=["plant", "name"]),
            # The limits of the order that carries them: wire.statement.Order.
            models.CheckConstraint(name="estate_machine_drain", condition=Q(drain_s__lte=86400)),
            models.CheckConstraint(name="estate_machine_hold", condition=Q(hold_s__lte=3600)),
            models.CheckConstraint(
                name="estate_machine_recording", condition=Q(recording__in=[mode.value for mode in RecordingMode])
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Device(models.Model):
    public_id = _id_field(Kind.DEVICE)
    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="devices")
    name = models.CharField(max_length=120)
    address = models.GenericIPAddressField()

    class Meta:
        constraints = [models.UniqueConstraint(name="estate_device_name", fields=["machine", "name"])]

    def __str__(self) -> str:
        return self.name


class Service(models.Model):
    public_id = _id_field(Kind.SERVICE)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="services")
    name = models.CharField(max_length=60)
    protocol = models.CharField(max_length=24)
    port = models.PositiveIntegerField()
    transport = models.CharField(max_length=4, default="tcp")
    own_routes = models.CharField(max_length=200, blank=True, default="")  # apart by commas: "unit 1, unit 2"
    free_reads = models.CharField(max_length=1000, blank=True, default="")  # apart by commas: "holding 100-119"
    client_timeout_s = models.PositiveIntegerField(default=0)  # of the technician's tool; 0: as usual for the protocol

    class Meta:
        constraints = [
            models.UniqueConstraint(name="estate_service_port", fields=["device", "transport", "port"]),
            models.UniqueConstraint(name="estate_service_name", fields=["device", "name"]),
            models.CheckConstraint(name="estate_port_range", condition=Q(port__gte=1, port__lte=65535)),
            models.CheckConstraint(name="estate_transport", condition=Q(transport="tcp")),
            models.CheckConstraint(name="estate_client_timeout", condition=Q(client_timeout_s__lte=600)),
        ]

    def __str__(self) -> str:
        return self.name
