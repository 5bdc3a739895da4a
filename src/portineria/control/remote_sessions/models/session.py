# SPDX-License-Identifier: Apache-2.0
"""Uses of grants, as ordered by us and as reported by gateways."""

from functools import partial

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from portineria.control.access.models import CompanyDevice, Grant
from portineria.control.audit.models import Event
from portineria.control.estate.models import Boot, Gateway, Machine, Service
from portineria.control.identity.delegation_models import Power
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
        return self.filter(actor.sees_where("organisation", "person", Power.WORK))

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
    # From which it was asked for, where whoever asked proved one; null: from a computer that the owner does not know.
    company_device = models.ForeignKey(
        CompanyDevice, on_delete=models.PROTECT, null=True, blank=True, related_name="sessions"
    )
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
    watched_at = models.DateTimeField(null=True, blank=True)  # last, by whoever its rule names to watch
    transfer_since = models.DateTimeField(null=True, blank=True)  # a program or firmware is being written, as reported

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


def of_sessions_seen(actor: Person) -> Q:
    """Of rows that have a ``session``: that the actor sees it. Not by a list of those, which are a hundred thousand."""
    return actor.sees_where("session__organisation", "session__person", Power.WORK)


class StreamQuerySet(models.QuerySet["Stream"]):
    def visible_to(self, actor: Person) -> "StreamQuerySet":
        return self.filter(of_sessions_seen(actor))


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
