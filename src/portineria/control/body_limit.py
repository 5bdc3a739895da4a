# SPDX-License-Identifier: Apache-2.0
"""A request's body is read here, within limits of size and time, before Django sees the request.

Django would keep a body of any length in a temporary file, and wait for it as long as somebody goes on sending.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, parse_cookie

from portineria.control.api import refused
from portineria.control.identity.middleware import problem_page
from portineria.control.identity.queries import person_of_browser
from portineria.control.remote_sessions.recordings import announced
from portineria.control.settings.start import current
from portineria.core.errors import Invalid, PortineriaError, Unavailable
from portineria.recording.upload import HEADER

# The longest form of the console has a reason of 500 characters, a passkey's answer has some kilobytes. Half of the
# connections may belong to strangers (console_places): 1024 x 64 KiB are 64 MiB.
LIMIT_BYTES = 64 * 1024
# What gateways and connectors send before they are known: keys and a proof, less than 1 KiB.
SIGN_IN_BYTES = 4 * 1024
_SIGN_IN_PATHS = ("/api/v1/gateways/", "/api/v1/connector/")
BODY_S = 20.0  # 64 KiB at 26 kbit/s
# The one address that takes files, and only of people who are signed in; Django keeps them on disk while they come.
UPLOAD_PATH = "/events/check/"
UPLOAD_S = 600.0  # 256 MiB at 3.6 Mbit/s
_UPLOADS = asyncio.Semaphore(2)  # at once: each may be on disk twice
CHUNK_PATH = "/api/v1/gateways/recordings"
CHUNK_S = 600.0  # 8 MiB at 14 KiB/s: a gateway lets sessions go first
_CHUNKS = asyncio.Semaphore(16)  # at once: 128 MiB at the most, a tenth of that as a rule
# A small file about the work of a request, by somebody who is signed in.
_JOB_PATH = re.compile(r"/requests/[a-z0-9_]{1,24}/write/")
JOB_BYTES = 1024 * 1024 + LIMIT_BYTES
JOB_S = 60.0  # 1 MiB at 150 kbit/s
_FAREWELL_S = 2.0  # the rest is read and thrown away: a reset would take our answer with it
_REFUSAL = "portineria.refusal"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]


class BodyTooLarge(Invalid):
    code = "body.too-large"


class BodyTooSlow(Invalid):
    code = "body.too-slow"


class TooManyUploads(Unavailable):
    code = "body.uploads"


class BodyLimit:
    """ASGI application around Django's."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if await _is_upload(scope):
            await self._upload(scope, receive, send)
            return
        if scope["path"] == CHUNK_PATH and scope["method"] == "POST":
            await self._chunk(scope, receive, send)
            return
        limit, within_s = await _limits(scope)
        try:
            async with asyncio.timeout(within_s):
                body = await _read(scope, receive, limit)
        except TimeoutError:
            await self._refuse(scope, receive, send, BodyTooSlow(f"not complete after {within_s:.0f} s"))
        except BodyTooLarge as error:
            await self._refuse(scope, receive, send, error)
        else:
            if body is not None:
                await self._inner(scope, _replay(body, receive), send)

    async def _upload(self, scope: Any, receive: Receive, send: Send) -> None:
        """Passed on as it comes. Its length was announced, and the HTTP server lets no more through than that."""
        limit = current().upload_mib << 20
        if _announced(scope) > limit:
            error = BodyTooLarge(f"{_announced(scope)} bytes announced, {limit} are allowed")
            await self._refuse(scope, receive, send, error)
        elif _UPLOADS.locked():
            await self._refuse(scope, receive, send, TooManyUploads("two files are coming already"))
        else:
            async with _UPLOADS:
                await self._inner(scope, _until(asyncio.get_running_loop().time() + UPLOAD_S, receive), send)

    async def _chunk(self, scope: Any, receive: Receive, send: Send) -> None:
        """Of a recording: so many bytes as an admitted gateway signed that it sends, and nobody else's."""
        try:
            upload = await sync_to_async(announced)(_header(scope, HEADER.lower().encode()))
            if _CHUNKS.locked():
                raise TooManyUploads("as many chunks are coming as may")
            async with _CHUNKS, asyncio.timeout(CHUNK_S):
                body = await _read(scope, receive, upload.size)
        except TimeoutError:
            await self._refuse(scope, receive, send, BodyTooSlow(f"not complete after {CHUNK_S:.0f} s"))
        except PortineriaError as error:
            await self._refuse(scope, receive, send, error)
        else:
            if body is not None:
                await self._inner(scope, _replay(body, receive), send)

    async def _refuse(self, scope: Any, receive: Receive, send: Send, error: PortineriaError) -> None:
        """Django words the answer (BodyLimitMiddleware), in the request's language; then the connection is closed."""

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send({**message, "headers": [*message["headers"], (b"connection", b"close")]})
                return
            await send({**message, "more_body": True})
            if not message.get("more_body", False):
                await _throw_away(receive)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._inner({**scope, _REFUSAL: error}, _replay(b"", _nothing_more), closing)


