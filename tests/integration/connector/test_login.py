# SPDX-License-Identifier: Apache-2.0
"""Sign-in: a browser that does what browsers do, a server that checks what ours does, and visitors with bad intent."""

import asyncio
import base64
import hashlib
import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from portineria.core.errors import Denied
from portineria.dataplane.connector.api import Api, BadAnswer, encode
from portineria.dataplane.connector.login import Attempt, LoginDenied, LoginTime, wait_for_code, with_token
from portineria.dataplane.connector.state import OtherRoot, Server, Store
from portineria.wire.certificate import make_root, spki_sha256
from tests.integration.connector.responder import Answer, Asked, Responder, responding

CODE = "the-code"


def get(address: str) -> tuple[int, str]:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


async def visit(address: str, **query: str) -> tuple[int, str]:
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    return await asyncio.to_thread(get, asked["redirect"] + "?" + urlencode({"state": asked["state"], **query}))


class AuthorisationServer:
    """The control plane's part of the exchange, checked for real."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self.root = make_root(key, "ins_test", datetime.now(UTC))
        self.pin = spki_sha256(key.public_key()).hex()
        self.challenge, self.key = "", ""
        self.responder = Responder(
            answers={"POST /api/v1/connector/token": self.token, "GET /api/v1/me": self.me}, token="granted"
        )

    def authorised(self, address: str) -> None:
        """The person pressed the button on the page at ``address``."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self.challenge, self.key = query["challenge"], query["key"]

    def token(self, asked: Asked) -> Answer:
        given = asked.json
        challenge = base64.urlsafe_b64encode(hashlib.sha256(given["verifier"].encode()).digest()).decode().rstrip("=")
        Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(self.key + "=")).verify(
            base64.urlsafe_b64decode(given["signature"] + "=="), b"portineria-token" + CODE.encode()
        )
        if (given["code"], challenge) != (CODE, self.challenge):
            return 401, {"code": "token.code", "title": "no"}
        self.responder.key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(self.key + "="))
        return 200, {
            "token": "granted",
            "person": "per_technician",
            "name": "Technician",
            "expires_at": "2026-11-23T00:00:00+00:00",
        }

    def me(self, asked: Asked) -> Answer:
        return 200, {
            "person": "per_technician",
            "name": "Tuner",
            "expires_at": "2026-12-23T00:00:00Z",
            "trust": {"root": encode(self.root.public_bytes(Encoding.DER)), "issuers": {}},
        }


@pytest.fixture
def server() -> Iterator[AuthorisationServer]:
    made = AuthorisationServer()
    with responding(made.responder):
        yield made


def redeemed(attempt: Attempt, url: str, code: str = CODE) -> Server:
    return attempt.redeem(code, lambda credential: Api(url, proxy="none", credential=credential)).server


async def test_a_person_who_agrees_in_the_browser_is_signed_in(server: AuthorisationServer) -> None:
    attempt = Attempt(server.responder.url, "laptop")
    seen: list[tuple[int, str]] = []

    async def browser(address: str) -> None:
        assert address.startswith(f"{server.responder.url}/connect/authorize?")
        server.authorised(address)
        seen.append(await visit(address, code=CODE))

    assert await wait_for_code(attempt, browser) == CODE
    signed_in = await asyncio.to_thread(redeemed, attempt, server.responder.url)
    assert seen[0][0] == 200
    assert (signed_in.person, signed_in.root_spki_sha256) == ("Technician", server.pin)


async def test_only_the_maker_of_the_challenge_can_redeem_the_code(server: AuthorisationServer) -> None:
    victim, thief = Attempt(server.responder.url, "laptop"), Attempt(server.responder.url, "laptop")
    thief.key = victim.key

    async def browser(address: str) -> None:
        server.authorised(address)
        await visit(address, code=CODE)

    await wait_for_code(victim, browser)
    with pytest.raises(Denied) as caught:
        await asyncio.to_thread(redeemed, thief, server.responder.url)
    assert caught.value.code == "token.code"


