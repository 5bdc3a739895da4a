# SPDX-License-Identifier: Apache-2.0
"""Frames of a capture file: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), any byte order."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PCAP = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\x4d\x3c\xb2\xa1": "<",  # with nanoseconds, which nobody here asks for
    b"\xa1\xb2\x3c\x4d": ">",
}
SECTION, INTERFACE, SIMPLE, ENHANCED = 0x0A0D0D0A, 1, 3, 6
BYTE_ORDER = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}


@dataclass(frozen=True, slots=True)
class Frame:
    """``number`` counts from 1, as tshark's frame.number. ``link`` is the LINKTYPE. ``data`` as far as captured."""

    number: int
    link: int
    data: bytes


def frames(path: Path) -> Iterator[Frame]:
    content = path.read_bytes()
    order = PCAP.get(content[:4])
    found = _pcap(content, order) if order else _pcapng(content)
    for number, (link, data) in enumerate(found, start=1):
        yield Frame(number, link, data)


def _pcap(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    link = struct.unpack_from(f"{order}I", content, 20)[0] & 0xFFFF
    at = 24
    while at + 16 <= len(content):
        size = struct.unpack_from(f"{order}I", content, at + 8)[0]
        yield link, content[at + 16 : at + 16 + size]
        at += 16 + size


def _pcapng(content: bytes) -> Iterator[tuple[int, bytes]]:
    order, links, at = "<", list[int](), 0
    while at + 12 <= len(content):
        if content[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order, links = BYTE_ORDER[content[at + 8 : at + 12]], []
        kind, size = struct.unpack_from(f"{order}II", content, at)
        body = content[at + 8 : at + size - 4]
        if kind == INTERFACE:
            links.append(struct.unpack_from(f"{order}H", body)[0])
        elif kind == ENHANCED:
            interface, captured = struct.unpack_from(f"{order}I8xI", body)
            yield links[interface], body[20 : 20 + captured]
        elif kind == SIMPLE:
            yield links[0], body[4 : 4 + struct.unpack_from(f"{order}I", body)[0]]
        at += size
