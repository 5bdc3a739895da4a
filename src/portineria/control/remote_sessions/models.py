# SPDX-License-Identifier: Apache-2.0
"""Uses of grants, as ordered by us and as reported by gateways."""

from datetime import datetime
from functools import partial

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from portineria.control.access.models import Grant
from portineria.control.audit.models import Event
from portineria.control.estate.models import Boot, Gateway, Machine, Service
from portineria.control.identity.models import ID, Organisation, Person
from portineria.core.errors import Conflict
from portineria.core.ids import Kind, new_id
from portineria.policy.ending import Ending


class SessionEnded(Conflict):
    code = "session.ended"


class SessionState(models.TextChoices):
    OPENING = "opening"  # ordered, not yet accepted by the gateway
    LIVE = "live"
    DRAINING = "draining"  # nothing new starts; what runs may finish
    CUTTING = "cutting"  # the cut is ordered, the gateway has not yet signed for it
    ENDED = "ended"


_FROM = {
    SessionState.OPENING: {SessionState.LIVE, SessionState.DRAINING},
    SessionState.LIVE: {SessionState.OPENING, SessionState.DRAINING},
    SessionState.DRAINING: {SessionState.OPENING, SessionState.LIVE},
    SessionState.CUTTING: {SessionState.OPENING, SessionState.LIVE, SessionState.DRAINING},
    SessionState.ENDED: {SessionState.OPENING, SessionState.LIVE, SessionState.DRAINING, SessionState.CUTTING},
}


class SessionQuerySet(models.QuerySet["Session"]):
    def visible_to(self, actor: Person) -> "SessionQuerySet":
        return self.filter(actor.sees_where("organisation", own="person"))

    def open(self) -> "SessionQuerySet":
        """By the states that it may be in: an index finds those, and has no answer to what a state is not."""
        return self.filter(state__in=[state for state in SessionState if state is not SessionState.ENDED])


