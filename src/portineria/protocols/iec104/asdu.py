# SPDX-License-Identifier: Apache-2.0
"""ASDUs (101, 7; the sizes of their fields: 104, 6): what they say, and the negative answer to each."""

from struct import Struct
from typing import NamedTuple

from portineria.protocols.iec104 import functions as known
from portineria.protocols.iec104.apci import BadIec104
from portineria.protocols.iec104.elements import Values
from portineria.protocols.iec104.functions import ACTIVATION, DEACTIVATION, TYPES, Type
from portineria.protocols.inspection import Withheld
from portineria.protocols.operation import Kind, Operation, Target, Value

NAME = "iec104"
HEADER = 6  # type, structure, cause with T and P/N, originator, common address 2
_READ_HEADER = Struct("<BBBxH").unpack_from
SEQUENCE, NUMBER = 0x80, 0x7F  # 101, 7.2.2: variable structure qualifier
CAUSE, NEGATIVE, TEST = 0x3F, 0x40, 0x80  # 101, 7.2.3
CONFIRMATION, DEACTIVATED, TERMINATED = 7, 9, 10
UNKNOWN_TYPE, UNKNOWN_CAUSE, UNKNOWN_STATION, UNKNOWN_OBJECT = 44, 45, 46, 47
ERRORS = {
    CONFIRMATION: "negative confirmation",
    DEACTIVATED: "negative confirmation of a deactivation",
    TERMINATED: "terminated negatively",
    UNKNOWN_TYPE: "unknown type identification",
    UNKNOWN_CAUSE: "unknown cause of transmission",
    UNKNOWN_STATION: "unknown common address",
    UNKNOWN_OBJECT: "unknown information object address",
}


class Asdu(NamedTuple):
    """``cause`` without its bits. ``objects``: address and values of each; none of a type that is not known."""

    type: int
    cause: int
    negative: bool
    station: int
    known: Type | None
    objects: list[tuple[int, Values]]
    body: bytes


def parse(frame: bytes, at: int) -> Asdu:
    """The ASDU at byte ``at``. Raise BadIec104."""
    if len(frame) < at + HEADER:
        raise BadIec104(f"an ASDU of {len(frame) - at} bytes (101, 7.1)")
    number, structure, cause, station = _READ_HEADER(frame, at)
    known_as = TYPES.get(number)
    body = frame[at + HEADER :]
    if known_as is None:
        found: list[tuple[int, Values]] = []
    elif number == known.SEGMENT:
        found = [_segment(known_as, structure, body)]
    else:
        found = _objects(number, known_as, structure, body)
    return Asdu(number, cause & CAUSE, bool(cause & NEGATIVE), station, known_as, found, body)


def _objects(number: int, known_as: Type, structure: int, body: bytes) -> list[tuple[int, Values]]:
    count = structure & NUMBER
    first, following = known_as.first, known_as.following
    if structure & SEQUENCE and known_as.sequence:
        size = 3 + count * following.size
    elif structure & SEQUENCE or (known_as.causes and count != 1):
        raise BadIec104(f"type {number} with structure {structure:#04x}, not of one object (101, 7.3)")
    else:
        size = count * first.size
    if not count or len(body) != size:
        raise BadIec104(f"{count} objects of type {number} in {len(body)} bytes, not {size} (101, 7.3)")
    if structure & SEQUENCE:
        address = int.from_bytes(body[:3], "little")
        if address + count > 1 << 24:
            raise BadIec104(f"{count} objects from address {address} (104, 6)")
        raw = following.iter_unpack(body[3:])
        return [(address + place, _values(known_as, fields)) for place, fields in enumerate(raw)]
    return [(low | high << 16, _values(known_as, fields)) for low, high, *fields in first.iter_unpack(body)]


def _values(known_as: Type, fields: "list[object] | tuple[object, ...]") -> Values:
    values: list[Value] = []
    for element, field in zip(known_as.elements, fields, strict=True):
        values += element.read(field)
    return tuple(values)


def _segment(known_as: Type, structure: int, body: bytes) -> tuple[int, Values]:
    """The only one whose length is not that of its type (101, 7.3.6.6)."""
    head = known_as.first
    if structure != 1 or len(body) < head.size or len(body) != head.size + body[head.size - 1]:
        raise BadIec104(f"a segment with structure {structure:#04x} in {len(body)} bytes (101, 7.3.6.6)")
    low, high, file, section, _ = head.unpack_from(body)
    return low | high << 16, (file, section, body[head.size :])


