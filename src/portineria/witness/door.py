# SPDX-License-Identifier: Apache-2.0
"""The witness's HTTP server: one address, POST /add-checkpoint, small requests only, each within seconds.

Written on asyncio's streams: the library's http.server has no limit on time and one thread for each silent caller, and
uvicorn comes with the control plane only.
"""

import asyncio
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from portineria.ledger.witness import REQUEST_BYTES, TEXT_TYPE, Answer

PATH = "/add-checkpoint"
HEAD_BYTES = 8192
CONNECTIONS = 64
REQUEST_S = 20.0  # from the first wait to the answer: also how long an idle connection is kept
_CLOSE_S = 2.0
_LENGTH = re.compile(rb"[0-9]{1,9}")
_LINE = re.compile(rb"([A-Z]{1,16}) (/[!-~]{0,1024}) HTTP/1\.([01])")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")


class Refused(Exception):
    """The connection is closed after saying so."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    method: str
    path: str
    length: int
    keep: bool


def read_head(data: bytes) -> Head:
    """Lines up to the empty one. Raise Refused for what another server could read in another way."""
    first, *lines = data.removesuffix(b"\r\n\r\n").split(b"\r\n")
    line = _LINE.fullmatch(first)
    if line is None:
        raise Refused(HTTPStatus.BAD_REQUEST)
    fields: dict[bytes, bytes] = {}
    for text in lines:
        field = _FIELD.fullmatch(text)
        name = field[1].lower() if field else b""
        if field is None or (name in fields and name in (b"content-length", b"transfer-encoding", b"host")):
            raise Refused(HTTPStatus.BAD_REQUEST)
        fields[name] = field[2]
    if b"transfer-encoding" in fields:
        raise Refused(HTTPStatus.LENGTH_REQUIRED)
    length = fields.get(b"content-length", b"0")
    if not _LENGTH.fullmatch(length):
        raise Refused(HTTPStatus.BAD_REQUEST)
    if int(length) > REQUEST_BYTES:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    keep = line[3] == b"1" and fields.get(b"connection", b"").lower() != b"close"
    return Head(line[1].decode(), line[2].decode("ascii"), int(length), keep)


class Door:
    def __init__(self, answer: Callable[[bytes], Answer]) -> None:
        """``answer`` is called in a thread, for several at once."""
        self._answer = answer
        self._open = 0

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None) -> asyncio.Server:
        return await asyncio.start_server(
            self._connection, host, port, limit=HEAD_BYTES, ssl=tls, ssl_handshake_timeout=REQUEST_S if tls else None
        )

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= CONNECTIONS:
                with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                    while await self._one(reader, writer):
                        pass
        finally:
            self._open -= 1
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Return whether the connection may go on."""
        async with asyncio.timeout(REQUEST_S):
            try:
                head = read_head(await reader.readuntil(b"\r\n\r\n"))
            except asyncio.LimitOverrunError:
                return await _send(writer, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            except Refused as refused:
                return await _send(writer, refused.status)
            if head.path != PATH:
                return await _send(writer, HTTPStatus.NOT_FOUND)
            if head.method != "POST":
                return await _send(writer, HTTPStatus.METHOD_NOT_ALLOWED)
            body = await reader.readexactly(head.length)
            answer = await asyncio.to_thread(self._answer, body)
            return await _send(writer, HTTPStatus(answer.status), answer, keep=head.keep)


async def _send(
    writer: asyncio.StreamWriter, status: HTTPStatus, answer: Answer | None = None, *, keep: bool = False
) -> bool:
    body = (answer.body if answer else f"{status.phrase}\n").encode()
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}", f"Content-Type: {answer.content_type if answer else TEXT_TYPE}",
        f"Content-Length: {len(body)}", "Cache-Control: no-store", *([] if keep else ["Connection: close"]), "", "",
    ]  # fmt: skip
    writer.write("\r\n".join(lines).encode() + body)
    await writer.drain()
    return keep
