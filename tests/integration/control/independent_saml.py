# SPDX-License-Identifier: Apache-2.0
"""A SAML provider by pysaml2, which signs with Debian's xmlsec1: a program of its own, of nobody who wrote ours.

`python -m tests.integration.control.independent_saml PORT FOLDER`: serves its metadata, and answers the request in the
address of `/sso` with a form, as its own library writes it. What a test wants to be a lie is changed in the library's
own objects before it signs them. The folder holds two keys with certificates.
"""

from __future__ import annotations

import copy
import json
import sys
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from saml2 import BINDING_HTTP_REDIRECT, class_name, saml
from saml2.config import IdPConfig
from saml2.metadata import create_metadata_string
from saml2.server import Server
from saml2.sigver import pre_signature_part, signed_instance_factory

XMLSEC1 = "/usr/bin/xmlsec1"
_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_DIGEST = "http://www.w3.org/2001/04/xmlenc#sha256"


class Provider:
    def __init__(self, base: str, folder: Path) -> None:
        self._base, self._folder = base, folder
        self._made: dict[tuple[str, int], Server] = {}
        self.entity, self.key = base, 0  # what the metadata say

    def server(self, entity: str, key: int) -> Server:
        if (entity, key) not in self._made:
            self._made[entity, key] = Server(config=self._config(entity, key))
        return self._made[entity, key]

    def _config(self, entity: str, key: int) -> IdPConfig:
        return IdPConfig().load({
            "entityid": entity, "xmlsec_binary": XMLSEC1, "metadata": {"inline": []},
            "key_file": str(self._folder / f"{key}.key"), "cert_file": str(self._folder / f"{key}.pem"),
            "service": {"idp": {
                "endpoints": {"single_sign_on_service": [(f"{self._base}/sso", BINDING_HTTP_REDIRECT)]},
                "policy": {"default": {"lifetime": {"minutes": 5}, "attribute_restrictions": None,
                                       "name_form": "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"}},
                "want_authn_requests_signed": False,
            }},
        })  # fmt: skip

    def metadata(self) -> bytes:
        text: bytes = create_metadata_string(None, config=self._config(self.entity, self.key))
        return text

    def answer(self, address: str, asker: str, says: dict[str, Any]) -> str:
        """The response, as the library writes it, or with what ``says`` changes of it. ``asker``: metadata of whoever
        asks.
        """
        server = self.server(says["issuer"] or self._base, says["key"])
        server.metadata.load("inline", asker)
        packed = parse_qs(urlsplit(address).query)["SAMLRequest"][0]
        asked = server.parse_authn_request(packed, BINDING_HTTP_REDIRECT).message
        door = asked.assertion_consumer_service_url
        response = server.create_authn_response(
            {}, asked.id, door, sp_entity_id=asked.issuer.text, userid=says["subject"],
            name_id=saml.NameID(format=says["form"], text=says["subject"]),
            authn={"class_ref": says["level"], "authn_instant": int(_moment(says, says["proved_s"]).timestamp())},
            sign_response=False, sign_assertion=False,
        )  # fmt: skip
        return self._signed(server, _told(response, says), says)

    @staticmethod
    def _signed(server: Server, response: Any, says: dict[str, Any]) -> str:
        wanted = {"assertion": [response.assertion], "response": [response], "nothing": []}
        to_sign = []
        for number, thing in enumerate(wanted.get(says["signed"], [response.assertion, response]), 1):
            thing.signature = pre_signature_part(
                thing.id, server.sec.my_cert, number, digest_alg=_DIGEST, sign_alg=_SHA256
            )
            to_sign.append((class_name(thing), thing.id))
        return str(signed_instance_factory(response, server.sec, to_sign))


def _moment(says: dict[str, Any], seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=says["shift_s"] + seconds)


def _text(says: dict[str, Any], seconds: float) -> str:
    return f"{_moment(says, seconds):%Y-%m-%dT%H:%M:%SZ}"


def _told(response: Any, says: dict[str, Any]) -> Any:
    """The truth of pysaml2, with the attributes and lies of this answer; ``response`` has one assertion."""
    assertion = response.assertion[0] if isinstance(response.assertion, list) else response.assertion
    response.assertion = assertion
    assertion.attribute_statement = [saml.AttributeStatement(attribute=[
        saml.Attribute(name=name, attribute_value=[saml.AttributeValue(text=value) for value in values])
        for name, values in says["attributes"].items()
    ])]  # fmt: skip
    confirmed = assertion.subject.subject_confirmation[0].subject_confirmation_data
    if says["shift_s"]:
        response.issue_instant = assertion.issue_instant = _text(says, 0)
        assertion.conditions.not_before, assertion.conditions.not_on_or_after = _text(says, -5), _text(says, 300)
        confirmed.not_on_or_after = _text(says, 300)
    if says["audience"]:
        assertion.conditions.audience_restriction[0].audience[0].text = says["audience"]
    if says["answers"]:
        confirmed.in_response_to = None if says["answers"] == "-" else says["answers"]
        response.in_response_to = says["around"] or says["answers"]
    if says["destination"]:
        response.destination = says["destination"]
    statement = assertion.authn_statement[0]
    statement.authn_instant = _text(says, says["proved_s"])
    assertion.authn_statement = [copy.deepcopy(statement) for _ in range(says["statements"])]
    return response


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # as the library calls it
            self._write(provider.metadata())

        def do_POST(self) -> None:
            """``/answer``: the address that a browser was sent to, and what is said; ``/be``: who the metadata say."""
            given = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path == "/be":
                provider.entity, provider.key = given["entity"] or provider.entity, given["key"]
                self._write(b"")
            else:
                self._write(provider.answer(**given).encode())

        def _write(self, content: bytes) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    return Handler


def main(port: str, folder: str) -> None:
    base = f"http://127.0.0.1:{port}"
    with ThreadingHTTPServer(("127.0.0.1", int(port)), _handler(Provider(base, Path(folder)))) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