def withheld(asdu: Asdu, frame: bytes) -> tuple[Withheld, ...]:
    """A segment of a file is the rest of its frame (101, 7.3.6.6)."""
    if asdu.type != known.SEGMENT:
        return ()
    content = asdu.objects[0][1][-1]
    assert isinstance(content, bytes)  # noqa: S101 - as _segment reads it
    return (Withheld("iec104.file", len(frame) - len(content), len(content), content=True),) if content else ()


def requested(asdu: Asdu, frame: bytes, at: int) -> Operation:
    """What the controlling station asks for."""
    if asdu.known is None:
        return _operation(asdu, known.UNKNOWN, Kind.UNKNOWN, (asdu.body,))
    name, kind = asdu.known.name, asdu.known.kind
    if not asdu.known.causes:
        return _operation(asdu, known.REVERSED, Kind.UNKNOWN)
    if asdu.cause not in asdu.known.causes or asdu.negative:
        return _operation(asdu, known.UNKNOWN_CAUSE, Kind.UNKNOWN)
    if asdu.cause == DEACTIVATION:
        return _operation(asdu, f"{name}-cancel", kind)
    if asdu.known.select is not None:
        octet = frame[at + HEADER + 3 + _SELECT_AT[asdu.type]]
        return _operation(asdu, f"{name}-{'select' if octet & known.SELECT else 'execute'}", kind)
    if asdu.type == known.COUNTER_INTERROGATION and asdu.body[3] & known.QCC_FREEZE:
        return _operation(asdu, known.COUNTER_FREEZE, Kind.CONTROL)
    return _operation(asdu, name, kind)


def told(asdu: Asdu) -> Operation:
    """What the controlled station says, asked or not."""
    if asdu.known is None:
        return _operation(asdu, known.UNKNOWN, Kind.UNKNOWN, (asdu.body,))
    return _operation(asdu, asdu.known.name, asdu.known.kind)


def _operation(asdu: Asdu, function: str, kind: Kind, values: Values | None = None) -> Operation:
    if values is None:
        values = asdu.objects[0][1] if len(asdu.objects) == 1 else sum((each for _, each in asdu.objects), ())
    hop = f"ca {asdu.station}"
    return Operation(NAME, function, str(asdu.type), kind, _targets(hop, asdu.objects), values, (hop,))


def _targets(area: str, objects: list[tuple[int, Values]]) -> tuple[Target, ...]:
    """Neighbours as one range. Address 0 is none (101, 7.2.5): the station itself is meant."""
    if len(objects) == 1:
        address = objects[0][0]
        return (Target(area, address),) if address else (Target(area),)
    found: list[Target] = []
    start = end = -1
    for address, _ in objects:
        if address != end:
            if end > start:
                found.append(Target(area, start, end - start))
            start = address
        end = address + 1
    if end > start:
        found.append(Target(area, start, end - start))
    return tuple(found)


def error(asdu: Asdu) -> str:
    """Of an answer: empty, or its no."""
    if asdu.cause in (UNKNOWN_TYPE, UNKNOWN_CAUSE, UNKNOWN_STATION, UNKNOWN_OBJECT) or (
        asdu.negative and asdu.cause in ERRORS
    ):
        return f"cause {asdu.cause}: {ERRORS[asdu.cause]}"
    return ""


def negative(frame: bytes, at: int) -> bytes:
    """The ASDU of ``frame`` mirrored, with the cause that says no to it (101, 7.2.3, table 14)."""
    asked = TYPES.get(frame[at])
    cause = frame[at + 2] & CAUSE
    if asked is None or not asked.causes or asked.kind == Kind.FILE:
        no = UNKNOWN_TYPE
    elif cause not in asked.causes or frame[at + 2] & NEGATIVE:
        no = UNKNOWN_CAUSE
    else:
        no = {ACTIVATION: CONFIRMATION, DEACTIVATION: DEACTIVATED}.get(cause, UNKNOWN_OBJECT)
    return frame[at : at + 2] + bytes((no | NEGATIVE | (frame[at + 2] & TEST),)) + frame[at + 3 :]


_SELECT_AT = {
    number: sum(Struct("<" + element.form).size for element in each.elements[: each.select])
    for number, each in TYPES.items()
    if each.select is not None
}
