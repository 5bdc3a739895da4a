# SPDX-License-Identifier: Apache-2.0
"""A SAML provider of the tests, whose signatures are real: it says the truth, or what a test wants."""

from __future__ import annotations

import base64
import threading
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from onelogin.saml2.utils import OneLogin_Saml2_Utils

_PROTOCOL = "urn:oasis:names:tc:SAML:2.0"
_SPACES = f'xmlns:samlp="{_PROTOCOL}:protocol" xmlns:saml="{_PROTOCOL}:assertion"'


def key_pair() -> tuple[str, str]:
    """Private key and certificate, PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")]), datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
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


@dataclass
class SamlEnd:
    entity: str = ""
    keys: tuple[tuple[str, str], tuple[str, str]] = field(default_factory=lambda: (key_pair(), key_pair()))
    says: Says = field(default_factory=Says)

    def metadata(self) -> bytes:
        certificate = "".join(self.keys[0][1].split("-----")[2].split())
        return (
            f'<EntityDescriptor xmlns="{_PROTOCOL}:metadata" entityID={quoteattr(self.entity)}><IDPSSODescriptor '
            f'protocolSupportEnumeration="{_PROTOCOL}:protocol"><KeyDescriptor use="signing"><KeyInfo '
            f'xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>{certificate}</X509Certificate>'
            f'</X509Data></KeyInfo></KeyDescriptor><SingleSignOnService Binding="{_PROTOCOL}:bindings:HTTP-Redirect" '
            f'Location="{self.entity}/sso"/></IDPSSODescriptor></EntityDescriptor>'
        ).encode()

    def answer(self, location: str, says: Says) -> str:
        """The response to the request in this address, as its form has it."""
        asked, door, us = asked_in(location)
        audience = says.audience or us
        says = replace(says, answers=says.answers or asked, audience=audience, issuer=says.issuer or self.entity)
        key, certificate = self.keys[says.key]
        assertion = self._assertion(says, door)
        if says.signed in ("assertion", "both"):
            assertion = OneLogin_Saml2_Utils.add_sign(assertion, key, certificate).decode()
        whole = (
            f'<samlp:Response {_SPACES} ID="_{uuid.uuid4().hex}" Version="2.0" IssueInstant="{self._at(says, 0)}" '
            f'Destination="{says.destination or door}" InResponseTo="{says.around or says.answers}"><saml:Issuer>'
            f'{says.issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value="{_PROTOCOL}:status:Success"/>'
            f"</samlp:Status>{assertion}</samlp:Response>"
        )
        signed = (
            OneLogin_Saml2_Utils.add_sign(whole, key, certificate)
            if says.signed in ("response", "both")
            else whole.encode()
        )
        return base64.b64encode(signed).decode()

    @staticmethod
    def _at(says: Says, seconds: int) -> str:
        return f"{datetime.now(UTC) + timedelta(seconds=says.shift_s + seconds):%Y-%m-%dT%H:%M:%SZ}"

    def _assertion(self, says: Says, door: str) -> str:
        attributes = "".join(
            f"<saml:Attribute Name={quoteattr(name)}>"
            + "".join(f"<saml:AttributeValue>{escape(value)}</saml:AttributeValue>" for value in values)
            + "</saml:Attribute>"
            for name, values in says.attributes.items()
        )
        until = self._at(says, 300)
        answers = f'InResponseTo="{says.answers}"' if says.answers != "-" else ""
        return (
            f'<saml:Assertion {_SPACES} ID="_{uuid.uuid4().hex}" Version="2.0" IssueInstant="{self._at(says, 0)}">'
            f'<saml:Issuer>{says.issuer}</saml:Issuer><saml:Subject><saml:NameID Format="{says.form}">{says.subject}'
            f'</saml:NameID><saml:SubjectConfirmation Method="{_PROTOCOL}:cm:bearer"><saml:SubjectConfirmationData '
            f'NotOnOrAfter="{until}" Recipient="{door}" {answers}/></saml:SubjectConfirmation>'
            f'</saml:Subject><saml:Conditions NotBefore="{self._at(says, -5)}" NotOnOrAfter="{until}">'
            f"<saml:AudienceRestriction><saml:Audience>{says.audience}</saml:Audience></saml:AudienceRestriction>"
            f"</saml:Conditions>{self._authenticated(says) * says.statements}"
            f"<saml:AttributeStatement>{attributes}</saml:AttributeStatement></saml:Assertion>"
        )

    def _authenticated(self, says: Says) -> str:
        return (
            f'<saml:AuthnStatement AuthnInstant="{self._at(says, says.proved_s)}"><saml:AuthnContext>'
            f"<saml:AuthnContextClassRef>{says.level}</saml:AuthnContextClassRef></saml:AuthnContext>"
            "</saml:AuthnStatement>"
        )


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
    """Serves its metadata; what browsers bring back is made by ``answer``."""
    end = SamlEnd()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # as the library calls it
            content = end.metadata()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        end.entity = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield end
        server.shutdown()


def back(client: Any, page: str, response: str) -> Any:
    """The form from elsewhere, then the one of the page that it gets: where the browser sends its cookie along."""
    first = client.__class__(HTTP_HOST="localhost", enforce_csrf_checks=True).post(page, {"SAMLResponse": response})
    assert first.status_code == 200, first.status_code
    assert "Set-Cookie" not in first.headers
    return client.post(page, {"SAMLResponse": response, "again": "1"})
