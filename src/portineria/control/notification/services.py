# SPDX-License-Identifier: Apache-2.0
"""What a person does about their own notifications: read them, choose their ways, name a webhook."""

import base64
import json
import secrets
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from portineria.control.identity.models import Person
from portineria.control.identity.services import BadField, record_for_person
from portineria.control.identity.vault import unwrap, wrap
from portineria.control.notification.models import Channel, Choice, Kind, Notification, Webhook, WebhookForm
from portineria.control.settings.start import current
from portineria.core.errors import Denied, NotFound
from portineria.sinks.setting import TEXT_CHARACTERS, is_address

_SECRET_BYTES = 32


class HostNotAllowed(Denied):
    """The operator names the hosts: whoever may type any address could make this server ask machines near it."""

    code = "notification.webhook.host"


@transaction.atomic
def read(*, actor: Person, notification: str) -> Notification:
    row = Notification.objects.visible_to(actor).filter(public_id=notification).first()
    if row is None:
        raise NotFound(f"notification {notification}")
    Notification.objects.filter(pk=row.pk, read_at__isnull=True).update(read_at=timezone.now())
    return row


@transaction.atomic
def read_all(*, actor: Person) -> None:
    Notification.objects.visible_to(actor).filter(read_at__isnull=True).update(read_at=timezone.now())


@transaction.atomic
def choose(*, actor: Person, ways: Mapping[Kind, Collection[Channel]]) -> None:
    """Of what is on its way nothing changes."""
    Person.objects.get_queryset().select_for_update(no_key=True).get(pk=actor.pk)
    for kind, channels in ways.items():
        Choice.objects.update_or_create(
            person=actor, kind=kind, defaults={channel.value: channel in channels for channel in Channel}
        )
    said = {way.value: " ".join(kind.value for kind in Kind if way in ways.get(kind, ())) for way in Channel}
    record_for_person("notification.choices.changed", actor, **said)


@transaction.atomic
def set_webhook(*, actor: Person, address: str, form: WebhookForm = WebhookForm.SIGNED) -> str:
    """Return its new secret, which is shown this once; empty for a chat, which checks no signature.

    Raise BadField, HostNotAllowed.
    """
    address = address.strip()
    if len(address) > TEXT_CHARACTERS or not is_address(address):
        raise BadField("webhook", "an https address")
    host = require_allowed(address)
    signed = form == WebhookForm.SIGNED
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}" if signed else ""
    shown = address if signed else f"https://{host}/…"
    wrapped = wrap(json.dumps({"address": address, "secret": secret}).encode(), purpose=_purpose(actor))
    Webhook.objects.update_or_create(
        person=actor,
        defaults={"address": shown, "wrapped": wrapped, "made_at": timezone.now(), "form": form},
    )
    record_for_person("notification.webhook.set", actor, host=host)
    return secret


def require_allowed(address: str) -> str:
    """Return its host. Asked before each sending too: what the operator takes away gets nothing more."""
    host = urlsplit(address).netloc.lower()
    if host not in current().webhook_hosts:
        raise HostNotAllowed(f"webhook_hosts has no {host!r}")
    return host


@transaction.atomic
def remove_webhook(*, actor: Person) -> None:
    if Webhook.objects.filter(person=actor).delete()[0]:
        record_for_person("notification.webhook.removed", actor)


def opened(row: Webhook) -> tuple[str, str]:
    """Address and secret, as they were wrapped together: an address that was changed in the database gets nothing.

    Raise WrongMasterKey.
    """
    found: dict[str, str] = json.loads(unwrap(bytes(row.wrapped), purpose=_purpose(row.person)))
    return found["address"], found["secret"]


def _purpose(person: Person) -> str:
    return f"notification webhook {person.public_id}"