@pytest.mark.parametrize("state", ["", "another"])
async def test_a_page_elsewhere_can_neither_plant_a_code_nor_end_the_sign_in(state: str) -> None:
    async def browser(address: str) -> None:
        planted = await visit(address, state=state, code="planted")
        ended = await visit(address, state=state, error="access_denied")
        assert (planted[0], ended[0]) == (404, 404)
        assert (await visit(address, code="right"))[0] == 200
        assert (await visit(address, code="second"))[0] == 409

    assert await wait_for_code(Attempt("http://127.0.0.1:1", "laptop"), browser) == "right"


async def test_a_refusal_in_the_browser_is_said() -> None:
    async def browser(address: str) -> None:
        await visit(address, error="access_denied")

    with pytest.raises(LoginDenied):
        await wait_for_code(Attempt("http://127.0.0.1:1", "laptop"), browser)


def test_an_address_without_portineria_is_said_before_anybody_goes_to_the_browser(server: AuthorisationServer) -> None:
    api = Api(server.responder.url, proxy="none", credential=lambda: (Ed25519PrivateKey.generate(), ""))
    Attempt.knock(api)
    server.responder.answers = {"GET /api/v1/me": (401, {"code": "token.invalid", "title": "Not signed in"})}
    Attempt.knock(api)
    server.responder.answers = {}
    with pytest.raises(BadAnswer):
        Attempt.knock(api)


async def test_nobody_answers_for_too_long() -> None:
    async def browser(_address: str) -> None:
        pass

    with pytest.raises(LoginTime):
        await wait_for_code(Attempt("http://127.0.0.1:1", "laptop"), browser, wait_s=0.05)


async def test_bad_visitors_do_not_disturb_the_sign_in() -> None:
    """Endless headers, a half request, another path: the right answer still counts."""

    async def browser(address: str) -> None:
        port = urlsplit(parse_qs(urlsplit(address).query)["redirect"][0]).port
        for sent in (
            b"GET /" + b"a" * 20_000,
            b"GET /?state",
            b"\r\n\r\n",
            b"POST / HTTP/1.1\r\n\r\n",
            b"\xff\xfe\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            writer.write_eof()
            answer = await reader.read()
            assert not answer.startswith(b"HTTP/1.1 200")
            writer.close()
        await visit(address, code="right")

    async with asyncio.timeout(20):
        assert await wait_for_code(Attempt("http://127.0.0.1:1", "laptop"), browser) == "right"


def test_a_server_with_another_root_is_refused_later(tmp_path: Path) -> None:
    store, key = Store(tmp_path / "state"), Ed25519PrivateKey.generate()
    first = Server("https://a.example", "a" * 64, "per_1", "")
    store.save(first, key, "token")
    with pytest.raises(OtherRoot):
        store.save(Server("https://a.example", "b" * 64, "per_1", ""), key, "other")
    assert store.server() == first
    assert store.credential(first.url)[1] == "token"
    store.forget(first.url)
    store.save(Server("https://a.example", "b" * 64, "per_1", ""), key, "other")


def test_an_agent_signs_in_with_the_token_that_is_made_for_the_key_of_this_computer(
    server: AuthorisationServer, tmp_path: Path
) -> None:
    words = [sys.executable, "-m", "portineria.cli.main", "login", server.responder.url, "--agent", "--proxy", "none"]
    surroundings = {**os.environ, "PORTINERIA_HOME": str(tmp_path)}
    with subprocess.Popen(words, stdin=-1, stdout=-1, stderr=-1, text=True, env=surroundings) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        shown = [process.stdout.readline() for _ in range(4)][2].strip()
        server.responder.key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(shown + "="))
        said, why = process.communicate("granted\n", timeout=60)
    assert process.returncode == 0, why
    assert f"Signed in to {server.responder.url} as Tuner." in said
    assert Store(tmp_path).server().root_spki_sha256 == server.pin
    stolen = Ed25519PrivateKey.generate()
    with pytest.raises(Denied):
        with_token(server.responder.url, stolen, "granted", lambda it: Api(server.responder.url, credential=it))
