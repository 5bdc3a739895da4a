# SPDX-License-Identifier: Apache-2.0
"""What the control plane gives for one session, and the checks that it is what was pinned (WIRE 1, 8).

Nothing in the answer is believed because of TLS to the server: the root must be the pinned one, the issuers signed by
it, and the session certificate made for the key of this process.
"""

import ssl
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from portineria.core.errors import Denied
from portineria.dataplane.aio.tls import TlsLayer, inner_context
from portineria.dataplane.connector.api import BadAnswer, decode, encode
from portineria.dataplane.connector.door import Service
from portineria.wire.certificate import (
    BadCertificate,
    check_issuer,
    check_leaf,
    load_certificate,
    load_spki,
    spki,
    spki_sha256,
)
from portineria.wire.leg import END_TO_END_ALPN
from portineria.wire.statement import RelayAddress


class Mismatch(Denied):
    """The server's answer contradicts what was pinned: another server, or somebody between."""

    code = "server.mismatch"


class TrustAnswer(msgspec.Struct):
    root: str
    issuers: dict[str, str]


class RelayAnswer(msgspec.Struct):
    relay: str
    host: str
    port: int


class ServiceAnswer(msgspec.Struct):
    service: str
    name: str
    protocol: str
    port: int
    device: str


class SessionAnswer(msgspec.Struct):
    """POST /api/v1/sessions; bytes are base64url."""

    session: str
    machine: str
    machine_name: str
    certificate: str
    trust: TrustAnswer
    gateway: str
    gateway_spki_sha256: str
    order_sha256: str
    relays: list[RelayAnswer]
    tickets: list[str]
    services: list[ServiceAnswer]
    ends_at: str
    drain_s: int
    hold_s: int
    state: str = ""
    recorded: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """One session as the connector may use it."""

    session: str
    key: ec.EllipticCurvePrivateKey
    gateway: str
    gateway_spki_sha256: bytes
    gateway_issuer: x509.Certificate
    relay_issuer: x509.Certificate
    session_issuer: x509.Certificate
    certificate: bytes
    context: ssl.SSLContext
    order_sha256: bytes
    relays: tuple[RelayAddress, ...]
    tickets: tuple[bytes, ...]  # one for each relay
    services: tuple[Service, ...]
    ends_at: datetime
    drain_s: int
    hold_s: int

    @property
    def key_der(self) -> bytes:
        return spki(self.key.public_key())

    def renewed(self, certificate: str | None, gateway_spki_sha256: str | None) -> "Admission":
        """With what the control plane gave since: an extension brings a certificate that lives longer, a gateway that
        renewed its own may have a new key. Raises Mismatch."""
        renewed = self
        if certificate is not None and (data := decode(certificate)) != self.certificate:
            _check_session(data, self.session, self.key, self.session_issuer)
            renewed = replace(renewed, certificate=data, context=_context(data, self.key, self.gateway_issuer))
        if gateway_spki_sha256 is not None:
            renewed = replace(renewed, gateway_spki_sha256=decode(gateway_spki_sha256))
        return renewed

    def check_gateway(self, layer: TlsLayer, unix_ms: int | None) -> None:
        """Raise unless the other end of the end-to-end session is the gateway that the control plane named, today."""
        layer.require_alpn(END_TO_END_ALPN)
        reached = check_leaf(layer.peer_certificate(), kind="gateway", issuer=self.gateway_issuer)
        if reached.id != self.gateway or reached.spki_sha256 != self.gateway_spki_sha256:
            raise BadCertificate(f"reached {reached.id}, expected {self.gateway} with its key")
        reached.check_date(unix_ms)


def root_sha256(root: bytes) -> bytes:
    """What is pinned: the SHA-256 of the root's public key."""
    return spki_sha256(load_spki(_public_key(load_certificate(root))))


def session_key() -> tuple[ec.EllipticCurvePrivateKey, str]:
    """A key for one session, and its public part as the API wants it."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key, encode(spki(key.public_key()))


def admit(answer: SessionAnswer, *, key: ec.EllipticCurvePrivateKey, pin: str) -> Admission:
    """Check the answer against the pinned root and the key; raise Mismatch, BadCertificate or BadAnswer."""
    root = load_certificate(decode(answer.trust.root))
    if root_sha256(decode(answer.trust.root)).hex() != pin:
        raise Mismatch("another root than the pinned one")
    issuers = {kind: load_certificate(decode(data)) for kind, data in answer.trust.issuers.items()}
    try:
        for kind in ("gateway", "relay", "session"):
            check_issuer(issuers[kind], kind=kind, root=root)
    except KeyError as error:
        raise Mismatch(f"no {error} issuer") from error
    except BadCertificate as error:
        raise Mismatch(str(error)) from error
    certificate = decode(answer.certificate)
    _check_session(certificate, answer.session, key, issuers["session"])
    relays, tickets = relays_and_tickets(answer.relays, answer.tickets)
    return Admission(
        answer.session, key, answer.gateway, decode(answer.gateway_spki_sha256), issuers["gateway"], issuers["relay"],
        issuers["session"], certificate, _context(certificate, key, issuers["gateway"]), decode(answer.order_sha256),
        relays, tickets, tuple(Service(s.service, s.name, s.protocol, s.port, s.device) for s in answer.services),
        read_time(answer.ends_at), answer.drain_s, answer.hold_s,
    )  # fmt: skip


def _check_session(data: bytes, session: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate) -> None:
    try:
        named = check_leaf(data, kind="session", issuer=issuer)
    except BadCertificate as error:
        raise Mismatch(str(error)) from error
    if named.id != session or named.spki_sha256 != spki_sha256(key.public_key()):
        raise Mismatch("the certificate is for another session or another key")


def relays_and_tickets(
    relays: list[RelayAnswer], tickets: list[str]
) -> tuple[tuple[RelayAddress, ...], tuple[bytes, ...]]:
    if not relays or len(relays) != len(tickets):
        raise BadAnswer(f"{len(relays)} relays and {len(tickets)} tickets")
    return tuple(RelayAddress(r.relay, r.host, r.port) for r in relays), tuple(decode(t) for t in tickets)


def read_time(text: str) -> datetime:
    """ISO 8601 with its zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadAnswer(f"{text[:40]!r} is no time") from error
    if at.tzinfo is None:
        raise BadAnswer(f"{text[:40]!r} has no time zone")
    return at


def _public_key(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _context(certificate: bytes, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate) -> ssl.SSLContext:
    """The ssl module reads keys from files only: they exist, for the owner alone, as long as this call."""
    with tempfile.TemporaryDirectory(prefix="portineria-") as folder:  # made with mode 0700
        chain, private = Path(folder) / "session.crt", Path(folder) / "session.pem"
        chain.write_bytes(load_certificate(certificate).public_bytes(Encoding.PEM))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return inner_context(server_side=False, chain=chain, key=private, issuer=issuer)
