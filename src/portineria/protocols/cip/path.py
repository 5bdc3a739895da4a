# SPDX-License-Identifier: Apache-2.0
"""Padded EPATH: where a request goes. THE CIP NETWORKS LIBRARY Volume 1, appendix C-1."""

from dataclasses import dataclass, field
from functools import lru_cache

from portineria.protocols.cip.frames import Impossible
from portineria.protocols.operation import MAX_TEXT

MESSAGE_ROUTER, PROGRAM, SYMBOL = 0x02, 0x68, 0x6B
CACHED = 1024  # paths of at most 510 bytes; an operator panel asks for the same few hundred again and again

# C-1.4.2, logical types; the values are bits 4-2 of the segment.
CLASS, INSTANCE, MEMBER, POINT, ATTRIBUTE, SPECIAL, SERVICE_ID = range(7)
_SIZES = (1, 2, 4)  # bytes of the value by logical format, the latter two after a pad byte: C-1.4.2


@dataclass(slots=True, eq=False)
class Path:
    """``hops``: port segments, in order. ``names``: symbols with their elements. ``known``: False where a segment is
    not one that we know to lead to one place only; then nobody may conclude from the rest what is meant.
    """

    hops: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    instances: list[int] = field(default_factory=list)
    points: list[int] = field(default_factory=list)
    members: list[int] = field(default_factory=list)
    attribute: int | None = None
    configures: bool = False  # a data segment: configuration for the other end
    known: bool = True

    @property
    def name(self) -> str:
        return ".".join(self.names)

    @property
    def route_only(self) -> bool:
        """Whether it holds hops and nothing else, at least one."""
        rest = self.names or self.classes or self.instances or self.points or self.members or self.configures
        return bool(self.hops) and self.known and not rest and self.attribute is None


@lru_cache(CACHED)
def parse(data: bytes) -> Path:
    """The path that fills ``data``. The result is shared: nobody changes it. Raise Impossible."""
    path, at = Path(), 0
    while at < len(data):
        at = _SEGMENTS[data[at] >> 5](path, data, at)
        if at > len(data):
            raise Impossible("a path segment goes beyond its path")
    if len(path.name) > MAX_TEXT:
        path.names, path.known = [path.name[:MAX_TEXT]], False
    return path


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise Impossible("a path segment goes beyond its path")
    return data[at]


def _port(path: Path, data: bytes, at: int) -> int:
    """C-1.4.1: port, link address of one byte, or (bit 4) of a given size; port 15 means that 16 bits follow."""
    port, extended, next_ = data[at] & 0x0F, data[at] & 0x10, at + 1
    size = 1
    if extended:
        size, next_ = _byte(data, next_), next_ + 1
    if port == 15:
        port, next_ = _byte(data, next_) | _byte(data, next_ + 1) << 8, next_ + 2
    end = next_ + size
    if end > len(data):
        raise Impossible("a link address goes beyond its path")
    link = data[next_:end]
    text = link.rstrip(b"\0").decode("ascii", "backslashreplace") if extended else str(link[0])
    path.known &= port != 0 and len(text) <= MAX_TEXT and not (path.classes or path.names)
    path.hops.append(f"port {port} link {text[:MAX_TEXT]}")
    return end + (end - at) % 2  # padded to words


def _logical(path: Path, data: bytes, at: int) -> int:
    """C-1.4.2."""
    kind, form = data[at] >> 2 & 7, data[at] & 3
    if kind == SPECIAL:
        return _key(path, data, at)
    if form == 3 or kind > SPECIAL:  # reserved; service id and extended logical segments lead nowhere that we know
        path.known = False
        return at + 2 if form in (0, 3) else at + 2 + _SIZES[form]
    size = _SIZES[form]
    start = at + 1 if size == 1 else at + 2
    end = start + size
    if end > len(data):
        raise Impossible("a logical segment goes beyond its path")
    value = int.from_bytes(data[start:end], "little")
    _place(path, kind, value)
    return end


def _place(path: Path, kind: int, value: int) -> None:
    if kind == CLASS:
        path.classes.append(value)
    elif kind == INSTANCE:
        path.instances.append(value)
    elif kind == POINT:
        path.points.append(value)
    elif kind == MEMBER:
        path.members.append(value)
        if path.names and not path.classes:
            path.names[-1] += f"[{value}]"
    else:
        path.known &= path.attribute is None
        path.attribute = value


def _key(path: Path, data: bytes, at: int) -> int:
    """C-1.4.2.5.1: electronic key format 4, 8 bytes. It restricts which device may answer and leads nowhere."""
    if data[at] & 3 or _byte(data, at + 1) != 4:
        path.known = False
        return at + 2
    return at + 10


def _network(path: Path, data: bytes, at: int) -> int:
    """C-1.4.3: of bit 4 of the subtype it depends whether one byte follows or a number of words."""
    if data[at] & 0x10:
        return at + 2 + 2 * _byte(data, at + 1)
    return at + 2


def _symbol(path: Path, data: bytes, at: int) -> int:
    """C-1.4.4: up to 31 characters; size 0 means other alphabets, which we do not know."""
    size = data[at] & 0x1F
    if not size:
        raise Impossible("an extended string symbol")
    return _name(path, data, at + 1, size, at)


def _data(path: Path, data: bytes, at: int) -> int:
    """C-1.4.5: simple data in words, or ANSI extended symbol."""
    size = _byte(data, at + 1)
    if data[at] == 0x91:
        return _name(path, data, at + 2, size, at)
    path.configures = True
    path.known &= data[at] == 0x80
    return at + 2 + 2 * size


def _name(path: Path, data: bytes, start: int, size: int, at: int) -> int:
    end = start + size
    if end > len(data) or not size:
        raise Impossible("a symbol goes beyond its path, or has no letters")
    path.known &= not path.classes
    path.names.append(data[start:end].decode("ascii", "backslashreplace"))
    return end + (end - at) % 2


def _type(path: Path, data: bytes, at: int) -> int:
    """C-1.4.6, C-1.4.7 (data types) and reserved segments: not part of any request that we know."""
    path.known = False
    return len(data)


_SEGMENTS = (_port, _logical, _network, _symbol, _data, _type, _type, _type)
