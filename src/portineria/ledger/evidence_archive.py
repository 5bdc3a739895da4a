# SPDX-License-Identifier: Apache-2.0
"""The one file of an evidence bundle: a zip that everybody's tools open, whose every byte is determined by its members.

Stored, not compressed, without times, in the order given (APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.16). So
the same contents are the same file, and whatever else stands in a file was put there by somebody else.
"""

import struct
from collections.abc import Mapping
from zlib import crc32

MOST_BYTES = 1 << 26  # of a whole bundle; a session of two thousand events has about 6 MB
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION, _UTF8, _STORED = 20, 0x0800, 0
_DAY = 0x21  # 1 January 1980, the first that a zip knows
_NAME_BYTES = 128
Members = dict[str, bytes]


def pack(members: Mapping[str, bytes]) -> bytes:
    parts, directory, at = list[bytes](), list[bytes](), 0
    for name, content in members.items():
        title, size = name.encode(), len(content)
        fields = (_VERSION, _UTF8, _STORED, 0, _DAY, crc32(content), size, size, len(title), 0)
        head = _LOCAL.pack(b"PK\x03\x04", *fields) + title
        directory.append(_CENTRAL.pack(b"PK\x01\x02", _VERSION, *fields, 0, 0, 0, 0, at) + title)
        parts += [head, content]
        at += len(head) + size
    listed = b"".join(directory)
    end = _END.pack(b"PK\x05\x06", 0, 0, len(directory), len(directory), len(listed), at, 0)
    return b"".join([*parts, listed, end])


def unpack(data: bytes) -> tuple[Members, list[str]]:
    """What can be read of it, and what is not as it was packed. Never raises."""
    if len(data) > MOST_BYTES:
        return {}, [f"the file has {len(data)} bytes; no bundle has more than {MOST_BYTES}"]
    members, faults, at = Members(), list[str](), 0
    while data[at : at + 4] == b"PK\x03\x04":
        found = _member(data, at)
        if found is None:
            faults.append(f"the member that begins at byte {at} cannot be read")
            break
        name, content, at, fault = found
        if fault:
            faults.append(f"{name}: {fault}")
        if name in members:
            faults.append(f"{name} is there twice")
        members.setdefault(name, content)
    again = pack(members)
    if again != data and not faults:
        where = next((place for place, (a, b) in enumerate(zip(again, data, strict=False)) if a != b), None)
        place = min(len(again), len(data)) if where is None else where
        faults.append(f"from byte {place} on the file is not as it was packed")
    return members, faults


def _member(data: bytes, at: int) -> tuple[str, bytes, int, str] | None:
    """Name, content, where the next begins, what is wrong with it."""
    if at + _LOCAL.size > len(data):
        return None
    _, _, flags, method, _, _, checksum, packed, size, named, extra = _LOCAL.unpack_from(data, at)
    begin = at + _LOCAL.size + named + extra
    title = data[at + _LOCAL.size : at + _LOCAL.size + named]
    name = title[:_NAME_BYTES].decode("utf-8", "replace")
    if not title or named > _NAME_BYTES or begin + packed > len(data) or flags & 0x9:
        return None
    if not name.isprintable():
        name = repr(name)
    if method != _STORED or packed != size:
        return name, b"", begin + packed, "it is compressed, as no bundle is"
    content = data[begin : begin + size]
    return name, content, begin + size, "" if crc32(content) == checksum else "its bytes were changed (CRC-32)"
