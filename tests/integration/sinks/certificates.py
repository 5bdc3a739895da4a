# SPDX-License-Identifier: Apache-2.0
"""A throw-away authority for receivers and for us, in PEM."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


class Authority:
    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._own = self._signed("authority", self._key.public_key(), authority=True)
        self.certificate = self._own.public_bytes(serialization.Encoding.PEM).decode()

    def issue(
        self, name: str, host: str = "127.0.0.1", *, lasts: timedelta = timedelta(days=2), called: str = "localhost"
    ) -> tuple[str, str]:
        """Certificate and key, for a server at ``host`` and for a client as well."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._signed(name, key.public_key(), host=host, lasts=lasts, called=called)
        return made.public_bytes(serialization.Encoding.PEM).decode(), pem(key)

    def _signed(
        self, name: str, key: ec.EllipticCurvePublicKey, *, authority: bool = False, host: str = "",
        lasts: timedelta = timedelta(days=2), called: str = "",
    ) -> x509.Certificate:  # fmt: skip
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name("authority"))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + lasts)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if not authority:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host)), x509.DNSName(called)])
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
            builder = builder.add_extension(names, critical=False).add_extension(usage, critical=False)
        return builder.sign(self._key, hashes.SHA256())
