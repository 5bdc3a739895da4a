# SPDX-License-Identifier: Apache-2.0
"""What keeps a relay from working, looked for from outside of its process. Changes nothing; blocks."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from portineria.dataplane.relay.settings import RelaySettings
from portineria.doctor import machine, path
from portineria.doctor.finding import Finding, fault, ok
from portineria.process.lock import held
from portineria.process.settings import BadSettings, read_settings

_NEW_KIT = "Write its kit anew: portineria relay-kit, on the server; then start the relay again."


def load(place: Path) -> RelaySettings:
    """``place``: the settings file, or the folder in which it is. Raise BadSettings."""
    return read_settings(RelaySettings, place / "relay.toml" if place.is_dir() else place, prefix="PORTINERIA_RELAY_")


def examine(place: Path) -> Iterator[Finding]:
    try:
        settings = load(place)
    except BadSettings as error:
        yield fault("settings", str(error), "The relay does not start with this.", "Correct what is named.")
        return
    yield ok("settings", settings.relay)
    for secret in (settings.key, *([settings.bus_seed] if settings.bus_seed else [])):
        yield from machine.private(secret)
    yield from _certificate(settings)
    running = settings.lock is not None and held(settings.lock)
    for address in settings.listen:
        host, _, port = address.rpartition(":")
        yield machine.port(host.strip("[]"), int(port) if port.isdecimal() else 0, ours=running)
    yield from _bus(settings)


def _certificate(settings: RelaySettings) -> Iterator[Finding]:
    try:
        own = x509.load_pem_x509_certificate(settings.certificate.read_bytes())
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.certificate, settings.key)
        x509.load_der_x509_certificate(settings.gateway_issuer.read_bytes())
    except (OSError, ValueError) as error:
        yield fault(
            "certificate", f"{settings.certificate}: {error}", "Certificates and key are not there, or do not belong "
            "together.", _NEW_KIT,
        )  # fmt: skip
        return
    yield from path.lifetime(settings.relay, own.public_bytes(Encoding.DER))


def _bus(settings: RelaySettings) -> Iterator[Finding]:
    """The control plane's socket on this machine, or the NATS server."""
    parts = urlsplit(settings.bus)
    if parts.scheme == "tls":
        yield from path.tcp(path.Way(parts.hostname or "", parts.port or 4222))
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(path.TIMEOUT_S)
        try:
            probe.connect(settings.bus)
        except OSError as error:
            yield fault(
                "bus", f"{settings.bus}: {error.strerror or error}", "The server does not run, or as another user.",
                "Start it: portineria serve. Sessions of the relay go on meanwhile.",
            )  # fmt: skip
        else:
            yield ok("bus", "the server's socket answers")
