# SPDX-License-Identifier: Apache-2.0
"""As much of SMTP as handing over one mail takes (RFC 5321); asynchronous and bounded, unlike the library of Python."""

import asyncio
import base64
import re
import ssl

from portineria.sinks.kind import Away

LINE_BYTES, MOST_LINES = 1024, 64  # of one reply; 512 are what RFC 5321 allows (4.5.3.1.5)
_REPLY = re.compile(rb"([2-5][0-9]{2})([ -])(.*)", re.DOTALL)


class Smtp:
    """Raise Away for any answer that was not hoped for, OSError for the line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def greet(self) -> None:
        await self._hear(220)
        await self.hello()

    async def hello(self) -> None:
        await self.ask("EHLO portineria", 250)

    async def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """STARTTLS (RFC 3207, 4.2): what was said before it counts for nothing, replies that somebody on the path put
        behind the server's own least of all. They lie in the old reader, which nobody asks any more.
        """
        await self.ask("STARTTLS", 220)
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader(limit=LINE_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport = await loop.start_tls(self._writer.transport, protocol, context, server_hostname=host)
        if transport is None:  # as typed: it was closed meanwhile
            raise Away("closed before TLS stood")
        reader.set_transport(transport)
        self._reader, self._writer = reader, asyncio.StreamWriter(transport, protocol, reader, loop)
        await self.hello()

    async def sign_in(self, user: str, password: str) -> None:
        """PLAIN (RFC 4616)."""
        secret = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        await self.ask(f"AUTH PLAIN {secret}", 235)

    async def hand_over(self, sender: str, recipient: str, mail: bytes) -> None:
        """Return once the server has taken responsibility for it (6.1)."""
        await self.ask(f"MAIL FROM:<{sender}>", 250)
        await self.ask(f"RCPT TO:<{recipient}>", 250)
        await self.ask("DATA", 354)
        stuffed = re.sub(rb"^\.", b"..", mail, flags=re.MULTILINE)  # 4.5.2
        self._writer.write(stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        await self._writer.drain()
        await self._hear(250)

    def end(self) -> None:
        """At once: what counts was said before."""
        self._writer.transport.abort()

    async def ask(self, line: str, hoped: int) -> None:
        self._writer.write(f"{line}\r\n".encode("ascii"))
        await self._writer.drain()
        await self._hear(hoped)

    async def _hear(self, hoped: int) -> None:
        for _ in range(MOST_LINES):
            try:
                line = await self._reader.readuntil(b"\n")
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
                raise Away("its reply has no end") from error
            found = _REPLY.fullmatch(line)
            if found is None:
                raise Away("its reply is no SMTP")
            if found[2] == b" ":
                if int(found[1]) != hoped:
                    raise Away(f"SMTP {int(found[1])}")
                return
        raise Away("its reply has no end")