class Session(models.Model):
    State = SessionState

    public_id = models.CharField(max_length=ID, unique=True, editable=False, default=partial(new_id, Kind.SESSION))
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="sessions")
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="sessions")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="sessions")
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="sessions")
    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="sessions")
    key = models.BinaryField(max_length=128)
    key_sha256 = models.BinaryField(max_length=32, unique=True)
    certificate = models.BinaryField()
    # What was signed, byte for byte; a resent order is the same order.
    order = models.BinaryField()
    order_seq = models.PositiveIntegerField()
    order_sha256 = models.BinaryField(max_length=32)
    withdrawal = models.BinaryField(default=b"")
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=SessionState.choices, default=SessionState.OPENING)
    requested_at = models.DateTimeField(default=timezone.now)
    live_at = models.DateTimeField(null=True, blank=True)
    drain_until = models.DateTimeField(null=True, blank=True)
    cut_requested_at = models.DateTimeField(null=True, blank=True)
    relay_closed_at = models.DateTimeField(null=True, blank=True)  # by the relay's word, while it is being cut
    ended_at = models.DateTimeField(null=True, blank=True)
    ending_class = models.CharField(
        max_length=16, blank=True, choices=[(ending.value, ending.value) for ending in Ending]
    )
    end_why = models.CharField(max_length=120, blank=True)  # codes: of policy, of who asked, of the gateway
    end_reason = models.CharField(max_length=500, blank=True)  # what somebody wrote
    ended_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    ending = models.CharField(max_length=12, blank=True)  # as proven: cut, drained, expired, silence, finished, …
    receipt = models.OneToOneField(Event, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    latency_ms = models.PositiveIntegerField(null=True, blank=True)
    to_device = models.PositiveBigIntegerField(default=0)
    from_device = models.PositiveBigIntegerField(default=0)
    # The newest letter that froze or thawed it, byte for byte; what it says; since when the gateway has signed for it.
    freeze_letter = models.BinaryField(default=b"")
    freeze_number = models.PositiveIntegerField(default=0)
    frozen = models.BooleanField(default=False)
    freeze_proven_at = models.DateTimeField(null=True, blank=True)
    freeze_latency_ms = models.PositiveIntegerField(null=True, blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="sessions_ended_has_proof",
                condition=~Q(state="ended")
                | Q(ended_at__isnull=False, receipt__isnull=False)
                | Q(ended_at__isnull=False, ending="unproven"),
            ),
            models.CheckConstraint(
                name="sessions_cutting_was_asked", condition=~Q(state="cutting") | Q(cut_requested_at__isnull=False)
            ),
            models.CheckConstraint(name="sessions_order_numbered", condition=Q(order_seq__gte=1)),
            models.CheckConstraint(name="sessions_expire", condition=Q(expires_at__gt=F("requested_at"))),
            models.CheckConstraint(
                name="sessions_state", condition=Q(state__in=[state.value for state in SessionState])
            ),
        ]
        indexes = [
            # Whole, not only of what is open: SQLite takes no partial index for a state that is a parameter. Each has
            # the organisation too: without statistics SQLite prefers the index of which it can use more columns.
            models.Index(name="sessions_of_gateway", fields=["gateway", "state", "organisation"]),
            models.Index(name="sessions_of_machine", fields=["machine", "organisation", "state", "requested_at"]),
            models.Index(name="sessions_of_person", fields=["person", "organisation", "state", "requested_at"]),
            models.Index(name="sessions_of_state", fields=["state"]),  # what the timer looks at each second
            models.Index(name="sessions_by_state", fields=["organisation", "state", "requested_at"]),
            models.Index(name="sessions_recent", fields=["organisation", "requested_at"]),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def open(self) -> bool:
        return self.state != SessionState.ENDED

    @property
    def drained_by_gateway(self) -> bool:
        """It heard nothing from here for a while, or cannot record: nobody here ended the permission."""
        return self.state == SessionState.DRAINING and not self.withdrawal and not self.ending_class

    @property
    def freeze_unproven(self) -> bool:
        """The gateway has not signed for the newest letter that froze or thawed it."""
        return self.freeze_number > 0 and self.freeze_proven_at is None

    @property
    def proven_cut(self) -> bool:
        """Only now may anybody say *cut*: the gateway signed for it."""
        return self.state == SessionState.ENDED and self.ending == "cut" and self.receipt_id is not None

    def move(self, state: SessionState) -> None:
        """Change state in memory; raise SessionEnded for a way that does not exist."""
        if self.state == state and state is not SessionState.ENDED:
            return
        if self.state not in _FROM[state]:
            raise SessionEnded(f"session {self.public_id} is {self.state}")
        self.state = state


class StreamQuerySet(models.QuerySet["Stream"]):
    def visible_to(self, actor: Person) -> "StreamQuerySet":
        return self.filter(session__in=Session.objects.visible_to(actor))


class Stream(models.Model):
    """One connection to one service, as the gateway reported it."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="streams")
    public_id = models.CharField(max_length=64)
    service = models.ForeignKey(Service, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    service_id_text = models.CharField(max_length=ID, blank=True)
    address = models.CharField(max_length=45, blank=True)
    port = models.PositiveIntegerField(null=True, blank=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    how = models.CharField(max_length=32, blank=True)
    recognised = models.CharField(max_length=24, blank=True, default="")  # by its bytes, where nobody inspected them
    # While it runs as told now and then, at its end as the gateway signed it.
    to_device = models.PositiveBigIntegerField(default=0)
    from_device = models.PositiveBigIntegerField(default=0)
    counted_at = models.DateTimeField(null=True, blank=True)
    resumed = models.PositiveIntegerField(default=0)

    objects = StreamQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="sessions_stream", fields=["session", "public_id"]),
            models.CheckConstraint(
                name="sessions_stream_port", condition=Q(port__isnull=True) | Q(port__gte=1, port__lte=65535)
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class Watching(models.Model):
    """Somebody looked on at a session; while they do, ``seen_at`` is of a moment ago. What they saw is nowhere."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="watchings")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    first_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(name="sessions_watching", fields=["session", "person"])]


class HeldOver(Conflict):
    code = "held.over"


class HeldQuerySet(models.QuerySet["HeldOperation"]):
    def visible_to(self, actor: Person) -> "HeldQuerySet":
        return self.filter(session__in=Session.objects.visible_to(actor))

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


class GatewayReport(models.Model):
    """The signed bytes of one event of a gateway, kept so that a second version of it is noticed (WIRE 18)."""

    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="reports")
    epoch = models.BinaryField(max_length=32)
    seq = models.PositiveBigIntegerField()
    sha256 = models.BinaryField(max_length=32)
    signed = models.BinaryField()
    event = models.OneToOneField(Event, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(name="sessions_report", fields=["gateway", "epoch", "seq"]),
            models.CheckConstraint(name="sessions_report_numbered", condition=Q(seq__gte=1)),
        ]


