# SPDX-License-Identifier: Apache-2.0
"""The smallest protocol there is, for tests of what stands around every protocol: a request and an answer are a line.

``read NAME`` and ``write NAME NUMBER``; ``both NAME NUMBER`` is a read and a write in one; anything else is no line.
"""

from portineria.protocols.inspection import Answer, Inspection, Refusal, Request, Undecodable
from portineria.protocols.operation import Kind, Operation, Target

LINE_BYTES = 100


class Lines(Inspection):
    """``no`` is what refuses."""

    def __init__(self) -> None:
        self.no = b"no\n"
        self._asked, self._answered = bytearray(), bytearray()

    def from_client(self, data: bytes | memoryview) -> list[Request]:
        return [Request(_operations(line), line + b"\n") for line in _lines(self._asked, data)]

    def forward(self, request: Request) -> bytes:
        return request.data

    def refuse(self, request: Request) -> Refusal:
        return Refusal(self.no)

    def from_device(self, data: bytes | memoryview) -> list[Answer]:
        return [Answer(line + b"\n") for line in _lines(self._answered, data)]


def _lines(buffer: bytearray, data: bytes | memoryview) -> list[bytes]:
    buffer += data
    *lines, rest = bytes(buffer).split(b"\n")
    if max(map(len, [*lines, rest])) > LINE_BYTES:
        raise Undecodable("a line without an end")
    buffer[:] = rest
    return lines


def _operations(line: bytes) -> tuple[Operation, ...]:
    match line.decode("latin-1").split():
        case ["read", name]:
            return (_operation(Kind.READ, name),)
        case ["write", name, value] if value.isdecimal():
            return (_operation(Kind.WRITE, name, int(value)),)
        case ["both", name, value] if value.isdecimal():
            return _operation(Kind.READ, name), _operation(Kind.WRITE, name, int(value))
    raise Undecodable("no line of ours")


def _operation(kind: Kind, name: str, *values: int) -> Operation:
    return Operation("lines", kind.value, kind.value, kind, (Target("name", name=name),), values)
