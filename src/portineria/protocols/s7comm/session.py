# SPDX-License-Identifier: Apache-2.0
"""One connection to an S7 station, both directions.

Nothing here is numbered in sequence: answers carry the reference of their job, so a request that is left out leaves
nothing to mend. A message that arrives in fragments is forwarded in one piece where the agreed TPDU size allows: the
station must not be able to cut it otherwise than we did.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

from portineria.protocols.inspection import Answer, Inspection, Refusal, Request
from portineria.protocols.operation import Kind, Operation, Target, Value
from portineria.protocols.s7comm import functions as known
from portineria.protocols.s7comm import header, jobs, refusals, transport, userdata, withheld
from portineria.protocols.s7comm.errors import BadS7
from portineria.protocols.s7comm.functions import Function
from portineria.protocols.s7comm.header import ACK, ACK_DATA, JOB, USERDATA, Pdu
from portineria.protocols.s7comm.transport import CC, CR, DC, DR, DT, ER, Opening, Transport, Unit
from portineria.protocols.s7comm.variables import Item, read_values, written_error

_BEFORE_SETUP = 240  # bytes; the smallest PDU that stations offer (S7-200, S7-300): before a setup nothing needs more
_MAX_PDU = 4096  # ours: stations offer up to 960; larger ones would hold more words than MAX_VALUES
_MAX_OPEN = 256  # ours: requests not yet decided or answered; stations offer 1 to 32 parallel jobs
_MAX_REMEMBERED = 64  # ours: uploads, answers to be continued, blocks that the station fetches

_CONTROL = {
    CR: Function("connect", Kind.SESSION),
    DR: Function("disconnect", Kind.SESSION),
    DC: Function("disconnect", Kind.SESSION),
    ER: Function("transport-error", Kind.SESSION),
}
_Key = TypeVar("_Key")
_Of = TypeVar("_Of")
_KEEP_ALIVE = Function("keep-alive", Kind.SESSION)
_ANSWER = Function("answer", Kind.UNKNOWN)  # to a job of the station that belongs to no download


@dataclass(slots=True)
class _Asked:
    """What is kept of a request until it is decided and answered. ``due``: the station waits for it."""

    unit: Unit
    operations: tuple[Operation, ...]
    pdu: Pdu | None = None
    head: userdata.Parameter | None = None
    items: tuple[Item, ...] = ()
    opening: Opening | None = None
    due: bool = False


class S7Inspection(Inspection):
    def __init__(self) -> None:
        self._client, self._station = Transport(), Transport()
        self._opening: Request | None = None  # forwarded, not yet confirmed
        self._asked_to_open = self._open = False
        self._route: tuple[str, ...] = ()
        self._tpdu = 0
        self._pdu_size = _BEFORE_SETUP
        self._undecided: dict[Request, _Asked] = {}
        self._sent: dict[Request, _Asked] = {}
        self._fetched: dict[int, tuple[int, tuple[Target, ...]]] = {}  # jobs of the station, by reference
        self._uploads: dict[bytes, tuple[Target, ...]] = {}  # by the station's id
        self._begun: dict[int, Operation] = {}  # by the sequence number of an answer that has more
        self._ours: Request | None = None

    def from_client(self, data: bytes | memoryview) -> list[Request]:
        requests = []
        for unit in self._client.receive(data):
            if len(self._undecided) + len(self._sent) >= _MAX_OPEN:
                raise BadS7(f"more than {_MAX_OPEN} requests at once")
            asked = self._data(unit) if unit.code == DT else self._control(unit)
            if self._route:
                asked.operations = tuple(replace(each, route=self._route + each.route) for each in asked.operations)
            left_out = withheld.of(asked.operations[0], unit, asked.pdu) if asked.pdu else ()
            request = Request(asked.operations, unit.raw, _expects_answer(asked), left_out)
            self._undecided[request] = asked
            requests.append(request)
        return requests

    def forward(self, request: Request) -> bytes:
        asked = self._undecided.pop(request)
        if asked.opening:
            self._opening = request
        elif asked.pdu and request.expects_answer:
            self._sent[request] = asked
        unit = asked.unit
        return unit.raw if unit.fragments == 1 else transport.data_packets(unit.body, self._tpdu)

    def content(self, request: Request) -> bytes:
        """Without the reference of the job, which stands at 4 and 5."""
        asked = self._undecided[request]
        return asked.unit.body if asked.pdu is None else asked.unit.body[:4] + asked.unit.body[6:]

    def refuse(self, request: Request) -> Refusal:
        asked = self._undecided.pop(request)
        if asked.opening:
            return Refusal(transport.disconnect(asked.opening))
        if asked.pdu is None:
            return Refusal(b"")
        if asked.pdu.rosctr in (ACK, ACK_DATA):
            return Refusal(b"", self._packets(refusals.to_station(asked.pdu)) if asked.due else b"")
        return Refusal(self._packets(refusals.to_client(asked.pdu, asked.head)))

    def read_first(self, request: Request) -> Request | None:
        """Under a reference that the write does not have; no job and no download is under way."""
        asked = self._undecided[request]
        if self._sent or self._fetched or asked.pdu is None or len(asked.items) != 1:
            return None
        job = jobs.read_of(asked.pdu)
        told, items = jobs.operations(job)
        operations = tuple(replace(each, route=self._route + each.route) for each in told)
        self._ours = Request(operations, self._packets(header.job(job)))
        self._sent[self._ours] = replace(asked, operations=operations, pdu=job, items=items)
        return self._ours

    def from_device(self, data: bytes | memoryview) -> list[Answer]:
        return [self._told(unit) for unit in self._station.receive(data)]

    def _packets(self, message: bytes) -> bytes:
        return transport.data_packets(message, self._tpdu) if message else b""

    def _control(self, unit: Unit) -> _Asked:
        if unit.code == CC or (unit.code == CR and self._asked_to_open):
            raise BadS7(f"TPDU {unit.code:02x} from the client, expected none of it here")
        told = jobs.operation(_CONTROL[unit.code], f"0x{unit.code:02x}")
        if unit.code != CR:
            self._asked_to_open, self._open = True, self._open and unit.code == ER
            return _Asked(unit, (told,))
        opening = transport.read_opening(unit.body)
        self._asked_to_open, self._route = True, opening.route
        return _Asked(unit, (replace(told, targets=(Target("tsap", name=opening.called),)),), opening=opening)

    def _data(self, unit: Unit) -> _Asked:
        if not self._open:
            raise BadS7("data before the connection is confirmed, or after its end")
        if not unit.body:
            return _Asked(unit, (jobs.operation(_KEEP_ALIVE, "0xf0"),))
        if unit.body[0] == header.PLUS:
            return _Asked(unit, (jobs.operation(known.PLUS, "0x72"),))
        if len(unit.body) > self._pdu_size:
            raise BadS7(f"PDU of {len(unit.body)} bytes, agreed on {self._pdu_size}")
        pdu = header.parse(unit.body)
        if pdu.rosctr == JOB:
            operations, items = jobs.operations(pdu)
            if pdu.parameter[0] in (known.UPLOAD, known.END_UPLOAD):
                targets = self._uploads.get(pdu.parameter[4:8], ())
                operations = (replace(operations[0], targets=targets),)
            return _Asked(unit, operations, pdu, items=items)
        if pdu.rosctr == USERDATA:
            head = userdata.parameter(pdu.parameter)
            return _Asked(unit, userdata.operations(head, pdu, self._begun.get(head.sequence)), pdu, head)
        return self._answered(unit, pdu)

    def _answered(self, unit: Unit, pdu: Pdu) -> _Asked:
        """An answer of the client: a piece of a program, where the station fetches one."""
        function, targets = self._fetched.pop(pdu.reference, (-1, ()))
        code = f"0x{pdu.rosctr:02x} 0x{pdu.parameter[0]:02x}" if pdu.parameter else f"0x{pdu.rosctr:02x}"
        due = function >= 0
        if function in (known.DOWNLOAD_BLOCK, known.DOWNLOAD_ENDED) and pdu.parameter[:1] == bytes((function,)):
            values = (pdu.data,) if pdu.data else ()
            return _Asked(unit, (jobs.operation(known.JOBS[function], code, targets, values),), pdu, due=due)
        return _Asked(unit, (jobs.operation(_ANSWER, code),), pdu, due=due)

    def _told(self, unit: Unit) -> Answer:
        if unit.code == CC:
            return self._confirmed(unit)
        if unit.code == CR or (unit.code == DT and not self._tpdu):
            raise BadS7(f"TPDU {unit.code:02x} from the station, expected none of it here")
        if unit.code == DR:
            opened, self._opening, self._open = self._opening, None, False
            reason = unit.body[6] if len(unit.body) > 6 else 0  # ISO 8073, 13.5.3 d
            return Answer(unit.raw, opened, f"disconnected, reason {reason}")
        if unit.code != DT or not unit.body or unit.body[0] == header.PLUS:
            return Answer(unit.raw)
        pdu = header.parse(unit.body)
        if pdu.rosctr == USERDATA:
            return self._userdata(unit, pdu)
        if pdu.rosctr == JOB:
            return self._fetching(unit, pdu)
        return self._job_answer(unit, pdu)

    def _confirmed(self, unit: Unit) -> Answer:
        request, self._opening = self._opening, None
        if request is None:
            raise BadS7("confirmation of a connection that nobody asked for")
        agreed = transport.read_opening(unit.body)
        asked = transport.read_opening(request.data[4:])
        self._tpdu, self._open = min(agreed.size, asked.size), True
        return Answer(unit.raw, request)

    def _userdata(self, unit: Unit, pdu: Pdu) -> Answer:
        if pdu.parameter[:3] != userdata.HEAD:  # stations also speak in forms that no client does
            return Answer(unit.raw)
        head = userdata.parameter(pdu.parameter)
        if head.kind != userdata.RESPONSE:
            return Answer(unit.raw, operations=(userdata.told_unasked(head),))
        for request, asked in self._sent.items():
            if (sent := asked.head) and asked.pdu and asked.pdu.reference == pdu.reference:
                if (sent.group, sent.function) != (head.group, head.function):
                    continue
                del self._sent[request]
                self._begun.pop(head.sequence, None)
                if head.more:
                    _remember(self._begun, head.sequence, request.operations[0])
                _, content = userdata.payload(pdu.data)
                left_out = withheld.of(request.operations[0], unit, pdu)
                values = ((content,),) if content else ()
                return Answer(unit.raw, request, _error(head.error), values, withheld=left_out)
        return Answer(unit.raw)

    def _fetching(self, unit: Unit, pdu: Pdu) -> Answer:
        """The station asks for the next piece of a download, or for something that we do not know."""
        function = pdu.parameter[0] if pdu.parameter else 0
        fetches = function in (known.DOWNLOAD_BLOCK, known.DOWNLOAD_ENDED)
        targets = jobs.block_target(pdu.parameter) if fetches else ()
        _remember(self._fetched, pdu.reference, (function, targets))
        told = jobs.operation(known.JOBS.get(function, known.UNKNOWN), f"0x{function:02x}", targets)
        return Answer(unit.raw, operations=(told,))

    def _job_answer(self, unit: Unit, pdu: Pdu) -> Answer:
        """Where ours was never answered and a client's job has its reference by now, it is the client's."""
        for request, asked in sorted(self._sent.items(), key=lambda sent: sent[0] is self._ours):
            job = asked.pdu
            if job and job.rosctr == JOB and job.reference == pdu.reference:
                if pdu.parameter and pdu.parameter[0] != job.parameter[0]:
                    continue
                del self._sent[request]
                error, values = self._outcome(asked, job.parameter, pdu)
                if request is self._ours:
                    return Answer(b"", request, error, values)
                return Answer(unit.raw, request, error, values, withheld=withheld.of(request.operations[0], unit, pdu))
        return Answer(unit.raw, error=_error(pdu.error))

    def _outcome(self, asked: _Asked, job: bytes, pdu: Pdu) -> tuple[str, tuple[tuple[Value, ...], ...]]:
        if pdu.error or not pdu.parameter:
            return _error(pdu.error), ()
        if job[0] == known.READ:
            return read_values(asked.items, pdu.data)
        if job[0] == known.WRITE:
            return written_error(len(asked.items), pdu.data), ()
        if job[0] == known.SETUP:
            self._pdu_size = jobs.setup_length(pdu.parameter)
            if not _BEFORE_SETUP // 4 <= self._pdu_size <= _MAX_PDU:
                raise BadS7(f"station offers PDUs of {self._pdu_size} bytes")
        if job[0] == known.START_UPLOAD and len(pdu.parameter) >= 8:
            _remember(self._uploads, pdu.parameter[4:8], asked.operations[0].targets)
        return "", ((pdu.data,),) if pdu.data else ()


def _expects_answer(asked: _Asked) -> bool:
    if asked.pdu is None:
        return asked.opening is not None or asked.operations[0].function == known.PLUS.name
    return asked.pdu.rosctr == JOB or (asked.head is not None and asked.head.kind == userdata.REQUEST)


def _error(number: int) -> str:
    return f"error 0x{number:04x}: {known.ERRORS.get(number, 'see the maker')}" if number else ""


def _remember(memory: dict[_Key, _Of], key: _Key, value: _Of) -> None:
    if len(memory) >= _MAX_REMEMBERED:
        del memory[next(iter(memory))]
    memory[key] = value
