# SPDX-License-Identifier: Apache-2.0
"""Whom an organisation's recordings are encrypted to: a key of its own that is kept here, or only keys of others."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone
from pyrage.x25519 import Identity

from portineria.control.audit.services import record
from portineria.control.identity.authority import SYSTEM, Operator
from portineria.control.identity.models import Organisation
from portineria.control.identity.vault import unwrap, wrap
from portineria.control.remote_sessions.models import RecordingRecipient
from portineria.core.errors import Invalid
from portineria.recording.chunk import parse_recipient
from portineria.recording.entry import RECIPIENTS


class TooManyRecipients(Invalid):
    code = "recording.recipients"


def _purpose(row: RecordingRecipient) -> str:
    return f"recording/{row.organisation.public_id}/{row.recipient}"


@transaction.atomic
def recipients_for(organisation: Organisation) -> list[str]:
    """What the next order names. An organisation that has none gets a key of its own."""
    rows = RecordingRecipient.objects.filter(organisation=organisation)
    named = list(rows.filter(retired_at__isnull=True).order_by("pk").values_list("recipient", flat=True))
    if not named:
        named = [_make_own(organisation, SYSTEM).recipient]
    return named


def _make_own(organisation: Organisation, actor: str) -> RecordingRecipient:
    identity = Identity.generate()
    row = RecordingRecipient(organisation=organisation, recipient=str(identity.to_public()))
    row.wrapped = wrap(str(identity).encode(), purpose=_purpose(row))
    row.save(force_insert=True)
    _record(organisation, actor, [row.recipient])
    return row


def _record(organisation: Organisation, actor: str, recipients: Sequence[str]) -> None:
    record(
        "remote_sessions.recipients.changed",
        organisation=organisation.public_id,
        actor=actor,
        recipients=" ".join(recipients),
    )


@transaction.atomic
def set_recipients(*, actor: Operator, organisation: Organisation, recipients: Sequence[str]) -> list[str]:
    """From now on orders name these and no others; with none a key of ours. Raise BadRecipient, TooManyRecipients.

    Gateways go on encrypting to whom they know already: only there is one removed.
    """
    wanted = list(dict.fromkeys(recipients))
    for recipient in wanted:
        parse_recipient(recipient)
    if len(wanted) > RECIPIENTS:
        raise TooManyRecipients(f"{len(wanted)} recipients, at most {RECIPIENTS}")
    rows = RecordingRecipient.objects.select_for_update(no_key=True).filter(organisation=organisation)
    if not wanted:
        own = rows.exclude(wrapped=b"").order_by("-pk").first() or _make_own(organisation, actor.public_id)
        wanted = [own.recipient]
    rows.exclude(recipient__in=wanted).filter(retired_at__isnull=True).update(retired_at=timezone.now())
    for recipient in wanted:
        RecordingRecipient.objects.update_or_create(
            organisation=organisation, recipient=recipient, defaults={"retired_at": None}
        )
    _record(organisation, actor.public_id, wanted)
    return wanted


@transaction.atomic
def own_identities(*, actor: Operator, organisation: Organisation) -> str:
    """An age identity file with every key of the organisation that is kept here. That it was given out is an event."""
    rows = RecordingRecipient.objects.filter(organisation=organisation).exclude(wrapped=b"").order_by("pk")
    found = [(row.recipient, unwrap(bytes(row.wrapped), purpose=_purpose(row)).decode()) for row in rows]
    record(
        "remote_sessions.identity.given-out",
        organisation=organisation.public_id,
        actor=actor.public_id,
        recipients=" ".join(recipient for recipient, _ in found),
    )
    return "".join(f"# {recipient}\n{identity}\n" for recipient, identity in found)


def recipients_shown(organisation: Organisation) -> list[tuple[str, bool]]:
    """(recipient, whether its key is kept here) of those that the next order names; none before the first one."""
    rows = RecordingRecipient.objects.filter(organisation=organisation, retired_at__isnull=True).order_by("pk")
    return [(row.recipient, bool(row.wrapped)) for row in rows]
