# SPDX-License-Identifier: Apache-2.0
"""TLS whose two directions end one after the other, which neither asyncio's nor uvloop's own can do."""

import asyncio
import contextlib
import ssl

_CHUNK = 64 * 1024


class Encrypted:
    """The client's side over a plain connection. Every method raises OSError (ssl.SSLError is one)."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext, host: str
    ) -> None:
        self._reader, self._writer = reader, writer
        self._inward, self._outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._inward, self._outward, server_hostname=host)

    async def begin(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._receive():
                    raise ConnectionResetError("closed before TLS stood") from None
            except ssl.SSLError:
                await self._flush()  # the alert that says why
                raise
            else:
                await self._flush()
                return

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view[:_CHUNK]) :]
            await self._flush()

    async def end(self) -> None:
        """Close our direction, then read to the receiver's end: an alert or a reset on the way is an error.

        Under TLS 1.3 a receiver refuses our certificate after our first bytes: that alert is met here.
        """
        with contextlib.suppress(ssl.SSLWantReadError):  # it has not answered yet
            self._tls.unwrap()
        await self._flush()
        self._writer.write_eof()
        while await self._receive():
            self._read_away()
        self._read_away()

    def _read_away(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while self._tls.read(_CHUNK):
                pass

    async def _flush(self) -> None:
        if self._outward.pending:
            self._writer.write(self._outward.read())
            await self._writer.drain()

    async def _receive(self) -> bool:
        data = await self._reader.read(_CHUNK)
        if data:
            self._inward.write(data)
        return bool(data)
