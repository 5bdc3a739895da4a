# SPDX-License-Identifier: Apache-2.0
"""What a session says between two seals: packets, operations and counts, in memory, until they are taken.

Times are nanoseconds of the monotonic clock. Each piece has one pair of clocks, so that its packets follow each other
even when the trusted time is set meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from portineria.recording import pcapng
from portineria.recording.entry import STREAMS, StreamCount
from portineria.recording.kept import Cut
from portineria.recording.segment import SEGMENT_BYTES, Flow, endpoints

OPERATION_BYTES = 16 << 10  # of one line of the index: 2,000 coils written at once are 14 KiB


@dataclass(frozen=True, slots=True)
class Clocks:
    """One moment on both: trusted time since 1970 and the monotonic clock."""

    wall_ns: int
    boot_ns: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Ready to be sealed."""

    clocks: Clocks  # when it began
    index: bytes
    capture: bytes
    packets: int
    operations: int
    streams: list[StreamCount]
    totals: tuple[int, int, int]
    cut: tuple[int, int]  # how often something was cut out, and how many bytes
    parts: "list[tuple[_Stream, tuple[int, int]]]"  # what it holds of each stream: for when it cannot be kept


@dataclass(slots=True)
class _Stream:
    name: str
    number: int
    flow: Flow
    service: str
    passed: list[int] = field(default_factory=lambda: [0, 0])
    lost: list[int] = field(default_factory=lambda: [0, 0])
    here: list[int] = field(default_factory=lambda: [0, 0])  # recorded since the last piece was taken
    over: str = ""

    def count(self) -> StreamCount:
        (there, back), (to_lost, from_lost) = self.passed, self.lost
        return StreamCount(self.name, there, back, to_lost, from_lost, self.over)


