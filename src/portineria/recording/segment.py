# SPDX-License-Identifier: Apache-2.0
"""Ethernet, IP and TCP around the bytes of one stream, as if both ends had spoken over one wire.

The gateway ends the technician's connection and makes its own to the device: no such packets ever were. They are
written so that every analyser reads the recording; addresses and bytes of the device are true, the technician's
address is one for documentation. Source: RFC 9293 (TCP), RFC 791 and 8200 (IP), RFC 1071 (checksum).
"""

import ipaddress
import struct
from dataclasses import dataclass

from portineria.recording.pcapng import BadCapture

SEGMENT_BYTES = 32 << 10  # of one packet: below the 65,535 of an IP packet, so that a large transfer costs few of them
_FIN, _SYN, _RST, _PSH, _ACK = 1, 2, 4, 8, 16  # RFC 9293, 3.1
_TCP = 6
_MACS = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")  # locally administered: technician, device
_ETHER_4, _ETHER_6 = b"\x08\x00", b"\x86\xdd"
_HEAD_4 = struct.Struct(">BBHHHBBH4s4s")
_HEAD_6 = struct.Struct(">IHBB16s16s")
_SEGMENT = struct.Struct(">HHIIBBHHH")
_WINDOW = 65535
_TECHNICIANS_4 = int(ipaddress.IPv4Address("192.0.2.1"))  # TEST-NET-1, RFC 5737
_TECHNICIANS_6 = int(ipaddress.IPv6Address("2001:db8::1"))  # RFC 3849
_FIRST_PORT, _PORTS = 49152, 16384  # RFC 6335: the dynamic ones
MOST_FLOWS = _PORTS * 250  # of one recording


def _sum(data: bytes) -> int:
    """RFC 1071. The ones' complement sum of 16-bit words is the whole number modulo 2^16 - 1; this is its complement,
    0 over data that has its own checksum in it.
    """
    if len(data) % 2:
        data += b"\x00"
    return -int.from_bytes(data, "big") % 0xFFFF


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Of one stream: packed addresses and ports, the technician's first."""

    addresses: tuple[bytes, bytes]
    ports: tuple[int, int]

    @property
    def texts(self) -> tuple[str, str]:
        return tuple(  # type: ignore[return-value]
            f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
            for address, port in zip(map(ipaddress.ip_address, self.addresses), self.ports, strict=True)
        )


def endpoints(number: int, address: str, port: int) -> Endpoints:
    """Of stream ``number`` (from 0) to this device. Raise BadCapture for a text that is no address."""
    try:
        device = ipaddress.ip_address(address)
    except ValueError as error:
        raise BadCapture(f"{address[:45]!r} is no address") from error
    if not 0 <= number < MOST_FLOWS:
        raise BadCapture(f"stream {number} of one recording")
    turn, offset = divmod(number, _PORTS)
    base = _TECHNICIANS_4 if device.version == 4 else _TECHNICIANS_6
    technician = (base + turn).to_bytes(len(device.packed), "big")
    return Endpoints((technician, device.packed), (_FIRST_PORT + offset, port))


