# SPDX-License-Identifier: Apache-2.0
"""Reads the ALPN names out of a TLS ClientHello, to tell console, links and legs apart on one port.

RFC 8446 4.1.2 and 5.1, RFC 7301 3.1. Only peeks: whoever owns the connection does the real handshake.
"""

from portineria.core.errors import ProtocolError

HELLO_BYTES = 16384 + 5  # one record; post-quantum key shares make about 1.8 KiB of it
_HANDSHAKE, _CLIENT_HELLO, _ALPN = 22, 1, 16


class BadClientHello(ProtocolError):
    code = "wire.client-hello"


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        if self._at + count > len(self._data):
            raise BadClientHello("a length points beyond the end")
        part = self._data[self._at : self._at + count]
        self._at += count
        return part

    def vector(self, width: int) -> bytes:
        return self.take(int.from_bytes(self.take(width), "big"))

    @property
    def left(self) -> bool:
        return self._at < len(self._data)


def is_tls(first: bytes) -> bool:
    return first[:1] == bytes([_HANDSHAKE])


def alpn_names(peeked: bytes) -> tuple[str, ...] | None:
    """Return the offered protocol names, () if none, None while more bytes are needed; raise BadClientHello."""
    if len(peeked) < 5:
        return None
    length = int.from_bytes(peeked[3:5], "big")
    if peeked[0] != _HANDSHAKE or peeked[1] != 3 or not 4 < length <= HELLO_BYTES - 5:
        raise BadClientHello("not the start of a TLS handshake")
    if len(peeked) < 5 + length:
        return None
    message = _Reader(peeked[5 : 5 + length])
    if message.take(1)[0] != _CLIENT_HELLO:
        raise BadClientHello("the first handshake message is no ClientHello")
    body = _Reader(message.vector(3))  # a ClientHello split over two records ends here as a protocol error
    body.take(2 + 32)  # version, random
    body.vector(1)  # session id
    body.vector(2)  # cipher suites
    body.vector(1)  # compression
    return _from_extensions(_Reader(body.vector(2))) if body.left else ()


def _from_extensions(extensions: _Reader) -> tuple[str, ...]:
    while extensions.left:
        kind = int.from_bytes(extensions.take(2), "big")
        content = extensions.vector(2)
        if kind == _ALPN:
            names, found = _Reader(_Reader(content).vector(2)), []
            while names.left:
                found.append(names.vector(1).decode("ascii", "replace"))
            return tuple(found)
    return ()
