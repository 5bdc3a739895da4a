# SPDX-License-Identifier: Apache-2.0
"""What is to leave the house now, and what became of it. For the one process that notifies.

A delivery is sent until the other side said that it has it, later and later, for a day. Whoever was killed between
that word and this note sends it once more: by its id the other side knows it.
"""

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Count

from portineria.control.access.deciding import approving, deciders
from portineria.control.access.extension import Extension
from portineria.control.access.models import AccessRequest, RequestState
from portineria.control.audit import services as audit
from portineria.control.identity.authority import SYSTEM
from portineria.control.notification.models import WHY, Channel, Delivery, DeliveryState, Kind, Notification
from portineria.control.notification.standings import heeded
from portineria.control.notification.unused import CLOSES_SOON, came_back
from portineria.control.remote_sessions.models import HeldOperation, Session
from portineria.core.ids import Kind as Id
from portineria.core.ids import is_id

log = structlog.get_logger()
A_DAY = timedelta(days=1)
MOST_IN_AN_HOUR = 30  # mails, or webhooks, of one person; the others wait, and most of them are moot by then
FIRST_S, LONGEST_S = 5.0, 1800.0
_HOUR = timedelta(hours=1)


def due(at: datetime, most: int) -> list[int]:
    """The oldest first; of whoever got very many within the hour nothing."""
    recent = Delivery.objects.filter(state=DeliveryState.SENT, done_at__gt=at - _HOUR).order_by()
    busy = recent.values("person", "channel").annotate(count=Count("pk")).filter(count__gte=MOST_IN_AN_HOUR)
    rows = Delivery.objects.filter(state=DeliveryState.WAITING, next_at__lte=at)
    for person, channel in busy.values_list("person", "channel"):
        rows = rows.exclude(person=person, channel=channel)
    return list(rows.order_by("next_at", "pk").values_list("pk", flat=True)[:most])


def waiting(delivery: int) -> Delivery | None:
    rows = Delivery.objects.filter(pk=delivery, state=DeliveryState.WAITING)
    return rows.select_related("notification__organisation", "person__notification_webhook").first()


def moot(row: Delivery, at: datetime) -> bool:
    """Nobody needs to hear it: they are gone, it was answered meanwhile, or they can do nothing about it any more."""
    notification, person = row.notification, row.person
    if not person.enabled or notification.organisation_id not in person.member_of:
        return True
    if row.channel == Channel.WEBHOOK and not hasattr(person, "notification_webhook"):
        return True
    if notification.kind == Kind.WAITS and is_id(notification.thing, Id.EXTENSION):
        more = Extension.objects.waiting().filter(public_id=notification.thing).select_related("person").first()
        return more is None or person.pk not in approving(more.organisation_id, more.person, at)
    if notification.kind == Kind.WAITS:
        waiting_ones = AccessRequest.objects.filter(public_id=notification.thing, state=RequestState.PENDING)
        request = waiting_ones.select_related("rule__profile", "person").first()
        return request is None or person.pk not in deciders(request, at)
    if notification.kind == Kind.HELD:
        return not HeldOperation.objects.waiting(at).filter(session__public_id=notification.thing).exists()
    if notification.kind == Kind.STANDING:
        return heeded(notification.thing, person, at)
    if notification.code == CLOSES_SOON:
        return came_back(person, notification.at)
    if notification.code == "session.ends-soon":
        return not Session.objects.open().filter(public_id=notification.thing, expires_at__gt=at).exists()
    return False


@transaction.atomic
def note(delivery: int, state: DeliveryState, at: datetime, why: str = "") -> bool:
    """False when somebody noted something else meanwhile."""
    rows = Delivery.objects.filter(pk=delivery, state=DeliveryState.WAITING)
    if not rows.update(state=state, done_at=at, why=why[:WHY]):
        return False
    if state == DeliveryState.GIVEN_UP:
        row = Notification.objects.select_related("organisation", "person").get(deliveries=delivery)
        channel = Delivery.objects.values_list("channel", flat=True).get(pk=delivery)
        log.error("notification.given-up", notification=row.public_id, channel=channel, why=why)
        audit.record(
            "notification.delivery.given-up", organisation=row.organisation.public_id, actor=SYSTEM,
            about=row.person.public_id, person=row.person.public_id, notification=row.public_id, channel=channel,
            answer=why[:WHY],
        )  # fmt: skip
    return True


def note_away(row: Delivery, at: datetime, why: str, pause_s: float) -> None:
    """Once more after ``pause_s``; given up for what is a day old."""
    if at - row.notification.at > A_DAY:
        note(row.pk, DeliveryState.GIVEN_UP, at, why)
        return
    again = at + timedelta(seconds=pause_s)
    Delivery.objects.filter(pk=row.pk, state=DeliveryState.WAITING).update(
        attempts=row.attempts + 1, next_at=again, why=why[:WHY]
    )
    log.warning("notification.away", notification=row.notification.public_id, channel=row.channel, why=why)


def put_off(delivery: int, at: datetime, pause_s: float) -> None:
    """Something of ours failed: it is no matter of the other side."""
    row = waiting(delivery)
    if row is not None:
        note_away(row, at, "a fault of the server", pause_s)


def pause_s(attempts: int, chance: float) -> float:
    """``chance``: from 0 to 1, so that not all of them come back at once."""
    return min(LONGEST_S, FIRST_S * 2.0 ** min(attempts, 10)) * (0.5 + chance / 2)
