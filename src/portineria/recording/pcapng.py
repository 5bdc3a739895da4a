# SPDX-License-Identifier: Apache-2.0
"""pcapng blocks, as Wireshark reads them: one section with one Ethernet interface, nanoseconds, comments.

Source: IETF draft-ietf-opsawg-pcapng (PCAP Next Generation Capture File Format), the section is named at each constant.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from portineria.core.errors import ProtocolError

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6  # 4.1, 4.2, 4.3
_BYTE_ORDER = 0x1A2B3C4D  # 4.1: written in our own order, little-endian
_ETHERNET = 1  # LINKTYPE_ETHERNET
_COMMENT, _APPLICATION, _NAME, _RESOLUTION = 1, 4, 2, 9  # 3.5.1, 4.1 shb_userappl, 4.2 if_name, 4.2 if_tsresol
_NANOSECONDS = 9  # 4.2: ten to the minus nine
_HEAD = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
_SECTION_BODY = struct.Struct("<IHHq")
_INTERFACE_BODY = struct.Struct("<HHI")
_PACKET_BODY = struct.Struct("<IIIII")
_OPTION = struct.Struct("<HH")
_END_OF_OPTIONS = bytes(4)
_LEAST = _HEAD.size + _LENGTH.size
BLOCK_BYTES = 1 << 20  # a packet of ours has at most 32 KiB and a comment of a few hundred bytes
COMMENT_BYTES = 4096


class BadCapture(ProtocolError):
    code = "recording.capture"


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    length = _LEAST + len(body)
    return _HEAD.pack(kind, length) + body + _LENGTH.pack(length)


def _comment(text: str) -> bytes:
    return _option(_COMMENT, text.encode("utf-8", "replace")[:COMMENT_BYTES])


def section(*, program: str, comment: str) -> bytes:
    body = _SECTION_BODY.pack(_BYTE_ORDER, 1, 0, -1)
    return _block(_SECTION, body + _comment(comment) + _option(_APPLICATION, program.encode()) + _END_OF_OPTIONS)


def interface(name: str) -> bytes:
    """Without a limit to the length of packets."""
    options = _option(_NAME, name.encode()) + _option(_RESOLUTION, bytes([_NANOSECONDS])) + _END_OF_OPTIONS
    return _block(_INTERFACE, _INTERFACE_BODY.pack(_ETHERNET, 0, 0) + options)


def packet(at_ns: int, frame: bytes, comment: str = "") -> bytes:
    """``at_ns``: since 1970."""
    size = len(frame)
    padding = bytes(-size % 4)
    options = _comment(comment) + _END_OF_OPTIONS if comment else b""
    length = _LEAST + _PACKET_BODY.size + size + len(padding) + len(options)
    head = _HEAD.pack(_PACKET, length)
    body = _PACKET_BODY.pack(0, at_ns >> 32 & 0xFFFFFFFF, at_ns & 0xFFFFFFFF, size, size)
    return b"".join((head, body, frame, padding, options, _LENGTH.pack(length)))


@dataclass(frozen=True, slots=True)
class Packet:
    at_ns: int
    frame: bytes


def packets(data: bytes) -> Iterator[Packet]:
    """Of a capture as written here; raise BadCapture for anything else."""
    at, seen = 0, 0
    while at < len(data):
        if len(data) - at < _LEAST:
            raise BadCapture(f"a block that ends at its head, at {at}")
        kind, length = _HEAD.unpack_from(data, at)
        if length % 4 or not _LEAST <= length <= min(BLOCK_BYTES, len(data) - at):
            raise BadCapture(f"a block of {length} bytes at {at}")
        if _LENGTH.unpack_from(data, at + length - _LENGTH.size)[0] != length:
            raise BadCapture(f"a block at {at} that says two lengths")
        expected = (_SECTION, _INTERFACE)[seen] if seen < 2 else _PACKET
        if kind != expected:
            raise BadCapture(f"a block of kind {kind:#x} at {at}")
        if kind == _PACKET:
            yield _packet(data, at + _HEAD.size, at + length - _LENGTH.size)
        seen, at = seen + 1, at + length


def _packet(data: bytes, at: int, end: int) -> Packet:
    if end - at < _PACKET_BODY.size:
        raise BadCapture(f"a packet without its head at {at}")
    number, high, low, size, original = _PACKET_BODY.unpack_from(data, at)
    at += _PACKET_BODY.size
    if number != 0 or size != original or size > end - at:
        raise BadCapture(f"a packet of {size} bytes at {at}")
    return Packet(high << 32 | low, data[at : at + size])
