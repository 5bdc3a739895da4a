# SPDX-License-Identifier: Apache-2.0
"""Computers that an organisation knows by their key."""

from datetime import datetime

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field

from portineria.control.access import company_devices as services
from portineria.control.access.company_device import MOST_DEVICE_DAYS, CompanyDevice
from portineria.control.identity.connector import base64url, unbase64
from portineria.control.identity.services import BadField
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, Id, Reason, acts, reads

router = Router(tags=["company devices"])


class CompanyDeviceView(Schema):
    """``standing``: known, none (its time is over) or revoked. ``public_key``: Ed25519, base64url."""

    company_device: str
    organisation: str
    person: str
    name: str
    public_key: str
    standing: str
    added_by: str
    added_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


def _view(row: CompanyDevice) -> CompanyDeviceView:
    return CompanyDeviceView(
        company_device=row.public_id, organisation=row.organisation.public_id, person=row.person.public_id,
        name=row.name, public_key=base64url(bytes(row.key)), standing=row.standing(timezone.now()),
        added_by=row.added_by.public_id, added_at=row.added_at, expires_at=row.expires_at, revoked_at=row.revoked_at,
    )  # fmt: skip


@reads(router, "/company-devices", Leaf[CompanyDeviceView])
def company_devices(request: HttpRequest, place: Where) -> Leaf[CompanyDeviceView]:
    """Newest first. For staff."""
    actor = person_of(request)
    return leaf(
        actor, "company devices", services.company_devices(actor), place, lambda rows: [_view(row) for row in rows],
        newest_first=True,
    )  # fmt: skip


@reads(router, "/company-devices/{company_device}", CompanyDeviceView)
def company_device(request: HttpRequest, company_device: Id) -> CompanyDeviceView:
    return _view(services.company_device(person_of(request), company_device))


class NewCompanyDevice(Given):
    organisation: str = Field(max_length=24)
    person: str = Field(max_length=24)
    name: str = Field(min_length=1, max_length=60)
    public_key: str = Field(max_length=60, description="As `portineria device` shows it.")
    days: int = Field(default=365, ge=1, le=MOST_DEVICE_DAYS)


def _key(text: str) -> bytes:
    """Empty where it is none: the service refuses it, once it has seen who asks."""
    try:
        return unbase64(text, "public_key")
    except BadField:
        return b""


@acts(router, "/company-devices", CompanyDeviceView, Scope.ADMINISTER)
def company_device_add(request: HttpRequest, given: NewCompanyDevice) -> CompanyDeviceView:
    actor, key = person_of(request), _key(given.public_key)
    made = services.add_company_device(
        actor=actor, organisation=given.organisation, person=given.person, name=given.name, key=key, days=given.days
    )
    return _view(services.company_device(actor, made.public_id))


@acts(router, "/company-devices/{company_device}/revoke", CompanyDeviceView, Scope.ADMINISTER)
def company_device_revoke(request: HttpRequest, company_device: Id, given: Reason) -> CompanyDeviceView:
    """What was opened from it is cut."""
    actor = person_of(request)
    services.revoke_company_device(actor=actor, device=company_device, reason=given.reason)
    return _view(services.company_device(actor, company_device))
