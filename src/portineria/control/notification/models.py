# SPDX-License-Identifier: Apache-2.0
"""What people are told of what concerns them, and by which ways each of them wants to hear it.

A row names things by their ids and holds no words: those are written for whoever reads, from what they may see then.
"""

from functools import partial

from django.db import models
from django.db.models import Q
from django.utils import timezone

from portineria.control.identity.models import ID, Organisation, Person
from portineria.core import ids
from portineria.core.ids import new_id

KEY = 96  # an organisation, "." and 64 hexadecimal digits
WHY = 120
ADDRESS = 512


class Kind(models.TextChoices):
    """What a person may choose about."""

    WAITS = "waits"  # a request that they may decide
    DECIDED = "decided"  # what became of their own request or grant
    ENDS = "ends"  # their session: soon, or by somebody else
    HELD = "held"  # a request that a gateway holds until somebody answers
    OPENED = "opened"  # in an emergency, without anybody's yes
    LOCKED = "locked"
    JOB = "job"  # what was written about work that they take part in
    STANDING = "standing"  # a supplier of theirs, whose assessment is over soon
    ROLE = "role"  # what they may do somewhere: memberships, standing in for somebody


class Channel(models.TextChoices):
    CONSOLE = "console"
    MAIL = "mail"
    WEBHOOK = "webhook"


# Of whoever chose nothing: what waits for an act, and what became of one's own, may find people away from a screen.
USUAL: dict[str, tuple[Channel, ...]] = {
    Kind.WAITS: (Channel.CONSOLE, Channel.MAIL, Channel.WEBHOOK),
    Kind.DECIDED: (Channel.CONSOLE, Channel.MAIL, Channel.WEBHOOK),
    Kind.ENDS: (Channel.CONSOLE, Channel.WEBHOOK),
    Kind.HELD: (Channel.CONSOLE, Channel.MAIL, Channel.WEBHOOK),
    Kind.OPENED: (Channel.CONSOLE, Channel.MAIL, Channel.WEBHOOK),
    Kind.LOCKED: (Channel.CONSOLE, Channel.WEBHOOK),
    Kind.JOB: (Channel.CONSOLE, Channel.WEBHOOK),
    Kind.STANDING: (Channel.CONSOLE, Channel.MAIL, Channel.WEBHOOK),
    Kind.ROLE: (Channel.CONSOLE, Channel.MAIL, Channel.WEBHOOK),
}


class NotificationQuerySet(models.QuerySet["Notification"]):
    def visible_to(self, actor: Person) -> "NotificationQuerySet":
        """One's own, of organisations that one still belongs to."""
        return self.filter(person=actor, organisation__in=actor.member_of)


class Notification(models.Model):
    """``key``: the event that it tells of, so that a second reading makes no second row. ``code``: that event's,
    ``session.ends-soon`` or ``supplier.standing-ends-soon``. ``thing``: the id of the request, session, lock, machine,
    emergency review, supplier or organisation that it is about.
    """

    public_id: "models.CharField[str, str]" = models.CharField(
        max_length=ID, unique=True, editable=False, default=partial(new_id, ids.Kind.NOTIFICATION)
    )
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="notifications")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="notifications")
    key = models.CharField(max_length=KEY)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    code = models.CharField(max_length=64)
    thing = models.CharField(max_length=ID)
    by = models.CharField(max_length=ID, blank=True)  # whoever did it
    at = models.DateTimeField(default=timezone.now)
    listed = models.BooleanField(default=True)  # in the console
    read_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="notification_once", fields=["person", "key"]),
            models.CheckConstraint(name="notification_kind", condition=Q(kind__in=Kind.values)),
        ]
        indexes = [
            models.Index(name="notification_newest", fields=["person", "listed", "at"]),
            models.Index(name="notification_oldest", fields=["at"]),
        ]

    def __str__(self) -> str:
        return self.public_id


class DeliveryState(models.TextChoices):
    WAITING = "waiting"
    SENT = "sent"
    MOOT = "moot"  # nobody needs to hear it any more
    GIVEN_UP = "given-up"


class Delivery(models.Model):
    """One notification on its way by one channel. Sent again until the other side has taken it, for a day."""

    State = DeliveryState

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="deliveries")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    channel = models.CharField(
        max_length=8, choices=[(one.value, one.value) for one in (Channel.MAIL, Channel.WEBHOOK)]
    )
    state = models.CharField(max_length=8, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True, blank=True)
    why = models.CharField(max_length=WHY, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="notification_delivery_once", fields=["notification", "channel"]),
            models.CheckConstraint(
                name="notification_delivery_done",
                condition=Q(state="waiting", done_at__isnull=True)
                | Q(state__in=["sent", "moot", "given-up"], done_at__isnull=False),
            ),
            models.CheckConstraint(name="notification_delivery_leaves", condition=Q(channel__in=["mail", "webhook"])),
        ]
        indexes = [
            models.Index(name="notification_due", fields=["state", "next_at"]),
            models.Index(name="notification_sent", fields=["person", "channel", "done_at"]),
        ]


class Choice(models.Model):
    """By which ways one person wants to hear of one kind; without a row it is the usual ones."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="notification_choices")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    console = models.BooleanField(default=True)
    mail = models.BooleanField(default=False)
    webhook = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(name="notification_choice_one", fields=["person", "kind"])]

    @property
    def channels(self) -> tuple[Channel, ...]:
        return tuple(channel for channel in Channel if getattr(self, channel.value))


class WebhookForm(models.TextChoices):
    """What the receiver reads. The address of a chat is itself the secret that lets in."""

    SIGNED = "signed"  # Standard Webhooks
    SLACK = "slack"
    TEAMS = "teams"


class Webhook(models.Model):
    """Where one person's notifications go besides. ``wrapped``: the whole address, and the secret they are signed with;
    ``address`` as it may be shown.
    """

    person = models.OneToOneField(Person, on_delete=models.CASCADE, related_name="notification_webhook")
    address = models.CharField(max_length=ADDRESS)
    wrapped = models.BinaryField()
    made_at = models.DateTimeField(default=timezone.now)
    form = models.CharField(max_length=8, choices=WebhookForm.choices, default=WebhookForm.SIGNED)

    class Meta:
        constraints = [
            models.CheckConstraint(name="notification_webhook_form", condition=Q(form__in=WebhookForm.values))
        ]


class Reading(models.Model):
    """How far one organisation's register was read."""

    organisation = models.OneToOneField(Organisation, on_delete=models.CASCADE, related_name="+")
    seq = models.PositiveBigIntegerField(default=0)
