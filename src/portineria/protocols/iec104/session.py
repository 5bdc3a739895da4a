# SPDX-License-Identifier: Apache-2.0
"""One connection between a controlling and a controlled station: frames both ways, their numbers, what answers what."""

from collections import deque

from portineria.protocols.iec104 import apci, asdu
from portineria.protocols.iec104.apci import HEADER, UNNUMBERED, BadIec104, Splitter
from portineria.protocols.iec104.asdu import Asdu
from portineria.protocols.iec104.functions import COUNTER_INTERROGATION, INTERROGATION, READ, REQUESTED
from portineria.protocols.iec104.numbering import Numbering, Place
from portineria.protocols.inspection import Answer, Inspection, Refusal, Request
from portineria.protocols.operation import Kind, Operation

MOST_IN_FLIGHT = 1024  # ours: requests whose answers are awaited; stations take 12 at once (104, 5.5)
EVERY_STATION = 0xFFFF  # 101, 7.2.4: the broadcast address
_CONFIRMED = {apci.STARTDT_CON: apci.STARTDT_ACT, apci.STOPDT_CON: apci.STOPDT_ACT, apci.TESTFR_CON: apci.TESTFR_ACT}
_MAY_ASK = {apci.STARTDT_ACT, apci.STOPDT_ACT, apci.TESTFR_ACT, apci.TESTFR_CON}  # 104, 5.2 and 5.3
_MAY_TELL = {apci.STARTDT_CON, apci.STOPDT_CON, apci.TESTFR_ACT, apci.TESTFR_CON}
# Causes of data that an interrogation brings, 101, 7.2.3: 20 to 36 by station or group, 37 to 41 of counters.
_BROUGHT = {
    **dict.fromkeys(range(20, 37), INTERROGATION),
    **dict.fromkeys(range(37, 42), COUNTER_INTERROGATION),
    REQUESTED: READ,
}
Key = tuple[int, int, int]  # type, common address, object address


