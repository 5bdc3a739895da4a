# SPDX-License-Identifier: Apache-2.0
"""What the installation's NATS server needs: its configuration, a certificate, and a seed for each who may connect."""

import ipaddress
import os
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.utils import timezone

from portineria.bus.nats_server import CONTROL, ServerFiles, server_configuration
from portineria.bus.nkey import kept_seed, public_text, read_seed
from portineria.control.settings.server import split_address
from portineria.control.settings.start import current

CERTIFICATE_LIFE = timedelta(days=3650)  # nobody but our own relays, who are given this very certificate, relies on it


def nats_folder() -> Path:
    return current().state / "nats"


def control_seed() -> Path:
    return current().bus_seed or nats_folder() / f"{CONTROL}.seed"


def kept_bus_seed(relay: str) -> Path:
    """Its file, made when there is none: then the server has to be told, by a new configuration."""
    nats_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    path = nats_folder() / f"{relay}.seed"
    kept_seed(path)
    return path


def bus_ca() -> Path | None:
    made = nats_folder() / "certificate.pem"
    return current().bus_ca or (made if made.exists() else None)


def write_configuration(relays: list[str], *, listen: str, host: str) -> Path:
    """Keep the seeds and the certificate that are there. Raise BadSettings.

    ``host``: by which relays and control plane reach the server; its certificate names it.
    """
    split_address(listen)
    folder = nats_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    control = public_text(kept_seed(control_seed()))
    keys = {relay: public_text(read_seed(kept_bus_seed(relay))) for relay in relays}
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not certificate.exists() or not key.exists():
        _write_certificate(certificate, key, host)
    files = ServerFiles(str(certificate), str(key))
    path = folder / "nats.conf"
    path.write_text(server_configuration(listen, control, keys, files), "utf-8")
    return path


def _write_certificate(certificate: Path, key: Path, host: str) -> None:
    """Self-made: whoever connects is given it as the only one to believe."""
    private, now = ec.generate_private_key(ec.SECP256R1()), timezone.now()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Portineria bus")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + CERTIFICATE_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_alternative(host)]), critical=False)
        .sign(private, hashes.SHA256())
    )
    handle = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificate.write_bytes(made.public_bytes(Encoding.PEM))


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
