# SPDX-License-Identifier: Apache-2.0
"""The installation's keys: root, issuers, signers, opening key. Nothing outside this module sees a private one wrapped.

Private keys are unwrapped once per process and kept: the process that signs orders has to be able to.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from django.db import transaction
from django.db.models import Q, Subquery

from portineria.control.audit.services import record
from portineria.control.identity.models import Installation, Key
from portineria.control.identity.vault import unwrap, wrap
from portineria.control.kept_query import KeptRows
from portineria.core.errors import Unavailable
from portineria.core.ids import Kind, new_id
from portineria.wire import certificate as x
from portineria.wire.statement import (
    ROLE_OF,
    ROLES,
    OpeningKey,
    Statement,
    sha256,
    sign_statement,
    tag_of,
)

SIGNER_LIFE = timedelta(days=3650)  # gateways pin signers: one that was away for longer has to be enrolled again
_ROOT = "root"
_OPENING = "opening"


class NoInstallation(Unavailable):
    code = "identity.no-installation"


@dataclass(frozen=True, slots=True)
class Signer:
    id: str
    key: Ed25519PrivateKey
    certificate: bytes


_unwrapped: dict[str, bytes] = {}
# Every letter is signed, every report opened.
_IN_USE = KeptRows(lambda role: Key.objects.filter(role=role, retired_at__isnull=True).order_by("pk")[:1])
_ABLE = KeptRows(lambda role: Key.objects.filter(role=role).exclude(wrapped=b"").order_by("-pk"))
_OPENS = KeptRows(lambda key_id: Key.objects.filter(role=_OPENING, key_id=key_id).order_by("pk")[:1])


def _row(role: str) -> Key:
    row = _IN_USE.first(role)
    if row is None:
        raise NoInstallation(f"there is no {role} key: run the set-up first")
    return row


def _private(row: Key) -> bytes:
    if row.key_id not in _unwrapped:
        _unwrapped[row.key_id] = unwrap(bytes(row.wrapped), purpose=f"{row.role}/{row.key_id}")
    return _unwrapped[row.key_id]


def _authority(role: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    row = _row(role)
    key = load_der_private_key(_private(row), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 we stored one
    return key, x.load_certificate(bytes(row.certificate))


def _store(role: str, private: bytes, certificate: bytes, *, key_id: str = "") -> Key:
    key_id = key_id or new_id(Kind.SIGNER)
    row = Key.objects.create(
        role=role, key_id=key_id, wrapped=wrap(private, purpose=f"{role}/{key_id}"), certificate=certificate
    )
    installation = Installation.objects.get(pk=1).public_id
    digest = sha256(certificate).hex()
    record("identity.key.created", organisation=installation, actor="operator", role=role, key=key_id, sha256=digest)
    return row


def _pkcs8(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@transaction.atomic
def make_missing(installation: str, at: datetime) -> None:
    """Make every key that is not there yet; safe to repeat."""
    have = set(Key.objects.filter(retired_at__isnull=True).values_list("role", flat=True))
    if _ROOT not in have:
        key = ec.generate_private_key(ec.SECP256R1())
        _store(_ROOT, _pkcs8(key), x.make_root(key, installation, at).public_bytes(Encoding.DER))
    root_key, root = _authority(_ROOT)
    for kind in x.ISSUERS:
        if f"issuer:{kind}" not in have:
            key = ec.generate_private_key(ec.SECP256R1())
            made = x.make_issuer(kind, key.public_key(), root_key=root_key, root=root, at=at)
            _store(f"issuer:{kind}", _pkcs8(key), made.public_bytes(Encoding.DER))
    for role in ROLES:
        if f"signer:{role}" not in have:
            _make_signer(role, at)
    if _OPENING not in have:
        opening = X25519PrivateKey.generate()
        public = opening.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        _store(_OPENING, opening.private_bytes_raw(), public)


def _make_signer(role: str, at: datetime) -> None:
    key, key_id = Ed25519PrivateKey.generate(), new_id(Kind.SIGNER)
    issuer_key, issuer = _authority("issuer:signer")
    made = x.issue(
        "signer", f"{role}:{key_id}", key.public_key(), issuer_key=issuer_key, issuer=issuer, at=at, life=SIGNER_LIFE
    )
    _store(f"signer:{role}", key.private_bytes_raw(), made.public_bytes(Encoding.DER), key_id=key_id)


def issue(
    kind: str, identifier: str, key: x.LeafKey, *, at: datetime, life: timedelta, hosts: tuple[str, ...] = ()
) -> bytes:
    """A leaf certificate, DER, from the issuer of ``kind``."""
    issuer_key, issuer = _authority(f"issuer:{kind}")
    leaf = x.issue(kind, identifier, key, issuer_key=issuer_key, issuer=issuer, at=at, life=life, hosts=hosts)
    return leaf.public_bytes(Encoding.DER)


def root() -> bytes:
    return bytes(_row(_ROOT).certificate)


def issuers() -> dict[str, bytes]:
    rows = Key.objects.filter(role__startswith="issuer:", retired_at__isnull=True)
    return {row.role.removeprefix("issuer:"): bytes(row.certificate) for row in rows}


def signers(roles: Collection[str] = ROLES) -> dict[str, bytes]:
    """Signer id → certificate of those in use; its name says the role, ``<role>:<id>``."""
    rows = Key.objects.filter(role__in=[f"signer:{role}" for role in roles], retired_at__isnull=True)
    return {row.key_id: bytes(row.certificate) for row in rows}


@dataclass(frozen=True, slots=True)
class Chain:
    """``signers``: certificates of every signer of the role that ever was, the oldest first."""

    installation: str
    root: bytes
    issuer: bytes
    signers: list[bytes]


def chain(role: str) -> Chain:
    """How signatures of this role lead to the root; in one query. Raise NoInstallation."""
    above = {_ROOT: b"", "issuer:signer": b""}
    named = Q(role=f"signer:{role}") | Q(role__in=above, retired_at__isnull=True)
    installation = Subquery(Installation.objects.filter(pk=1).values("public_id"))
    rows = list(Key.objects.filter(named).order_by("pk").values_list("role", "certificate", installation))
    above |= {kind: bytes(certificate) for kind, certificate, _ in reversed(rows) if kind in above}
    if not all(above.values()):
        raise NoInstallation("there is no root key: run the set-up first")
    signers = [bytes(certificate) for kind, certificate, _ in rows if kind not in above]
    return Chain(rows[0][2], above[_ROOT], above["issuer:signer"], signers)


def signer(role: str) -> Signer:
    return _signer(_row(f"signer:{role}"))


def _signer(row: Key) -> Signer:
    return Signer(row.key_id, Ed25519PrivateKey.from_private_bytes(_private(row)), bytes(row.certificate))


def signer_known(role: str, known: Collection[str]) -> Signer:
    """The newest of the role among ``known``. Whoever knows none of ours was enrolled with the oldest that is left."""
    rows = _ABLE.all(f"signer:{role}")
    if not rows:
        raise NoInstallation(f"there is no signer of role {role}: run the set-up first")
    return _signer(next((row for row in rows if row.key_id in known), rows[-1]))


def signer_made_at(role: str) -> datetime:
    return _row(f"signer:{role}").created_at


def rotate_signer(role: str, at: datetime, *, by: str) -> Signer:
    """A new signer of the role. The old one can go on signing for those who do not know the new one yet."""
    old = Key.objects.select_for_update(no_key=True).get(pk=_row(f"signer:{role}").pk)
    old.retired_at = at
    old.save(update_fields=["retired_at"])
    _record_key("identity.key.retired", old, by)
    _make_signer(role, at)
    return signer(role)


def retired_signers() -> list[str]:
    """Those whose private keys are still there."""
    rows = Key.objects.filter(role__startswith="signer:", retired_at__isnull=False).exclude(wrapped=b"")
    return list(rows.values_list("key_id", flat=True))


def destroy_signers_except(needed: Collection[str], *, by: str) -> None:
    """Retired ones only. The certificate stays: what it signed can be verified for as long as anybody wants."""
    for row in Key.objects.select_for_update(no_key=True).filter(key_id__in=set(retired_signers()) - set(needed)):
        row.wrapped = b""
        row.save(update_fields=["wrapped"])
        _unwrapped.pop(row.key_id, None)
        _record_key("identity.key.destroyed", row, by)


def _record_key(code: str, row: Key, by: str) -> None:
    installation = Installation.objects.get(pk=1).public_id
    record(code, organisation=installation, actor=by, role=row.role, key=row.key_id)


def signed(statement: Statement, by: Signer | None = None) -> bytes:
    """Sign with the role that may say this (WIRE 2): with its newest signer, or with this one of it."""
    chosen = by or signer(ROLE_OF[tag_of(statement)])
    return sign_statement(statement, chosen.key, chosen.id)


def opening_keys() -> list[OpeningKey]:
    """Every key a gateway may still seal to, the newest last.

    Retired ones stay until all gateways know the new one (WIRE 18).
    """
    return [OpeningKey(row.key_id, bytes(row.certificate)) for row in Key.objects.filter(role=_OPENING).order_by("pk")]


def opening_key(key_id: str) -> X25519PrivateKey:
    """Raise NoInstallation for a key that never was ours."""
    row = _OPENS.first(key_id)
    if row is None:
        raise NoInstallation("sealed to a key that is not ours")
    return X25519PrivateKey.from_private_bytes(_private(row))
