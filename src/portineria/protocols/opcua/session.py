# SPDX-License-Identifier: Apache-2.0
"""One connection: channel, chunks, numbers. Source: Part 6 6.7 (secure conversation) and 7.1 (connection protocol)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from portineria.protocols.inspection import Answer, Inspection, Refusal, Request
from portineria.protocols.opcua import identity, method_calls, own_read
from portineria.protocols.opcua.answer import result_of, told
from portineria.protocols.opcua.binary import BadOpcUa, Reader
from portineria.protocols.opcua.placing import Place, placed
from portineria.protocols.opcua.services import (
    CALL,
    NAME,
    PUBLISH,
    READ,
    SERVICE_FAULT,
    Header,
    read_request,
    undated,
)
from portineria.protocols.operation import Kind, Operation

LONGEST_CHUNK, LONGEST_MESSAGE, MOST_CHUNKS = 1 << 20, 4 << 20, 1024
SHORTEST_LIMIT = 8192  # Part 6 7.1.2.3 and 7.1.2.4: what a buffer holds at least
MOST_OPEN, MOST_HELD = 1024, 8 << 20  # requests undecided or unanswered; bytes of all of them
POLICY_NONE = "http://opcfoundation.org/UA/SecurityPolicy#None"
DENIED, POLICY_REJECTED, WRAPS_AFTER = 0x801F0000, 0x80550000, 0xFFFFFFFF - 1024  # Part 6 annex A.2; 6.7.2.4
OPEN_REQUEST, OPEN_RESPONSE, CLOSE_REQUEST = 446, 449, 452
_HEAD, _SYMMETRIC = struct.Struct("<4sI"), struct.Struct("<IIII")
_ONE_CHUNK = {b"HELF", b"ACKF", b"ERRF", b"OPNF", b"CLOF"}
_TYPES = _ONE_CHUNK | {b"MSGF", b"MSGC", b"MSGA"}


@dataclass(slots=True)
class Side:
    """One direction. ``came``: the sender's last number; ``went``: the last that its receiver was given."""

    rest: bytearray = field(default_factory=bytearray)
    came: int | None = None
    went: int | None = None
    tokens: list[int] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    size: int = 0
    longest_chunk: int = LONGEST_CHUNK
    longest_message: int = LONGEST_MESSAGE
    most_chunks: int = MOST_CHUNKS

    def split(self, data: bytes | memoryview) -> Iterator[bytes]:
        """One by one: the limits that a chunk brings hold for the next."""
        buffer = self.rest
        buffer += data
        while len(buffer) >= 8:
            kind, size = _HEAD.unpack_from(buffer)
            if kind not in _TYPES or not 8 <= size <= self.longest_chunk:
                raise BadOpcUa(f"a chunk {kind!r} of {size} bytes (Part 6 7.1.2.2)")
            if len(buffer) < size:
                break
            chunk = bytes(buffer[:size])
            del buffer[:size]
            yield chunk

    def limit(self, chunk: int, message: int = 0, chunks: int = 0) -> None:
        """Take over what was agreed, where it is less; 0 is no limit of a message (Part 6 7.1.2.3, 7.1.2.4)."""
        if chunk < SHORTEST_LIMIT:
            raise BadOpcUa(f"a buffer of {chunk} bytes (Part 6 7.1.2.3)")
        self.longest_chunk = min(self.longest_chunk, chunk)
        self.longest_message = min(self.longest_message, message or LONGEST_MESSAGE)
        self.most_chunks = min(self.most_chunks, chunks or MOST_CHUNKS)

    def check(self, number: int) -> None:
        last = self.came
        wrapped = last is not None and last >= WRAPS_AFTER and number < 1024
        if last is not None and number != last + 1 and not wrapped:
            raise BadOpcUa(f"sequence number {number} after {last} (Part 6 6.7.2.4)")
        self.came = number

    def next(self, number: int) -> int:
        last = self.went
        if last is None or (last >= WRAPS_AFTER and number < 1024):
            self.went = number
        else:
            self.went = last + 1 if last < 0xFFFFFFFF else 1
        return self.went

    def collect(self, chunk: bytes) -> list[bytes]:
        """All chunks of the message that ``chunk`` completes, or none yet."""
        if self.chunks and self.chunks[0][20:24] != chunk[20:24]:
            raise BadOpcUa("chunks of two messages mixed (Part 6 6.7.2)")
        self.chunks.append(chunk)
        self.size += len(chunk) - 24  # headers do not count
        if self.size > self.longest_message or len(self.chunks) > self.most_chunks:
            raise BadOpcUa(f"a message of {len(self.chunks)} chunks, {self.size} bytes")
        if chunk[3:4] == b"C":
            return []
        whole, self.chunks, self.size = self.chunks, [], 0
        return whole