class Capture:
    """Of one recording. ``take`` gives what came since the last one; numbers of streams and operations go on."""

    def __init__(self, session: str, program: str) -> None:
        self._session, self._program = session, program
        self._streams: dict[str, _Stream] = {}
        self._opened = self._operations = 0
        self._totals = [0, 0, 0]
        self._begin()

    def _begin(self) -> None:
        self._clocks: Clocks | None = None
        self._blocks: list[bytes] = []
        self._lines: list[bytes] = []
        self._changed: dict[str, _Stream] = {}
        self._packets = self._operations_here = 0
        self._cuts = self._cut_bytes = 0
        self.size = 0

    @property
    def empty(self) -> bool:
        return not self._changed and not self._lines

    @property
    def crowded(self) -> bool:
        """More streams changed than one entry should have to name."""
        return len(self._changed) >= STREAMS // 2

    @property
    def began(self) -> Clocks | None:
        return self._clocks

    # -- what happens ------------------------------------------------------------------------------------------

    def open(self, stream: str, service: str, address: str, port: int, at: Clocks) -> None:
        """Raise BadCapture for an address that is none."""
        number = self._opened
        opened = _Stream(stream, number, Flow(endpoints(number, address, port)), service)
        self._opened += 1
        self._streams[stream] = opened
        self._touch(opened, at)
        for frame in opened.flow.opening():
            self._packet(frame, at, f"stream {stream}")

    def data(self, stream: str, direction: int, pieces: Sequence[memoryview], at: Clocks, comment: str = "") -> None:
        """``direction`` 0: to the device."""
        found = self._streams[stream]
        self._touch(found, at)
        for piece in pieces:
            for first in range(0, len(piece), SEGMENT_BYTES):
                self._packet(found.flow.data(direction, bytes(piece[first : first + SEGMENT_BYTES])), at, comment)
                comment = ""
        count = sum(map(len, pieces))
        found.passed[direction] += count
        found.here[direction] += count
        self._totals[direction] += count

    def cut(self, stream: str, direction: int, cuts: Sequence[Cut], at: Clocks) -> None:
        """Of the bytes that come next, and are given as they are kept: what was taken out of them, and why."""
        found = self._streams[stream]
        self._touch(found, at)
        for cut in cuts:
            self._cuts += 1
            self._cut_bytes += cut.size
            line: dict[str, object] = {
                "cut": cut.rule, "stream": stream, "direction": direction, "at": found.passed[direction] + cut.at,
                "bytes": cut.size, "at_ns": self._wall(at),
            }  # fmt: skip
            self._line(msgspec.json.encode(line | ({"sha256": cut.sha256} if cut.sha256 else {})))

    def lost(self, stream: str, direction: int, count: int, at: Clocks) -> None:
        """It passed and is not recorded."""
        found = self._streams[stream]
        self._touch(found, at)
        found.flow.gap(direction, count)
        found.passed[direction] += count
        found.lost[direction] += count
        self._totals[direction] += count
        self._totals[2] += count

    def half(self, stream: str, direction: int, at: Clocks) -> None:
        """This side has said everything."""
        found = self._streams[stream]
        self._touch(found, at)
        for frame in found.flow.end(direction):
            self._packet(frame, at, "")

    def over(self, stream: str, how: str, at: Clocks) -> None:
        found = self._streams.pop(stream)
        self._touch(found, at)
        found.over = how[:32] or "over"
        for frame in found.flow.reset():
            self._packet(frame, at, f"over {found.over}")

    def operation(self, stream: str, fields: Mapping[str, object], at: Clocks) -> int:
        """Number of the operation; whoever passes its bytes on names it as their comment (``comment_of``).

        Fields that would make a line longer than OPERATION_BYTES are left out, and it says so.
        """
        found = self._streams[stream]
        self._touch(found, at)
        self._operations += 1
        self._operations_here += 1
        head = {"operation": self._operations, "stream": stream, "at_ns": self._wall(at)}
        line = msgspec.json.encode(head | {"is": dict(fields)})
        if len(line) > OPERATION_BYTES:
            line = msgspec.json.encode(head | {"too_long": len(line)})
        self._line(line)
        return self._operations

    # -- what is kept ------------------------------------------------------------------------------------------

    def _wall(self, at: Clocks) -> int:
        assert self._clocks is not None  # noqa: S101 - _touch set them
        return self._clocks.wall_ns + max(at.boot_ns - self._clocks.boot_ns, 0)

    def _touch(self, stream: _Stream, at: Clocks) -> None:
        if self._clocks is None:
            self._clocks = at
        if stream.name not in self._changed:
            self._changed[stream.name] = stream
            technician, device = stream.flow.ends.texts
            about = {"stream": stream.name, "service": stream.service, "technician": technician, "device": device}
            self._line(msgspec.json.encode(about))

    def _line(self, line: bytes) -> None:
        self._lines.append(line)
        self.size += len(line) + 1

    def _packet(self, frame: bytes, at: Clocks, comment: str) -> None:
        block = pcapng.packet(self._wall(at), frame, comment)
        self._blocks.append(block)
        self._packets += 1
        self.size += len(block)

    def take(self, at: Clocks) -> Piece:
        """Everything since the last time; ``at``: now, for a piece in which nothing happened."""
        clocks, changed = self._clocks or at, list(self._changed.values())
        comment = f"session {self._session}; monotonic {clocks.boot_ns} ns is {clocks.wall_ns} ns since 1970"
        head = pcapng.section(program=self._program, comment=comment) + pcapng.interface(self._session)
        piece = Piece(
            clocks, b"".join(line + b"\n" for line in self._lines), b"".join([head, *self._blocks]), self._packets,
            self._operations_here, [stream.count() for stream in changed],
            (self._totals[0], self._totals[1], self._totals[2]), (self._cuts, self._cut_bytes),
            [(stream, (stream.here[0], stream.here[1])) for stream in changed],
        )  # fmt: skip
        for stream in changed:
            stream.here = [0, 0]
        self._begin()
        return piece

    def give_up(self, piece: Piece, at: Clocks) -> None:
        """A piece that could not be kept: its bytes count as lost, in the next one."""
        for stream, recorded in piece.parts:
            self._touch(stream, at)
            for direction, count in enumerate(recorded):
                stream.lost[direction] += count
                self._totals[2] += count


def comment_of(operation: int) -> str:
    return f"operation {operation}"
