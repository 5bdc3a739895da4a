# SPDX-License-Identifier: Apache-2.0
"""What the caller was told, and how they want to be told."""

from datetime import datetime
from typing import Literal

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from portineria.control.identity.models import Person
from portineria.control.notification import queries, services
from portineria.control.notification.models import ADDRESS, Channel, Kind, Notification, WebhookForm
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, Id, acts, reads, tries

router = Router(tags=["notifications"])


class NotificationView(Schema):
    """``code``: of the event; ``thing``: id of what it is about, ``by``: of whoever did it."""

    notification: str
    organisation: str
    kind: str
    code: str
    thing: str
    by: str
    at: datetime
    read_at: datetime | None


def _views(rows: list[Notification]) -> list[NotificationView]:
    return [
        NotificationView(
            notification=row.public_id, organisation=row.organisation.public_id, kind=row.kind, code=row.code,
            thing=row.thing, by=row.by, at=row.at, read_at=row.read_at,
        )
        for row in rows
    ]  # fmt: skip


@reads(router, "/notifications", Leaf[NotificationView])
def notifications(request: HttpRequest, place: Where, unread: bool = False) -> Leaf[NotificationView]:
    """Newest first."""
    actor = person_of(request)
    found = (queries.unread(actor) if unread else queries.notifications(actor)).select_related("organisation")
    return leaf(actor, f"notifications {unread}", found, place, _views, newest_first=True)


@acts(router, "/notifications/{notification}/read", NotificationView, Scope.PERSONAL)
def notification_read(request: HttpRequest, notification: Id) -> NotificationView:
    actor = person_of(request)
    services.read(actor=actor, notification=notification)
    return _views([queries.notifications(actor).select_related("organisation").get(public_id=notification)])[0]


class Unread(Schema):
    unread: int


@acts(router, "/notifications/read", Unread, Scope.PERSONAL)
def notifications_read(request: HttpRequest) -> Unread:
    """All of them."""
    actor = person_of(request)
    services.read_all(actor=actor)
    return Unread(unread=queries.unread(actor).count())


class Ways(Schema):
    """Kind of news → by which ways. ``webhook``: its address; of a chat only the host, null where there is none."""

    ways: dict[str, list[str]]
    webhook: str | None
    form: str | None


def _ways(actor: Person) -> Ways:
    hooked = queries.webhook(actor)
    return Ways(
        ways={kind.value: [way.value for way in ways] for kind, ways in queries.choices(actor).items()},
        webhook=hooked.address if hooked else None, form=hooked.form if hooked else None,
    )  # fmt: skip


@reads(router, "/notification-choices", Ways)
def notification_choices(request: HttpRequest) -> Ways:
    return _ways(person_of(request))


KindWord = Literal["waits", "decided", "ends", "held", "opened", "locked", "job", "standing", "role"]
WayWord = Literal["console", "mail", "webhook"]


class NewWays(Given):
    """Kind of news → by which ways; a kind that is left out stays as it is."""

    ways: dict[KindWord, list[WayWord]] = Field(max_length=len(Kind))


@acts(router, "/notification-choices", Ways, Scope.PERSONAL)
def notifications_choose(request: HttpRequest, given: NewWays) -> Ways:
    actor = person_of(request)
    now = dict(queries.choices(actor))
    wanted = {Kind(kind): tuple(Channel(way) for way in ways) for kind, ways in given.ways.items()}
    services.choose(actor=actor, ways={**now, **wanted})
    return _ways(actor)


class NewWebhook(Given):
    """``signed``: by Standard Webhooks; the others are chats, which check no signature."""

    address: str = Field(min_length=1, max_length=ADDRESS)
    form: Literal["signed", "slack", "teams"] = "signed"


class WebhookSet(Ways):
    """``secret``: it is in this answer and nowhere else; empty for a chat."""

    secret: str


@tries(router, "/notification-webhook", WebhookSet, Scope.PERSONAL)
def webhook_set(request: HttpRequest, given: NewWebhook) -> WebhookSet:
    """On a host that the operator of the server allows. No key keeps its answer."""
    actor = person_of(request)
    secret = services.set_webhook(actor=actor, address=given.address, form=WebhookForm(given.form))
    return WebhookSet(**_ways(actor).dict(), secret=secret)


@acts(router, "/notification-webhook/remove", Ways, Scope.PERSONAL)
def webhook_remove(request: HttpRequest) -> Ways:
    actor = person_of(request)
    services.remove_webhook(actor=actor)
    return _ways(actor)