@dataclass(slots=True)
class Asked:
    """``at``: where in each chunk its sequence number stands; 0: it has none that we may change. ``chunks`` are given
    up once they were forwarded."""

    chunks: list[bytes]
    at: int = 0
    number: int = 0  # request id
    header: Header | None = None
    forwarded: bool = False

    @property
    def busy(self) -> bool:
        """The server works on it, and does not just keep it until there is news."""
        return self.forwarded and (self.header is None or self.header.service != PUBLISH)


class OpcUaInspection(Inspection):
    def __init__(self) -> None:
        self._client, self._device = Side(), Side()
        self._channel: int | None = None
        self._opaque = self._ended = False
        self._undecided: dict[Request, Asked] = {}
        self._open: dict[int, tuple[Request, Asked]] = {}  # by request id, until answered or refused
        self._held_bytes = 0  # of what is undecided or in _open
        self._greeted = self._acknowledged = False
        self._ours: Request | None = None

    def from_client(self, data: bytes | memoryview) -> list[Request]:
        if self._ended:
            raise BadOpcUa("more after the connection was refused")
        return [request for chunk in self._client.split(data) if (request := self._asked(chunk))]

    def _asked(self, chunk: bytes) -> Request | None:
        kind = chunk[:4]
        if (kind == b"HELF") == self._greeted or kind in (b"ACKF", b"ERRF"):
            raise BadOpcUa(f"a client's {kind!r} here (Part 6 7.1.3)")
        if kind == b"HELF":
            self._hello(chunk)
            self._greeted = True
            return self._held("hello", Kind.SESSION, Asked([chunk]))
        if kind == b"OPNF":
            return self._opens(chunk)
        if self._opaque:
            return self._held("encrypted", Kind.UNKNOWN, Asked([chunk]), answered=False)
        whole = self._whole(self._client, chunk)
        if not whole:
            return None
        asked = Asked(whole, 16, int.from_bytes(chunk[20:24], "little"))
        if kind == b"MSGA":
            return self._held("abort", Kind.SESSION, asked, answered=False)
        body = b"".join(each[24:] for each in whole)
        asked.header, told = read_request(body)
        if (asked.header.service == CLOSE_REQUEST) != (kind == b"CLOF"):
            raise BadOpcUa(f"service {asked.header.service} in {kind!r}")
        if kind == b"CLOF":
            return self._held("close-channel", Kind.SESSION, asked, answered=False)
        left_out = placed(_not_kept(asked.header.service, body), whole)
        return self._keep(Request(told, b"".join(whole), withheld=left_out), asked)

    def _keep(self, request: Request, asked: Asked) -> Request:
        """Whatever could speak against forwarding it is found here."""
        self._held_bytes += len(request.data)
        if max(len(self._undecided), len(self._open)) >= MOST_OPEN or self._held_bytes > MOST_HELD:
            raise BadOpcUa(f"more than {MOST_OPEN} requests or {MOST_HELD} bytes open")
        if asked.at and request.expects_answer:
            if asked.number in self._open:
                raise BadOpcUa(f"request id {asked.number} is in use (Part 6 6.7.2.4)")
            self._open[asked.number] = request, asked
        self._undecided[request] = asked
        return request

    def _hello(self, chunk: bytes) -> None:
        """Part 6 7.1.2.3: the URL has less than 4096 bytes."""
        reader = Reader(chunk, 12)
        receives, sends, message, chunks = _buffers(reader)
        if len(reader.octets()) >= 4096 or reader.at != len(chunk):
            raise BadOpcUa("a hello with too long a URL, or with more than that")
        self._client.limit(sends)
        self._device.limit(receives, message, chunks)

    def _held(self, function: str, kind: Kind, asked: Asked, *, answered: bool = True) -> Request:
        operation = Operation(NAME, function, asked.chunks[-1][:4].decode("ascii"), kind)
        return self._keep(Request((operation,), b"".join(asked.chunks), answered), asked)

    def _opens(self, chunk: bytes) -> Request:
        reader = _opening(chunk)
        if reader is None:
            if self._client.came is not None:
                raise BadOpcUa("a channel with security after one without")
            self._opaque = True
            return self._held("encrypted", Kind.UNKNOWN, Asked([chunk]))
        if self._opaque:
            raise BadOpcUa("a channel without security after one with it")
        at = reader.at
        self._client.check(reader.number("I"))
        asked = Asked([chunk], at, reader.number("I"))
        asked.header, _ = read_request(chunk[reader.at :])
        reader.node(), reader.node(), reader.take(16), reader.text(), reader.take(4), reader.extension()
        reader.take(8)  # version of the protocol, issue or renew
        if asked.header.service != OPEN_REQUEST or reader.number("I") != 1:  # Part 4 7.15: mode none
            raise BadOpcUa("an opening of another service, or of another mode than its policy's")
        return self._held("open-channel", Kind.SESSION, asked)

    def _whole(self, side: Side, chunk: bytes) -> list[bytes]:
        if len(chunk) < 24:
            raise BadOpcUa(f"a chunk of {len(chunk)} bytes (Part 6 6.7.2)")
        channel, token, number, _ = _SYMMETRIC.unpack_from(chunk, 8)
        if channel != self._channel or token not in self._client.tokens:
            raise BadOpcUa(f"channel {channel}, token {token}: never opened (Part 6 6.7.2.2)")
        side.check(number)
        return side.collect(chunk)

    def forward(self, request: Request) -> bytes:
        asked = self._undecided.pop(request)
        chunks, asked.chunks, asked.forwarded = asked.chunks, [], True
        if not (asked.at and request.expects_answer):
            self._held_bytes -= len(request.data)
        return _renumbered(self._client, chunks, asked.at) if asked.at else request.data

    def content(self, request: Request) -> bytes:
        asked = self._undecided[request]
        if asked.header is None or asked.at != 16:
            return request.data
        return undated(b"".join(each[24:] for each in asked.chunks))

    def refuse(self, request: Request) -> Refusal:
        """A fault for services; where there is no channel that could carry one, ERR, which ends the connection."""
        asked = self._undecided.pop(request)
        self._held_bytes -= len(request.data)
        if asked.at and request.expects_answer:
            del self._open[asked.number]
        if asked.header is None or asked.header.service == OPEN_REQUEST:
            if request.operations[0].function == "abort":
                return Refusal(b"")
            self._ended = True
            code = POLICY_REJECTED if self._opaque else DENIED
            reason = b"refused by the owner of the machine"
            return Refusal(struct.pack("<4sIIi", b"ERRF", 16 + len(reason), code, len(reason)) + reason)
        if not request.expects_answer:
            return Refusal(b"")
        body = _fault(asked.header)
        number = self._device.next(1)
        token = int.from_bytes(asked.chunks[0][12:16], "little")
        head = _HEAD.pack(b"MSGF", 24 + len(body)) + _SYMMETRIC.pack(self._channel, token, number, asked.number)
        return Refusal(head + body)

    def read_first(self, request: Request) -> Request | None:
        """Requests that wait for news do so all the time: nothing else may be under way."""
        write, busy = self._undecided[request], any(each.busy for _, each in self._open.values())
        number = own_read.number_of(write.number)
        if busy or number in self._open or request.operations[0].function != "write":
            return None
        head = write.chunks[0][8:16] + struct.pack("<II", self._client.next(1), number)
        self._ours = own_read.read_of(request, b"".join(each[24:] for each in write.chunks), head)
        self._open[number] = self._ours, Asked([], 16, number, Header(READ, 0, 0), forwarded=True)
        self._held_bytes += len(self._ours.data)
        return self._ours

    def from_device(self, data: bytes | memoryview) -> list[Answer]:
        return [answer for chunk in self._device.split(data) if (answer := self._answered(chunk))]

    def _answered(self, chunk: bytes) -> Answer | None:
        kind = chunk[:4]
        if kind == b"ERRF":
            reader = Reader(chunk, 8)
            return Answer(chunk, error=f"{reader.number('I'):#010x} {reader.text()[:200]}")
        if (kind == b"ACKF") == self._acknowledged or kind in (b"HELF", b"CLOF"):
            raise BadOpcUa(f"a server's {kind!r} here (Part 6 7.1.3)")
        if kind == b"ACKF":
            self._acknowledged = True
            receives, sends, message, chunks = _buffers(Reader(chunk, 12))
            self._client.limit(receives, message, chunks)
            self._device.limit(sends)
            return Answer(chunk)
        if self._opaque and not self._ended:  # else the server never heard of a secured channel
            return Answer(chunk)
        if kind == b"OPNF":
            return self._opened(chunk)
        whole = self._whole(self._device, chunk)
        if not whole:
            return None
        found = self._taken(int.from_bytes(chunk[20:24], "little"))
        data = _renumbered(self._device, whole, 16) if found[0] is not self._ours else b""
        if kind == b"MSGA":
            return Answer(data, found[0], "aborted")
        reader, header = Reader(b"".join(each[24:] for each in whole)), found[1].header
        error, values, shares = told(reader, header.service if header else 0)
        called = header is not None and header.service == CALL
        left_out = placed(method_calls.told(reader) if called else (), whole)
        return Answer(data, found[0], error, values, shares=shares, withheld=left_out)

    def _taken(self, number: int) -> tuple[Request, Asked]:
        found = self._open.get(number)
        if found is None or not found[1].forwarded:
            raise BadOpcUa("an answer to nothing that was asked")
        del self._open[number]
        self._held_bytes -= len(found[0].data)
        return found

    def _opened(self, chunk: bytes) -> Answer:
        reader = _opening(chunk)
        if reader is None:
            raise BadOpcUa("a secured answer to an opening without security")
        at = reader.at
        self._device.check(reader.number("I"))
        found = self._taken(reader.number("I"))
        if found[1].header is None or found[1].header.service != OPEN_REQUEST:
            raise BadOpcUa("a channel opened that nobody asked for")
        service, result = result_of(reader)
        if service == OPEN_RESPONSE:
            reader.take(4)
            channel, token = reader.number("I"), reader.number("I")
            if self._channel not in (None, channel):
                raise BadOpcUa(f"channel {channel} renewed, {self._channel} was open")
            self._channel, self._client.tokens = channel, [*self._client.tokens[-1:], token]
        return Answer(_renumbered(self._device, [chunk], at), found[0], result)


