# SPDX-License-Identifier: Apache-2.0
"""One connection between masters and outstations: frames both ways, what they ask, and what answers what."""

from portineria.protocols.dnp3 import application, files, link, withheld
from portineria.protocols.dnp3 import functions as known
from portineria.protocols.dnp3.association import Association, Awaited, Place
from portineria.protocols.dnp3.link import BadDnp3, Frame, Splitter
from portineria.protocols.dnp3.transport import FIRST, Fragment
from portineria.protocols.inspection import Answer, Inspection, Refusal, Request
from portineria.protocols.operation import Operation

MOST_UNDECIDED, MOST_BYTES = 2048, 1 << 20  # ours: requests, and their octets
MOST_ASSOCIATIONS = 64  # ours: outstations behind one connection, times masters
Key = tuple[int, int]  # addresses of master and outstation


class Dnp3Inspection(Inspection):
    def __init__(self) -> None:
        self._client, self._device = Splitter(from_master=True), Splitter(from_master=False)
        self._associations: dict[Key, Association] = {}
        self._fragments: dict[Request, tuple[Association, Place, bool]] = {}  # that are not decided
        self._frames: dict[Request, tuple[Association, Frame, bool]] = {}  # of the link layer itself, as well
        self._undecided_bytes = 0
        self._owed = b""

    def owed(self) -> bytes:
        owed, self._owed = self._owed, b""
        return owed

    def from_client(self, data: bytes | memoryview) -> list[Request]:
        return [request for frame in self._client.take(data) if (request := self._requested(frame)) is not None]

    def forward(self, request: Request) -> bytes:
        self._undecided_bytes -= len(request.data)
        if (found := self._frames.pop(request, None)) is not None:
            association, frame, _ = found
            return self._onward(association, frame)
        association, place, _ = self._fragments.pop(request)
        return association.forward(place, request)

    def refuse(self, request: Request) -> Refusal:
        """A service of the link is one that is not supported; what only acknowledges is passed over in silence."""
        self._undecided_bytes -= len(request.data)
        if (found := self._frames.pop(request, None)) is not None:
            association, frame, counts = found
            if not frame.control & link.PRIMARY:
                return Refusal(b"")
            association.flipped ^= counts and frame.control & 15 == link.TEST
            return Refusal(link.frame(link.NOT_SUPPORTED, frame.source, frame.destination))
        association, place, counts = self._fragments.pop(request)
        return Refusal(association.refuse(place, counts=counts))

    def content(self, request: Request) -> bytes:
        """Without what numbers it: frames and segments, and SEQ of the application's control octet (4.2.2.4.5)."""
        if request not in self._fragments:
            return request.data
        data = self._fragments[request][1].fragment.data
        return bytes((data[0] & ~application.SEQUENCE,)) + data[1:]

    def from_device(self, data: bytes | memoryview) -> list[Answer]:
        return [answer for frame in self._device.take(data) if (answer := self._answered(frame)) is not None]

    # -- of the client ---------------------------------------------------------------------------------------------

    def _requested(self, frame: Frame) -> Request | None:
        association = self._between(frame.source, frame.destination)
        counts = bool(frame.control & link.PRIMARY and frame.control & link.COUNT_VALID) and association.count(frame)
        if not frame.carries_data:
            answered = bool(frame.control & link.PRIMARY) and frame.destination < link.BROADCAST
            request = Request((_service(frame),), frame.raw, expects_answer=answered)
            self._frames[request] = association, frame, counts
            return self._undecided(request)
        if frame.data[0] & FIRST:
            association.drop()
        again = frame.control & 15 == link.CONFIRMED and not counts and association.asks.has(frame)
        fragment = None if again else association.asks.take(frame)
        if fragment is None:
            self._owed += association.begun(frame, counts=counts)
            return None
        asked = application.asked(fragment.data)
        operations = application.requested(asked, _route(frame.destination))
        answered = known.answered(asked.code) and frame.destination < link.BROADCAST
        left_out = withheld.asked(asked, fragment.frames)
        request = Request(operations, fragment.raw, expects_answer=answered, withheld=left_out)
        self._fragments[request] = association, Place(fragment, asked), association.whole(counts=counts)
        return self._undecided(request)

    def _undecided(self, request: Request) -> Request:
        self._undecided_bytes += len(request.data)
        if len(self._fragments) + len(self._frames) > MOST_UNDECIDED or self._undecided_bytes > MOST_BYTES:
            raise BadDnp3(f"more than {MOST_UNDECIDED} requests or {MOST_BYTES} octets that are not decided")
        return request

    def _onward(self, association: Association, frame: Frame) -> bytes:
        if not frame.control & link.PRIMARY:
            return frame.raw
        if frame.control & 15 == link.RESET:
            association.flipped, association.counted = False, None
            association.turned = False
            association.acknowledged.clear()
        if frame.control & 15 in (link.RESET, link.TEST):
            association.acknowledged.append(False)
        if frame.control & 15 == link.TEST and association.flipped:
            return link.frame(frame.control ^ link.COUNT_BIT, frame.destination, frame.source)
        return frame.raw

    def _between(self, master: int, outstation: int) -> Association:
        found = self._associations.get((master, outstation))
        if found is None:
            if link.RESERVED <= outstation < link.SELF or master >= link.RESERVED:
                raise BadDnp3(f"from {master} to {outstation}, an address that is reserved (9.2.4.1.4)")
            if len(self._associations) >= MOST_ASSOCIATIONS:
                raise BadDnp3(f"more than {MOST_ASSOCIATIONS} pairs of addresses")
            found = self._associations[master, outstation] = Association()
        return found

    # -- of the device ---------------------------------------------------------------------------------------------

    def _answered(self, frame: Frame) -> Answer | None:
        if frame.source >= link.RESERVED:
            raise BadDnp3(f"from {frame.source}, which is no outstation (9.2.4.1.4)")
        association = self._between(frame.destination, frame.source)
        if not frame.carries_data:
            ours = not frame.control & link.PRIMARY and frame.control & 15 in (link.ACK, link.NACK)
            if ours and association.acknowledged and association.acknowledged.popleft():
                return None
            return Answer(frame.raw, operations=(_service(frame),))
        fragment = association.tells.take(frame)
        if fragment is None:
            return None
        told = application.told(fragment.data)
        operation = application.reported(told, _route(frame.source))
        if told.code == known.UNSOLICITED:
            data = association.answered(fragment, told, None)
            error, left_out = application.error(told, fragment.data), withheld.told(told, fragment.frames)
            return Answer(data, None, error, (), (operation,), withheld=left_out)
        awaited = association.match(told, self._by_self(frame.destination, told))
        if awaited is None:
            raise BadDnp3(f"an answer with SEQ {told.control & application.SEQUENCE}, which nobody awaits (4.2.2.4.5)")
        return self._answer(association, fragment, told, awaited, operation)

    def _answer(
        self, association: Association, fragment: Fragment, told: application.Told, to: Awaited, said: Operation
    ) -> Answer:
        data = association.answered(fragment, told, to)
        asked = to.request.operations
        error, left_out = application.error(told, fragment.data), withheld.told(told, fragment.frames)
        if len(asked) == 1 and asked[0].function == "open-file" and len(told.headers) == 1:
            opened = files.opened(told.headers[0])
            return Answer(data, to.request, error, (opened,) if opened else (), withheld=left_out)
        if len(asked) == 1 and said.targets == asked[0].targets and said.values and not asked[0].values:
            return Answer(data, to.request, error, (said.values,), withheld=left_out)
        echoed = any(operation.values for operation in asked)
        reported = () if echoed or not said.targets else (said,)
        return Answer(data, to.request, error, (), reported, withheld=left_out)

    def _by_self(self, master: int, told: application.Told) -> Awaited | None:
        """Who was asked as "yourself" answers with its own address: 9.2.4.1.5."""
        asked = self._associations.get((master, link.SELF))
        return asked.awaited.get(told.control & application.SEQUENCE) if asked else None


def _route(outstation: int) -> tuple[str, ...]:
    if outstation >= link.BROADCAST:
        return ("every outstation",)
    return ("outstation self",) if outstation == link.SELF else (f"outstation {outstation}",)


def _service(frame: Frame) -> Operation:
    outstation = frame.destination if frame.control & link.FROM_MASTER else frame.source
    return Operation(application.NAME, frame.name, "link", known.LINK[frame.name], route=_route(outstation))
