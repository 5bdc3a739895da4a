# SPDX-License-Identifier: Apache-2.0
"""A server on loopback that shows a certificate, says a time, and is otherwise of no use."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.integration.credentials import PEM


@dataclass(frozen=True)
class Shown:
    chain: Path
    key: Path


def certificate(folder: Path, host: str, *, days: float = 90, name: str = "shown") -> Shown:
    """Signed by itself, for ``host``, good for so many days from now."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return written(folder, made, key, name)


def written(folder: Path, made: x509.Certificate, key: ec.EllipticCurvePrivateKey, name: str) -> Shown:
    shown = Shown(folder / f"{name}.pem", folder / f"{name}-key.pem")
    shown.chain.write_bytes(made.public_bytes(Encoding.PEM))
    shown.key.write_bytes(key.private_bytes(*PEM))
    return shown


def _layered(sock: socket.socket, context: ssl.SSLContext | None) -> socket.socket:
    return context.wrap_socket(sock, server_side=True) if context else sock


@contextmanager
def answering(
    shown: Shown | None = None, *, behind_s: float = 0, status: str = "200 OK", alpn: str = ""
) -> Iterator[int]:
    """Its port. Without a certificate it speaks plain HTTP, whatever it is asked; ``behind_s``: its clock."""
    context = None
    if shown is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown.chain, shown.key)
        if alpn:
            context.set_alpn_protocols([alpn])
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)

    def serve() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sock.settimeout(10)
                with suppress(OSError), _layered(sock, context) as layer:
                    if layer.recv(4096):
                        said = format_datetime(datetime.now(UTC) - timedelta(seconds=behind_s), usegmt=True)
                        layer.sendall(f"HTTP/1.1 {status}\r\nDate: {said}\r\nContent-Length: 0\r\n\r\n".encode())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(15)
