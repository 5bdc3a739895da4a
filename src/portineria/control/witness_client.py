# SPDX-License-Identifier: Apache-2.0
"""One question to a witness over HTTP. It may be down, slow or hostile: 15 s in all, 64 KiB, no redirects."""

import asyncio
import http.client
import io
import re
import ssl
from typing import Any, cast
from urllib.parse import urlsplit

from portineria.core.errors import Unavailable
from portineria.ledger.witness import Answer

ANSWER_BYTES = 64 * 1024  # head and body
TOTAL_S = 15.0
_LENGTH = re.compile(rb"^content-length:[ \t]*([0-9]{1,9})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


class WitnessAway(Unavailable):
    code = "witness.away"


async def ask(url: str, data: bytes, tls: ssl.SSLContext) -> Answer:
    """Raise WitnessAway."""
    address = f"{url.rstrip('/')}/add-checkpoint"
    status, body = await post(address, data, content_type="text/plain; charset=utf-8", tls=tls)
    return Answer(status, body.decode("utf-8", "replace"))


async def post(url: str, data: bytes, *, content_type: str, tls: ssl.SSLContext) -> tuple[int, bytes]:
    """Return the status and the body; raise WitnessAway."""
    try:
        async with asyncio.timeout(TOTAL_S):
            received = await _exchanged(url, data, content_type, tls)
    except TimeoutError as error:
        raise WitnessAway(f"no answer within {TOTAL_S:.0f} s") from error
    except (OSError, ValueError) as error:
        raise WitnessAway(f"it cannot be reached: {error}") from error
    return _read(received)


async def _exchanged(url: str, data: bytes, content_type: str, tls: ssl.SSLContext) -> bytes:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(host, port, ssl=tls if secure else None, limit=ANSWER_BYTES)
    try:
        head = (
            f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode("ascii") + data)
        await writer.drain()
        return await _whole(reader)
    finally:
        writer.transport.abort()


async def _whole(reader: asyncio.StreamReader) -> bytes:
    """Up to its end, or to the length that it names. Raise WitnessAway for more than an answer has."""
    received = b""
    while part := await reader.read(ANSWER_BYTES):
        received += part
        if len(received) > ANSWER_BYTES:
            raise WitnessAway(f"its answer has more than {ANSWER_BYTES} bytes")
        head, blank, body = received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if blank and length and len(body) >= int(length[1]):
            break
    return received


class _Received:
    """What ``http.client`` reads from instead of a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def _read(received: bytes) -> tuple[int, bytes]:
    answer = http.client.HTTPResponse(cast(Any, _Received(received)), method="POST")
    try:
        answer.begin()
        body = answer.read(ANSWER_BYTES)
    except (http.client.HTTPException, ValueError, OSError) as error:
        raise WitnessAway(f"its answer is no HTTP: {type(error).__name__}") from error
    return answer.status, body