def _opening(chunk: bytes) -> Reader | None:
    """At the sequence header (Part 6 6.7.2.3); None where the policy is not none."""
    reader = Reader(chunk, 12)
    policy = reader.text()
    certificates = reader.octets(), reader.octets()
    if policy != POLICY_NONE:
        return None
    if certificates[1]:
        raise BadOpcUa("a thumbprint without security")
    return reader


def _renumbered(side: Side, chunks: list[bytes], at: int) -> bytes:
    given = list[bytes]()
    for chunk in chunks:
        number = side.next(int.from_bytes(chunk[at : at + 4], "little"))
        given.append(chunk[:at] + number.to_bytes(4, "little") + chunk[at + 4 :])
    return b"".join(given)


def _buffers(reader: Reader) -> tuple[int, int, int, int]:
    """What is received and sent at once, and of one message bytes and chunks: Part 6 7.1.2.3, 7.1.2.4."""
    return reader.number("I"), reader.number("I"), reader.number("I"), reader.number("I")


def _fault(header: Header) -> bytes:
    """Part 4 7.30."""
    return struct.pack("<BBHQIIBiHB", 1, 0, SERVICE_FAULT, header.stamp, header.handle, DENIED, 0, 0, 0, 0)


def _not_kept(service: int, body: bytes) -> list[Place]:
    """Of a request."""
    if service == CALL:
        return method_calls.asked(body)
    return identity.secret(body) if service == identity.ACTIVATE else []


def recognise(beginning: bytes) -> bool:
    """HEL: Part 6 7.1.2.2."""
    return beginning[:4] == b"HELF" and 32 <= int.from_bytes(beginning[4:8], "little") < 32 + 4096
