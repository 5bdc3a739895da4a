# SPDX-License-Identifier: Apache-2.0
"""A request's body is read here, within limits of size and time, before Django sees the request.

Django would keep a body of any length in a temporary file, and wait for it as long as somebody goes on sending.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from portineria.control.api import refused
from portineria.control.identity.middleware import problem_page
from portineria.core.errors import Invalid, PortineriaError

# The longest form of the console has a reason of 500 characters, a passkey's answer has some kilobytes. Half of the
# connections may belong to strangers (console_places): 1024 x 64 KiB are 64 MiB.
LIMIT_BYTES = 64 * 1024
# What gateways and connectors send before they are known: keys and a proof, less than 1 KiB.
SIGN_IN_BYTES = 4 * 1024
_SIGN_IN_PATHS = ("/api/v1/gateways/", "/api/v1/connector/")
BODY_S = 20.0  # 64 KiB at 26 kbit/s
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


class BodyLimit:
    """ASGI application around Django's."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        limit = SIGN_IN_BYTES if scope["path"].startswith(_SIGN_IN_PATHS) else LIMIT_BYTES
        try:
            async with asyncio.timeout(BODY_S):
                body = await _read(scope, receive, limit)
        except TimeoutError:
            await self._refuse(scope, receive, send, BodyTooSlow(f"not complete after {BODY_S:.0f} s"))
        except BodyTooLarge as error:
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


async def _read(scope: Any, receive: Receive, limit: int) -> bytes | None:
    """None when the other side went away; raise BodyTooLarge as soon as that is known."""
    announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if int(announced) > limit:  # h11 let only digits pass
        raise BodyTooLarge(f"{int(announced)} bytes announced, {limit} are allowed")
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
