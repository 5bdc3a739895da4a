# SPDX-License-Identifier: Apache-2.0
"""One TCP connection with EtherNet/IP: requests, their answers, and the CIP connections opened on it."""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from portineria.protocols.cip import withheld
from portineria.protocols.cip.answer import ENCAPSULATION, SUCCESS, answers, identity, refusal, split, understood
from portineria.protocols.cip.connection import Connections
from portineria.protocols.cip.frames import (
    Carried,
    Command,
    Frame,
    Frames,
    Impossible,
    carried,
    connected,
    frame,
    unconnected,
)
from portineria.protocols.cip.message import PROTOCOL, Call, Reader, operations, unknown
from portineria.protocols.inspection import Answer, Inspection, Refusal, Request
from portineria.protocols.operation import Kind, Operation

MAX_WAITING = 512  # requests that the device has not answered; the oldest is forgotten, it would be 512 answers late
_LENGTHS: Final[dict[int, int]] = {  # of the body, where the command says: Volume 2, 2-4
    Command.LIST_SERVICES: 0,
    Command.LIST_IDENTITY: 0,
    Command.LIST_INTERFACES: 0,
    Command.REGISTER_SESSION: 4,
    Command.UNREGISTER_SESSION: 0,
}
OWN: Final[dict[int, tuple[str, Kind]]] = {  # commands of the encapsulation itself: 2-4
    Command.NOP: ("nop", Kind.SESSION),
    Command.LIST_SERVICES: ("list-services", Kind.IDENTIFY),
    Command.LIST_IDENTITY: ("list-identity", Kind.IDENTIFY),
    Command.LIST_INTERFACES: ("list-interfaces", Kind.IDENTIFY),
    Command.REGISTER_SESSION: ("register-session", Kind.SESSION),
    Command.UNREGISTER_SESSION: ("unregister-session", Kind.SESSION),
    Command.INDICATE_STATUS: ("indicate-status", Kind.DIAGNOSTIC),
    Command.CANCEL: ("cancel", Kind.SESSION),
}
_SILENT: Final = frozenset({Command.NOP, Command.UNREGISTER_SESSION, Command.CANCEL})  # 2-4.1, 2-4.6: no answer
_UNSUPPORTED, _POORLY_FORMED = 0x0001, 0x0003  # encapsulation status, table 2-3.3
UNSEEN: Final = "a connection whose opening was not seen"


@dataclass(slots=True, eq=False)
class CipRequest(Request):
    """``call`` and ``carried``: None where nothing of CIP is within. ``to_client``: identifier T->O, if known."""

    command: int = 0
    session: int = 0
    context: bytes = b""
    call: Call | None = None
    carried: Carried | None = None
    to_client: int | None = None


class _Waiting:
    """Requests that the device has not answered, by what their answers repeat; in order among equals."""

    def __init__(self) -> None:
        self._by_key: dict[Hashable, deque[CipRequest]] = {}
        self._count = 0

    def add(self, key: Hashable, request: CipRequest) -> None:
        if self._count >= MAX_WAITING:
            oldest = next(iter(self._by_key))
            self._take(oldest, self._by_key[oldest][0])
        self._by_key.setdefault(key, deque()).append(request)
        self._count += 1

    def answered(self, key: Hashable, service: int | None) -> CipRequest | None:
        """The oldest under ``key`` which ``service`` answers; those before it were passed over by the device."""
        for request in self._by_key.get(key, ()):
            if service is None or request.call is None or answers(request.call, service):
                self._take(key, request)
                return request
        return None

    def _take(self, key: Hashable, request: CipRequest) -> None:
        same = self._by_key[key]
        same.remove(request)
        self._count -= 1
        if not same:
            del self._by_key[key]


