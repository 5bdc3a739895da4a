# SPDX-License-Identifier: Apache-2.0
"""Values of the elementary data types: THE CIP NETWORKS LIBRARY Volume 1, appendix C-6.1."""

import struct

from portineria.protocols.operation import MAX_VALUES, Value

STRUCTURE = 0x02A0  # followed by the handle of the structure: Rockwell 1756-PM020, "Tag type service parameter values"

_CODES = {
    0xC1: "?",  # BOOL
    0xC2: "b",  # SINT
    0xC3: "h",  # INT
    0xC4: "i",  # DINT
    0xC5: "q",  # LINT
    0xC6: "B",  # USINT
    0xC7: "H",  # UINT
    0xC8: "I",  # UDINT
    0xC9: "Q",  # ULINT
    0xCA: "f",  # REAL
    0xCB: "d",  # LREAL
    0xD1: "B",  # BYTE
    0xD2: "H",  # WORD
    0xD3: "I",  # DWORD
    0xD4: "Q",  # LWORD
}


def typed(data: bytes, count: int | None = None) -> tuple[int, bytes, tuple[Value, ...]] | None:
    """Of "type, [count,] values" the count, what follows it, and the values if they are whole. None: it is too short.

    ``count``: as given elsewhere; None: it stands after the type.
    """
    start = 4 if data[:2] == b"\xa0\x02" else 2
    kind = int.from_bytes(data[:2], "little")
    if count is None:
        count, start = int.from_bytes(data[start : start + 2], "little"), start + 2
    if len(data) < start:
        return None
    return count, data[start:], elements(kind, data[start:], count)


def elements(kind: int, data: bytes, most: int = 0) -> tuple[Value, ...]:
    """``data`` as values of type ``kind``; as it is where the type is a structure or they would be too many.

    ``most``: how many are meant, when known; what stands behind them is ignored, as controllers do (pycomm3 1.2
    repeats its whole request behind a single write).
    """
    letter = _CODES.get(kind)
    if letter:
        size = struct.calcsize(f"<{letter}")
        if most and len(data) > most * size:
            data = data[: most * size]
        count = len(data) // size
        if count * size == len(data) and count <= MAX_VALUES:
            return struct.unpack(f"<{count}{letter}", data)
    return (data,) if data else ()
