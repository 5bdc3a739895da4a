# SPDX-License-Identifier: Apache-2.0
"""Program blocks that one stream carries, either way: their hash and size, never their contents.

Of S7 each block by its name; of UMAS, whose parts have only numbers, the program as a whole. What of a message is
content its decoder says, as for recordings: the hash does not depend on how large the parts were.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from portineria.protocols.operation import Kind, Operation, Target

OPEN_AT_ONCE = 8
_BEGINS: Final = {"request-download", "start-upload", "umas-begin-program-write", "umas-begin-program-read"}
_ENDS: Final = {"download-ended", "end-upload", "umas-end-program-write", "umas-end-program-read"}
STEPS: Final = {*_BEGINS, *_ENDS, "download-block", "upload", "umas-program-write", "umas-program-read"}
_PROGRAM: Final = Target("program")


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

    def step(self, operation: Operation, parts: Sequence[bytes]) -> list[Block]:
        """``parts``: content that the client hands over with it, or that it was answered. Return the blocks that it
        ends.
        """
        if operation.function not in STEPS:
            return []
        if operation.function.startswith("umas-"):
            operation = replace(operation, targets=(_PROGRAM,))
        into = operation.kind is Kind.PROGRAM_WRITE
        key = (" ".join(map(str, operation.targets)), into)
        if operation.function in _BEGINS:
            ended = self._cut_off(key)
            self._open[key] = _Open(operation)
            return ended
        found = self._open.get(key)
        if found is None:
            return []
        for content in parts:
            found.size += len(content)
            found.digest.update(content)
        if operation.function in _ENDS:
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
