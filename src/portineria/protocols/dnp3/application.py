# SPDX-License-Identifier: Apache-2.0
"""Application layer (4): what a fragment asks or tells, and the outstation's no to it."""

from collections.abc import Iterable
from typing import NamedTuple

from portineria.protocols.dnp3 import files, headers, objects
from portineria.protocols.dnp3 import functions as known
from portineria.protocols.dnp3.functions import Function
from portineria.protocols.dnp3.headers import SPAN, Header
from portineria.protocols.dnp3.link import BadDnp3
from portineria.protocols.operation import MAX_VALUES, Operation, Target, Value

NAME = "dnp3"
FIRST, FINAL, CONFIRM, UNSOLICITED, SEQUENCE = 0x80, 0x40, 0x20, 0x10, 0x0F  # 4.2.2.4
REQUEST_HEADER, RESPONSE_HEADER = 2, 4  # 4.2.2.3: control and function; of responses two octets of indications
FUNCTION_UNSUPPORTED, OBJECT_UNKNOWN = 0x01, 0x02  # 4.2.2.6: of the second octet
ERRORS = {
    FUNCTION_UNSUPPORTED: "IIN2.0: function not supported",
    OBJECT_UNKNOWN: "IIN2.1: object unknown",
    0x04: "IIN2.2: parameter error",
    0x10: "IIN2.4: already executing",
}
RESTARTED = 7  # IIN1.7, as a point of group 80: A.28
BROADCAST_HEARD = 0x01  # IIN1.0: of one answer only
Route = tuple[str, ...]


class Asked(NamedTuple):
    """``headers``: of the objects; None where they could not all be read, then ``unread`` says how far they could."""

    control: int
    code: int
    headers: list[Header] | None
    body: bytes
    unread: headers.Unknown | None = None


def asked(fragment: bytes) -> Asked:
    """Raise BadDnp3."""
    if len(fragment) < REQUEST_HEADER:
        raise BadDnp3(f"a request of {len(fragment)} octets (4.2.2.3)")
    control, code = fragment[0], fragment[1]
    if code >= known.RESPONSE:
        raise BadDnp3(f"function {code} from the master (4.2.2.5)")
    allowed = SEQUENCE | (UNSOLICITED if code == known.CONFIRM else 0)
    if control & (FIRST | FINAL) != FIRST | FINAL or control & ~(FIRST | FINAL | allowed):
        raise BadDnp3(f"application control {control:#04x} of a request (4.2.2.4)")
    body = fragment[REQUEST_HEADER:]
    if not _is_known(code):
        return Asked(control, code, None, body)
    try:
        found = headers.walk(body, lambda group, _: known.holds(code, group))
    except headers.Unknown as end:
        return Asked(control, code, None, body, end)
    if sum(len(each.indexes or ()) or (each.number if each.values else 0) for each in found) > MAX_VALUES:
        raise BadDnp3(f"a request for more than {MAX_VALUES} points one by one")
    return Asked(control, code, found, body)


def requested(request: Asked, route: Route) -> tuple[Operation, ...]:
    """One operation for each thing that is done, in the order in which they stand."""
    if request.headers is None:
        what = known.UNKNOWN_OBJECT if _is_known(request.code) else known.UNKNOWN
        typed = request.unread is not None and headers.of_terminal(request.unread, request.body)
        return (_operation(request.code, what, route, (), (len(request.body) if typed else request.body,)),)
    found: dict[Function, tuple[list[Target], list[Value]]] = {}
    for each in request.headers:
        targets, values = found.setdefault(_function(request.code, each), ([], []))
        targets += _targets(each)
        values += files.values(each) if each.blobs else each.values
    if not found:
        return (_operation(request.code, _empty(request.code), route, (), ()),)
    return tuple(_operation(request.code, what, route, *parts) for what, parts in found.items())


def _operation(
    code: int, what: Function, route: Route, targets: Iterable[Target], values: Iterable[Value]
) -> Operation:
    return Operation(NAME, what.name, str(code), what.kind, tuple(targets), tuple(values), route)


def _function(code: int, header: Header) -> Function:
    what = known.of_object(code, header.group, header.variation)
    if code in known.STEPS and header.indexes is None and what.name.startswith(("binary", "analog")):
        return known.UNKNOWN_OBJECT if header.how != SPAN else what
    if what.name == "write-indication" and (header.how, header.first, header.values) == (SPAN, RESTARTED, (False,)):
        return known.CLEARS_RESTART
    return what


def _empty(code: int) -> Function:
    """Of a request without objects."""
    if code in known.PLAIN:
        return known.PLAIN[code]
    return known.READS_POINTS if code == known.READ else known.UNKNOWN_OBJECT


