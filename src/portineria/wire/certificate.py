# SPDX-License-Identifier: Apache-2.0
"""The installation's X.509: one root, four issuers, leaves with a URI name (WIRE 1).

From a request only the public key is taken. Names are ``urn:portineria:<kind>:<id>``. No URI name constraints:
OpenSSL would then refuse ``urn:``. Validity is judged against the signed time, not by these functions' own clock.
"""

import hashlib
import ipaddress
import string
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from portineria.core.errors import Invalid, ProtocolError

ISSUERS = ("gateway", "relay", "session", "signer")
GATEWAY_LIFE = timedelta(days=30)
_BACKDATE = timedelta(hours=1)  # clocks of connectors may be behind
_USES = {
    "gateway": [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
    "relay": [ExtendedKeyUsageOID.SERVER_AUTH],
    "session": [ExtendedKeyUsageOID.CLIENT_AUTH],
    "signer": [],
}
LeafKey = ec.EllipticCurvePublicKey | Ed25519PublicKey


class BadCertificate(ProtocolError):
    code = "wire.certificate"


class OutOfDate(BadCertificate):
    code = "certificate.date"


class BadFingerprint(Invalid):
    code = "fingerprint"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a certificate says its holder is, once its issuer was checked."""

    kind: str
    id: str
    spki_sha256: bytes
    not_before: datetime
    not_after: datetime
    key: LeafKey

    def check_date(self, unix_ms: int | None) -> None:
        """Raise OutOfDate unless the certificate is valid at that Unix time; a time that is not known judges none."""
        if unix_ms is None:
            return
        at = datetime.fromtimestamp(unix_ms / 1000, UTC)
        if at > self.not_after:
            raise OutOfDate(f"the certificate of {self.id} expired on {self.not_after:%Y-%m-%d}")
        if at < self.not_before:
            raise OutOfDate(f"the certificate of {self.id} is not valid before {self.not_before:%Y-%m-%d}")


def spki(key: LeafKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def spki_sha256(key: LeafKey) -> bytes:
    return hashlib.sha256(spki(key)).digest()


def load_spki(data: bytes) -> LeafKey:
    """Return a P-256 or Ed25519 public key; raise BadCertificate for anything else."""
    try:
        key = load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadCertificate("not a public key") from error
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    if isinstance(key, Ed25519PublicKey):
        return key
    raise BadCertificate("a key of a kind we do not use")


def fingerprint(key_sha256: bytes) -> str:
    """For eyes: the SHA-256 of the public key in eight groups of eight hex digits."""
    text = key_sha256.hex()
    return " ".join(text[start : start + 8] for start in range(0, 64, 8))


def read_fingerprint(text: str) -> bytes:
    """The SHA-256 that ``fingerprint`` wrote; spaces, colons and case do not matter. Raise BadFingerprint."""
    digits = "".join(text.split()).replace(":", "")
    if len(digits) != 64 or not set(digits) <= set(string.hexdigits):
        raise BadFingerprint("a fingerprint has 64 digits 0-9 and a-f; copy all eight groups from the console")
    return bytes.fromhex(digits)


def _authority(
    name: str,
    key: ec.EllipticCurvePublicKey,
    signed_by: ec.EllipticCurvePrivateKey,
    issuer: x509.Name | None,
    at: datetime,
    life: timedelta,
    path_length: int,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _BACKDATE)
        .not_valid_after(at + life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by.public_key()), critical=False)
        .sign(signed_by, hashes.SHA256())
    )


_ROOT_NAME = "Portineria root "


def installation_of(root: x509.Certificate) -> str:
    """The installation that a root was made for; raise BadCertificate for one of somebody else's making."""
    names = [str(name.value) for name in root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if len(names) != 1 or not names[0].startswith(_ROOT_NAME):
        raise BadCertificate("the root names no installation")
    return names[0].removeprefix(_ROOT_NAME)


def make_root(key: ec.EllipticCurvePrivateKey, installation: str, at: datetime) -> x509.Certificate:
    return _authority(
        f"{_ROOT_NAME}{installation}", key.public_key(), key, None, at, timedelta(days=7300), path_length=1
    )


def make_issuer(
    kind: str, key: ec.EllipticCurvePublicKey, *, root_key: ec.EllipticCurvePrivateKey, root: x509.Certificate,
    at: datetime,
) -> x509.Certificate:  # fmt: skip
    if kind not in ISSUERS:
        raise BadCertificate(f"no issuer is called {kind}")
    name = f"Portineria {kind} issuer"
    return _authority(name, key, root_key, root.subject, at, timedelta(days=3650), path_length=0)


def urn(kind: str, identifier: str) -> str:
    return f"urn:portineria:{kind}:{identifier}"


def issue(
    kind: str, identifier: str, key: LeafKey, *, issuer_key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate,
    at: datetime, life: timedelta, hosts: tuple[str, ...] = (),
) -> x509.Certificate:  # fmt: skip
    """A leaf for ``key``. ``kind`` is an issuer's name; ``hosts`` are DNS names or addresses a relay is dialled by."""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(urn(kind, identifier))]
    names += [_host_name(host) for host in hosts]
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, identifier)]))
        .issuer_name(issuer.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _BACKDATE)
        .not_valid_after(at + life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if _USES[kind]:
        builder = builder.add_extension(x509.ExtendedKeyUsage(_USES[kind]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _host_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def load_certificate(data: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(data)
        certificate.public_key()  # read when it is asked for: a key of no kind is found here, and nowhere later
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        raise BadCertificate("not a certificate") from error
    return certificate


def check_issuer(certificate: x509.Certificate, *, kind: str, root: x509.Certificate) -> None:
    """Raise BadCertificate unless ``root`` signed this issuer of ``kind``."""
    _check_signature(certificate, root)
    if certificate.subject.rfc4514_string() != f"CN=Portineria {kind} issuer":
        raise BadCertificate(f"not the {kind} issuer")


def check_leaf(data: bytes, *, kind: str, issuer: x509.Certificate) -> Identity:
    """Return who the leaf names; raise BadCertificate unless exactly this issuer signed a leaf of ``kind``."""
    leaf = load_certificate(data)
    _check_signature(leaf, issuer)
    return read_identity(leaf, kind=kind)


def read_identity(leaf: x509.Certificate, *, kind: str) -> Identity:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = names.get_values_for_type(x509.UniformResourceIdentifier)
        key = load_spki(leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError) as error:
        raise BadCertificate("a certificate without our name") from error
    prefix = urn(kind, "")
    if len(found) != 1 or not found[0].startswith(prefix):
        raise BadCertificate(f"not a certificate of a {kind}")
    return Identity(
        kind, found[0].removeprefix(prefix), spki_sha256(key), leaf.not_valid_before_utc, leaf.not_valid_after_utc, key
    )


def _check_signature(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise BadCertificate("signed by another issuer than the expected one") from error
