# SPDX-License-Identifier: Apache-2.0
"""Company devices: who enrols and revokes them, and the proof that a session begins from one."""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from portineria.control.access.company_device import MOST_DEVICE_DAYS, CompanyDevice
from portineria.control.audit.services import record
from portineria.control.identity.authority import administers, organisation_of, require
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.services import BadField, clean_name
from portineria.core.errors import Conflict, NotFound
from portineria.policy.ending import Device
from portineria.wire.device_proof import covered


class DeviceKnown(Conflict):
    """This key was enrolled before, perhaps revoked since."""

    code = "access.device.known"


@transaction.atomic
def add_company_device(
    *, actor: Person, organisation: str, person: str, name: str, key: bytes, days: int
) -> CompanyDevice:
    """``key``: the public half that `portineria device` shows. Raise BadField, NotFound, DeviceKnown."""
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    if len(key) != 32:
        raise BadField("public_key", "32 bytes of Ed25519")
    if not 1 <= days <= MOST_DEVICE_DAYS:
        raise BadField("days", f"1 to {MOST_DEVICE_DAYS}", most=MOST_DEVICE_DAYS)
    holder = Person.objects.filter(memberships__organisation=owner, public_id=person, is_service=False).first()
    if holder is None:
        raise NotFound(f"person {person}")
    owner = Organisation.objects.select_for_update(no_key=True).get(pk=owner.pk)
    if CompanyDevice.objects.filter(organisation=owner, key=key).exists():
        raise DeviceKnown("this key was enrolled before")
    at = timezone.now()
    made = CompanyDevice.objects.create(
        organisation=owner, person=holder, name=clean_name(name, characters=60), key=key, added_by=actor, added_at=at,
        expires_at=at + timedelta(days=days),
    )  # fmt: skip
    record(
        "access.device.added", organisation=organisation, actor=actor.public_id, company_device=made.public_id,
        person=person, name=made.name, sha256=hashlib.sha256(key).hexdigest(),
        ends_at=made.expires_at.isoformat(timespec="seconds"),
    )  # fmt: skip
    return made


@transaction.atomic
def revoke_company_device(*, actor: Person, device: str, reason: str) -> CompanyDevice:
    """What was opened from it is cut; nothing is opened from it any more, whatever a rule asks for."""
    rows = CompanyDevice.objects.visible_to(actor).filter(revoked_at__isnull=True)
    rows = rows.select_for_update(of=("self",), no_key=True).select_related("organisation", "person")
    row = rows.filter(public_id=device).first()
    if row is None:
        raise NotFound(f"company device {device}")
    require(actor, row.organisation_id, administers)
    row.revoked_at = timezone.now()
    row.save(update_fields=["revoked_at"])
    record(
        "access.device.revoked", organisation=row.organisation.public_id, actor=actor.public_id,
        company_device=device, person=row.person.public_id, name=row.name, reason=reason,
    )  # fmt: skip
    return row


def company_devices(actor: Person) -> "QuerySet[CompanyDevice]":
    """Of the organisations whose staff the actor is, the newest first."""
    found = CompanyDevice.objects.visible_to(actor).select_related("organisation", "person", "added_by")
    return found.order_by("-added_at", "-pk")


def company_device(actor: Person, public_id: str) -> CompanyDevice:
    found = company_devices(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"company device {public_id}")
    return found


def proven(person: Person, organisation: int, key: bytes, signature: bytes, session_key: bytes) -> CompanyDevice | None:
    """The person's device with this key there, revoked or not; None where the signature is not that key's."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, covered(session_key))
    except (InvalidSignature, ValueError):
        return None
    return CompanyDevice.objects.filter(organisation=organisation, person=person, key=key).first()


def standing_of(device: CompanyDevice | None, at: datetime) -> Device:
    return Device(device.standing(at)) if device else Device.NONE


def standings(devices: Iterable[int | None], at: datetime) -> dict[int | None, Device]:
    """Of what sessions began from; no query where none began from one."""
    wanted = {pk for pk in devices if pk is not None}
    found: dict[int | None, Device] = {None: Device.NONE}
    if wanted:
        rows = CompanyDevice.objects.filter(pk__in=wanted)
        found |= {row.pk: standing_of(row, at) for row in rows}
    return found
