# SPDX-License-Identifier: Apache-2.0
from portineria.control.identity.models import Person
from portineria.control.notification.models import (
    USUAL,
    Channel,
    Choice,
    Kind,
    Notification,
    NotificationQuerySet,
    Webhook,
)


def notifications(actor: Person) -> NotificationQuerySet:
    """The newest first."""
    found = Notification.objects.visible_to(actor).filter(listed=True).select_related("organisation")
    return found.order_by("-at", "-pk")


def unread(actor: Person) -> NotificationQuerySet:
    return notifications(actor).filter(read_at__isnull=True)


def choices(actor: Person) -> dict[Kind, tuple[Channel, ...]]:
    found = {kind: USUAL[kind] for kind in Kind}
    return found | {Kind(row.kind): row.channels for row in Choice.objects.filter(person=actor)}


def webhook(actor: Person) -> Webhook | None:
    return Webhook.objects.filter(person=actor).first()