def _targets(header: Header) -> list[Target]:
    group = header.group
    area = objects.AREAS.get(group, f"group-{group}")
    if group == objects.CLASS and header.variation:
        return [Target(area, header.variation - 1)]  # A.26: variation 1 is class 0
    if group == objects.FILE:
        return files.targets(header)
    if group == objects.ATTRIBUTE:
        return [Target(area, header.variation)]
    if header.how == SPAN:
        return [Target(area, header.first, header.number)]
    if header.indexes is not None:
        return _ranges(area, header.indexes)
    return [Target(area, name="events" if group in objects.EVENTS else "")]


def _ranges(area: str, indexes: Iterable[int]) -> list[Target]:
    """Neighbours as one range."""
    found: list[Target] = []
    start = end = -1
    for index in indexes:
        if index != end:
            if end > start:
                found.append(Target(area, start, end - start))
            start = index
        end = index + 1
    if end > start:
        found.append(Target(area, start, end - start))
    return found


class Told(NamedTuple):
    control: int
    code: int
    indications: bytes
    headers: list[Header]
    body: bytes = b""
    unread: headers.Unknown | None = None


def told(fragment: bytes) -> Told:
    """Raise BadDnp3. Objects that cannot be read are left out, and all that follow them."""
    if len(fragment) < RESPONSE_HEADER or fragment[1] not in known.TOLD:
        raise BadDnp3(f"{fragment[:RESPONSE_HEADER].hex()}, no response (4.2.2.5)")
    control, code = fragment[0], fragment[1]
    if bool(control & UNSOLICITED) is not (code == known.UNSOLICITED):
        raise BadDnp3(f"application control {control:#04x} of function {code} (4.2.2.4)")
    body = fragment[RESPONSE_HEADER:]
    try:
        return Told(control, code, fragment[2:4], headers.walk(body, lambda *_: True), body)
    except headers.Unknown as end:
        return Told(control, code, fragment[2:4], [*end.before], body, end)


def reported(answer: Told, route: Route) -> Operation:
    """What an outstation tells."""
    targets: list[Target] = []
    values: list[Value] = []
    for each in answer.headers:
        targets += _targets(each)
        values += files.values(each) if each.blobs else each.values
    return _operation(answer.code, known.TOLD[answer.code], route, targets, values[:MAX_VALUES])


def error(answer: Told, fragment: bytes) -> str:
    """Empty, or its no: an indication, or the status of a control or of a file."""
    for bit, said in ERRORS.items():
        if answer.indications[1] & bit:
            return said
    body = fragment[RESPONSE_HEADER:]
    for each in answer.headers:
        for status in _statuses(each, body):
            if status:
                return f"status {status}: {objects.STATUSES.get(status, 'undefined')}"
        if each.group == objects.FILE and (why := files.error(each)):
            return why
    return ""


def _statuses(header: Header, body: bytes) -> list[int]:
    """Of an echoed control, the last octet of each object: A.8.1 and A.20."""
    return [body[end - 1] & 0x7F for end in _ends(header)]


def _ends(header: Header) -> range:
    known_as = objects.form(header.group, header.variation)
    if not known_as or not header.values or (header.group, header.variation) not in _ECHOED:
        return range(0)
    start, end = header.data
    size = (end - start) // len(header.values)
    return range(start + size, end + 1, size)


_ECHOED = {objects.CONTROL_BLOCK, objects.PATTERN_BLOCK, *((objects.SETPOINT, each) for each in range(1, 5))}
_OTHERS = {known.READ, known.WRITE, *known.STEPS, known.AUTHENTICATE, known.AUTHENTICATE_UNANSWERED}


def negative(request: Asked, indications: int) -> bytes:
    """The outstation's no: controls with the status of each, all else by IIN2. ``indications``: its latest IIN1."""
    head = bytes((FIRST | FINAL | request.control & SEQUENCE, known.RESPONSE, indications))
    controls = request.code in known.STEPS and request.headers
    if controls and all((each.group, each.variation) in (*_ECHOED, objects.PATTERN_MASK) for each in controls):
        body = bytearray(request.body)
        for each in controls:
            for end in _ends(each):
                body[end - 1] = objects.NOT_AUTHORIZED
        return head + b"\0" + bytes(body)
    unread = request.headers is None and _is_known(request.code)
    return head + bytes((OBJECT_UNKNOWN if unread else FUNCTION_UNSUPPORTED,))


def _is_known(code: int) -> bool:
    return code in known.PLAIN or code in _OTHERS
