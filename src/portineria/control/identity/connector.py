# SPDX-License-Identifier: Apache-2.0
"""Sign-in of connectors: PKCE through the browser, tokens bound to a key (WIRE 21)."""

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction
from django.utils import timezone

from portineria.control.audit import services as audit
from portineria.control.identity.models import ApiToken, AuthorisationCode, ConnectorToken, Person
from portineria.control.identity.one_use import first_use
from portineria.control.identity.queries import has_second_factor, organisations_of_person
from portineria.control.identity.services import BadField, clean_name, record_for_person
from portineria.control.identity.use import note_use
from portineria.control.kept_query import KeptRows
from portineria.core.errors import Denied, NotFound

CODE_LIFE = timedelta(seconds=60)
TOKEN_LIFE = timedelta(hours=12)
SKEW = timedelta(seconds=120)

_VALID = KeptRows(
    lambda digest: ConnectorToken.objects.filter(token_sha256=digest, revoked_at__isnull=True).select_related("person")
)


class BadToken(Denied):
    """401, not 403: who asks is not known."""

    code = "token.invalid"


class BadClock(BadToken):
    code = "token.clock"


class UsedAgain(BadToken):
    code = "token.used"


class BadAuthorisation(BadToken):
    code = "token.code"


@dataclass(frozen=True, slots=True)
class Proof:
    """What the headers of one request say."""

    token: str
    at_ms: int
    nonce: bytes  # 16 bytes, another one in every request
    signature: bytes

    def covered(self, method: str, path: str, body: bytes) -> bytes:
        line = f"{method} {path}".encode()
        return _sha256(self.token.encode()) + line + _sha256(body) + self.at_ms.to_bytes(8, "big") + self.nonce


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def unbase64(text: str, what: str, *, size: int | None = None) -> bytes:
    """base64url without padding; raise BadField."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadField(what, "not base64url") from error
    if size is not None and len(data) != size:
        raise BadField(what, f"{len(data)} bytes, expected {size}")
    return data


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def check_redirect(redirect: str) -> str:
    """Only a port of the same computer: a code sent anywhere else would be somebody else's sign-in."""
    try:
        parts = urlsplit(redirect)
        port = parts.port
    except ValueError as error:
        raise BadField("redirect", "not an address") from error
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "::1") or not port or not plain:
        raise BadField("redirect", "must be http://127.0.0.1:PORT/ or http://[::1]:PORT/")
    return redirect


@transaction.atomic
def authorise(
    *, actor: Person, challenge: str, key: bytes, name: str, address: str, factor_at: datetime | None = None
) -> str:
    """Return the code that the browser takes back to the connector. ``factor_at``: when the actor last proved a second
    factor in that browser; None where nobody knows.
    """
    unbase64(challenge, "challenge", size=32)
    if len(key) != 32:
        raise BadField("key", "32 bytes of Ed25519")
    code = secrets.token_urlsafe(32)
    AuthorisationCode.objects.create(
        code_sha256=_sha256(code.encode()),
        person=actor,
        challenge=challenge,
        key=key,
        name=clean_name(name, characters=64),
        address=address,
        factor_at=factor_at,
        expires_at=timezone.now() + CODE_LIFE,
    )
    return code


def exchange(*, code: str, verifier: str, signature: bytes) -> tuple[str, ConnectorToken]:
    """Return the token and its row; the code is used up whether this succeeds or not."""
    with transaction.atomic():
        found = _redeem(code, verifier, signature)
        made = _issue(found) if found is not None else None
    if made is None:
        raise BadAuthorisation("unknown, used or expired code, or not its connector")
    return made


