# SPDX-License-Identifier: Apache-2.0
import ipaddress
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.bus.nkey import read_seed
from portineria.process.settings import BadSettings

SCHEMES = ("nats", "tls")


@dataclass(frozen=True, slots=True)
class NatsAccess:
    """Where the NATS server is, who we are there, and whose certificate it has."""

    url: str
    key: Ed25519PrivateKey = field(repr=False)
    ca: Path | None = None

    def tls(self) -> ssl.SSLContext | None:
        """None for nats://. Raise BadSettings."""
        if urlsplit(self.url).scheme != "tls":
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except OSError as error:  # SSLError too
            raise BadSettings(f"bus_ca {self.ca}: {error.strerror or error}") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context


def is_address(text: str) -> bool:
    """Whether a ``bus`` setting means a NATS server rather than a path."""
    return "://" in text


def read_access(url: str, seed: Path | None, ca: Path | None) -> NatsAccess:
    """Raise BadSettings."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadSettings(f"bus {url!r}: {error}") from error
    plain = f"{parts.scheme}://{parts.netloc}" == url.rstrip("/") and "@" not in parts.netloc
    if parts.scheme not in SCHEMES or not parts.hostname or port is None or not plain:
        raise BadSettings(f"bus {url!r} is not like tls://HOST:PORT")
    if parts.scheme == "nats" and not _loopback(parts.hostname):
        raise BadSettings(f"bus {url!r}: nats:// is not encrypted and for loopback only; write tls://")
    if seed is None:
        raise BadSettings("bus_seed is missing: the file with the seed by which the NATS server knows us")
    access = NatsAccess(url, read_seed(seed), ca)
    access.tls()
    return access


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
