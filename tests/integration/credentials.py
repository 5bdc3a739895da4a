# SPDX-License-Identifier: Apache-2.0
"""The keys and certificates of one installation, as ``portineria.wire`` makes them."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from portineria.core.ids import Kind, new_id
from portineria.wire import certificate as certificates
from portineria.wire.statement import ROLES, Letter, Ticket, sign_statement, tag_of

PEM = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class Credentials:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.root_key = ec.generate_private_key(ec.SECP256R1())
        self.root = certificates.make_root(self.root_key, "test", self.now)
        self.issuer_keys = {kind: ec.generate_private_key(ec.SECP256R1()) for kind in certificates.ISSUERS}
        self.issuers = {
            kind: certificates.make_issuer(kind, key.public_key(), root_key=self.root_key, root=self.root, at=self.now)
            for kind, key in self.issuer_keys.items()
        }
        self.signer_keys = {role: Ed25519PrivateKey.generate() for role in ROLES}
        self.signer_ids = {role: new_id(Kind.SIGNER) for role in ROLES}
        self.opening_keys = {"key_1": X25519PrivateKey.generate()}

    def issue(
        self, kind: str, identifier: str, key: certificates.LeafKey, *, hosts: tuple[str, ...] = (),
        at: datetime | None = None, life: timedelta = timedelta(days=30),
    ) -> x509.Certificate:  # fmt: skip
        return certificates.issue(
            kind, identifier, key, issuer_key=self.issuer_keys[kind], issuer=self.issuers[kind], at=at or self.now,
            life=life, hosts=hosts,
        )  # fmt: skip

    @staticmethod
    def der(certificate: x509.Certificate) -> bytes:
        return certificate.public_bytes(Encoding.DER)

    def signer_certificate(self, role: str) -> bytes:
        name = f"{role}:{self.signer_ids[role]}"
        return self.der(self.issue("signer", name, self.signer_keys[role].public_key(), life=timedelta(days=3650)))

    def signed(
        self, letter: Letter | Ticket, *, role: str | None = None, key: Ed25519PrivateKey | None = None
    ) -> bytes:  # fmt: skip
        """Signed by the right role, or by another one, or by a stranger's ``key`` under the right name."""
        chosen = role or {"acknowledgement": "acknowledgement", "ticket": "ticket"}.get(tag_of(letter), "order")
        return sign_statement(letter, key or self.signer_keys[chosen], self.signer_ids[chosen])


def raw(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