def _redeem(code: str, verifier: str, signature: bytes) -> AuthorisationCode | None:
    row = (
        AuthorisationCode.objects.select_for_update(no_key=True)
        .filter(code_sha256=_sha256(code.encode()), used_at__isnull=True)
        .first()
    )
    if row is None:
        return None
    row.used_at = timezone.now()
    row.save(update_fields=["used_at"])
    person = Person.objects.get(pk=row.person_id)
    fits = secrets.compare_digest(base64url(_sha256(verifier.encode())), row.challenge)
    signed = _signed(bytes(row.key), signature, b"portineria-token" + code.encode())
    alive = not row.expired(row.used_at) and person.enabled and _has_factor(person)
    return row if fits and signed and alive else None


def _has_factor(person: Person) -> bool:
    return has_second_factor(person) or person.has_provided_factor


def _issue(row: AuthorisationCode) -> tuple[str, ConnectorToken]:
    token, at = secrets.token_urlsafe(32), timezone.now()
    made = ConnectorToken.objects.create(
        token_sha256=_sha256(token.encode()),
        person_id=row.person_id,
        key=bytes(row.key),
        password_mark=row.person.get_session_auth_hash(),
        name=row.name,
        address=row.address,
        factor_at=row.factor_at,
        created_at=at,
        expires_at=at + TOKEN_LIFE,
    )
    record_for_person(
        "identity.token.issued",
        made.person,
        token=made.public_id,
        expires_at=made.expires_at.isoformat(timespec="seconds"),
        name=made.name,
        address=made.address,
    )
    return token, made


def _signed(key: bytes, signature: bytes, covered: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, covered)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_proof(authorisation: str, proof: str) -> Proof:
    """Read the two headers; raise BadToken."""
    kind, _, token = authorisation.partition(" ")
    parts = proof.split(".")
    if kind != "Portineria" or not token or len(parts) != 4 or parts[0] != "v1" or not parts[1].isascii():
        raise BadToken("headers of a signed-in connector are missing")
    if not parts[1].isdecimal() or len(parts[1]) > 15:
        raise BadToken("no time in the proof")
    try:
        nonce = unbase64(parts[2], "proof", size=16)
        return Proof(token, int(parts[1]), nonce, unbase64(parts[3], "proof", size=64))
    except BadField as error:
        raise BadToken("no nonce or signature in the proof") from error


def authenticate(proof: Proof, *, method: str, path: str, body: bytes, at: datetime) -> ConnectorToken:
    """Return the token's row with its person; raise BadToken; BadClock for one that is off; UsedAgain for a replay."""
    row = _VALID.first(_sha256(proof.token.encode()))
    if row is None or row.expired(at) or not row.person.enabled:
        raise BadToken("unknown, expired or revoked token")
    if not secrets.compare_digest(row.password_mark, row.person.get_session_auth_hash()):
        raise BadToken("the password was changed after the token was issued")
    check_proof(row, proof, method=method, path=path, body=body, at=at)
    note_use(row.person, at)
    return row


def check_proof(
    row: ConnectorToken | ApiToken, proof: Proof, *, method: str, path: str, body: bytes, at: datetime
) -> None:
    """That whoever sent this request holds the key of the token, now and for the first time."""
    if not _signed(bytes(row.key), proof.signature, proof.covered(method, path, body)):
        raise BadToken("the token is bound to another key")
    if abs(at.timestamp() * 1000 - proof.at_ms) > SKEW.total_seconds() * 1000:
        raise BadClock("the connector's clock is off")
    if not first_use(row, proof.nonce, method=method, at=at, life=2 * SKEW):
        raise UsedAgain("this request was sent before")


@transaction.atomic
def revoke_token(*, actor: Person, token: str) -> None:
    row = ConnectorToken.objects.select_for_update(no_key=True).filter(person=actor, public_id=token).first()
    if row is None or row.revoked_at is not None:
        raise NotFound(f"token {token}")
    row.revoked_at = timezone.now()
    row.save(update_fields=["revoked_at"])
    for organisation in organisations_of_person(actor):
        audit.record(
            "identity.token.revoked",
            organisation=organisation,
            actor=actor.public_id,
            person=actor.public_id,
            token=token,
        )
