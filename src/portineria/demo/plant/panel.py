# SPDX-License-Identifier: Apache-2.0
"""The operator panel: a page that refreshes itself, ``/values`` as JSON, ``/file?bytes=N`` to download."""

import asyncio
import html
import json
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from urllib.parse import parse_qs, urlsplit

from portineria.core.errors import Unavailable
from portineria.demo.plant.journal import Journal, address_of
from portineria.demo.plant.layout import Place
from portineria.demo.plant.press import PressLine

_HEAD_LIMIT_BYTES = 16 << 10  # request line and headers of any browser
_IDLE_S = 60.0
_CHUNK = 64 << 10
FILE_LIMIT_BYTES = 4 << 30

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width"><title>{name}</title><style>
body {{ font: 18px sans-serif; background: #1d2733; color: #e8eef4; margin: 2rem }}
h1 {{ font-size: 1.4rem }} table {{ border-collapse: collapse }}
th {{ text-align: left; font-weight: normal; color: #9fb3c8; padding-right: 3rem }}
td {{ text-align: right; font-variant-numeric: tabular-nums }}
th, td {{ border-bottom: 1px solid #35475b; padding-block: .3rem }}
</style></head><body><h1>{name}</h1><table>{rows}</table></body></html>
"""


def file_chunks(size: int, name: str) -> Iterator[bytes]:
    """The bytes of ``/file?bytes=size`` of the plant ``name``; a lost, doubled or swapped chunk shows."""
    block = Random(zlib.crc32(name.encode())).randbytes(_CHUNK - 8)  # noqa: S311 - a pattern, not a secret
    for offset in range(0, size, _CHUNK):
        yield (offset.to_bytes(8, "big") + block)[: size - offset]


class OperatorPanel:
    def __init__(self, place: Place, press: PressLine, journal: Journal) -> None:
        self.place = place
        self._press, self._journal = press, journal
        self._listener: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        try:
            self._listener = await asyncio.start_server(
                self._visit, self.place.address, self.place.port, limit=_HEAD_LIMIT_BYTES
            )
        except OSError as error:
            raise Unavailable(f"http cannot listen on {self.place.address}:{self.place.port}: {error}") from error

    async def stop(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for writer in self._writers:
            writer.transport.abort()

    async def refresh(self) -> None:
        """Nothing to do: pages are made when they are asked for."""

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = address_of(writer.get_extra_info("peername"))
        self._writers.add(writer)
        self._journal.note(self.place.device, "connect", peer=peer)
        try:
            # What a visitor sends wrong, or not in time, ends this connection and nothing else.
            with suppress(OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                while await self._serve_one(reader, writer):
                    pass
        finally:
            self._writers.discard(writer)
            self._journal.note(self.place.device, "disconnect", peer=peer)
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; tell whether the connection may carry another."""
        async with asyncio.timeout(_IDLE_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *fields = head.split("\r\n")
        method, target, version = request.split(" ", 2)
        names = {field.partition(":")[0].lower() for field in fields}
        # A body is never read here, so it must not be taken for the next request.
        keep = version == "HTTP/1.1" and not names & {"content-length", "transfer-encoding"}
        keep = keep and "connection: close" not in (field.lower() for field in fields)
        self._journal.note(self.place.device, "read", method=method, path=target)
        status, kind, size, body = self._answer(method, target)
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\nCache-Control: no-store\r\n"
            f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n".encode()
        )
        if method != "HEAD":
            for chunk in body:
                writer.write(chunk)
                await writer.drain()  # a slow reader sets the pace
        await writer.drain()
        return keep

    def _answer(self, method: str, target: str) -> tuple[str, str, int, Iterator[bytes]]:
        if method not in ("GET", "HEAD"):
            return _text("405 Method Not Allowed", "only GET\n")
        url = urlsplit(target)
        self._press.advance(time.monotonic())
        if url.path == "/":
            return _text("200 OK", self._page(), "text/html; charset=utf-8")
        if url.path == "/values":
            return _text("200 OK", json.dumps(self._press.values()) + "\n", "application/json")
        if url.path == "/file":
            asked = parse_qs(url.query).get("bytes", [""])[0]
            if not (asked.isascii() and asked.isdigit() and int(asked) <= FILE_LIMIT_BYTES):
                return _text("400 Bad Request", f"bytes=N with N up to {FILE_LIMIT_BYTES}\n")
            return "200 OK", "application/octet-stream", int(asked), file_chunks(int(asked), self._press.name)
        return _text("404 Not Found", "not here\n")

    def _page(self) -> str:
        rows = "".join(
            f"<tr><th>{html.escape(name.replace('_', ' '))}</th><td>{html.escape(str(value))}</td></tr>"
            for name, value in self._press.values().items()
            if name != "name"
        )
        return _PAGE.format(name=html.escape(self._press.name), rows=rows)


def _text(status: str, text: str, kind: str = "text/plain; charset=utf-8") -> tuple[str, str, int, Iterator[bytes]]:
    body = text.encode()
    return status, kind, len(body), iter((body,))
