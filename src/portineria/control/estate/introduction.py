# SPDX-License-Identifier: Apache-2.0
"""A gateway that comes without a code: it pins the root by the fingerprint that the technician typed, and is admitted
by somebody who compared the gateway's own (WIRE 5). Off unless the server's settings allow it.

Whoever knows a plant's id can make such an entry, so there are few of them, and they go away by themselves.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import transaction
from django.utils import timezone

from portineria.control.audit.services import record
from portineria.control.estate.enrolment import load_spki_of, new_gateway, read_request
from portineria.control.estate.models import Gateway, GatewayState, Plant
from portineria.control.estate.trust import trust_of
from portineria.control.identity import keys
from portineria.control.identity.authority import SYSTEM
from portineria.control.identity.models import Installation
from portineria.control.settings.start import current
from portineria.core.errors import Conflict, NotFound
from portineria.wire.certificate import fingerprint, load_spki, spki_sha256
from portineria.wire.enrolment import EnrolmentRequest, introduction_covered
from portineria.wire.statement import Introduction, sha256

WAITING_PER_PLANT, WAITING = 8, 64  # a plant is fitted out with a handful in a day; nobody compares more than that
PER_ADDRESS, PER_ADDRESS_WITHIN = 5, timedelta(hours=1)  # also of those refused or admitted meanwhile


class NotOffered(NotFound):
    """Switched off, unknown plant, not signed by its own key: one answer, so that guessing learns nothing."""

    code = "enrolment.without-code"


class OtherRoot(Conflict):
    code = "enrolment.root"


class TooManyWait(Conflict):
    code = "enrolment.full"


@dataclass(frozen=True, slots=True)
class Introduced:
    gateway: str
    trust: bytes
    introduction: bytes


def root_sha256() -> bytes:
    return spki_sha256(load_spki_of(keys.root()))


def root_fingerprint() -> str:
    """What the technician types at the gateway."""
    return fingerprint(root_sha256())


def offered() -> bool:
    return current().enrolment_without_code


@transaction.atomic
def introduce(*, plant: str, request: bytes, root: bytes, signature: bytes, address: str) -> Introduced:
    """Raise NotOffered, OtherRoot, TooManyWait, BadRequest; then nothing was kept."""
    asked, at = read_request(request), timezone.now()
    place = Plant.objects.select_related("organisation").filter(public_id=plant).first() if offered() else None
    if place is None or not _own(asked, introduction_covered(request, plant, root), signature):
        raise NotOffered(f"plant {plant[:24]!r}, or not offered")
    if root != root_sha256():
        raise OtherRoot(f"{address} means the root {fingerprint(root)}")
    Installation.objects.select_for_update(no_key=True).get(pk=1)  # one at a time: the limits are counted
    expire(at)
    gateway = _again(place, asked) or _take_in(place, asked, address, at)
    trust = trust_of(gateway)
    said = Introduction(gateway=gateway.public_id, request_sha256=sha256(request), trust_sha256=sha256(trust))
    return Introduced(gateway.public_id, trust, keys.signed(said))


def _own(asked: EnrolmentRequest, covered: bytes, signature: bytes) -> bool:
    key = load_spki(asked.tls_key)
    assert isinstance(key, ec.EllipticCurvePublicKey)  # noqa: S101 read_request looked
    try:
        key.verify(signature, covered, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _again(plant: Plant, asked: EnrolmentRequest) -> Gateway | None:
    """The answer got lost, and the same keys ask again."""
    waiting = Gateway.objects.filter(without_code=True, state=GatewayState.WAITING, plant=plant)
    return waiting.filter(
        tls_key=asked.tls_key, event_key=asked.event_key, sealing_key=asked.sealing_key
    ).select_related("plant__organisation").first()  # fmt: skip


def _take_in(plant: Plant, asked: EnrolmentRequest, address: str, at: datetime) -> Gateway:
    mine = Gateway.objects.filter(without_code=True)
    waiting = mine.filter(state=GatewayState.WAITING)
    if (
        waiting.count() >= WAITING
        or waiting.filter(plant=plant).count() >= WAITING_PER_PLANT
        or mine.filter(enrolled_from=address, enrolled_at__gt=at - PER_ADDRESS_WITHIN).count() >= PER_ADDRESS
    ):
        raise TooManyWait(f"plant {plant.public_id}, asked from {address}")
    gateway = new_gateway(plant, asked, address, without_code=True)
    record(
        "estate.gateway.introduced",
        organisation=plant.organisation.public_id,
        actor=gateway.public_id,
        gateway=gateway.public_id,
        plant=plant.public_id,
        name=gateway.name,
        fingerprint=gateway.fingerprint,
        version=asked.version,
        address=address,
    )
    return gateway


@transaction.atomic
def expire(at: datetime) -> None:
    """Refuse those that nobody admitted in time."""
    late = Gateway.objects.filter(without_code=True, state=GatewayState.WAITING).select_related("plant__organisation")
    late = late.filter(enrolled_at__lte=at - Gateway.WITHOUT_CODE_LIFE).order_by("plant__organisation_id", "pk")
    for gateway in late.select_for_update(of=("self",), no_key=True):
        gateway.move(GatewayState.REFUSED, "not-admitted-in-time")
        gateway.save(update_fields=["state", "state_reason"])
        record(
            "estate.gateway.refused",
            organisation=gateway.plant.organisation.public_id,
            actor=SYSTEM,
            gateway=gateway.public_id,
            reason=gateway.state_reason,
        )
