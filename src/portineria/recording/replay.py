# SPDX-License-Identifier: Apache-2.0
"""Reads a recording anew with the decoders: what was asked of the device, whether or not it was inspected then."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from portineria.protocols.catalogue import ALL
from portineria.protocols.inspection import Inspection, ProtocolInfo, Undecodable
from portineria.protocols.operation import Operation
from portineria.recording import pcapng, segment

_BEGINNING = 8  # bytes by which a protocol is recognised
_SPACE = 1 << 32  # of TCP's numbers
Route = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that reached the device. ``at_ns``: Unix. ``own``: routes that mean the device itself."""

    at_ns: int
    device: str
    operations: tuple[Operation, ...]
    own: frozenset[Route]


@dataclass(slots=True)
class _Stream:
    beginning: bytearray = field(default_factory=bytearray)
    inspection: Inspection | None = None
    own: frozenset[Route] = frozenset()
    left: bool = False  # nothing more of it is read
    expected: list[int | None] = field(default_factory=lambda: [None, None])


class Replay:
    """One chunk after the other of one recording. ``unread``: streams that could not be read, or not to their end,
    and why.
    """

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str], _Stream] = {}
        self.unread: dict[str, str] = {}

    def take(self, capture: bytes) -> Iterator[Asked]:
        """Raise BadCapture."""
        for packet in pcapng.packets(capture):
            read = segment.read(packet.frame)
            ends = segment.Endpoints((read.technician[0], read.device[0]), (read.technician[1], read.device[1])).texts
            stream = self._streams.setdefault(ends, _Stream())
            try:
                yield from self._segment(stream, read, packet.at_ns, ends[1])
            except Undecodable as error:
                self._give_up(stream, ends, str(error)[:200])

    def _give_up(self, stream: _Stream, ends: tuple[str, str], why: str) -> None:
        stream.left = True
        self.unread.setdefault(" ".join(ends), why)

    def _segment(self, stream: _Stream, read: segment.Segment, at_ns: int, device: str) -> Iterator[Asked]:
        expected = stream.expected[read.direction]
        stream.expected[read.direction] = (read.seq + read.counts) % _SPACE
        if read.payload and expected not in (None, read.seq):
            raise Undecodable("bytes passed here unrecorded")
        if stream.left or not read.payload:
            return
        if read.direction == 0:
            yield from self._asked(stream, read.data, at_ns, device)
        elif stream.inspection is not None:
            stream.inspection.from_device(read.data)

    def _asked(self, stream: _Stream, data: bytes, at_ns: int, device: str) -> Iterator[Asked]:
        if stream.inspection is None:
            stream.beginning += data
            if len(stream.beginning) < _BEGINNING:
                return
            data = bytes(stream.beginning)
            info = _recognised(data)
            stream.inspection, stream.own = info.begin(), frozenset(map(tuple, info.own))
        for request in stream.inspection.from_client(data):
            stream.inspection.forward(request)
            yield Asked(at_ns, device, request.operations, stream.own)


def _recognised(beginning: bytes) -> ProtocolInfo:
    for info in ALL:
        if info.recognise(beginning):
            return info
    raise Undecodable("no protocol that is decoded here")
