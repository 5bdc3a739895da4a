# SPDX-License-Identifier: Apache-2.0
"""TCP connections of a capture: each byte once and in order, both directions in the order in which they were seen."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.corpus.capture import Frame, frames

Address = tuple[str, int]
IPV4, IPV6, TCP = 0x0800, 0x86DD, 6
VLAN = {0x8100, 0x88A8}
ETHERNET = 1  # tcpdump.org/linktypes.html
HEADERS = {0: 4, 101: 0, 108: 4, 113: 16, 228: 0, 229: 0}  # NULL, RAW, LOOP, LINUX_SLL, IPV4, IPV6: bytes before IP
FIN, SYN, RST, ACK = 1, 2, 4, 16
EXTENSIONS = {0, 43, 60}  # IPv6 hop-by-hop, routing, destination options: RFC 8200, 4


@dataclass(frozen=True, slots=True)
class Segment:
    """``size`` as sent; ``data`` may be shorter where the capture cut the frame."""

    frame: int
    source: Address
    target: Address
    sequence: int
    acknowledged: int
    flags: int
    size: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """What one direction delivered at once. ``lost``: bytes before it that the capture does not have.

    ``frame``: of the segment that brought it.
    """

    from_client: bool
    data: bytes
    frame: int
    lost: int = 0


@dataclass(slots=True)
class Connection:
    """``from_start``: its first SYN was captured; otherwise it may begin in the middle of a message."""

    client: Address
    server: Address
    from_start: bool
    pieces: list[Piece] = field(default_factory=list)


def connections(path: Path, ports: Collection[int] = ()) -> list[Connection]:
    """All of ``path``. ``ports`` say who is the server where no SYN does; else it is the lower port."""
    reader = _Reader(frozenset(ports))
    for frame in frames(path):
        if segment := _segment(frame):
            reader.take(segment)
    return reader.finish()


class _Direction:
    """One direction: what is next, and what came too early for it."""

    def __init__(self) -> None:
        self.next: int | None = None
        self.early: list[Segment] = []
        self.cut = 0  # bytes of the latest segment that the capture does not have

    def take(self, segment: Segment) -> Iterator[tuple[Segment, bytes, int]]:
        if self.next is None:
            self.next = segment.sequence
        if segment.size:
            self.early.append(segment)
        yield from self._ready()

    def give_up(self, until: int | None = None) -> Iterator[tuple[Segment, bytes, int]]:
        """Count as lost what is missing before ``until``, which the other side has confirmed, or before anything."""
        while self.early and self.next is not None:
            missing = min(_after(self.next, segment.sequence) for segment in self.early)
            if until is not None and _after(self.next, until) < missing:
                return
            yield from self._ready(missing)

    def _ready(self, missing: int = 0) -> Iterator[tuple[Segment, bytes, int]]:
        """What follows without a gap, after one of ``missing`` bytes at most."""
        assert self.next is not None
        for segment in sorted(self.early, key=lambda each: _after(self.next or 0, each.sequence)):
            ahead = _after(self.next, segment.sequence)
            if ahead > missing:
                return
            self.early.remove(segment)
            if ahead + segment.size <= 0:
                continue  # sent again
            data = segment.data[max(-ahead, 0) :]
            yield segment, data, max(ahead, 0) + self.cut
            self.cut = segment.size - len(segment.data)
            self.next = (segment.sequence + segment.size) % 2**32
            missing = 0


class _Reader:
    def __init__(self, ports: frozenset[int]) -> None:
        self.ports = ports
        self.done: list[Connection] = []
        self.open: dict[frozenset[Address], tuple[Connection, dict[Address, _Direction]]] = {}

    def take(self, segment: Segment) -> None:
        key = frozenset((segment.source, segment.target))
        if key not in self.open or self._begins_anew(segment, key):
            self._begin(segment, key)
        connection, directions = self.open[key]
        own, other = directions[segment.source], directions[segment.target]
        if segment.flags & SYN:
            own.next = (segment.sequence + 1) % 2**32
            return
        if segment.flags & ACK:
            self._keep(connection, other.give_up(segment.acknowledged))
        self._keep(connection, own.take(segment))

    def finish(self) -> list[Connection]:
        for connection, directions in self.open.values():
            for direction in directions.values():
                self._keep(connection, direction.give_up())
        return self.done

    def _begins_anew(self, segment: Segment, key: frozenset[Address]) -> bool:
        """A SYN on a pair of ports that has carried something already, and not the same SYN sent again."""
        direction = self.open[key][1][segment.source]
        again = direction.next is not None and direction.next == (segment.sequence + 1) % 2**32
        return bool(segment.flags & SYN) and not segment.flags & ACK and direction.next is not None and not again

    def _begin(self, segment: Segment, key: frozenset[Address]) -> None:
        if key in self.open:
            connection, directions = self.open[key]
            for direction in directions.values():
                self._keep(connection, direction.give_up())
        client, server = self._sides(segment)
        connection = Connection(client, server, bool(segment.flags & SYN))
        self.done.append(connection)
        self.open[key] = connection, {client: _Direction(), server: _Direction()}

    def _sides(self, segment: Segment) -> tuple[Address, Address]:
        one, two = segment.source, segment.target
        if segment.flags & SYN:
            return (two, one) if segment.flags & ACK else (one, two)
        if (one[1] in self.ports) != (two[1] in self.ports):
            return (two, one) if one[1] in self.ports else (one, two)
        return (two, one) if one[1] < two[1] else (one, two)

    @staticmethod
    def _keep(connection: Connection, found: Iterator[tuple[Segment, bytes, int]]) -> None:
        for segment, data, lost in found:
            if data or lost:
                connection.pieces.append(Piece(segment.source == connection.client, data, segment.frame, lost))


def _after(start: int, sequence: int) -> int:
    """How far ``sequence`` is ahead of ``start``, negative when behind: RFC 9293, 3.4."""
    return (sequence - start + 2**31) % 2**32 - 2**31


def _segment(frame: Frame) -> Segment | None:
    """The TCP segment of a frame, if it holds a whole header of one that is not a later fragment."""
    if (found := _network(frame)) is None or len(found[2]) < 20:
        return None
    source, target, data, size = found
    sport, dport, sequence, acknowledged, offset, flags = struct.unpack_from(">HHIIBB", data)
    header = (offset >> 4) * 4
    payload = data[header:size]
    return Segment(
        frame.number, (source, sport), (target, dport), sequence, acknowledged, flags, max(size - header, 0), payload
    )


def _network(frame: Frame) -> tuple[str, str, bytes, int] | None:
    """Addresses, TCP header and data as far as captured, and how long they were."""
    data = _packet(frame)
    if len(data) >= 20 and data[0] >> 4 == 4:
        header, total = (data[0] & 15) * 4, int.from_bytes(data[2:4], "big") or len(data)  # 0: the card cuts it later
        if data[9] != TCP or int.from_bytes(data[6:8], "big") & 0x1FFF:
            return None
        return _text(data[12:16]), _text(data[16:20]), data[header:total], total - header
    if len(data) >= 40 and data[0] >> 4 == 6:
        kind, at, total = data[6], 40, 40 + int.from_bytes(data[4:6], "big")
        while kind in EXTENSIONS and at + 8 <= len(data):
            kind, at = data[at], at + 8 + data[at + 1] * 8
        if kind == TCP:
            return _text(data[8:24]), _text(data[24:40]), data[at:total], total - at
    return None


def _packet(frame: Frame) -> bytes:
    """What follows the link layer, when it is IP."""
    data, at = frame.data, 0
    if frame.link == ETHERNET:
        at = 14
        while len(data) >= at + 4 and int.from_bytes(data[at - 2 : at], "big") in VLAN:
            at += 4
        return data[at:] if int.from_bytes(data[at - 2 : at], "big") in (IPV4, IPV6) else b""
    return data[HEADERS[frame.link] :] if frame.link in HEADERS else b""


def _text(address: bytes) -> str:
    return str(ipaddress.ip_address(address))