class CipInspection(Inspection):
    """See ``Inspection``. Nothing is renumbered: a device compares a sequence count only with the one before."""

    def __init__(self) -> None:
        self._client, self._device = Frames(), Frames()
        self._waiting = _Waiting()
        self._connections = Connections()

    def from_client(self, data: bytes | memoryview) -> list[Request]:
        return [self._request(each) for each in self._client.feed(data)]

    def forward(self, request: Request) -> bytes:
        sent = _ours(request)
        if sent.expects_answer:
            self._waiting.add(_key(sent), sent)
        return request.data

    def content(self, request: Request) -> bytes:
        """Without session, context, connection and sequence count; where it goes stands in the operations' route."""
        asked = _ours(request)
        return asked.carried.message if asked.carried is not None else request.data

    def refuse(self, request: Request) -> Refusal:
        refused = _ours(request)
        if not refused.expects_answer:
            return Refusal(b"")
        body, status = b"", SUCCESS
        if refused.call is None or refused.carried is None:
            data = refused.command in (Command.SEND_RR_DATA, Command.SEND_UNIT_DATA)
            status = _POORLY_FORMED if data else _UNSUPPORTED
        elif refused.carried.connection is None:
            body = unconnected(refusal(refused.call))
        elif refused.to_client is None:
            return Refusal(b"")  # nobody knows how the client calls this connection
        else:
            body = connected(refused.to_client, refused.carried.sequence, refusal(refused.call))
        return Refusal(frame(refused.command, refused.session, refused.context, body, status))

    def from_device(self, data: bytes | memoryview) -> list[Answer]:
        return [self._answer(each) for each in self._device.feed(data)]

    def _request(self, each: Frame) -> CipRequest:
        if each.command not in (Command.SEND_RR_DATA, Command.SEND_UNIT_DATA):
            silent = each.command in _SILENT
            return CipRequest((_own(each),), each.whole, not silent, (), each.command, each.session, each.context)
        inner = carried(each.command, each.body)
        if inner is None:
            strange = unknown("common-packet", f"0x{each.command:04x}")
            return CipRequest((strange,), each.whole, True, (), each.command, each.session, each.context)
        route, explicit, to_client = self._leads(inner)
        call = Reader().read(inner.message, route) if explicit else None
        # Not explicit: in a form that only the object at the other end knows.
        found = operations(call) if call else (unknown("connected-data", "0x0070", route),)
        head = each.command, each.session, each.context
        left_out = withheld.asked(call, each.whole) if call else ()
        return CipRequest(found, each.whole, True, left_out, *head, call, inner, to_client)

    def _leads(self, inner: Carried) -> tuple[tuple[str, ...], bool, int | None]:
        """Route, whether requests travel there, and the identifier towards the client."""
        if inner.connection is None:
            return (), True, None
        found = self._connections.towards_device(inner.connection)
        return (found.route, found.explicit, found.to_client) if found else ((UNSEEN,), True, None)

    def _answer(self, each: Frame) -> Answer:
        if each.command not in (Command.SEND_RR_DATA, Command.SEND_UNIT_DATA):
            return self._own_answer(each)
        inner = carried(each.command, each.body) if each.body else None
        if inner is None or each.status:
            request = self._waiting.answered((each.command, each.context), None)
            return Answer(each.whole, request, _encapsulation(each.status))
        known = inner.connection is None or self._connections.towards_client(inner.connection)
        if isinstance(known, bool):
            key: Hashable = (each.command, each.context)
        else:
            key = (each.command, known.to_client if known else None, inner.sequence)
        if not inner.message:
            raise Impossible("an answer without a byte")
        request = self._waiting.answered(key, inner.message[0] & 0x7F)
        if not request or not request.call:
            return Answer(each.whole, request)
        error, values = understood(request.call, inner.message)
        self._learn(request.call, inner.message)
        left_out = withheld.told(request.operations, values, each.whole)
        shown = withheld.shown(request.operations, values)
        return Answer(each.whole, request, error, shown, withheld=left_out)

    def _own_answer(self, each: Frame) -> Answer:
        request = self._waiting.answered((each.command, each.context), None)
        error = _encapsulation(each.status)
        values = identity(each.body) if each.command == Command.LIST_IDENTITY and not error and each.body else ()
        return Answer(each.whole, request, error, (values,) if values else ())

    def _learn(self, call: Call, message: bytes) -> None:
        service, status, _, data = split(message)
        if status != SUCCESS or service != call.service:
            return
        if call.opening:
            self._connections.opened(call.opening, data)
        elif call.closing:
            self._connections.closed(call.closing)


def _key(request: CipRequest) -> Hashable:
    """What the answer repeats: the sender context, or the connection and the sequence count."""
    if request.carried is None or request.carried.connection is None:
        return request.command, request.context
    return request.command, request.to_client, request.carried.sequence


def _ours(request: Request) -> CipRequest:
    if not isinstance(request, CipRequest):
        raise TypeError("a request of another protocol")
    return request


def _own(each: Frame) -> Operation:
    function, kind = OWN.get(each.command, (f"command-{each.command:04x}", Kind.UNKNOWN))
    fits = len(each.body) == _LENGTHS.get(each.command, len(each.body))
    return Operation(PROTOCOL, function, f"0x{each.command:04x}", kind if fits else Kind.UNKNOWN)


def _encapsulation(status: int) -> str:
    return f"encapsulation status 0x{status:04x}: {ENCAPSULATION.get(status, 'reserved')}" if status else ""
