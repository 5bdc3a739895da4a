# SPDX-License-Identifier: Apache-2.0
"""How a gateway comes in: a code, a proof in each direction, and somebody who compares its fingerprint (WIRE 5)."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from django.db import transaction
from django.utils import timezone

from portineria.control.audit.services import record
from portineria.control.estate.models import EnrolmentCode, Gateway, GatewayState, NotInThisState, Plant
from portineria.control.estate.services import plant_to_change
from portineria.control.estate.trust import trust_of
from portineria.control.identity import keys
from portineria.control.identity.authority import SYSTEM, administers, require
from portineria.control.identity.models import Person
from portineria.control.identity.vault import unwrap, wrap
from portineria.core.errors import Denied, Invalid, NotFound
from portineria.wire import enrolment
from portineria.wire.certificate import GATEWAY_LIFE, BadCertificate, load_certificate, load_spki, spki_sha256
from portineria.wire.envelope import BadSeal, seal
from portineria.wire.frame import BadFrame

CODE_LIFE = timedelta(minutes=15)
RENEWABLE = timedelta(days=180)  # after its certificate ended; later only a new enrolment helps (WIRE 4)


class BadEnrolment(NotFound):
    """Unknown, wrong, used, expired: one answer, so that guessing learns nothing."""

    code = "enrolment.code"


class BadRequest(Invalid):
    code = "enrolment.request"


class TooOld(Denied):
    code = "estate.certificate.too-old"


@dataclass(frozen=True, slots=True)
class Enrolled:
    gateway: str
    trust: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class CertificateAnswer:
    state: str
    certificate: bytes | None


@transaction.atomic
def offer_enrolment(*, actor: Person, plant: str) -> tuple[str, EnrolmentCode]:
    """Return the code to type at the gateway; it is shown once and not kept in clear."""
    place = plant_to_change(actor, plant)
    code = enrolment.new_code()
    lookup, secret = enrolment.split_code(code)
    row = EnrolmentCode.objects.create(
        plant=place,
        lookup=lookup,
        wrapped_secret=wrap(secret, purpose=f"enrolment/{lookup}"),
        created_by=actor,
        expires_at=timezone.now() + CODE_LIFE,
    )
    record(
        "estate.enrolment.offered",
        organisation=place.organisation.public_id,
        actor=actor.public_id,
        plant=plant,
        lookup=lookup,
        expires_at=row.expires_at.isoformat(timespec="seconds"),
        code=code,
    )
    return code, row


def enrol(*, lookup: str, request: bytes, proof: bytes, address: str) -> Enrolled:
    """Raise BadEnrolment; a failed attempt is counted and recorded all the same."""
    asked = read_request(request)
    with transaction.atomic():
        answer = _enrol(lookup, request, proof, asked, address)
    if answer is None:
        raise BadEnrolment(f"enrolment with {lookup[:8]!r} refused")
    return answer


def read_request(request: bytes) -> enrolment.EnrolmentRequest:
    try:
        asked = enrolment.REQUEST.decode(request)
        key = load_spki(asked.tls_key)
        seal(b"", X25519PublicKey.from_public_bytes(asked.sealing_key), info=b"")
    except (BadFrame, BadCertificate, BadSeal) as error:
        raise BadRequest(str(error)) from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise BadRequest("the TLS key of a gateway is a P-256 key")
    return asked


def _enrol(
    lookup: str, request: bytes, proof: bytes, asked: enrolment.EnrolmentRequest, address: str
) -> Enrolled | None:
    row = EnrolmentCode.objects.select_for_update(of=("self",), no_key=True).select_related("plant__organisation")
    code = row.filter(lookup=lookup).first()
    if code is None or not code.usable(timezone.now()):
        return None
    secret = unwrap(bytes(code.wrapped_secret), purpose=f"enrolment/{lookup}")
    if not hmac.compare_digest(enrolment.gateway_proof(secret, request), proof):
        _count_failure(code, address)
        return None
    digest = hashlib.sha256(request).digest()
    if code.gateway is None:
        _take_in(code, asked, address)
        code.request_sha256, code.answer = digest, trust_of(_gateway(code))
        code.save(update_fields=["gateway", "request_sha256", "answer"])
    elif bytes(code.request_sha256) != digest:
        return None  # used by another gateway; the same one may ask again when our answer got lost
    trust = bytes(code.answer)
    root = spki_sha256(load_spki_of(keys.root()))
    return Enrolled(_gateway(code).public_id, trust, enrolment.server_proof(secret, request, trust, root))


def _gateway(code: EnrolmentCode) -> Gateway:
    if code.gateway is None:
        raise BadEnrolment("not used yet")
    return code.gateway


def load_spki_of(certificate: bytes) -> ec.EllipticCurvePublicKey:
    key = load_certificate(certificate).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise BadCertificate("our authorities have P-256 keys")
    return key


def _count_failure(code: EnrolmentCode, address: str) -> None:
    code.failures += 1
    code.save(update_fields=["failures"])
    record(
        "estate.enrolment.failed",
        organisation=code.plant.organisation.public_id,
        actor="unknown",
        about="unknown",
        plant=code.plant.public_id,
        lookup=code.lookup,
        failures=code.failures,
        dead=code.failures >= code.FAILURES,
        address=address,
    )


def new_gateway(
    plant: Plant, asked: enrolment.EnrolmentRequest, address: str, *, without_code: bool = False
) -> Gateway:
    """It waits for admission, and believes the signers of the trust that it is about to get."""
    key = load_spki(asked.tls_key)
    name = " ".join(asked.name.split())
    return Gateway.objects.create(
        plant=plant,
        name=name if name and name.isprintable() else "gateway",
        version=asked.version,
        enrolled_from=address,
        tls_key=asked.tls_key,
        spki_sha256=spki_sha256(key),
        event_key=asked.event_key,
        sealing_key=asked.sealing_key,
        signers=sorted(keys.signers()),
        without_code=without_code,
    )


def _take_in(code: EnrolmentCode, asked: enrolment.EnrolmentRequest, address: str) -> None:
    gateway = code.gateway = new_gateway(code.plant, asked, address)
    record(
        "estate.gateway.enrolled",
        organisation=code.plant.organisation.public_id,
        actor=gateway.public_id,
        gateway=gateway.public_id,
        plant=code.plant.public_id,
        name=gateway.name,
        fingerprint=gateway.fingerprint,
        version=asked.version,
        lookup=code.lookup,
        address=address,
    )


# -- admission --------------------------------------------------------------------------------------------------


def _gateway_to_decide(actor: Person, gateway: str) -> Gateway:
    rows = (
        Gateway.objects.visible_to(actor)
        .select_for_update(of=("self",), no_key=True)
        .select_related("plant__organisation")
    )
    row = rows.filter(public_id=gateway).first()
    if row is None:
        raise NotFound(f"gateway {gateway}")
    require(actor, row.plant.organisation_id, administers)
    return row


def _issue(gateway: Gateway) -> None:
    at = timezone.now()
    key = load_spki(bytes(gateway.tls_key))
    gateway.certificate = keys.issue("gateway", gateway.public_id, key, at=at, life=GATEWAY_LIFE)
    gateway.certificate_expires_at = at + GATEWAY_LIFE


@transaction.atomic
def admit_gateway(*, actor: Person, gateway: str) -> Gateway:
    """After its fingerprint was compared with what it shows itself. Also lets a quarantined one in again."""
    row = _gateway_to_decide(actor, gateway)
    if row.overdue(timezone.now()):
        raise NotInThisState(f"gateway {gateway} came without a code and waited for too long")
    row.move(GatewayState.ADMITTED)
    _issue(row)
    row.boots.all().delete()
    row.save()
    record(
        "estate.gateway.admitted",
        organisation=row.plant.organisation.public_id,
        actor=actor.public_id,
        gateway=gateway,
        fingerprint=row.fingerprint,
    )
    return row


@transaction.atomic
def refuse_gateway(*, actor: Person, gateway: str, reason: str) -> Gateway:
    row = _gateway_to_decide(actor, gateway)
    row.move(GatewayState.REFUSED, reason)
    row.save(update_fields=["state", "state_reason"])
    record(
        "estate.gateway.refused",
        organisation=row.plant.organisation.public_id,
        actor=actor.public_id,
        gateway=gateway,
        reason=reason,
    )
    return row


@transaction.atomic
def revoke_gateway(*, actor: Person, gateway: str, reason: str) -> Gateway:
    """A matter of security: relays drop it, every session behind it is cut. It comes back by enrolment only."""
    row = _gateway_to_decide(actor, gateway)
    row.move(GatewayState.REVOKED, reason)
    row.save(update_fields=["state", "state_reason"])
    record(
        "estate.gateway.revoked",
        organisation=row.plant.organisation.public_id,
        actor=actor.public_id,
        gateway=gateway,
        reason=reason,
    )
    return row


def quarantine(gateway: Gateway, why: str) -> None:
    """Its identity is used in two places: locked until somebody has looked. The row is locked by the caller."""
    if gateway.state != GatewayState.ADMITTED:
        return
    gateway.move(GatewayState.QUARANTINED, why)
    gateway.save(update_fields=["state", "state_reason"])
    record(
        "estate.gateway.quarantined",
        organisation=gateway.plant.organisation.public_id,
        actor=SYSTEM,
        gateway=gateway.public_id,
        why=why,
    )


# -- certificates -----------------------------------------------------------------------------------------------


@transaction.atomic
def certificate(*, gateway: str, request: bytes, at_ms: int, signature: bytes) -> CertificateAnswer:
    """Poll for admission, or renew. Raise NotFound for an unknown gateway or a key that is not its own.

    ``at_ms`` is only what was signed: a gateway may believe it is 1970.
    """
    asked = read_request(request)
    row = Gateway.objects.select_for_update(of=("self",), no_key=True).select_related("plant__organisation")
    found = row.filter(public_id=gateway).first()
    if found is None or not 0 <= at_ms < 1 << 63:
        raise NotFound(f"gateway {gateway}")
    covered = _covered(request, gateway, at_ms)
    own = _verifies(bytes(found.tls_key), signature, covered)
    # The answer to a change of key may have got lost: then the old key asks again for what is already so.
    again = asked.tls_key == bytes(found.tls_key) and _verifies(bytes(found.previous_tls_key), signature, covered)
    if not own and not again:
        raise NotFound(f"gateway {gateway}: not signed by its key")
    if (asked.event_key, asked.sealing_key) != (bytes(found.event_key), bytes(found.sealing_key)):
        raise BadRequest("only the TLS key can be renewed")
    if not found.admitted:
        # A quarantined gateway waits for somebody's look; relays do not let it in meanwhile.
        state = GatewayState.WAITING if found.state == GatewayState.QUARANTINED else found.state
        return CertificateAnswer(str(state), None)
    _renew(found, asked.tls_key)
    return CertificateAnswer(str(found.state), bytes(found.certificate))


def _covered(request: bytes, gateway: str, at_ms: int) -> bytes:
    return b"portineria-certificate" + hashlib.sha256(request).digest() + gateway.encode() + at_ms.to_bytes(8, "big")


def _verifies(key: bytes, signature: bytes, covered: bytes) -> bool:
    if not key:
        return False
    loaded = load_spki(key)
    try:
        if isinstance(loaded, ec.EllipticCurvePublicKey):
            loaded.verify(signature, covered, ec.ECDSA(hashes.SHA256()))
            return True
    except InvalidSignature:
        return False
    return False


def _renew(gateway: Gateway, tls_key: bytes) -> None:
    """A new certificate at a third of life left or for a new key; before that the one there is answers."""
    now, ends = timezone.now(), gateway.certificate_expires_at
    same_key = tls_key == bytes(gateway.tls_key)
    if ends is None or now > ends + RENEWABLE:
        raise TooOld(f"gateway {gateway.public_id}: its certificate ended {ends}")
    if same_key and ends - now > GATEWAY_LIFE * 0.4:
        return
    before = gateway.fingerprint
    if not same_key:
        gateway.previous_tls_key, gateway.tls_key = gateway.tls_key, tls_key
        gateway.spki_sha256 = spki_sha256(load_spki(tls_key))
    _issue(gateway)
    gateway.save()
    record(
        "estate.gateway.renewed",
        organisation=gateway.plant.organisation.public_id,
        actor=gateway.public_id,
        gateway=gateway.public_id,
        fingerprint=gateway.fingerprint,
        previous_fingerprint=before,
        expires_at=str(gateway.certificate_expires_at),
    )
