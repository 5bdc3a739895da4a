# SPDX-License-Identifier: Apache-2.0
"""Compares what was decrypted with what was signed about it: packets, operations, each stream's bytes and numbers."""

from collections import deque
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from portineria.recording import pcapng, segment
from portineria.recording.entry import BadRecording, Entry, StreamCount
from portineria.recording.kept import FILL

_SPACE = 1 << 32  # of TCP's numbers


_FIRST = 1  # TCP's number of the first byte


class _Line(msgspec.Struct):
    stream: str
    technician: str = ""
    device: str = ""
    operation: int = 0
    cut: str = ""
    direction: Annotated[int, Meta(ge=0, le=1)] = 0
    at: Annotated[int, Meta(ge=0, lt=1 << 62)] = 0
    size: Annotated[int, Meta(ge=0, lt=1 << 62)] = msgspec.field(default=0, name="bytes")


@dataclass(frozen=True, slots=True)
class CutOut:
    """Bytes of a stream that passed and are not kept. ``at``: counted from its first byte in this direction."""

    stream: str
    direction: int
    at: int
    size: int
    rule: str


_LINES: msgspec.json.Decoder[_Line] = msgspec.json.Decoder(_Line)


@dataclass(slots=True)
class _Direction:
    expected: int | None = None  # TCP's next number; None while nothing of it was seen
    before: int = 0  # recorded bytes up to the chunk before
    here: int = 0
    jumped: int = 0
    cuts: deque[CutOut] = field(default_factory=deque)  # of this chunk, whose bytes were not seen yet
    empty: int = 0  # bytes of this chunk that are to be FILL, less those that are


@dataclass(slots=True)
class _Flow:
    name: str
    directions: tuple[_Direction, _Direction] = field(default_factory=lambda: (_Direction(), _Direction()))
    counted: StreamCount | None = None


class Contents:
    """One chunk after the other of one recording."""

    def __init__(self) -> None:
        self._flows: dict[str, _Flow] = {}
        self._by_ends: dict[tuple[str, str], _Flow] = {}
        self._operation = 0

    def take(self, entry: Entry, index: bytes, capture: bytes) -> list[CutOut]:
        """Return what was cut out. Raise BadRecording or BadCapture at the first that is not as the entry says."""
        cuts = self._read_index(entry, index)
        found = 0
        for packet in pcapng.packets(capture):
            found += 1
            self._packet(segment.read(packet.frame))
        if found != entry.packets:
            raise BadRecording(f"{found} packets, {entry.packets} were signed")
        for count in entry.streams:
            self._compare(count)
        if any(one.here for flow in self._flows.values() for one in flow.directions):
            raise BadRecording("packets of a stream that the entry does not count")
        self._compare_cuts()
        return cuts

    def _read_index(self, entry: Entry, index: bytes) -> list[CutOut]:
        operations, cuts = 0, list[CutOut]()
        for text in index.splitlines():
            try:
                line = _LINES.decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise BadRecording("a line of the index that cannot be read") from error
            if line.operation:
                operations += 1
                if line.operation != self._operation + 1:
                    raise BadRecording(f"operation {line.operation} behind {self._operation}")
                self._operation = line.operation
            elif line.cut:
                cuts.append(CutOut(line.stream, line.direction, line.at, line.size, line.cut[:64]))
            else:
                flow = self._flows.setdefault(line.stream, _Flow(line.stream))
                self._by_ends[line.technician, line.device] = flow
        if operations != entry.operations:
            raise BadRecording(f"{operations} operations, {entry.operations} were signed")
        told = len(cuts), sum(cut.size for cut in cuts)
        if told != (entry.cuts, entry.cut_bytes):
            signed = f"{entry.cut_bytes} in {entry.cuts} signed"
            raise BadRecording(f"{told[1]} bytes cut out in {told[0]} places, {signed}")
        for cut in cuts:
            flow = self._flows.setdefault(cut.stream, _Flow(cut.stream))
            way = flow.directions[cut.direction]
            way.cuts.append(cut)
            way.empty += cut.size
        return cuts

    def _compare_cuts(self) -> None:
        for flow in self._flows.values():
            for way in flow.directions:
                if way.empty:
                    raise BadRecording(f"stream {flow.name}: {way.empty} bytes are there that were cut out")
                way.cuts.clear()

    def _packet(self, read: segment.Segment) -> None:
        ends = segment.Endpoints((read.technician[0], read.device[0]), (read.technician[1], read.device[1]))
        flow = self._by_ends.get(ends.texts)
        if flow is None:
            raise BadRecording(f"a packet between {' and '.join(ends.texts)}, which the index does not name")
        way = flow.directions[read.direction]
        if way.expected is not None and not read.flags & 2:
            # An acknowledgement of the handshake repeats no number; what was lost leaves a hole of its own size.
            way.jumped += (read.seq - way.expected) % _SPACE
        way.expected = (read.seq + read.counts) % _SPACE
        way.here += read.payload
        if way.cuts:
            way.empty -= _empty(way.cuts, read)

    def _compare(self, count: StreamCount) -> None:
        flow = self._flows.setdefault(count.stream, _Flow(count.stream))
        passed, lost = (count.to_device, count.from_device), (count.to_lost, count.from_lost)
        for direction, way in enumerate(flow.directions):
            recorded, way.here = way.before + way.here, 0
            if recorded != passed[direction] - lost[direction]:
                raise BadRecording(f"stream {count.stream}: {recorded} bytes recorded, {passed[direction]} counted")
            if way.jumped > lost[direction] + 2:  # the two: SYN and FIN, when they were lost
                raise BadRecording(f"stream {count.stream}: its numbers leave out {way.jumped} bytes")
            way.before = recorded
        flow.counted = count


def _empty(cuts: deque[CutOut], read: segment.Segment) -> int:
    """How many bytes of this packet are where something was cut out, and FILL. Both come in the order of the stream."""
    found = 0
    while cuts:
        first = (_FIRST + cuts[0].at - read.seq) % _SPACE
        begins = first if first < _SPACE // 2 else first - _SPACE
        if begins >= read.payload:
            break
        ends = begins + cuts[0].size
        found += read.data[max(begins, 0) : max(ends, 0)].count(FILL)
        if ends > read.payload:
            break
        cuts.popleft()
    return found
