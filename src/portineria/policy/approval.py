# SPDX-License-Identifier: Apache-2.0
"""Have enough people of each level said yes, and whose yes is asked now? Nobody is counted in two levels."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Level:
    """``needed``: of how many people; ``of``: these, by key; None: of whoever approves there."""

    needed: int
    of: frozenset[int] | None = None

    def asks(self, person: int) -> bool:
        return self.of is None or person in self.of


def filled(levels: Sequence[Level], said: AbstractSet[int]) -> tuple[int, ...]:
    """How many each level has of those who said yes and still may: as many as can be, the earlier levels first.

    Each person stands in one place at most; to make room they move to another level that asks them too (Kuhn's
    augmenting paths). A place that is taken stays taken, so no level takes from one before it.
    """
    places = [number for number, level in enumerate(levels) for _ in range(level.needed)]
    taken: dict[int, int] = {}  # person → place
    counts = [0] * len(levels)
    for place, number in enumerate(places):
        if _take(place, places, levels, sorted(said), taken, set()):
            counts[number] += 1
    return tuple(counts)


def _take(
    place: int, places: Sequence[int], levels: Sequence[Level], said: Sequence[int], taken: dict[int, int],
    tried: set[int],
) -> bool:  # fmt: skip
    for person in said:
        if person in tried or not levels[places[place]].asks(person):
            continue
        tried.add(person)
        if person not in taken or _take(taken[person], places, levels, said, taken, tried):
            taken[person] = place
            return True
    return False


def asked(levels: Sequence[Level], said: AbstractSet[int]) -> int | None:
    """Which level is asked now, counted from 0: the first that is not complete. None: all are."""
    counts = zip(levels, filled(levels, said), strict=True)
    return next((number for number, (level, count) in enumerate(counts) if count < level.needed), None)


def complete(levels: Sequence[Level], said: AbstractSet[int]) -> bool:
    return asked(levels, said) is None
