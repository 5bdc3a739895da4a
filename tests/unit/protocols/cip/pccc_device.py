# SPDX-License-Identifier: Apache-2.0
"""The part of that controller which a SLC 500 would be: data files, a directory with a password in it, a mode.

Written from 1770-6.5.16 and from nothing of ours; as lenient as the rest: what it can make sense of it does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PASSWORD = b"4711"
DIRECTORY = 0x01  # the type of file 0 of a SLC 5/05


def _files() -> dict[tuple[int, int], bytearray]:
    """By type and number: N7, F8, the directory."""
    return {(0x89, 7): bytearray(40), (0x8A, 8): bytearray(40), (DIRECTORY, 0): bytearray(70) + bytearray(PASSWORD)}


@dataclass
class Processor:
    files: dict[tuple[int, int], bytearray] = field(default_factory=_files)
    mode: int = 6

    def execute(self, data: bytes, done: list[str]) -> bytes:
        """What is within an Execute PCCC; ``done`` takes what changed."""
        at = data[0] if data else 0
        if at < 1 or len(data) < at + 5:
            return data[:at] + b"\x4f\x10\0\0"
        command, function, rest = data[at], data[at + 4], data[at + 5 :]
        status, told = self._do(command, function, rest, done)
        return data[:at] + bytes((command | 0x40, status)) + data[at + 2 : at + 4] + told

    def _do(self, command: int, function: int, rest: bytes, done: list[str]) -> tuple[int, bytes]:
        if (command, function) == (0x06, 0x03):
            return 0, b"\0\xee\x31\x23\x45" + b"1747-L551   " + bytes(8)
        if command != 0x0F:
            return 0x10, b""
        if function in (0x80, 0x3A) and rest:
            self.mode = rest[0]
            done.append(f"mode {rest[0]}")
            return 0, b""
        return self._logical(function, rest, done)

    def _logical(self, function: int, rest: bytes, done: list[str]) -> tuple[int, bytes]:
        fields = 4 if function in (0xA1, 0xA9) else 5
        if function not in (0xA1, 0xA2, 0xA9, 0xAA, 0xAB) or len(rest) < fields:
            return 0x10, b""
        size, number, kind, element = rest[:4]
        found = self.files.get((kind, number))
        at = element * (4 if kind == 0x8A else 2)
        if found is None or at + size > len(found):
            return 0x50, b""
        if function in (0xA1, 0xA2):
            return 0, bytes(found[at : at + size])
        written = rest[fields:]
        if function == 0xAB:
            mask, value = written[:2], written[2:4]
            written = bytes(old & ~on | new & on for old, new, on in zip(found[at:], value, mask, strict=False))
        if len(written) < size:
            return 0x10, b""
        found[at : at + size] = written[:size]
        done.append(f"{kind:02x}/{number}:{element} = {written[:size].hex()}")
        return 0, b""
