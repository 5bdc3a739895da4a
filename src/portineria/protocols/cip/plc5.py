# SPDX-License-Identifier: Apache-2.0
"""PLC-5 system addresses, and the commands that read and write by them: 1770-6.5.16, chapters 7 and 13.

A mask says which of four levels follow; those that do not are 0. The first is the area: 0 is the data table, any other
one is of the processor itself: its program, its configuration.
"""

from typing import NamedTuple

from portineria.protocols.operation import MAX_TEXT, Target

WORD_RANGE_WRITE, WORD_RANGE_READ, READ_MODIFY_WRITE, TYPED_WRITE, TYPED_READ = 0x00, 0x01, 0x26, 0x67, 0x68
FUNCTIONS = {WORD_RANGE_WRITE: True, WORD_RANGE_READ: False, TYPED_WRITE: True, TYPED_READ: False}  # whether it writes
_HEAD = 4  # offset of the packet, and how much of all its packets
_MASKS = 4  # AND and OR of one word
_LEVELS, _MORE = 4, 0xFF  # behind it two bytes follow
MOST_SETS = 128  # of masks in one command; 244 bytes of a command hold fewer


class Place(NamedTuple):
    """``system``: not in the data table. ``rest``: what follows the address."""

    target: Target
    system: bool
    rest: bytes


def place(function: int, data: bytes) -> Place | None:
    """Where a command of ``FUNCTIONS`` reads or writes; None where it is not as documented."""
    found = _address(data[_HEAD:], max(int.from_bytes(data[2:_HEAD], "little"), 1))
    if found is None or FUNCTIONS[function]:
        return found
    sizes = (1,) if function == WORD_RANGE_READ else (2,)
    return found._replace(rest=b"") if len(found.rest) in sizes else None


def places(data: bytes) -> list[Place] | None:
    """Of READ_MODIFY_WRITE: one after another, each with its masks."""
    found = list[Place]()
    while data:
        one = _address(data, 1)
        if one is None or len(one.rest) < _MASKS or len(found) >= MOST_SETS:
            return None
        data = one.rest[_MASKS:]
        found.append(one._replace(rest=one.rest[:_MASKS]))
    return found or None


def _address(data: bytes, count: int) -> Place | None:
    if data[:2] == b"\0$":  # as a person writes it, until the next NUL
        text, ends, rest = data[2:].partition(b"\0")
        if not ends or not text.isascii() or len(text) > MAX_TEXT:
            return None
        return Place(Target("data file", name=text.decode("ascii"), count=count), False, rest)
    if not data or not 0 < data[0] < 1 << _LEVELS:
        return None
    levels, at = [0] * _LEVELS, 1
    for level in range(_LEVELS):
        if not data[0] >> level & 1:
            continue
        size = 3 if data[at : at + 1] == bytes((_MORE,)) else 1
        if len(data) < at + size:
            return None
        levels[level] = int.from_bytes(data[at + 1 : at + 3], "little") if size == 3 else data[at]
        at += size
    area, file, element, sub = levels
    name = f"{file}:{element}" + (f".{sub}" if sub else "")
    known = ("system file", f"{area}/{name}") if area else ("data file", name)
    target = Target(known[0], name=known[1], count=count)
    return Place(target, bool(area), data[at:])
