# SPDX-License-Identifier: Apache-2.0
"""The SAML provider of the tests, which is a program of somebody else's: it says the truth, or what a test wants."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.test import Client

from tests.integration.control.outside import listens
from tests.integration.process import as_a_child_of_a_test, free_port

ROOT = Path(__file__).resolve().parents[3]
XMLSEC1 = Path("/usr/bin/xmlsec1")
_WAIT_S = 30.0
_PROTOCOL = "urn:oasis:names:tc:SAML:2.0"


def key_pair() -> tuple[str, str]:
    """Private key and certificate, PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")]), datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    return private.decode(), made.sign(key, hashes.SHA256()).public_bytes(pem).decode()


@dataclass(frozen=True)
class Says:
    """One response. ``signed``: what is; ``shift_s``: the clock; None leaves out."""

    subject: str = "tina"
    attributes: dict[str, list[str]] = field(default_factory=dict)
    form: str = f"{_PROTOCOL}:nameid-format:persistent"
    signed: str = "assertion"
    key: int = 0
    shift_s: int = 0
    audience: str | None = None
    issuer: str | None = None
    answers: str | None = None  # another request than the one that was made; "-": none
    around: str | None = None  # the same, in the unsigned response around it alone
    destination: str | None = None
    level: str = f"{_PROTOCOL}:ac:classes:Password"
    proved_s: int = 0  # AuthnInstant, from now
    statements: int = 1


@dataclass(frozen=True)
class SamlEnd:
    """The independent provider (``independent_saml``), at its address."""

    entity: str

    def answer(self, location: str, says: Says) -> str:
        """The response to the request in this address, as its form has it."""
        asker = Client(HTTP_HOST="localhost").get(urlsplit(asked_in(location)[2]).path).content.decode()
        given = {"address": location, "asker": asker, "says": asdict(says)}
        answered = httpx.post(f"{self.entity}/answer", json=given, timeout=_WAIT_S).raise_for_status()
        return base64.b64encode(answered.content).decode()

    def be(self, *, entity: str = "", key: int = 0) -> None:
        """Who its metadata say that it is, and by which of its two keys they want it to be known."""
        given = {"entity": entity or self.entity, "key": key}
        httpx.post(f"{self.entity}/be", json=given, timeout=_WAIT_S).raise_for_status()


def request_in(location: str) -> str:
    packed = parse_qs(urlsplit(location).query)["SAMLRequest"][0]
    return zlib.decompress(base64.b64decode(packed), -15).decode()


def asked_in(location: str) -> tuple[str, str, str]:
    """Id, return address and issuer of the request that this address holds."""
    text = request_in(location)

    def between(start: str, end: str) -> str:
        return text.partition(start)[2].partition(end)[0]

    return between(' ID="', '"'), between('AssertionConsumerServiceURL="', '"'), between("<saml:Issuer>", "<")


@contextmanager
def saml_provider() -> Iterator[SamlEnd]:
    """pysaml2 as a child process, with two keys; for a whole module."""
    if not XMLSEC1.exists():
        pytest.skip("needs xmlsec1: scripts/debian-packages test")
    port = free_port()
    with TemporaryDirectory() as folder:
        for number in range(2):
            key, certificate = key_pair()
            (Path(folder) / f"{number}.key").write_text(key)
            (Path(folder) / f"{number}.pem").write_text(certificate)
        command = [sys.executable, "-W", "ignore", "-m", "tests.integration.control.independent_saml"]
        quiet = subprocess.DEVNULL
        child = subprocess.Popen(
            [*command, str(port), folder], stdout=quiet, stderr=quiet, cwd=ROOT, preexec_fn=as_a_child_of_a_test
        )
        try:
            until = time.monotonic() + _WAIT_S
            while not listens(port):
                assert time.monotonic() < until
                assert child.poll() is None
                time.sleep(0.02)
            yield SamlEnd(f"http://127.0.0.1:{port}")
        finally:
            child.terminate()
            child.wait(_WAIT_S)


def back(client: Any, page: str, response: str) -> Any:
    """The form from elsewhere, then the one of the page that it gets: where the browser sends its cookie along."""
    first = client.__class__(HTTP_HOST="localhost", enforce_csrf_checks=True).post(page, {"SAMLResponse": response})
    assert first.status_code == 200, first.status_code
    assert "Set-Cookie" not in first.headers
    return client.post(page, {"SAMLResponse": response, "again": "1"})
