# SPDX-License-Identifier: Apache-2.0
"""OPC UA binary encoding: Part 6 5.2. Every length and depth is bounded by what is there."""

import struct
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from portineria.protocols.inspection import Undecodable
from portineria.protocols.operation import MAX_TEXT, MAX_VALUES, Value

T = TypeVar("T")
MOST = 10_000  # nodes, methods or items of one request, and results of one answer
DEEPEST = 16  # nested variants and diagnostic infos; Part 6 5.1.1 asks decoders for a limit
_NUMBERS = {1: "?", 2: "b", 3: "B", 4: "h", 5: "H", 6: "i", 7: "I", 8: "q", 9: "Q", 10: "f", 11: "d", 13: "q", 19: "I"}


class BadOpcUa(Undecodable):
    """The message says what in the specification it contradicts."""

    code = "protocol.opcua"


class Reader:
    __slots__ = ("at", "data", "depth", "stamps")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at, self.depth = data, at, 0
        self.stamps: list[tuple[int, int]] = []  # where time stamps of values stand

    def take(self, size: int) -> bytes:
        if size < 0 or len(self.data) - self.at < size:
            raise BadOpcUa(f"{size} bytes wanted at {self.at} of {len(self.data)}")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, code: str) -> int:
        return int(struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0])

    def count(self) -> int:
        """Length of an array; -1, which is none, counts as 0 (5.2.5). Each element has a byte at least."""
        count = self.number("i")
        if count > len(self.data) - self.at:
            raise BadOpcUa(f"an array of {count} in {len(self.data) - self.at} bytes")
        return max(count, 0)

    def few(self) -> int:
        """Length of an array of what becomes a target or an operation of its own, far longer than on the wire."""
        if (count := self.count()) > MOST:
            raise BadOpcUa(f"{count} in one message, {MOST} are the most")
        return count

    def octets(self) -> bytes:
        return self.take(max(self.number("i"), 0))

    def text(self) -> str:
        return self.octets().decode("utf-8", "backslashreplace")

    def node(self, *, expanded: bool = False) -> str:
        """Part 6 5.2.2.9, written as in Part 6 5.3.1.10: whatever the form, the same node has the same text."""
        form = self.number("B")
        if form & 0xC0 and not expanded:
            raise BadOpcUa(f"flags of an expanded node id in {form:#04x}")
        kind = form & 0x3F
        if kind == 0:
            space, name = 0, f"i={self.number('B')}"
        elif kind == 1:
            space, name = self.number("B"), f"i={self.number('H')}"
        elif kind in _IDENTIFIERS:
            space = self.number("H")
            name = _IDENTIFIERS[kind](self)
        else:
            raise BadOpcUa(f"a node id of form {kind}")
        if form & 0x80:
            name += f";nsu={self.text()}"
        if form & 0x40:
            name += f";svr={self.number('I')}"
        if len(name) > MAX_TEXT - 9:  # cut, two nodes could look the same
            raise BadOpcUa(f"a node id of {len(name)} characters")
        return f"ns={space};{name}" if space else name

    def qualified(self) -> str:
        return f"{self.number('H')}:{self.text()}"

    def localized(self) -> str:
        mask = self.number("B")
        locale = self.text() if mask & 1 else ""
        text = self.text() if mask & 2 else ""
        return text or locale

    def extension(self) -> bytes:
        self.node()
        form = self.number("B")
        if form > 2:
            raise BadOpcUa(f"an extension object of form {form}")
        return self.octets() if form else b""

    def diagnostic(self) -> None:
        mask = self.number("B")
        for bit in (1, 2, 8, 4):  # 5.2.2.12; locale stands before localized text
            if mask & bit:
                self.number("i")
        if mask & 0x10:
            self.text()
        if mask & 0x20:
            self.number("I")
        if mask & 0x40:
            self._deeper(self.diagnostic)

    def data_value(self) -> tuple[Value, ...]:
        """Part 6 5.2.2.17."""
        mask = self.number("B")
        values = self._deeper(self.variant) if mask & 1 else (None,)
        for bit, code in ((2, "I"), (4, "q"), (0x10, "H"), (8, "q"), (0x20, "H")):
            if mask & bit:
                begins = self.at
                self.number(code)
                if bit != 2:  # the status
                    self.stamps.append((begins, self.at))
        return values

    def variant(self) -> tuple[Value, ...]:
        """Part 6 5.2.2.16. More values than one operation may have are told in words, which no limit lets pass."""
        mask = self.number("B")
        kind, values = mask & 0x3F, tuple[Value, ...]((None,))
        if mask & 0x80:
            values = self._array(kind, self.count())
        elif kind:
            values = self._one(kind)
        if mask & 0x40:
            self.take(4 * self.count())
        return values if len(values) <= MAX_VALUES else (f"{len(values)} values",)

    def _array(self, kind: int, count: int) -> tuple[Value, ...]:
        if code := _NUMBERS.get(kind):
            return struct.unpack(f"<{count}{code}", self.take(count * struct.calcsize(f"<{code}")))
        values = list[Value]()
        for _ in range(count):
            values += self._one(kind)
        return tuple(values)

    def _one(self, kind: int) -> tuple[Value, ...]:
        if code := _NUMBERS.get(kind):
            return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))
        if kind == 23:
            return self._deeper(self.data_value)
        if kind == 24:
            return self._deeper(self.variant)
        if kind == 25:
            self.diagnostic()
            return (None,)
        return (_OTHERS.get(kind, Reader.octets)(self),)  # 5.2.2.16: 26 to 31 are read as byte strings

    def _deeper(self, read: Callable[[], T]) -> T:
        self.depth += 1
        if self.depth > DEEPEST:
            raise BadOpcUa(f"nested deeper than {DEEPEST}")
        found = read()
        self.depth -= 1
        return found


_IDENTIFIERS: dict[int, Callable[[Reader], str]] = {
    2: lambda reader: f"i={reader.number('I')}",
    3: lambda reader: f"s={reader.text()}",
    4: lambda reader: f"g={UUID(bytes_le=reader.take(16))}",
    5: lambda reader: f"b={reader.octets().hex()}",
}
_OTHERS: dict[int, Callable[[Reader], Value]] = {
    12: Reader.text,
    14: lambda reader: str(UUID(bytes_le=reader.take(16))),
    15: Reader.octets,
    16: Reader.text,
    17: Reader.node,
    18: lambda reader: reader.node(expanded=True),
    20: Reader.qualified,
    21: Reader.localized,
    22: Reader.extension,
}
