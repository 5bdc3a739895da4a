# SPDX-License-Identifier: Apache-2.0
"""The register: one chain and one Merkle tree of leaves per organisation (WIRE 20). This app knows nobody: people are
ids."""

from collections.abc import Collection
from typing import Protocol

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce

ID = 24  # an id has at most four letters, "_" and 16 symbols
ORIGIN = 255
KEY = 320  # a name of 255, an id of 8, 44 of base64


class Reader(Protocol):
    """Whoever reads the ledger: it is enough to know which organisations' events are theirs."""

    @property
    def event_organisations(self) -> frozenset[str]: ...


class Head(models.Model):
    """The newest leaf of one organisation. Its row is the lock under which numbers are given."""

    organisation = models.CharField(max_length=ID, unique=True)
    seq = models.PositiveBigIntegerField(default=0)
    leaf_sha256 = models.BinaryField(max_length=32, default=bytes(32))
    hour = models.PositiveBigIntegerField(default=0, db_default=0)  # of its newest event, as ``Hour`` counts them


class EventQuerySet(models.QuerySet["Event"]):
    def visible_to(self, reader: Reader) -> "EventQuerySet":
        return self.filter(organisation__in=reader.event_organisations)

    def about(self, organisations: Collection[str], **named: str) -> "EventQuerySet":
        """Of one session, machine, gateway or supplier, in these registers. That it is not empty is said too: their
        indexes hold only such rows, and SQLite uses one where it is told so, and reads the whole register otherwise.
        The register is compared where no index helps: of ten million events SQLite else sorted all of the register.
        """
        rows = self.alias(register=Coalesce("organisation", Value(""))).filter(register__in=organisations)
        return rows.filter(**named).exclude(**dict.fromkeys(named, ""))


class Event(models.Model):
    """One fact. ``leaf`` is what is hashed; the columns beside it only find it."""

    organisation = models.CharField(max_length=ID)
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    code = models.CharField(max_length=64)
    actor = models.CharField(max_length=ID)
    leaf = models.BinaryField()
    leaf_sha256 = models.BinaryField(max_length=32)
    prev_sha256 = models.BinaryField(max_length=32)
    session = models.CharField(max_length=ID, blank=True)
    machine = models.CharField(max_length=ID, blank=True)
    gateway = models.CharField(max_length=ID, blank=True)
    person = models.CharField(max_length=ID, blank=True)
    supplier = models.CharField(max_length=ID, blank=True, default="", db_default="")

    objects = EventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="audit_event_seq", fields=["organisation", "seq"]),
            models.CheckConstraint(name="audit_event_numbered", condition=Q(seq__gte=1)),
            models.CheckConstraint(name="audit_event_chained", condition=~Q(leaf_sha256=F("prev_sha256"))),
        ]
        indexes = [
            # Each in the order in which pages show events, so that they stop after a page's worth.
            models.Index(name="audit_event_newest", fields=["organisation", "id"]),
            models.Index(name="audit_event_code", fields=["organisation", "code", "id"]),
            *(
                models.Index(name=f"audit_event_{name}", fields=[name, "id"], condition=~Q(**{name: ""}))
                for name in ("session", "machine", "gateway", "supplier")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation}/{self.seq} {self.code}"


class Hour(models.Model):
    """Where an hour begins in a register: rows are in the order of writing, and clocks are set back. An hour that is
    written in two stretches has two rows."""

    organisation = models.CharField(max_length=ID)
    hour = models.PositiveBigIntegerField()  # since 1970, UTC
    first = models.PositiveBigIntegerField()  # the row of its first event

    class Meta:
        constraints = [models.UniqueConstraint(name="audit_hour_first", fields=["organisation", "first"])]
        indexes = [models.Index(name="audit_hour_hour", fields=["organisation", "hour", "first"])]


class TreeRow(models.Model):
    """The root of a complete subtree of 256 leaves (level 1), 65,536 (level 2), …: proofs need not read all leaves."""

    organisation = models.CharField(max_length=ID)
    level = models.PositiveSmallIntegerField()
    index = models.PositiveBigIntegerField()
    sha256 = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="audit_tree_row", fields=["organisation", "level", "index"]),
            models.CheckConstraint(name="audit_tree_level", condition=Q(level__gte=1)),
        ]


class Checkpoint(models.Model):
    """What was signed: the register had these events and no others. ``peaks``: the tree's edge, to go on from."""

    organisation = models.CharField(max_length=ID)
    size = models.PositiveBigIntegerField()
    root = models.BinaryField(max_length=32)
    peaks = models.BinaryField()
    note = models.TextField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            # Two sealers at once sign the same thing or fail: one size has one root.
            models.UniqueConstraint(name="audit_checkpoint_size", fields=["organisation", "size"]),
            models.CheckConstraint(name="audit_checkpoint_of_something", condition=Q(size__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.organisation} at {self.size}"


class PersonalValue(models.Model):
    """What a hash in a leaf stands for. Erasing it leaves the leaf, and with it the chain, as it was."""

    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="personal_values")
    field = models.CharField(max_length=32)
    about = models.CharField(max_length=ID, db_index=True)
    salt = models.BinaryField(max_length=16)
    value = models.TextField(null=True)  # null: a secret, known by its hash only

    class Meta:
        constraints = [models.UniqueConstraint(name="audit_personal_field", fields=["event", "field"])]


class Cosignature(models.Model):
    """This witness saw the checkpoint, and no other history before it. ``line`` as it stands under the note."""

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="cosignatures")
    witness = models.CharField(max_length=KEY)
    line = models.TextField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(name="audit_cosignature_once", fields=["checkpoint", "witness"])]


class TimeStamp(models.Model):
    """An RFC 3161 response (DER) over the checkpoint's text, verified when it came. ``at``: when that was, here."""

    checkpoint = models.OneToOneField(Checkpoint, on_delete=models.PROTECT, related_name="time_stamp")
    stamp = models.BinaryField()
    at = models.DateTimeField()


class Witnessed(models.Model):
    """How far one witness is with one register of ours. ``size``: what it cosigned last, as far as we know."""

    organisation = models.CharField(max_length=ID)
    witness = models.CharField(max_length=KEY)
    size = models.PositiveBigIntegerField(default=0)
    answered_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    next_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(name="audit_witnessed_once", fields=["organisation", "witness"])]


class Watched(models.Model):
    """A register of another installation, and a key that may sign it. Its rows are the lock for cosigning it."""

    origin = models.CharField(max_length=ORIGIN)
    key = models.CharField(max_length=KEY)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(name="audit_watched_once", fields=["origin", "key"])]


class WatchedCheckpoint(models.Model):
    """What we cosigned. Never deleted: a witness that forgets can be made to cosign a second history."""

    origin = models.CharField(max_length=ORIGIN)
    size = models.PositiveBigIntegerField()
    root = models.BinaryField(max_length=32)
    note = models.TextField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(name="audit_watched_size", fields=["origin", "size"])]


class WatchedFault(models.Model):
    """A checkpoint with a valid signature that does not fit what we cosigned."""

    origin = models.CharField(max_length=ORIGIN)
    size = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=16)
    why = models.TextField()
    note = models.TextField()
    note_sha256 = models.BinaryField(max_length=32)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(name="audit_watched_fault", fields=["origin", "note_sha256"])]
