# SPDX-License-Identifier: Apache-2.0
"""What was made for serial lines and gateways pass on: AP 6.7 to 6.10, 6.13."""

from struct import unpack_from

from portineria.protocols.modbus.data_access import BITS, RequestReader, Route, Values, counted, echoed, sized
from portineria.protocols.modbus.frame import BadModbus
from portineria.protocols.operation import MAX_TEXT, Kind, Operation

MOST_EVENTS = 64  # AP 6.10
RETURN_QUERY_DATA, LISTEN_ONLY = 0, 4

# Sub-function -> our name and kind: AP 6.8.1. Returning what was sent touches nothing; the others count, restart or
# silence the line. What is reserved there (5 to 9, 19, 21 on) is not in it and therefore unknown.
DIAGNOSTICS = {
    0: ("return-query-data", Kind.SESSION),
    1: ("restart-communications", Kind.DIAGNOSTIC),
    2: ("return-diagnostic-register", Kind.DIAGNOSTIC),
    3: ("change-ascii-delimiter", Kind.DIAGNOSTIC),
    4: ("force-listen-only", Kind.DIAGNOSTIC),
    10: ("clear-counters", Kind.DIAGNOSTIC),
    11: ("return-bus-message-count", Kind.DIAGNOSTIC),
    12: ("return-bus-error-count", Kind.DIAGNOSTIC),
    13: ("return-exception-count", Kind.DIAGNOSTIC),
    14: ("return-server-message-count", Kind.DIAGNOSTIC),
    15: ("return-no-response-count", Kind.DIAGNOSTIC),
    16: ("return-nak-count", Kind.DIAGNOSTIC),
    17: ("return-busy-count", Kind.DIAGNOSTIC),
    18: ("return-overrun-count", Kind.DIAGNOSTIC),
    20: ("clear-overrun-count", Kind.DIAGNOSTIC),
}
RETURNS = {2, *range(11, 19)}  # answered with a number; the others with the request itself


def bare(function: str, code: str, kind: Kind) -> RequestReader:
    """A request that is its function code and no more."""

    def read(pdu: bytes, route: Route) -> tuple[Operation, ...]:
        sized(pdu, 1)
        return (Operation("modbus", function, code, kind, (), (), route),)

    return read


def diagnose(pdu: bytes, route: Route) -> tuple[Operation, ...]:
    if len(pdu) < 3:
        raise BadModbus("diagnostics without a sub-function (AP 6.8)")
    sub = int.from_bytes(pdu[1:3], "big")
    function, kind = DIAGNOSTICS.get(sub, ("unknown", Kind.UNKNOWN))
    if sub == RETURN_QUERY_DATA:
        if len(pdu) % 2 == 0:
            raise BadModbus("half a register to return (AP 6.8)")
    elif sub in DIAGNOSTICS:
        sized(pdu, 5)
    return (Operation("modbus", function, f"8/{sub}", kind, (), (), route),)


def diagnosed(operations: tuple[Operation, ...], asked: bytes, pdu: bytes) -> Values:
    sub = int.from_bytes(asked[1:3], "big")
    if sub in RETURNS:
        sized(pdu, 5)
        if pdu[1:3] != asked[1:3]:
            raise BadModbus("another sub-function than was asked (AP 6.8)")
        return ((unpack_from(">H", pdu, 3)[0],),)
    if sub in DIAGNOSTICS:
        return echoed(operations, asked, pdu)
    return ()


def exception_status(_operations: tuple[Operation, ...], _asked: bytes, pdu: bytes) -> Values:
    sized(pdu, 2)
    return (BITS[pdu[1]],)


def event_counter(_operations: tuple[Operation, ...], _asked: bytes, pdu: bytes) -> Values:
    sized(pdu, 5)
    return (unpack_from(">HH", pdu, 1),)


def event_log(_operations: tuple[Operation, ...], _asked: bytes, pdu: bytes) -> Values:
    """Status, events, messages, then one byte for each event."""
    if len(pdu) < 8 or pdu[1] != len(pdu) - 2 or len(pdu) > 8 + MOST_EVENTS:
        raise BadModbus(f"an event log of {len(pdu)} bytes (AP 6.10)")
    return ((*unpack_from(">HHH", pdu, 2), pdu[8:]),)


def server_id(_operations: tuple[Operation, ...], _asked: bytes, pdu: bytes) -> Values:
    """Everything in it is the device's own (AP 6.13): kept as text where it is text."""
    if len(pdu) < 2:
        raise BadModbus("a server id without its byte count (AP 6.13)")
    return ((counted(pdu, len(pdu) - 2).decode("latin-1")[:MAX_TEXT],),)
