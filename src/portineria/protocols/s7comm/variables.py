# SPDX-License-Identifier: Apache-2.0
"""Items of *read variable* and *write variable*: what they address, what is written, what was read.

One unit for each area, whatever the width of the access: bytes (a bit is named beside its byte), or numbers for timers
and counters. Source: see ``header``.
"""

import struct
from dataclasses import dataclass

from portineria.protocols.operation import MAX_TEXT, Target, Value
from portineria.protocols.s7comm.errors import BadS7

_ANY = struct.Struct(">BBBBHHBBH")  # 0x12, length 10, syntax, transport size, count, DB, area, address of 24 bits
_SPECIFICATION, _ANY_LENGTH = 0x12, 10
_S7ANY, _DB_READ, _SYMBOL = 0x10, 0xB0, 0xB2
_NCK = frozenset({0x82, 0x83, 0x84})  # Sinumerik: current, metric, inch units
_DB, _COUNTERS, _TIMERS = 0x84, 0x1C, 0x1D
_AREAS = {
    0x03: "system info 200", 0x05: "system flags 200", 0x06: "analog inputs 200", 0x07: "analog outputs 200",
    0x80: "peripherals", 0x81: "inputs", 0x82: "outputs", 0x83: "flags", 0x86: "local", 0x87: "caller local",
    _COUNTERS: "counters", _TIMERS: "timers", 0x1E: "counters 200", 0x1F: "timers 200",
}  # fmt: skip
_BLOCKS = {_DB: "db", 0x85: "di"}
_NUMBERED = frozenset({_COUNTERS, _TIMERS, 0x1E, 0x1F})  # areas and transport sizes that count, with the same codes
_BIT, _BYTE, _CHAR, _REAL = 1, 2, 3, 8
_WIDTHS = {
    _BYTE: 1, _CHAR: 1, 4: 2, 5: 2, 6: 4, 7: 4, _REAL: 4, 9: 2, 10: 4, 11: 4, 12: 2, 15: 8,
    _COUNTERS: 2, _TIMERS: 2, 0x1E: 2, 0x1F: 2,
}  # fmt: skip
_NUMBERS = {4: "H", 5: "h", 6: "I", 7: "i", _REAL: "f", _COUNTERS: "H", _TIMERS: "H"}  # WORD INT DWORD DINT REAL …
_IN_BITS, _IN_BYTES = frozenset({3, 4, 5}), frozenset({6, 7, 9})  # transport sizes of data: unit of their length
_OK = 0xFF
RETURN_CODES = {
    0x01: "hardware error", 0x03: "access to the object not allowed", 0x05: "invalid address",
    0x06: "data type not supported", 0x07: "data type inconsistent", 0x0A: "object does not exist",
}  # fmt: skip
REFUSED = 0x03


@dataclass(frozen=True, slots=True)
class Item:
    """``size``: bytes of its value, None where the syntax does not tell. ``known``: we know what it means."""

    targets: tuple[Target, ...]
    transport: int = 0
    size: int | None = None
    known: bool = True
    route: tuple[str, ...] = ()


def items(parameter: bytes, at: int, count: int, *, written: bool = False) -> list[Item]:
    """Read ``count`` items that fill ``parameter`` from ``at``. Raise BadS7."""
    found: list[Item] = []
    start, end = at, len(parameter)
    while len(found) < count:
        if found and (at - start) & 1:  # items begin on even distances; the last has no fill byte
            at += 1
        start = at
        if end - at < 3 or parameter[at] != _SPECIFICATION or end - at < 2 + parameter[at + 1] or not parameter[at + 1]:
            raise BadS7(f"item at byte {at} of a parameter part of {end}")
        at += 2 + parameter[at + 1]
        if parameter[start + 2] == _S7ANY:
            found.append(_any(parameter, start, written))
        else:
            found.append(_other(parameter[start + 2], parameter[start + 3 : at], written))
    if at != end or not count:
        raise BadS7(f"{count} items fill {at} bytes of {end}")
    return found


def _any(parameter: bytes, at: int, written: bool) -> Item:
    if parameter[at + 1] != _ANY_LENGTH:
        raise BadS7(f"S7ANY item of {parameter[at + 1]} bytes, expected {_ANY_LENGTH}")
    _, _, _, transport, count, block, area, high, low = _ANY.unpack_from(parameter, at)
    address = high << 16 | low
    if not count or (area in _NUMBERED) != (transport in _NUMBERED):
        raise BadS7(f"{count} elements of transport size {transport} in area 0x{area:02x}")
    name = f"{_BLOCKS[area]} {block}" if area in _BLOCKS else _AREAS.get(area, "")
    width = _WIDTHS.get(transport)
    if area in _NUMBERED:
        return Item((Target(name, address, count),), transport, 2 * count)
    if transport == _BIT:
        return _bits(name or f"area 0x{area:02x}", address, count, bool(name), written)
    if address & 7:
        raise BadS7(f"bit {address & 7} addressed with transport size {transport}")
    if not name or width is None:
        return Item((Target(name or f"area 0x{area:02x}", address >> 3, count),), transport, known=False)
    return Item((Target(name, address >> 3, count * width),), transport, count * width)