class Iec104Inspection(Inspection):
    def __init__(self) -> None:
        self._client, self._device = Splitter(), Splitter()
        self._numbers = Numbering()
        self._started = False
        self._places: dict[Request, Place] = {}  # of I frames that are not decided
        self._acknowledges: dict[Request, int] = {}  # of S frames that are not decided
        self._in_flight: dict[Request, Key] = {}  # oldest first
        self._by_key: dict[Key, deque[Request]] = {}
        self._confirmed: dict[Key, Request] = {}  # oldest first
        self._asked: dict[int, deque[Request]] = {each: deque(maxlen=16) for each in _CONFIRMED.values()}

    def from_client(self, data: bytes | memoryview) -> list[Request]:
        return [self._requested(frame) for frame in self._client.take(data)]

    def forward(self, request: Request) -> bytes:
        frame = request.data
        if (place := self._places.pop(request, None)) is not None:
            self._remember(request)
            return apci.renumbered(frame, *self._numbers.forward(place))
        if (acknowledged := self._acknowledges.pop(request, None)) is not None:
            return apci.supervisory(self._numbers.tell_device(acknowledged))
        if frame[2] in self._asked:
            self._asked[frame[2]].append(request)
        return frame

    def refuse(self, request: Request) -> Refusal:
        """A frame that is left out may have acknowledged others: the device has to be told."""
        place = self._places.pop(request, None)
        if place is None:
            self._acknowledges.pop(request, None)
            if request.data[2] in (apci.STARTDT_ACT, apci.STOPDT_ACT):  # the station has not heard of it
                self._started = request.data[2] == apci.STOPDT_ACT
            return Refusal(b"")
        untold = self._numbers.untold(place)
        to_client = apci.numbered(asdu.negative(request.data, HEADER), *self._numbers.refuse(place))
        to_device = apci.supervisory(self._numbers.tell_device(place.acknowledges)) if untold else b""
        return Refusal(to_client, to_device)

    def content(self, request: Request) -> bytes:
        """Without the numbers of the APCI (104, 5)."""
        return request.data[HEADER:]

    def from_device(self, data: bytes | memoryview) -> list[Answer]:
        return [self._answered(frame) for frame in self._device.take(data)]

    def _requested(self, frame: bytes) -> Request:
        if not frame[2] & 1:
            return self._command(frame)
        function = apci.unnumbered(frame)
        if function is None:
            acknowledged = self._numbers.client_acknowledges(apci.CONTROL(frame, 2)[1] >> 1)
            request = Request((_ACKNOWLEDGE,), frame, expects_answer=False)
            self._acknowledges[request] = acknowledged
            if len(self._acknowledges) > MOST_IN_FLIGHT:
                raise BadIec104(f"more than {MOST_IN_FLIGHT} acknowledgements that are not decided")
            return request
        if function not in _MAY_ASK:
            raise BadIec104(f"{UNNUMBERED[function]} from the controlling station (104, 5.3)")
        if function in (apci.STARTDT_ACT, apci.STOPDT_ACT):
            self._started = function == apci.STARTDT_ACT
        return Request((_SESSION[function],), frame, expects_answer=function in self._asked)

    def _command(self, frame: bytes) -> Request:
        if not self._started:
            raise BadIec104("an I frame while the transfer is not started (104, 5.3)")
        sent, received = _numbers(frame)
        command = asdu.parse(frame, HEADER)
        acknowledged = self._numbers.client_acknowledges(received)
        told = asdu.requested(command, frame, HEADER)
        # Of a file the station answers in types of its own, if it answers (101, 7.4.11).
        request = Request((told,), frame, told.kind is not Kind.FILE, asdu.withheld(command, frame))
        self._places[request] = self._numbers.client_sends(sent, acknowledged)
        return request

    def _answered(self, frame: bytes) -> Answer:
        if not frame[2] & 1:
            return self._told(frame)
        function = apci.unnumbered(frame)
        if function is None:
            self._numbers.device_acknowledges(apci.CONTROL(frame, 2)[1] >> 1)
            return Answer(apci.supervisory(self._numbers.settled()), operations=(_ACKNOWLEDGE,))
        if function not in _MAY_TELL:
            raise BadIec104(f"{UNNUMBERED[function]} from the controlled station (104, 5.3)")
        if function == apci.TESTFR_ACT:
            return Answer(frame, operations=(_SESSION[function],))
        asked = self._asked[_CONFIRMED[function]]
        if not asked:
            raise BadIec104(f"{UNNUMBERED[function]}, which nobody asked for (104, 5.3)")
        return Answer(frame, asked.popleft())

    def _told(self, frame: bytes) -> Answer:
        sent, received = _numbers(frame)
        said = asdu.parse(frame, HEADER)
        self._numbers.device_acknowledges(received)
        number = self._numbers.device_sends(sent)
        data = apci.renumbered(frame, number, self._numbers.settled())
        operations, left_out = (asdu.told(said),), asdu.withheld(said, frame)  # a segment, whatever its cause
        if said.cause in _BROUGHT and said.type != READ:
            request = self._brought(said)
            values = (operations[0].values,) if request and said.cause == REQUESTED else ()
            return Answer(data, request, "", values, operations, withheld=left_out)
        if said.cause in asdu.ERRORS and (request := self._answers(said)):
            return Answer(data, request, asdu.error(said), withheld=left_out)
        return Answer(data, None, asdu.error(said), (), operations, withheld=left_out)

    def _answers(self, said: Asdu) -> Request | None:
        """The oldest request of the same type, station and object; to a broadcast each station answers for itself."""
        address = said.objects[0][0] if said.objects else -1
        for station in (said.station, EVERY_STATION):
            key = (said.type, station, address)
            if said.cause == asdu.TERMINATED and key in self._confirmed:
                return self._confirmed[key] if station == EVERY_STATION else self._confirmed.pop(key)
            if waiting := self._by_key.get(key):
                request = waiting[0]
                self._forget(request)
                if said.cause == asdu.CONFIRMATION and not said.negative:
                    self._confirm(key, request)
                return request
            if station == EVERY_STATION and key in self._confirmed:
                return self._confirmed[key]
        return None

    def _confirm(self, key: Key, request: Request) -> None:
        """Its end is still to come, and what an interrogation brings."""
        self._confirmed.pop(key, None)
        if len(self._confirmed) >= MOST_IN_FLIGHT:
            del self._confirmed[next(iter(self._confirmed))]
        self._confirmed[key] = request

    def _brought(self, said: Asdu) -> Request | None:
        asked = _BROUGHT[said.cause]
        address = said.objects[0][0] if said.objects and asked == READ else 0
        for station in (said.station, EVERY_STATION):
            key = (asked, station, address)
            if key in self._confirmed:
                return self._confirmed[key]
            if waiting := self._by_key.get(key):
                request = waiting[0]
                if asked == READ:
                    self._forget(request)
                return request
        return None

    def _remember(self, request: Request) -> None:
        if len(self._in_flight) >= MOST_IN_FLIGHT:
            self._forget(next(iter(self._in_flight)))  # never terminated, as much is not
        asked = request.data
        known = request.operations[0].targets
        address = int.from_bytes(asked[12:15], "little") if known else -1
        key = (asked[HEADER], asked[10] | asked[11] << 8, address)
        self._in_flight[request] = key
        self._by_key.setdefault(key, deque()).append(request)

    def _forget(self, request: Request) -> None:
        key = self._in_flight.pop(request)
        waiting = self._by_key[key]
        waiting.remove(request)
        if not waiting:
            del self._by_key[key]


def _numbers(frame: bytes) -> tuple[int, int]:
    sent, received = apci.CONTROL(frame, 2)
    if received & 1:
        raise BadIec104("an I frame with a reserved bit (104, 5)")
    return sent >> 1, received >> 1


def _session(name: str, code: str) -> Operation:
    return Operation(asdu.NAME, name, code, Kind.SESSION)


_ACKNOWLEDGE = _session("acknowledge", "S")
_SESSION = {function: _session(name, "U") for function, name in UNNUMBERED.items()}