class AskedQuestion(models.Model):
    """A question that was answered: a relay that plays it again must not look like a second gateway."""

    boot = models.ForeignKey(Boot, on_delete=models.CASCADE, related_name="questions")
    nonce = models.BinaryField(max_length=32)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(name="sessions_question", fields=["boot", "nonce"])]


class RecordingQuerySet(models.QuerySet["Recording"]):
    def visible_to(self, actor: Person) -> "RecordingQuerySet":
        """Of sessions that the actor sees; what is in it only the owner's people may read."""
        return self.filter(session__in=Session.objects.visible_to(actor))


class Recording(models.Model):
    """What one gateway recorded of one session, as far as it is here. Its chunks lie in the recording store."""

    public_id = models.CharField(max_length=ID, unique=True)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="recordings")
    key = models.BinaryField(max_length=32)  # the gateway's event key, which signs every entry
    chunks = models.PositiveIntegerField(default=0)
    head = models.BinaryField(max_length=32, default=bytes(32))
    size = models.PositiveBigIntegerField(default=0)
    to_device = models.PositiveBigIntegerField(default=0)
    from_device = models.PositiveBigIntegerField(default=0)
    lost = models.PositiveBigIntegerField(default=0)
    end = models.CharField(max_length=32, blank=True)  # empty while it goes on
    began_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)  # when its last chunk came

    objects = RecordingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="sessions_recording_end", condition=Q(end="") | Q(ended_at__isnull=False, chunks__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class RecordingChunk(models.Model):
    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="parts")
    number = models.PositiveIntegerField()
    sha256 = models.BinaryField(max_length=32)  # of the whole file
    size = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="sessions_chunk", fields=["recording", "number"]),
            models.CheckConstraint(name="sessions_chunk_numbered", condition=Q(number__gte=1)),
        ]


class RecordingRecipient(models.Model):
    """Whom an organisation's recordings are encrypted to. ``wrapped``: its identity, where it is ours to read with."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="recording_recipients")
    recipient = models.CharField(max_length=128)
    wrapped = models.BinaryField(default=b"")
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True, blank=True)  # new orders do not name it; old recordings still open

    class Meta:
        constraints = [models.UniqueConstraint(name="sessions_recipient", fields=["organisation", "recipient"])]


class ServiceReportQuerySet(models.QuerySet["ServiceReport"]):
    def visible_to(self, actor: Person) -> "ServiceReportQuerySet":
        return self.filter(session__in=Session.objects.visible_to(actor))


class ServiceReport(models.Model):
    """What people add to what a session wrote of itself; a row comes with the first remark or signature."""

    session = models.OneToOneField(Session, on_delete=models.PROTECT, related_name="service_report")
    technician_remarks = models.TextField(max_length=4000, blank=True)
    owner_remarks = models.TextField(max_length=4000, blank=True)

    objects = ServiceReportQuerySet.as_manager()

    def __str__(self) -> str:
        return f"report of {self.session_id}"


class ReportSide(models.TextChoices):
    TECHNICIAN = "technician"  # who worked
    OWNER = "owner"  # somebody of the owner's who approves


class ReportSignature(models.Model):
    """One side stands by a text. ``worked_by`` is copied so that the database itself can hold the four eyes."""

    report = models.ForeignKey(ServiceReport, on_delete=models.PROTECT, related_name="signatures")
    side = models.CharField(max_length=12, choices=ReportSide.choices)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    worked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    text_sha256 = models.BinaryField(max_length=32)
    signed_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)  # somebody changed the text

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="sessions_signature_side",
                condition=Q(side="technician", person=F("worked_by")) | Q(side="owner") & ~Q(person=F("worked_by")),
            ),
            models.UniqueConstraint(
                name="sessions_signature_once", fields=["report", "side"], condition=Q(withdrawn_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} of {self.report_id}"


class WorkKind(models.TextChoices):
    FUNCTION = "function"
    TARGET = "target"  # that was changed


class KnownWork(models.Model):
    """What a supplier, or a person that no supplier sent, has done on a machine before, and in which session first."""

    Kind = WorkKind

    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="+")
    whose = models.CharField(max_length=ID)
    kind = models.CharField(max_length=12, choices=WorkKind.choices)
    name = models.CharField(max_length=300)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="first_work")

    class Meta:
        constraints = [models.UniqueConstraint(name="sessions_known_work", fields=["machine", "whose", "kind", "name"])]

    def __str__(self) -> str:
        return f"{self.whose} {self.kind} {self.name}"
