# SPDX-License-Identifier: Apache-2.0
"""Brings syslog messages to their receiver. The protocol has no acknowledgement, so the connection's end is one.

Each batch has a connection of its own. We end our direction behind the last message and wait until the receiver ends
its own: a system that still holds unread bytes resets the connection instead, and so does one whose reader was killed.
Over UDP nobody says anything: what was sent counts as arrived, and the console says so.
"""

import asyncio
import errno
import ssl
from collections.abc import Callable, Mapping, Sequence

from portineria.sinks.kind import Away, Refused, Sender, Taken
from portineria.sinks.name import addresses, connected
from portineria.sinks.outgoing import Outgoing
from portineria.sinks.setting import Setting, Shape
from portineria.sinks.syslog.tls import Encrypted
from portineria.sinks.trust import client_tls

CONNECT_S, TAKE_S = 10.0, 30.0  # to reach the receiver; to hand a batch over and see it taken
_CHUNK = 64 * 1024
Write = Callable[[Outgoing], bytes]

SETTINGS = (
    Setting("host", Shape.HOST),
    Setting("port", Shape.PORT, default="6514"),
    Setting("transport", Shape.CHOICE, default="tls", choices=("tls", "tcp", "udp")),
    Setting("authorities", Shape.CERTIFICATES, needed=False),
    Setting("certificate", Shape.CERTIFICATES, needed=False),
    Setting("key", Shape.KEY, needed=False),
)


def opener(write: Write) -> Callable[[Mapping[str, str]], Sender]:
    def opened(settings: Mapping[str, str]) -> Sender:
        if settings["transport"] == "udp":
            return _Datagrams(settings, write)
        return _Stream(settings, write)

    return opened


class _Datagrams:
    def __init__(self, settings: Mapping[str, str], write: Write) -> None:
        self._place = settings["host"], int(settings["port"])
        self._write = write

    async def send(self, events: Sequence[Outgoing]) -> Taken:
        """Raise Away for what this system knows at once: no such name, no route, a port that is closed."""
        line = _Errors()
        try:
            async with asyncio.timeout(CONNECT_S):
                host, port = self._place
                [address, *_] = await addresses(host)
                transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: line, remote_addr=(address, port)
                )
        except (OSError, TimeoutError) as error:
            raise Away(reason(error)) from error
        try:
            for event in events:
                transport.sendto(self._write(event))
            await asyncio.sleep(0)  # an error of the system is told in the next round of the loop
        finally:
            transport.close()
        if line.error is not None:
            if line.error.errno == errno.EMSGSIZE:
                raise Refused("longer than a datagram")
            raise Away(reason(line.error)) from line.error
        return Taken(len(events))

    async def close(self) -> None:
        """Every batch has sockets of its own."""


class _Errors(asyncio.DatagramProtocol):
    error: OSError | None = None

    def error_received(self, exc: Exception) -> None:
        if isinstance(exc, OSError):
            self.error = exc


class _Stream:
    def __init__(self, settings: Mapping[str, str], write: Write) -> None:
        self._place = settings["host"], int(settings["port"])
        self._tls = client_tls(settings) if settings["transport"] == "tls" else None
        self._write = write

    async def send(self, events: Sequence[Outgoing]) -> Taken:
        """Octet counting (RFC 6587, 3.4.1; RFC 5425, 4.3): no text ends a frame early."""
        frames = bytearray()
        for event in events:
            text = self._write(event)
            frames += b"%d %b" % (len(text), text)
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await connected(*self._place)
        except (OSError, TimeoutError) as error:
            raise Away(reason(error)) from error
        try:
            async with asyncio.timeout(TAKE_S):
                await self._hand_over(reader, writer, bytes(frames))
        except (OSError, TimeoutError) as error:
            raise Away(reason(error)) from error
        finally:
            writer.transport.abort()
        return Taken(len(events))

    async def _hand_over(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: bytes) -> None:
        if self._tls is None:
            writer.write(frames)
            await writer.drain()
            writer.write_eof()
            while await reader.read(_CHUNK):
                pass  # a receiver has nothing to say
            return
        line = Encrypted(reader, writer, self._tls, self._place[0])
        await line.begin()
        await line.write(frames)
        await line.end()

    async def close(self) -> None:
        """Every batch has a connection of its own."""


def reason(error: OSError | TimeoutError) -> str:
    """In our own words and the system's, never the receiver's."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not hold: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'broken off'}"
    if isinstance(error, TimeoutError) and not error.errno:
        return "no answer in time"
    return error.strerror or type(error).__name__