def _bits(area: str, address: int, count: int, known: bool, written: bool) -> Item:
    first, bit = address >> 3, address & 7
    if count == 1:
        return Item((Target(area, first, 1, f"bit {bit}"),), _BIT, 1, known)
    if written:  # stations do not agree on how several bits are packed
        raise BadS7(f"{count} bits written by one item")
    return Item((Target(area, first, (bit + count - 1 >> 3) + 1, f"{count} bits from bit {bit}"),), _BIT, None, known)


def _other(syntax: int, rest: bytes, written: bool) -> Item:
    if syntax == _DB_READ and not written and rest and len(rest) == 1 + 5 * rest[0]:
        places = struct.iter_unpack(">BHH", rest[1:])  # bytes, DB, first byte
        return Item(tuple(Target(f"db {block}", first, size) for size, block, first in places))
    if syntax == _SYMBOL and len(rest) >= 13 and len(rest) % 4 == 1:
        return Item((_symbol(rest),))
    if syntax in _NCK and len(rest) == 7:
        unit, column, line, module, lines = struct.unpack(">BHHBB", rest)
        area = f"nck {'nbcatvhm'[unit >> 5]}{unit & 0x1F}"
        return Item((Target(area, line, lines, f"module 0x{module:02x} column {column}"),))
    name = rest.hex()[:MAX_TEXT]
    route = (f"drive {name}",) if syntax == 0xA2 else ()  # DRIVEESANY: to a drive behind the station
    return Item((Target(f"syntax 0x{syntax:02x}", name=name),), known=False, route=route)


def _symbol(rest: bytes) -> Target:
    """Symbolic address of S7-1200/1500: area or DB, checksum of the symbol's name, then a path of local ids."""
    _, kind, number, checksum = struct.unpack_from(">BHHI", rest)
    areas = {0x50: "inputs", 0x51: "outputs", 0x52: "flags", 0x53: "counters", 0x54: "timers"}
    if kind == 0x8A0E:
        place = f"db {number}"
    else:
        place = areas.get(number, f"0x{number:04x}") if not kind else f"0x{kind:04x}{number:04x}"
    path = ".".join(f"{step >> 28:x}:{step & 0xFFFFFFF}" for (step,) in struct.iter_unpack(">I", rest[9:]))
    return Target("symbol", name=f"{place} {checksum:08x} {path}"[:MAX_TEXT])


def written_values(found: list[Item], data: bytes) -> list[tuple[Value, ...]]:
    """What a write hands over, item by item. Raise BadS7 unless it is as long as what is addressed."""
    values: list[tuple[Value, ...]] = []
    at = 0
    for item in found:
        at += at & 1
        raw = _datum(data, at)
        if item.size is not None and len(raw) != item.size:
            raise BadS7(f"{len(raw)} bytes written to {item.size}")
        values.append(_values(item.transport, raw))
        at += 4 + len(raw)
    if at != len(data):
        raise BadS7(f"data part of {len(data)} bytes, items fill {at}")
    return values


def read_values(found: tuple[Item, ...], data: bytes) -> tuple[str, tuple[tuple[Value, ...], ...]]:
    """The first error, and what was read, item by item. Raise BadS7."""
    values: list[tuple[Value, ...]] = []
    error, at = "", 0
    for number, item in enumerate(found, start=1):
        at += at & 1
        if at >= len(data):
            raise BadS7(f"{len(found)} items asked for, answer has {number - 1}")
        if data[at] == _OK:
            raw = _datum(data, at)
            values.append(_values(item.transport, raw))
            at += 4 + len(raw)
        else:  # no value follows, whatever stands where its length would be
            values.append((None,))
            error = error or _item_error(number, data[at])
            at += 4
    return error, tuple(values)


def written_error(count: int, data: bytes) -> str:
    if len(data) != count:
        raise BadS7(f"{count} items written, answer has {len(data)}")
    return next((_item_error(number, code) for number, code in enumerate(data, start=1) if code != _OK), "")


def _item_error(number: int, code: int) -> str:
    return f"item {number}: 0x{code:02x} {RETURN_CODES.get(code, 'unknown')}"


def _datum(data: bytes, at: int) -> bytes:
    """What follows the four bytes at ``at``: return code, transport size, length."""
    if len(data) - at < 4:
        raise BadS7(f"item at byte {at} of a data part of {len(data)}")
    size, transport = int.from_bytes(data[at + 2 : at + 4], "big"), data[at + 1]
    if transport in _IN_BITS:
        if size & 7 and (transport != 3 or size != 1):
            raise BadS7(f"{size} bits of transport size {transport}")
        size = size + 7 >> 3
    elif transport not in _IN_BYTES:
        raise BadS7(f"transport size {transport} of data")
    if len(data) - at < 4 + size:
        raise BadS7(f"item at byte {at} says {size} bytes, {len(data) - at - 4} follow")
    return data[at + 4 : at + 4 + size]


def _values(transport: int, raw: bytes) -> tuple[Value, ...]:
    if transport == _BIT and len(raw) == 1:
        return (raw[0] != 0,)
    if (code := _NUMBERS.get(transport)) and raw and not len(raw) % _WIDTHS[transport]:
        return struct.unpack(f">{len(raw) // _WIDTHS[transport]}{code}", raw)
    return (raw,)
