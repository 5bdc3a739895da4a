# SPDX-License-Identifier: Apache-2.0
"""Sign-in through the browser: authorisation code by loopback redirect (RFC 8252) with PKCE S256 (RFC 7636).

The token is bound to a key that is made here and never leaves.
"""

import asyncio
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from portineria.core.errors import Denied, NotFound, Unavailable
from portineria.dataplane.connector.admission import TrustAnswer, root_sha256
from portineria.dataplane.connector.api import Api, BadAnswer, decode, encode
from portineria.dataplane.connector.same_person import same_person_at
from portineria.dataplane.connector.state import Server

WAIT_S = 300.0
_REQUEST_S, _REQUEST_BYTES = 5.0, 8192
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Portineria</title>
<body style="font-family:system-ui;margin:4rem auto;max-width:30rem"><h1>{title}</h1><p>{text}</p></body></html>"""


class LoginDenied(Denied):
    code = "login.denied"


class LoginTime(Unavailable):
    code = "login.time"


class _Token(msgspec.Struct):
    token: str
    name: str
    expires_at: str


class _Me(msgspec.Struct):
    trust: TrustAnswer
    name: str = ""
    expires_at: str = ""


@dataclass(frozen=True, slots=True)
class SignedIn:
    server: Server
    key: Ed25519PrivateKey
    token: str


def public_half(key: Ed25519PrivateKey) -> str:
    return encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def with_token(
    url: str, key: Ed25519PrivateKey, token: str, api: Callable[[Callable[[], tuple[Ed25519PrivateKey, str]]], Api]
) -> SignedIn:
    """For a token that was made for this key; raise Denied where it was not. Blocks."""
    me = api(lambda: (key, token)).call("GET", "/api/v1/me", _Me)
    return SignedIn(Server(url, root_sha256(decode(me.trust.root)).hex(), me.name, me.expires_at), key, token)


@dataclass(slots=True)
class Attempt:
    """One sign-in: what only this process knows of it."""

    url: str
    computer: str
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))  # 64 characters; RFC 7636, 4.1: 43 to 128
    state: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    fresh: bool = False  # the second factor is to be proved anew

    def address(self, port: int) -> str:
        """What the browser opens."""
        query = {
            "challenge": encode(hashlib.sha256(self.verifier.encode()).digest()),
            "redirect": f"http://127.0.0.1:{port}/",
            "state": self.state,
            "key": public_half(self.key),
            "name": self.computer[:64],
        }
        if self.fresh:
            query["fresh"] = "1"
        return f"{self.url}/connect/authorize?{urlencode(query)}"

    @staticmethod
    def knock(api: Api) -> None:
        """Whether the server answers at all: asked before a person is sent to the browser and waited for. Blocks.

        Raises ServerAway, ProxyRefused, BadAnswer.
        """
        try:
            api.call("GET", "/api/v1/me", _Me, signed=False)
        except Denied:
            return  # it wants to know who asks, as it should
        except NotFound as error:
            raise BadAnswer("there is no Portineria at this address") from error

    def redeem(self, code: str, api: Callable[[Callable[[], tuple[Ed25519PrivateKey, str]]], Api]) -> SignedIn:
        """Exchange the code and learn which root this server has. Blocks."""
        signature = self.key.sign(b"portineria-token" + code.encode())
        body = {"code": code, "verifier": self.verifier, "signature": encode(signature)}
        given = api(lambda: (self.key, "")).call("POST", "/api/v1/connector/token", _Token, body, signed=False)
        me = api(lambda: (self.key, given.token)).call("GET", "/api/v1/me", _Me)
        server = Server(self.url, root_sha256(decode(me.trust.root)).hex(), given.name, given.expires_at)
        return SignedIn(server, self.key, given.token)


async def wait_for_code(attempt: Attempt, opened: Callable[[str], Awaitable[None]], *, wait_s: float = WAIT_S) -> str:
    """Listen on this computer, let ``opened`` show the address, return the code that the browser brings back.

    A visit without our ``state`` changes nothing: a page elsewhere must not be able to end or to replace a sign-in.
    """
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    visitors = asyncio.Semaphore(16)

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with visitors, asyncio.timeout(_REQUEST_S):
                if _ours(writer):
                    request = await reader.readuntil(b"\r\n\r\n")
                    writer.write(_answer(attempt, request, found))
                    await writer.drain()
        writer.close()

    server = await asyncio.start_server(visit, "127.0.0.1", 0, limit=_REQUEST_BYTES)
    try:
        await opened(attempt.address(server.sockets[0].getsockname()[1]))
        async with asyncio.timeout(wait_s):
            return await found
    except TimeoutError as error:
        raise LoginTime(f"no answer from the browser within {wait_s:.0f} s") from error
    finally:
        server.close()


def _ours(writer: asyncio.StreamWriter) -> bool:
    peer, own = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
    return peer is not None and same_person_at(peer, own)


def _answer(attempt: Attempt, request: bytes, found: "asyncio.Future[str]") -> bytes:
    method, _, rest = request.decode("latin-1").partition(" ")
    parts = urlsplit(rest.partition(" ")[0])
    given = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if (
        method != "GET"
        or parts.path != "/"
        or not hmac.compare_digest(given.get("state", "").encode(), attempt.state.encode())
    ):
        return _page("404 Not Found", "Nothing here", "This address only takes the answer to a sign-in.")
    if found.done():
        return _page("409 Conflict", "Already answered", "This sign-in has its answer.")
    if code := given.get("code"):
        found.set_result(code)
        return _page("200 OK", "Signed in", "You can close this page and go back to the terminal.")
    found.set_exception(LoginDenied(given.get("error", "no code in the answer")[:64]))
    return _page("200 OK", "Refused", "The computer was not signed in. You can close this page.")


def _page(status: str, title: str, text: str) -> bytes:
    body = _PAGE.format(title=title, text=text).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
