# SPDX-License-Identifier: Apache-2.0
"""Userdata: test, cyclic, block, CPU, security, partner, time and NC functions. Source: see ``header``."""

from dataclasses import dataclass

from portineria.protocols.operation import Kind, Operation, Target, Value
from portineria.protocols.s7comm import functions as known
from portineria.protocols.s7comm.errors import BadS7
from portineria.protocols.s7comm.functions import Function
from portineria.protocols.s7comm.header import Pdu
from portineria.protocols.s7comm.jobs import NAME, operation
from portineria.protocols.s7comm.variables import items

HEAD = b"\x00\x01\x12"
_SHORT, _LONG = 4, 8  # bytes after the length; the long form has number of the unit, "more follows", error
_ASKED, _TOLD = 0x11, 0x12  # method: the first PDU of a request; any later one, and all answers
INDICATION, REQUEST, RESPONSE = 0, 1, 2  # the two highest bits before the group
_IN_BYTES, _IN_BITS = frozenset({0x00, 0x09}), 0x04


@dataclass(slots=True)
class Parameter:
    method: int
    kind: int
    group: int
    function: int
    sequence: int
    more: bool = False
    error: int = 0

    @property
    def code(self) -> str:
        return f"0x{self.kind << 6 | self.group:02x} 0x{self.function:02x}"


def parameter(part: bytes) -> Parameter:
    """Raise BadS7."""
    if len(part) < 8 or part[:3] != HEAD or part[3] not in (_SHORT, _LONG) or len(part) != 4 + part[3]:
        raise BadS7(f"userdata begins {part[:4].hex()} in {len(part)} bytes")
    if part[4] not in (_ASKED, _TOLD) or part[5] >> 6 > RESPONSE:
        raise BadS7(f"userdata method 0x{part[4]:02x}, type {part[5] >> 6}")
    head = Parameter(part[4], part[5] >> 6, part[5] & 0x3F, part[6], part[7])
    if part[3] == _LONG:
        head.more, head.error = part[9] != 0, int.from_bytes(part[10:12], "big")
    return head


def payload(data: bytes) -> tuple[int, bytes]:
    """Return code and content of the data part. Raise BadS7."""
    if not data:
        return 0xFF, b""
    if len(data) < 4:
        raise BadS7(f"userdata with a data part of {len(data)} bytes")
    size = int.from_bytes(data[2:4], "big")
    if data[1] == _IN_BITS:
        size = size + 7 >> 3
    elif data[1] not in _IN_BYTES:
        raise BadS7(f"userdata with transport size {data[1]}")
    if size != len(data) - 4:
        raise BadS7(f"userdata says {size} bytes, {len(data) - 4} follow")
    return data[0], data[4:]


def operations(head: Parameter, pdu: Pdu, begun: Operation | None) -> tuple[Operation, ...]:
    """What a client asks for. ``begun``: the request whose answer is continued by this one. Raise BadS7."""
    _, content = payload(pdu.data)
    key = (head.group, head.function)
    function = known.USERDATA.get(key)
    if function is None or head.kind != REQUEST or key in known.INDICATIONS:
        return (operation(known.UNKNOWN, head.code),)
    if head.method == _TOLD and begun and begun.function == function.name:
        return (Operation(NAME, function.name, head.code, begun.kind, begun.targets),)
    if key == known.READ_SZL and len(content) == 4:
        return (_szl(head.code, content),)
    if key in known.CYCLIC_ITEMS:
        return _cyclic(function, head.code, content)
    told = operation(function, head.code, _targets(key, content), _values(key, content))
    if head.group == known.RECORD_ROUTING:  # to a slave of the station's field bus
        return (Operation(NAME, told.function, told.code, told.kind, route=("field bus",)),)
    return (told,)


def told_unasked(head: Parameter) -> Operation:
    """What a station reports by itself."""
    return operation(known.USERDATA.get((head.group, head.function), known.UNKNOWN), head.code)


def _szl(code: str, content: bytes) -> Operation:
    number, index = int.from_bytes(content[:2], "big"), int.from_bytes(content[2:], "big")
    kind = Kind.IDENTIFY if number & 0xFF in known.IDENTIFYING_SZL else Kind.DIAGNOSTIC
    return Operation(NAME, "read-szl", code, kind, (Target(f"szl 0x{number:04x}", index),))


def _cyclic(function: Function, code: str, content: bytes) -> tuple[Operation, ...]:
    """Two bytes (the second: how many items), unit and number of the interval, items."""
    if len(content) < 4:
        raise BadS7(f"cyclic read of {len(content)} bytes")
    found = items(content, 4, content[1])
    return tuple(
        Operation(
            NAME, function.name, code, function.kind if item.known else Kind.UNKNOWN, item.targets, (), item.route
        )
        for item in found
    )


def _targets(key: tuple[int, int], content: bytes) -> tuple[Target, ...]:
    text = content.decode("latin-1")
    if key == known.LIST_TYPE and text in known.BLOCK_TYPES:
        return (Target("block", name=known.BLOCK_TYPES[text]),)
    if key == known.BLOCK_INFO and len(text) == 8 and text[:2] in known.BLOCK_TYPES and text[2:7].isdecimal():
        return (Target("block", name=f"{known.BLOCK_TYPES[text[:2]]} {int(text[2:7])}"),)
    return ()


def _values(key: tuple[int, int], content: bytes) -> tuple[Value, ...]:
    """A password is never told, not even the obscured form in which it travels."""
    if key != known.SET_TIME or len(content) != 10:
        return ()
    digits = content[2:9].hex()  # reserved, first digits of the year, then BCD: DATE_AND_TIME
    if not digits[:12].isdecimal():
        return (content,)
    year = f"{'19' if digits[:2] >= '90' else '20'}{digits[:2]}"
    return (f"{year}-{digits[2:4]}-{digits[4:6]} {digits[6:8]}:{digits[8:10]}:{digits[10:12]}",)
