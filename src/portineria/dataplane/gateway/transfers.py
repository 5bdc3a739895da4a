# SPDX-License-Identifier: Apache-2.0
"""Program blocks and files that one stream carries, either way: their hash and size, never their contents.

What an operation is to one of them its decoder says. The hash does not depend on how large the parts were.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from portineria.protocols.catalogue import ALL
from portineria.protocols.operation import Operation, Target, Value
from portineria.protocols.transfer import Phase, Step

OPEN_AT_ONCE = 8
_STEPS: Final = {info.name: info.step for info in ALL if info.step is not None}
Key = tuple[tuple[str, ...], str]


def step_of(operation: Operation, read: tuple[Value, ...], *, told: bool = False) -> Step | None:
    """What it is to a program or file, if anything. ``told``: the device said it."""
    found = _STEPS.get(operation.protocol)
    return None if found is None else found(operation, read, told)


@dataclass(frozen=True, slots=True)
class Block:
    """``operation``: one of its steps. ``whole``: both ends said that it was finished, and nothing was left out."""

    operation: Operation
    into: bool
    sha256: bytes
    size: int
    whole: bool


@dataclass(slots=True)
class _Way:
    """What came of it in one direction."""

    size: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    number: int | None = None
    more: bool = False
    gap: bool = False

    def add(self, step: Step, parts: Sequence[bytes]) -> None:
        self.more = step.more
        if step.number is not None:
            last, self.number = self.number, step.number
            if step.number == last:
                return  # asked for once more
            self.gap |= step.number != (0 if last is None else (last + 1) % step.numbers)
        for content in parts if step.content is None else (step.content,):
            self.size += len(content)
            self.digest.update(content)


@dataclass(slots=True)
class _Open:
    operation: Operation
    announced: int | None
    begun: bool
    ways: dict[bool, _Way] = field(default_factory=dict)
    section: int | None = None
    mark: "tuple[int, hashlib._Hash] | None" = None  # of its only direction, where the section began

    def closed(self, *, whole: bool) -> list[Block]:
        return [
            Block(self.operation, into, way.digest.digest(), way.size, whole and self._is_whole(way))
            for into, way in self.ways.items()
        ]

    def _is_whole(self, way: _Way) -> bool:
        return self.begun and not (way.gap or way.more) and self.announced in (None, way.size)

    def begin_section(self, step: Step, way: _Way) -> None:
        if step.number == self.section and self.mark is not None:
            way.size, way.digest = self.mark[0], self.mark[1].copy()
        else:
            self.section, self.mark = step.number, (way.size, way.digest.copy())


class Transfers:
    def __init__(self) -> None:
        self._open: dict[Key, _Open] = {}

    def step(self, operation: Operation, step: Step, parts: Sequence[bytes]) -> list[Block]:
        """``parts``: content of the messages that did it. Return what it ends."""
        key = operation.route, step.of
        if step.phase is Phase.BESIDE:
            return []
        if step.phase is Phase.BEGINS:
            ended = self._make_room(key)
            self._begin(key, operation, step)
            return ended
        found, ended = self._open.get(key), list[Block]()
        if found is None:
            if step.phase not in (Phase.GOES_ON, Phase.ENDS) or step.target is None:
                return []
            ended = self._make_room(key)
            found = self._begin(key, operation, step)
        self._go_on(found, step, parts)
        if step.phase in (Phase.ENDS, Phase.BREAKS_OFF):
            del self._open[key]
            ended += found.closed(whole=step.phase is Phase.ENDS)
        return ended

    def _begin(self, key: Key, operation: Operation, step: Step) -> _Open:
        """``begun``: unless its beginning was in another connection."""
        named: tuple[Target, ...] = operation.targets if step.target is None else (step.target,)
        found = _Open(replace(operation, targets=named), step.size, step.phase is Phase.BEGINS)
        self._open[key] = found
        if step.into is not None:
            found.ways[step.into] = _Way(more=step.more)
        return found

    @staticmethod
    def _go_on(found: _Open, step: Step, parts: Sequence[bytes]) -> None:
        if step.phase is Phase.MOVES:
            for way in found.ways.values():
                way.gap |= way.size != step.size
            found.begun &= bool(found.ways) or not step.size
        elif step.into is not None:
            way = found.ways.setdefault(step.into, _Way())
            if step.phase is Phase.SECTION:
                found.begin_section(step, way)
            elif step.phase is not Phase.BREAKS_OFF:
                way.add(step, parts)

    def close(self) -> list[Block]:
        """The stream is over: what was not finished never will be."""
        left = [block for found in self._open.values() for block in found.closed(whole=False)]
        self._open.clear()
        return left

    def _make_room(self, key: Key) -> list[Block]:
        """Begun anew before it was finished, or one too many at once: then one of which nothing came, if there is."""
        if key not in self._open and len(self._open) >= OPEN_AT_ONCE:
            key = next((each for each, found in self._open.items() if not found.ways), next(iter(self._open)))
        before = self._open.pop(key, None)
        return before.closed(whole=False) if before is not None else []