class Flow:
    """Numbers both directions. ``direction`` 0 is to the device, 1 from it."""

    def __init__(self, ends: Endpoints) -> None:
        self.ends = ends
        self._next = [0, 0]
        self._ended = [False, False]

    def opening(self) -> list[bytes]:
        self._next = [1, 1]
        return [
            self._frame(0, _SYN, 0, 0, b""), self._frame(1, _SYN | _ACK, 0, 1, b""), self._frame(0, _ACK, 1, 1, b""),
        ]  # fmt: skip

    def data(self, direction: int, payload: bytes) -> bytes:
        """At most SEGMENT_BYTES."""
        frame = self._frame(direction, _PSH | _ACK, self._next[direction], self._next[1 - direction], payload)
        self._skip(direction, len(payload))
        return frame

    def _skip(self, direction: int, count: int) -> None:
        self._next[direction] = self._next[direction] + count & 0xFFFFFFFF

    def gap(self, direction: int, count: int) -> None:
        """What was not recorded is missing in the numbers too: analysers say so."""
        self._skip(direction, count)

    def end(self, direction: int) -> list[bytes]:
        """One side has said everything."""
        if self._ended[direction]:
            return []
        self._ended[direction] = True
        frames = [self._frame(direction, _FIN | _ACK, self._next[direction], self._next[1 - direction], b"")]
        self._skip(direction, 1)
        if all(self._ended):
            frames.append(self._frame(1 - direction, _ACK, self._next[1 - direction], self._next[direction], b""))
        return frames

    def reset(self) -> list[bytes]:
        """Over, unless both had said everything."""
        if all(self._ended):
            return []
        return [self._frame(0, _RST | _ACK, self._next[0], self._next[1], b"")]

    def _frame(self, direction: int, flags: int, seq: int, ack: int, payload: bytes) -> bytes:
        addresses, ports = self.ends.addresses, self.ends.ports
        source, target = addresses[direction], addresses[1 - direction]
        length = _SEGMENT.size + len(payload)
        from_port, to_port = ports[direction], ports[1 - direction]
        pseudo = source + target + struct.pack(">II", length, _TCP)  # RFC 8200, 8.1; the same sum as RFC 9293, 3.1
        head = _SEGMENT.pack(from_port, to_port, seq, ack, 5 << 4, flags, _WINDOW, 0, 0)
        check = _sum(b"".join((pseudo, head, payload)))
        head = _SEGMENT.pack(from_port, to_port, seq, ack, 5 << 4, flags, _WINDOW, check, 0)
        if len(source) == 4:
            around = _ETHER_4 + _ipv4(source, target, length)
        else:
            around = _ETHER_6 + _HEAD_6.pack(6 << 28, length, _TCP, 64, source, target)
        return b"".join((_MACS[1 - direction], _MACS[direction], around, head, payload))


def _ipv4(source: bytes, target: bytes, length: int) -> bytes:
    total = _HEAD_4.size + length
    # Not to be fragmented (RFC 791, 3.1), so that the identification means nothing.
    head = _HEAD_4.pack(0x45, 0, total, 0, 0x4000, 64, _TCP, 0, source, target)
    return _HEAD_4.pack(0x45, 0, total, 0, 0x4000, 64, _TCP, _sum(head), source, target)


@dataclass(frozen=True, slots=True)
class Segment:
    """One packet read back."""

    technician: tuple[bytes, int]
    device: tuple[bytes, int]
    direction: int
    flags: int
    seq: int
    payload: int  # bytes
    data: bytes

    @property
    def opens(self) -> bool:
        return self.flags == _SYN

    @property
    def counts(self) -> int:
        """How far it moves the numbers of its direction."""
        return self.payload + bool(self.flags & (_SYN | _FIN))


def read(frame: bytes) -> Segment:
    """A packet as written here, its checksum verified; raise BadCapture for any other."""
    kind, head = frame[12:14], frame[14:]
    if frame[:12] not in (_MACS[0] + _MACS[1], _MACS[1] + _MACS[0]):
        raise BadCapture("a packet between others than technician and device")
    direction = 0 if frame[:6] == _MACS[1] else 1
    if kind == _ETHER_4 and len(head) >= _HEAD_4.size + _SEGMENT.size and not _wrong_sum(head[: _HEAD_4.size]):
        source, target, segment = head[12:16], head[16:20], head[_HEAD_4.size :]
        said = int.from_bytes(head[2:4], "big") - _HEAD_4.size
    elif kind == _ETHER_6 and len(head) >= _HEAD_6.size + _SEGMENT.size:
        source, target, segment = head[8:24], head[24:40], head[_HEAD_6.size :]
        said = int.from_bytes(head[4:6], "big")
    else:
        raise BadCapture("a packet that is not IP and TCP")
    if said != len(segment) or _wrong_sum(source + target + struct.pack(">II", len(segment), _TCP) + segment):
        raise BadCapture("a packet with a wrong length or checksum")
    from_port, to_port, seq, _, _, flags, _, _, _ = _SEGMENT.unpack_from(segment)
    ends = (source, from_port), (target, to_port)
    data = segment[_SEGMENT.size :]
    return Segment(ends[direction], ends[1 - direction], direction, flags, seq, len(data), data)


def _wrong_sum(data: bytes) -> bool:
    return _sum(data) != 0
