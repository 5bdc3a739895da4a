# SPDX-License-Identifier: Apache-2.0
"""Program blocks that one stream carries, either way: their hash and size, never their contents.

Of S7 (``upload`` is out of the station, ``download`` into it): each part begins with its length and 0x00FB.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from portineria.protocols.operation import Kind, Operation, Value

OPEN_AT_ONCE = 8
_HEAD: Final = 4
_DOWNLOADS = {"request-download", "download-block", "download-ended"}
STEPS = _DOWNLOADS | {"start-upload", "upload", "end-upload"}


@dataclass(frozen=True, slots=True)
class Block:
    """``operation``: one of its steps. ``whole``: both ends said that it was finished."""

    operation: Operation
    sha256: bytes
    size: int
    whole: bool


@dataclass(slots=True)
class _Open:
    operation: Operation
    size: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def closed(self, *, whole: bool) -> Block:
        return Block(self.operation, self.digest.digest(), self.size, whole)


class Transfers:
    def __init__(self) -> None:
        self._open: dict[tuple[str, bool], _Open] = {}

    def step(self, operation: Operation, values: tuple[Value, ...]) -> list[Block]:
        """``values``: what the client hands over with it, or what it was answered. Return the blocks that it ends."""
        if operation.function not in STEPS:
            return []
        into = operation.kind is Kind.PROGRAM_WRITE
        key = (" ".join(map(str, operation.targets)), into)
        if operation.function in ("request-download", "start-upload"):
            ended = self._cut_off(key)
            self._open[key] = _Open(operation)
            return ended
        found = self._open.get(key)
        if found is None:
            return []
        for value in values:
            if isinstance(value, bytes):
                content = _content(value)
                found.size += len(content)
                found.digest.update(content)
        if operation.function in ("download-ended", "end-upload"):
            del self._open[key]
            return [found.closed(whole=True)]
        return []

    def close(self) -> list[Block]:
        """The stream is over: what was not finished never will be."""
        left = [found.closed(whole=False) for found in self._open.values()]
        self._open.clear()
        return left

    def _cut_off(self, key: tuple[str, bool]) -> list[Block]:
        """Begun anew before it was finished, or one too many at once."""
        ended = []
        if (before := self._open.pop(key, None)) is not None:
            ended.append(before)
        elif len(self._open) >= OPEN_AT_ONCE:
            ended.append(self._open.pop(next(iter(self._open))))
        return [each.closed(whole=False) for each in ended]


def _content(part: bytes) -> bytes:
    """Without its head, so that the hash does not depend on how large the parts were."""
    whole = part[2:_HEAD] == b"\x00\xfb" and int.from_bytes(part[:2], "big") == len(part) - _HEAD
    return part[_HEAD:] if whole else part
