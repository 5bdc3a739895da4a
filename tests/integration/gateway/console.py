# SPDX-License-Identifier: Apache-2.0
"""The server's side of enrolment (WIRE 5) over plain HTTP: the real proofs, no database."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from portineria.core.ids import Kind, new_id
from portineria.dataplane.gateway.http import b64, unb64
from portineria.wire.certificate import load_spki, spki_sha256
from portineria.wire.enrolment import REQUEST, TRUST, check, gateway_proof, new_code, server_proof, split_code
from portineria.wire.envelope import BadSignature
from portineria.wire.statement import Introduction, sha256, sign_statement
from tests.integration.authority import Authority


class Console:
    """Offers codes, admits when told. ``tamper`` may change an answer on its way, as whoever opens TLS could."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.secrets: dict[str, bytes] = {}
        self.failures = 0
        self.admission = "waiting"
        self.life = timedelta(days=30)
        self.asked: list[dict[str, Any]] = []
        self.tamper: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer
        self.tamper_request: Callable[[dict[str, Any]], dict[str, Any]] = lambda asked: asked
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "Console":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def offer(self) -> str:
        code = new_code()
        lookup, secret = split_code(code)
        self.secrets[lookup] = secret
        return code

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        console = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                console.asked.append(asked)
                status, answer = console._answer(self.path, console.tamper_request(asked))
                body = json.dumps(console.tamper(answer)).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _answer(self, path: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        answers = {"/api/v1/gateways/enrol": self._enrol, "/api/v1/gateways/introduce": self._introduce}
        return answers.get(path, self._certificate)(asked)

    def _introduce(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Takes everybody; what the real one asks of them has its own tests."""
        request, gateway = unb64(asked, "request"), new_id(Kind.GATEWAY)
        self.authority.know(gateway, REQUEST.decode(request))
        trust = TRUST.encode(self.authority.trust(gateway, url=self.url))
        return 200, {
            "gateway": gateway,
            "trust": b64(trust),
            "introduction": introduction(self.authority, gateway, request, trust),
        }

    def _enrol(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        secret, request = self.secrets.get(asked["lookup"]), unb64(asked, "request")
        try:
            check(gateway_proof(secret or b"", request), unb64(asked, "proof"), "gateway")
        except BadSignature:
            secret = None
        if secret is None:
            self.failures += 1
            return 404, {"code": "enrolment.code", "title": "This code does not serve.", "detail": "Ask for a new one."}
        del self.secrets[asked["lookup"]]
        gateway = new_id(Kind.GATEWAY)
        self.authority.know(gateway, REQUEST.decode(request))
        trust = TRUST.encode(self.authority.trust(gateway, url=self.url))
        root = spki_sha256(self.authority.root_key.public_key())
        proof = server_proof(secret, request, trust, root)
        return 200, {"gateway": gateway, "trust": b64(trust), "proof": b64(proof)}

    def _certificate(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        known = self.authority.gateways.get(asked["gateway"])
        if known is None:
            return 404, {"code": "not-found"}
        request = unb64(asked, "request")
        covered = b"portineria-certificate" + sha256(request) + known.gateway.encode()
        key = load_spki(known.request.tls_key)
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(unb64(asked, "signature"), covered + asked["at_ms"].to_bytes(8, "big"), ec.ECDSA(hashes.SHA256()))
        if self.admission != "admitted":
            return 200, {"state": self.admission, "certificate": None}
        certificate = self.authority.gateway_certificate(known.gateway, life=self.life, at=self.authority.now)
        return 200, {"state": "admitted", "certificate": b64(certificate)}


def introduction(authority: Authority, gateway: str, request: bytes, trust: bytes, role: str = "order") -> str:
    """What vouches for this trust, for this request alone."""
    said = Introduction(gateway, sha256(request), sha256(trust))
    return b64(sign_statement(said, authority.signer_keys[role], authority.signer_ids[role]))