def _header(scope: Any, wanted: bytes) -> str:
    return str(next((value for name, value in scope["headers"] if name == wanted), b"").decode("latin-1"))


def _announced(scope: Any) -> int:
    return int(_header(scope, b"content-length") or 0)  # digits, by h11


async def _is_upload(scope: Any) -> bool:
    """Larger than other forms, to the address for it, by somebody who is signed in. Others meet the ordinary limit."""
    if scope["path"] != UPLOAD_PATH or scope["method"] != "POST" or _announced(scope) <= LIMIT_BYTES:
        return False
    return await _signed_in(scope)


async def _limits(scope: Any) -> tuple[int, float]:
    """Of one body: bytes and seconds."""
    if scope["path"].startswith(_SIGN_IN_PATHS):
        return SIGN_IN_BYTES, BODY_S
    larger = scope["method"] == "POST" and LIMIT_BYTES < _announced(scope) <= JOB_BYTES
    if larger and _JOB_PATH.fullmatch(scope["path"]) and await _signed_in(scope):
        return JOB_BYTES, JOB_S
    return LIMIT_BYTES, BODY_S


async def _signed_in(scope: Any) -> bool:
    cookies = next((value for name, value in scope["headers"] if name == b"cookie"), b"")
    key = parse_cookie(cookies.decode("latin-1")).get(settings.SESSION_COOKIE_NAME, "")
    return bool(key) and await sync_to_async(person_of_browser)(key) is not None


def _until(deadline: float, receive: Receive) -> Receive:
    """As if the other side had gone away when time is up."""

    async def timed() -> Message:
        left = deadline - asyncio.get_running_loop().time()
        try:
            return await asyncio.wait_for(receive(), left) if left > 0 else {"type": "http.disconnect"}
        except TimeoutError:
            return {"type": "http.disconnect"}

    return timed


async def _read(scope: Any, receive: Receive, limit: int) -> bytes | None:
    """None when the other side went away; raise BodyTooLarge as soon as that is known."""
    if _announced(scope) > limit:
        raise BodyTooLarge(f"{_announced(scope)} bytes announced, {limit} are allowed")
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > limit:
            raise BodyTooLarge(f"more than {limit} bytes")
        more = message.get("more_body", False)
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """What was read once more, then whatever follows: the end of the connection."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


async def _nothing_more() -> Message:
    """Until cancelled. Django waits here for the end of the connection; what still comes is not for it."""
    never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    return await never


async def _throw_away(receive: Receive) -> None:
    try:
        async with asyncio.timeout(_FAREWELL_S):
            while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
                pass
    except TimeoutError:
        pass


class BodyLimitMiddleware:
    """The last one: language and person are known by then."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        error = getattr(request, "scope", {}).get(_REFUSAL)
        if error is None:
            return self._get_response(request)
        return refused(request, error) if request.path.startswith("/api/") else problem_page(request, error)
