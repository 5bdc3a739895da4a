# SPDX-License-Identifier: Apache-2.0
"""One Modbus/TCP connection: requests out of one direction, the answers that belong to them out of the other."""

from dataclasses import replace
from struct import Struct

from portineria.protocols.inspection import Answer, Inspection, Refusal, Request, Withheld
from portineria.protocols.modbus import umas
from portineria.protocols.modbus.data_access import MOST_REGISTERS_READ, Values
from portineria.protocols.modbus.frame import EXCEPTION, HEADER, UMAS, BadModbus, Splitter
from portineria.protocols.modbus.function import FUNCTIONS, LAST_FUNCTION, UNKNOWN
from portineria.protocols.operation import Operation

# A device takes 1 to 16 at once (MG 4.4.2: NumberMaxOfServerTransaction); some take what the network holds.
MOST_IN_FLIGHT = 1024
# Unit 255 and 0 are the device itself, any other is behind it (MG 4.4): all are said, a permission compares them.
ROUTES = tuple((f"unit {unit}",) for unit in range(256))
EXCEPTIONS = {  # AP 7
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge",
    6: "server device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}
# AP 7: "not an allowable action for the server", the only one that says no to the function itself and for good. 2 and 3
# would blame address or value, 4 reports a broken device, 5 and 6 ask for a repetition, 10 and 11 make clients count
# the device as gone. Clients hand it on as the error of this one request and keep the connection.
ILLEGAL_FUNCTION = 1
_READS = {"holding": 3, "coil": 1}  # AP 6.3, 6.1: what can be written, read
_READ = Struct(">HHHBBHH")  # MG 3.1.3, then AP 6.1


class ModbusInspection(Inspection):
    def __init__(self) -> None:
        self._client = Splitter()
        self._device = Splitter()
        self._in_flight: dict[Request, int] = {}  # oldest first -> its key
        self._ours: Request | None = None
        self._by_key: dict[int, list[Request]] = {}  # a transaction id may be in use twice: oldest first

    def from_client(self, data: bytes | memoryview) -> list[Request]:
        return [Request(_operations(frame), frame, withheld=_withheld(frame)) for frame in self._client.take(data)]

    def forward(self, request: Request) -> bytes:
        if len(self._in_flight) >= MOST_IN_FLIGHT:
            # Never answered, as writes to a whole serial line and what a device drops. An answer that comes after
            # so many others belongs to nothing.
            self._forget(next(iter(self._in_flight)))
        key = _key(request.data)
        self._in_flight[request] = key
        self._by_key.setdefault(key, []).append(request)
        return request.data

    def content(self, request: Request) -> bytes:
        """Without transaction, protocol and length (MG 3.1.3)."""
        return request.data[6:]

    def refuse(self, request: Request) -> Refusal:
        frame = request.data
        exception = bytes((frame[HEADER] | EXCEPTION, ILLEGAL_FUNCTION))
        return Refusal(frame[:4] + b"\x00\x03" + frame[6:HEADER] + exception)

    def read_first(self, request: Request) -> Request | None:
        """Under a transaction identifier that the request does not have; nothing else is open."""
        target, frame = request.operations[0].targets[0], request.data
        code = _READS.get(target.area)
        if code is None or self._in_flight or target.first is None or target.count > MOST_REGISTERS_READ:
            return None
        number = (frame[0] << 8 | frame[1]) ^ 0x8000
        asked = _READ.pack(number, 0, 6, frame[6], code, target.first, target.count)
        self._ours = Request(_operations(asked), asked)
        self.forward(self._ours)
        return self._ours

    def from_device(self, data: bytes | memoryview) -> list[Answer]:
        return [self._answer(frame) for frame in self._device.take(data)]

    def _answer(self, frame: bytes) -> Answer:
        """The oldest request of its transaction and unit that it can answer: an older one may stay unanswered."""
        waiting = self._by_key.get(_key(frame))
        if not waiting:
            raise BadModbus(f"an answer to transaction {frame[0] << 8 | frame[1]}, which nobody asked (MG 4.4.1)")
        pdu = frame[HEADER:]
        request = waiting[0]
        if len(waiting) > 1:
            request = next((each for each in waiting if _fits(each, pdu)), request)
        error, values = _told(request, pdu)
        self._forget(request)
        if request is self._ours:
            return Answer(b"", request, error, values)
        return Answer(frame, request, error, values, withheld=_withheld(frame, request.data))

    def _forget(self, request: Request) -> None:
        key = self._in_flight.pop(request)
        waiting = self._by_key[key]
        waiting.remove(request)
        if not waiting:
            del self._by_key[key]


def recognise(beginning: bytes) -> bool:
    """A first request of a known function: checked whole, or as far as it has come."""
    size = 6 + int.from_bytes(beginning[4:6], "big")
    try:
        frames = Splitter().take(beginning[:size])
        if frames:
            return frames[0][HEADER] in FUNCTIONS and bool(_operations(frames[0]))
        return _may_begin(beginning, size)
    except BadModbus:
        return False


def _may_begin(beginning: bytes, size: int) -> bool:
    if len(beginning) <= HEADER or (code := beginning[HEADER]) not in FUNCTIONS:
        return False
    shortest, longest = FUNCTIONS[code].sizes
    return shortest <= size - HEADER <= longest


def _withheld(frame: bytes, asked: bytes = b"") -> tuple[Withheld, ...]:
    """``asked``: the request that ``frame`` answers."""
    if frame[HEADER] != UMAS:
        return ()
    found = umas.withheld(frame[HEADER:], asked[HEADER + 2] if asked else None)
    return tuple(replace(each, at=HEADER + each.at) for each in found)


def _key(frame: bytes) -> int:
    return frame[0] << 16 | frame[1] << 8 | frame[6]


def _operations(frame: bytes) -> tuple[Operation, ...]:
    code = frame[HEADER]
    if not 1 <= code <= LAST_FUNCTION:
        raise BadModbus(f"function {code}, not 1 to {LAST_FUNCTION} (AP 4.1)")
    return FUNCTIONS.get(code, UNKNOWN).request(frame[HEADER:], ROUTES[frame[6]])


def _told(request: Request, pdu: bytes) -> tuple[str, Values]:
    asked = request.data[HEADER:]
    code = asked[0]
    if pdu[0] == code | EXCEPTION:
        if len(pdu) != 2:
            raise BadModbus(f"an exception in {len(pdu)} bytes (AP 7)")
        return f"exception {pdu[1]}: {EXCEPTIONS.get(pdu[1], 'unknown')}", ()
    if pdu[0] != code:
        raise BadModbus(f"function {pdu[0]} answered where {code} was asked (AP 4.1)")
    values = FUNCTIONS.get(code, UNKNOWN).answer(request.operations, asked, pdu)
    return umas.failure(pdu) if code == UMAS else "", values


def _fits(request: Request, pdu: bytes) -> bool:
    try:
        _told(request, pdu)
    except BadModbus:
        return False
    return True
