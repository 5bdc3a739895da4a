# SPDX-License-Identifier: Apache-2.0
"""The control plane's HTTP API, with the proof that makes a stolen token alone useless.

Each request is signed with a key made on this computer: token, method, path, body and time (as DPoP, RFC 9449, does).
"""

import base64
import hashlib
import http.client
import secrets
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.core.errors import Conflict, Denied, Invalid, NotFound, PortineriaError, Unavailable
from portineria.dataplane.aio.away import away
from portineria.dataplane.aio.dial import proxy_for
from portineria.dataplane.aio.https import https_handler
from portineria.dataplane.aio.thread import in_thread
from portineria.dataplane.connector.state import unusable

ANSWER_BYTES = 4 << 20  # 10,000 machines of 400 bytes each
COPY_BYTES = 1 << 18
TIMEOUT_S = 15.0
_KINDS: dict[int, type[PortineriaError]] = {401: Denied, 403: Denied, 404: NotFound, 409: Conflict, 410: Conflict}
T = TypeVar("T")


class BadAnswer(Unavailable):
    code = "server.answer"


class _Problem(msgspec.Struct):
    code: str = ""
    title: str = ""
    detail: str = ""


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Base64url without padding; raise BadAnswer."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise BadAnswer("not base64url") from error


def proof(key: Ed25519PrivateKey, token: str, method: str, path: str, body: bytes, unix_ms: int) -> str:
    """``path`` with its query, exactly as it goes out. It counts once: every call makes another."""
    nonce = secrets.token_bytes(16)
    token_hash, body_hash = hashlib.sha256(token.encode()).digest(), hashlib.sha256(body).digest()
    covered = token_hash + f"{method} {path}".encode() + body_hash + unix_ms.to_bytes(8, "big") + nonce
    return f"v1.{unix_ms}.{encode(nonce)}.{encode(key.sign(covered))}"


class _StayHere(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token elsewhere: it is an answer like any other that we did not ask for."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


class Api:
    """Calls block; ``in_thread`` is the way from an event loop. One instance may be used by several threads."""

    def __init__(
        self, url: str, *, ca: str = "", proxy: str = "", credential: Callable[[], tuple[Ed25519PrivateKey, str]],
    ) -> None:  # fmt: skip
        self.url = url
        self._credential = credential
        self._skew_ms = 0
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), _StayHere, *_https(url, ca, proxy or None)
        )  # an empty ProxyHandler: none, instead of urllib's own look at the surroundings

    @property
    def where(self) -> str:
        """Host and port, for people."""
        return urlsplit(self.url).netloc

    @property
    def unix_ms(self) -> int:
        """Now, as the server's clock has it."""
        return time.time_ns() // 1_000_000 + self._skew_ms

    async def in_thread(self, method: str, path: str, shape: type[T], body: object = None) -> T:
        return await in_thread(lambda: self.call(method, path, shape, body))

    def call(self, method: str, path: str, shape: type[T], body: object = None, *, signed: bool = True) -> T:
        """Return the answer as ``shape``; raise the kind of PortineriaError that fits its status, with its code.

        ServerAway, NoTls or NotTrusted when there is no answer, ProxyRefused when a proxy on the way does not let it
        through. A wrong clock is corrected by the server's, once.
        """
        content = b"" if body is None else msgspec.json.encode(body)
        try:
            answer = self._exchange(method, path, content, signed=signed, read=_bounded)
        except Denied as error:
            if error.code != "token.clock":
                raise
            answer = self._exchange(method, path, content, signed=signed, read=_bounded)
        try:
            return msgspec.json.decode(answer or b"null", type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadAnswer(f"{method} {path}: {error}") from error

    def download(self, path: str, file: BinaryIO) -> int:
        """Write what is there; return its size. Raise what ``call`` raises, and ServerAway for what broke off."""
        try:
            return self._exchange("GET", path, b"", signed=True, read=lambda answer: _copied(answer, file))
        except Denied as error:
            if error.code != "token.clock":
                raise
            return self._exchange("GET", path, b"", signed=True, read=lambda answer: _copied(answer, file))

    def _exchange(self, method: str, path: str, content: bytes, *, signed: bool, read: Callable[[Any], T]) -> T:
        request = urllib.request.Request(self.url + path, data=content or None, method=method)  # noqa: S310 - origin() admits http(s) only
        request.add_header("Accept", "application/json")
        if content:
            request.add_header("Content-Type", "application/json")
        if signed:
            key, token = self._credential()
            request.add_header("Authorization", f"Portineria {token}")
            request.add_header("Portineria-Proof", proof(key, token, method, path, content, self.unix_ms))
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                return read(answer)
        except urllib.error.HTTPError as error:
            with error:
                self._correct_clock(error.headers.get("Date"))
                raise _problem(error.code, error.read(65536)) from error
        except (OSError, http.client.HTTPException) as error:
            raise away(error, self.where) from error

    def _correct_clock(self, date: str | None) -> None:
        try:
            theirs = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        self._skew_ms = round(theirs * 1000) - time.time_ns() // 1_000_000


def segment(text: str) -> str:
    """One segment of a path, whatever a machine is called."""
    return quote(text, safe="")


def _copied(answer: Any, file: BinaryIO) -> int:
    """A server that fails in the middle sends less than it announced."""
    size = 0
    while piece := answer.read(COPY_BYTES):
        size += file.write(piece)
    if size != int(answer.headers.get("Content-Length") or size):
        raise http.client.IncompleteRead(b"")
    return size


def _bounded(answer: Any) -> bytes:
    content: bytes = answer.read(ANSWER_BYTES + 1)
    if len(content) > ANSWER_BYTES:
        raise BadAnswer(f"more than {ANSWER_BYTES} bytes")
    return content


def _problem(status: int, content: bytes) -> PortineriaError:
    try:
        problem = msgspec.json.decode(content, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        problem = _Problem()  # not ours: a proxy or a load balancer answered
    kind = _KINDS.get(status, Unavailable if status >= 500 else Invalid)
    if not problem.code and 300 <= status < 400:
        return BadAnswer(f"it points elsewhere ({status})")
    error = kind(problem.detail or problem.title or f"the server answered {status}")
    error.code = problem.code or kind.code
    return error


def _https(url: str, ca: str, proxy: str | None) -> list[urllib.request.HTTPSHandler]:
    """Nothing for http, which is to this computer only and never leaves it. Raises BadProxy, BadState."""
    if not url.startswith("https:"):
        return []
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except OSError as error:
        raise unusable(ca, error) from error
    way = proxy_for(urlsplit(url).hostname or "", proxy)
    return [https_handler(context, way)]
