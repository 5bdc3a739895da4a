# SPDX-License-Identifier: Apache-2.0
"""Identity providers of the tests: an honest one, which is a program of somebody else's, and one that says whatever a
test wants; and the browser that goes there and back.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from tests.integration.process import as_a_child_of_a_test, free_port

CLIENT = "portineria"
_WAIT_S = 30.0


@contextmanager
def honest_provider() -> Iterator[str]:
    """oidc-provider-mock as a child process; yields its issuer."""
    port = free_port()
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "oidc_provider_mock",
        "--port",
        str(port),
        "--require-nonce",
        "true",
    ]
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(command, stdout=quiet, stderr=quiet, preexec_fn=as_a_child_of_a_test)
    try:
        until = time.monotonic() + _WAIT_S
        while not listens(port):
            assert time.monotonic() < until
            assert child.poll() is None
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(_WAIT_S)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def knows(issuer: str, subject: str, **claims: Any) -> None:
    httpx.put(f"{issuer}/users/{subject}", json=claims).raise_for_status()


@dataclass
class Liar:
    """Answers every code with ``claims``; ``signs`` with another key, another algorithm or not at all."""

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    signs: str = "honestly"
    token: bytes | None = None  # answered by the token endpoint as it is
    document: dict[str, Any] = field(default_factory=dict)  # what differs in the discovery document
    nonce: str = ""
    verifier: str = ""
    keys: tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey] = field(
        default_factory=lambda: (rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048))
    )

    def answer(self, path: str, body: bytes) -> bytes:
        if path.startswith("/.well-known/"):
            places = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
            urls = {name: self.issuer + place for name, place in places.items()}
            return json.dumps({"issuer": self.issuer, **urls, **self.document}).encode()
        if path == "/keys":
            key = jwt.algorithms.RSAAlgorithm.to_jwk(self.keys[0].public_key(), as_dict=True)
            return json.dumps({"keys": [{**key, "kid": "1", "use": "sig"}]}).encode()
        self.verifier = parse_qs(body.decode())["code_verifier"][0]
        return (
            self.token
            if self.token is not None
            else json.dumps({"access_token": "x", "id_token": self._id_token()}).encode()
        )

    def _id_token(self) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": self.nonce, **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.signs == "symmetrically":
            return jwt.encode(
                claims, self.keys[0].public_key().public_numbers().n.to_bytes(256, "big"), "HS256", {"kid": "1"}
            )
        if self.signs == "not":
            return jwt.encode(claims, "", "none", {"kid": "1"})
        return jwt.encode(claims, self.keys[self.signs != "honestly"], "RS256", {"kid": "1"})


@contextmanager
def lying_provider() -> Iterator[Liar]:
    liar = Liar()

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            content = liar.answer(self.path, self.rfile.read(int(self.headers.get("content-length") or 0)))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _reply  # noqa: N815  # as the library calls them

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        liar.issuer = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield liar
        server.shutdown()


_addresses = itertools.count(1)


def browser() -> Client:
    """Each from an address of its own: how often one address may try is limited."""
    number = next(_addresses)
    return Client(HTTP_HOST="localhost", REMOTE_ADDR=f"198.18.{number // 250}.{number % 250 + 1}")


def onward(page: Any) -> str:
    """Where the page that leaves this server leads."""
    found = re.search(r'href="([^"]+)" rel="noreferrer"', page.content.decode())
    assert found is not None, page.content.decode()
    return found[1].replace("&amp;", "&")


def come_in(client: Client, email: str, subject: str) -> Any:
    """Through the honest provider: there as ``subject``, and back."""
    there = onward(client.post("/accounts/company/", {"login": email}))
    answer = httpx.post(there, data={"sub": subject})
    back = urlsplit(answer.headers["location"])
    return client.get(f"{back.path}?{back.query}")


def prove(client: Client, provider: str, subject: str, place: str = "/") -> Any:
    """To the honest provider for the second factor anew, as ``subject``, and back; with what was asked there."""
    there = onward(client.post("/accounts/company/prove/", {"provider": provider, "next": place}))
    asked = parse_qs(urlsplit(there).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
    back = urlsplit(httpx.post(there, data={"sub": subject}).headers["location"])
    return client.get(f"{back.path}?{back.query}")


def back_from(client: Client, liar: Liar, page: Any) -> Any:
    """What the lying provider does with a browser that was sent there; nonce as asked, unless the test has another."""
    asked = parse_qs(urlsplit(onward(page)).query)
    liar.nonce = asked["nonce"][0]
    back = urlsplit(asked["redirect_uri"][0])
    return client.get(back.path, {"code": "c", "state": asked["state"][0]})
