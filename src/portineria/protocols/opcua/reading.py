# SPDX-License-Identifier: Apache-2.0
"""Reading one value as a client without security and without a name: the only thing that we ever ask an OPC UA server
by ourselves. Source: Part 6 6.7 and 7.1; services of Part 4 5.5.2, 5.5.3, 5.6.2, 5.6.3, 5.6.4, 5.10.2.
"""

import re
from struct import pack

from portineria.protocols.opcua.binary import BadOpcUa, Reader
from portineria.protocols.opcua.services import VALUE, service_of
from portineria.protocols.opcua.session import OPEN_REQUEST, OPEN_RESPONSE, POLICY_NONE

CREATE_SESSION, ACTIVATE_SESSION, READ = 461, 467, 631  # an answer's number is three higher: Part 6 annex A
CLOSE_SESSION, CLOSE_CHANNEL = 473, 452
LONGEST = 1 << 18  # of one message: a session's beginning lists certificates
_NULL, _NO_EXTENSION, _NO_NODE = pack("<i", -1), b"\x00\x00\x00", b"\x00\x00"
_CHUNK_BYTES = 65536
_LIFE_MS = 3_600_000
_NODE = re.compile(r"(?:ns=(\d{1,5});)?(?:i=(\d{1,10})|s=([ -~]{1,100}))")


def node_id(text: str) -> bytes:
    """``ns=2;s=Guard closed`` or ``i=2258`` in its binary form (Part 6 5.2.2.9). Raise BadOpcUa."""
    found = _NODE.fullmatch(text)
    space, number = (int(found[1] or 0), int(found[2] or 0)) if found else (0, 0)
    if found is None or space > 0xFFFF or number > 0xFFFFFFFF:
        raise BadOpcUa(f"no node id that is read here: {text[:60]!r}")
    return pack("<BHI", 2, space, number) if found[2] else pack("<BH", 3, space) + _text(found[3])


def _text(text: str) -> bytes:
    return pack("<i", len(text)) + text.encode("ascii")


class ReadingClient:
    """What to send and what an answer means; whoever owns the socket sends one, reads one."""

    def __init__(self, url: str, nonce: bytes) -> None:
        """``nonce``: 32 random bytes (Part 4 5.6.2)."""
        self._url, self._nonce = url, nonce
        self._channel = self._token = self._number = 0
        self._session = _NO_NODE
        self._chunks = bytearray()

    # -- what is sent ------------------------------------------------------------------------------------------

    def hello(self) -> bytes:
        body = pack("<IIIII", 0, _CHUNK_BYTES, _CHUNK_BYTES, LONGEST, 16) + _text(self._url)
        return b"HELF" + pack("<I", 8 + len(body)) + body

    def open_channel(self) -> bytes:
        body = self._header(OPEN_REQUEST) + pack("<III", 0, 0, 1) + _NULL + pack("<I", _LIFE_MS)
        self._number += 1
        head = pack("<I", 0) + _text(POLICY_NONE) + _NULL + _NULL + pack("<II", self._number, self._number)
        return b"OPNF" + pack("<I", 8 + len(head) + len(body)) + head + body

    def create_session(self) -> bytes:
        client = _text("urn:portineria:gateway") + _text("urn:portineria") + b"\x02" + _text("gateway")
        client += pack("<i", 1) + _NULL + _NULL + _NULL  # a client; no gateway server, no discovery
        rest = _NULL + _text(self._url) + _text("consent signals") + pack("<i", len(self._nonce)) + self._nonce + _NULL
        return self._message(CREATE_SESSION, client + rest + pack("<dI", 60_000.0, LONGEST))

    def activate_session(self) -> bytes:
        """A user token that is left out is anonymous: Part 4 5.6.3."""
        return self._message(ACTIVATE_SESSION, _NULL + _NULL + _NULL + _NULL + _NO_EXTENSION + _NULL + _NULL)

    def read(self, node: bytes) -> bytes:
        what = node + pack("<I", VALUE) + _NULL + pack("<H", 0) + _NULL
        return self._message(READ, pack("<dii", 0.0, 3, 1) + what)

    def end(self) -> bytes:
        """The session, with its subscriptions, and its channel, to which no server answers."""
        ended = self._message(CLOSE_SESSION, b"\x01")
        return ended + b"CLO" + self._message(CLOSE_CHANNEL, b"")[3:]

    def _header(self, service: int) -> bytes:
        """Part 4 7.33, behind the number of the service."""
        node = pack("<BBH", 1, 0, service)
        return node + self._session + pack("<qII", 0, self._number + 1, 0) + _NULL + pack("<I", 2000) + _NO_EXTENSION

    def _message(self, service: int, asked: bytes) -> bytes:
        body = self._header(service) + asked
        self._number += 1
        head = pack("<IIII", self._channel, self._token, self._number, self._number)
        return b"MSGF" + pack("<I", 8 + len(head) + len(body)) + head + body

    # -- what comes --------------------------------------------------------------------------------------------

    def acknowledged(self, chunk: bytes) -> None:
        if chunk[:4] != b"ACKF":
            raise BadOpcUa(f"{chunk[:4]!r} in answer to a hello")

    def channel_opened(self, chunk: bytes) -> int:
        """How many milliseconds it lives."""
        if chunk[:4] != b"OPNF":
            raise BadOpcUa(f"{chunk[:4]!r} in answer to an opening")
        reader = Reader(chunk, 12)
        if reader.text() != POLICY_NONE:
            raise BadOpcUa("a channel of another policy than what was asked for")
        reader.octets(), reader.octets(), reader.take(8)
        self._good(reader, OPEN_RESPONSE)
        reader.take(4)
        self._channel, self._token = reader.number("I"), reader.number("I")
        reader.take(8)
        return reader.number("I")

    def answered(self, chunk: bytes) -> bytes | None:
        """The body of a message once its last chunk came."""
        if chunk[:3] != b"MSG" or len(chunk) < 24:
            raise BadOpcUa(f"{chunk[:4]!r} in answer to a service")
        self._chunks += chunk[24:]
        if len(self._chunks) > LONGEST or chunk[3:4] not in (b"C", b"F"):
            raise BadOpcUa(f"a message of {len(self._chunks)} bytes, or one broken off")
        if chunk[3:4] == b"C":
            return None
        whole = bytes(self._chunks)
        self._chunks.clear()
        return whole

    def session_created(self, body: bytes) -> None:
        reader = Reader(body)
        self._good(reader, CREATE_SESSION + 3)
        reader.node()
        begins = reader.at
        reader.node()
        self._session = body[begins : reader.at]

    def session_activated(self, body: bytes) -> None:
        self._good(Reader(body), ACTIVATE_SESSION + 3)

    def value(self, body: bytes) -> bool | None:
        """None: the server calls it bad or uncertain, or it is neither a Boolean nor a whole number."""
        reader = Reader(body)
        self._good(reader, READ + 3)
        if reader.count() != 1:
            raise BadOpcUa("not one result where one was asked for")
        mask = reader.number("B")
        values = reader.variant() if mask & 1 else (None,)
        status = reader.number("I") if mask & 2 else 0
        if status or len(values) != 1 or not isinstance(values[0], bool | int):
            return None
        return bool(values[0])

    @staticmethod
    def _good(reader: Reader, service: int) -> None:
        """Part 4 7.34: the header of an answer."""
        answered = service_of(reader)
        reader.take(12)
        result = reader.number("I")
        reader.diagnostic()
        for _ in range(reader.count()):
            reader.text()
        reader.extension()
        if result or answered != service:
            raise BadOpcUa(f"result {result:#010x} of service {answered}")
