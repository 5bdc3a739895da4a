# SPDX-License-Identifier: Apache-2.0
"""Object headers (4.2.2.7): which points each means, by qualifier and range, and what stands behind it."""

from collections.abc import Callable
from typing import NamedTuple

from portineria.protocols.dnp3 import objects
from portineria.protocols.dnp3.link import BadDnp3
from portineria.protocols.dnp3.objects import Form
from portineria.protocols.operation import MAX_VALUES, Value

MOST_HEADERS = 255  # ours
SPAN, ALL, COUNT, FREE = range(4)  # how a header says which points it means
# 4.2.2.7.3.3: range specifier codes, of low nibble: how, and octets of each number. 3 to 5 are addresses of memory.
RANGES = {
    0: (SPAN, 1),
    1: (SPAN, 2),
    2: (SPAN, 4),
    6: (ALL, 0),
    7: (COUNT, 1),
    8: (COUNT, 2),
    9: (COUNT, 4),
    11: (FREE, 1),
}
INDEXES = {1: 1, 2: 2, 3: 4}  # 4.2.2.7.3.2: object prefix codes: octets of an index before each object
SIZES = {4: 1, 5: 2, 6: 4}  # or of the size of each object


class Unknown(Exception):
    """No way to tell where the object ends, so that nothing after it can be read. ``before``: what could be.

    ``at``: where its header begins, from the beginning of all headers.
    """

    def __init__(self, before: "tuple[Header, ...]" = (), at: int = 0) -> None:
        super().__init__()
        self.before, self.at = before, at


class Header(NamedTuple):
    """``how``, then: ``first`` and ``number`` of points (SPAN), only their number (COUNT), or the index of each.

    ``values`` where objects follow, one for each point (the first 2,048 of packed ones). ``blobs``: objects that have
    a size of their own.
    """

    group: int
    variation: int
    how: int
    first: int = 0
    number: int = 0
    indexes: tuple[int, ...] | None = None
    values: tuple[Value, ...] = ()
    blobs: tuple[bytes, ...] = ()
    data: tuple[int, int] = (0, 0)  # where the objects are, from the beginning of all headers


def of_terminal(end: Unknown, body: bytes) -> bool:
    """Whether something of ``body``, which could be read up to ``end``, is of a terminal."""
    return any(each.group in objects.TERMINALS for each in end.before) or body[end.at] in objects.TERMINALS


def walk(body: bytes, holds: Callable[[int, int], bool]) -> list[Header]:
    """All of ``body``. ``holds``: whether objects follow a header. Raise Unknown, or BadDnp3 where it cannot end."""
    found: list[Header] = []
    at = 0
    while at < len(body):
        if len(found) >= MOST_HEADERS:
            raise BadDnp3(f"more than {MOST_HEADERS} object headers")
        try:
            header, at = _header(body, at, holds)
        except Unknown:
            raise Unknown(tuple(found), at) from None
        found.append(header)
    return found


def _header(body: bytes, at: int, holds: Callable[[int, int], bool]) -> tuple[Header, int]:
    group, variation, qualifier = _octets(body, at, 3)
    prefix, (how, width) = qualifier >> 4, RANGES.get(qualifier & 15, (-1, 0))
    at += 3
    if how == ALL and not prefix:
        if holds(group, variation):
            raise Unknown
        return Header(group, variation, ALL), at
    if how == SPAN and not prefix:
        return _span(Header(group, variation, SPAN), body, at, width, holds)
    if how == COUNT and (not prefix or prefix in INDEXES):
        count, at = _number(body, at, width)
        header = Header(group, variation, COUNT, number=count)
        return _indexed(header, body, at, INDEXES[prefix], holds) if prefix else _counted(header, body, at, holds)
    if how == FREE and prefix in SIZES:
        return _sized(Header(group, variation, FREE), body, at, SIZES[prefix])
    raise Unknown


def _span(header: Header, body: bytes, at: int, width: int, holds: Callable[[int, int], bool]) -> tuple[Header, int]:
    first, at = _number(body, at, width)
    last, at = _number(body, at, width)
    if last < first:
        raise BadDnp3(f"points {first} to {last} (4.2.2.7.3.3)")
    header = header._replace(first=first, number=last - first + 1)
    if not holds(header.group, header.variation):
        return header, at
    if header.group == objects.ATTRIBUTE:
        return _attributes(header, body, at)
    return _followed(header, body, at)


def _counted(header: Header, body: bytes, at: int, holds: Callable[[int, int], bool]) -> tuple[Header, int]:
    return _followed(header, body, at) if holds(header.group, header.variation) else (header, at)


def _followed(header: Header, body: bytes, at: int) -> tuple[Header, int]:
    """Objects one after another, none of which says its point."""
    known = objects.form(header.group, header.variation)
    if known is None:
        raise Unknown
    if known.bits:
        size = -(-header.number * known.bits // 8)
        values = tuple(_unpacked(_octets(body, at, size), header.number, known))
    else:
        size = header.number * known.layout.size
        values = tuple(known.read(value) for (value,) in known.layout.iter_unpack(_octets(body, at, size)))
    return header._replace(values=values, data=(at, at + size)), at + size


def _unpacked(octets: bytes, count: int, known: Form) -> list[Value]:
    """Lowest bits first; those that are left over are zero: 11.3.2."""
    mask, each = (1 << known.bits) - 1, 8 // known.bits
    return [known.read(octets[n // each] >> n % each * known.bits & mask) for n in range(min(count, MAX_VALUES))]


def _indexed(header: Header, body: bytes, at: int, width: int, holds: Callable[[int, int], bool]) -> tuple[Header, int]:
    known, start = None, at
    if holds(header.group, header.variation):
        known = objects.form(header.group, header.variation)
        if known is None or known.bits:
            raise Unknown
    size = known.layout.size if known else 0
    if at + header.number * (width + size) > len(body):
        raise BadDnp3(f"{header.number} points in {len(body) - at} octets (4.2.2.7.3.2)")
    indexes, values = [], []
    for _ in range(header.number):
        indexes.append(int.from_bytes(body[at : at + width], "little"))
        if known:
            values.append(known.read(known.layout.unpack_from(body, at + width)[0]))
        at += width + size
    return header._replace(indexes=tuple(indexes), values=tuple(values), data=(start, at)), at


def _sized(header: Header, body: bytes, at: int, width: int) -> tuple[Header, int]:
    count, at = _number(body, at, 1)
    blobs, start = [], at
    for _ in range(count):
        size, at = _number(body, at, width)
        blobs.append(_octets(body, at, size))
        at += size
    return header._replace(number=count, blobs=tuple(blobs), data=(start, at)), at


def _attributes(header: Header, body: bytes, at: int) -> tuple[Header, int]:
    """Each says its type, its size, then its value: A.1.1.

    The size of a list of attributes is 255 where 256 octets follow.
    """
    blobs, start = [], at
    for _ in range(header.number):
        kind, size = _octets(body, at, 2)
        size += kind == 255
        blobs.append(_octets(body, at + 2, size))
        at += 2 + size
    return header._replace(blobs=tuple(blobs), data=(start, at)), at


def _octets(body: bytes, at: int, size: int) -> bytes:
    if at + size > len(body):
        raise BadDnp3(f"objects that end {at + size - len(body)} octets too early (4.2.2.7)")
    return body[at : at + size]


def _number(body: bytes, at: int, width: int) -> tuple[int, int]:
    return int.from_bytes(_octets(body, at, width), "little"), at + width
