# SPDX-License-Identifier: Apache-2.0
"""What a session saw last of each target, in answers to its own reads: the old value of what it then writes.

Nothing is read for it. A write makes what was seen of its target unknown again: a device may round what it is given,
or not do it at all.
"""

import re
from collections.abc import Sequence

from portineria.protocols.operation import Operation, Target, Value

# Of one session, 1 MB at most: a number of Python has about 32 bytes, and texts count once more per 16 characters.
MOST_TOLD, MOST_VALUES = 256, 16384
LONGEST = 4096  # of what was read of one target, counted so; the old value of longer ones is not told
# Parts of a value, or what becomes of it depends on what it was: these read and write something else than their target.
_PARTS = frozenset({"read-tag-fragmented", "write-tag-fragmented", "read-modify-write-tag"})
_STEM = re.compile(r" \[| attribute ")
_STEM_OF_TAG = re.compile(r"[.\[]")
_NUMBERS = {int, bool, float}
Values = tuple[Value, ...]
Place = tuple[str, tuple[str, ...]]  # service and route


class LastRead:
    def __init__(self) -> None:
        # The newest last; None: written since. Whatever is forgotten is older than all that is kept.
        self._told: dict[tuple[Place, Target], Values | None] = {}
        self._weights: dict[tuple[Place, Target], int] = {}
        self._values = 0

    def read(self, service: str, operation: Operation, shares: Sequence[Values]) -> None:
        """``shares``: what was read of each target."""
        place = service, operation.route
        for target, values in zip(operation.targets, shares, strict=True):
            weight = _weight(values)
            usable = operation.function not in _PARTS and weight <= LONGEST
            self._tell(place, target, values if usable else None, weight if usable else 0)

    def written(self, service: str, operation: Operation) -> None:
        for target in operation.targets:
            self._tell((service, operation.route), target, None, 0)

    def before(self, service: str, operation: Operation) -> Values | None:
        """What the target of this write held when it was last read; None where that is not known of all of it."""
        if len(operation.targets) != 1 or operation.function in _PARTS:
            return None
        [target], place = operation.targets, (service, operation.route)
        if _units(target, operation.values) is None:
            return self._same(place, target, operation.values)
        return self._gathered(place, target, operation.values)

    def _tell(self, place: Place, target: Target, values: Values | None, weight: int) -> None:
        key = place, target
        if key in self._told:  # it becomes the newest
            self._forget(key)
        self._told[key], self._weights[key] = values, weight
        self._values += weight
        while len(self._told) > MOST_TOLD or self._values > MOST_VALUES:
            self._forget(next(iter(self._told)))

    def _forget(self, key: tuple[Place, Target]) -> None:
        del self._told[key]
        self._values -= self._weights.pop(key)

    def _same(self, place: Place, target: Target, like: Values) -> Values | None:
        """Of something with a name, or of a type of its own: only what was read in the same way counts."""
        for (where, told), values in reversed(self._told.items()):
            if where == place and _overlap(told, target):
                return values if told == target and values and _alike(values, like) else None
        return None

    def _gathered(self, place: Place, target: Target, like: Values) -> Values | None:
        """Address by address, out of several reads."""
        first, found = target.first or 0, dict[int, Value]()
        for (where, told), values in reversed(self._told.items()):
            if len(found) == target.count:
                break
            if where == place and _overlap(told, target):
                units = _units(told, values) if values else None
                start = told.first or 0
                for address in range(max(first, start), min(first + target.count, start + told.count)):
                    if address not in found:
                        if units is None:
                            return None
                        found[address] = units[address - start]
        if len(found) < target.count:
            return None
        units = [found[address] for address in range(first, first + target.count)]
        if isinstance(like[0], bytes):
            octets = [unit for unit in units if isinstance(unit, int) and 0 <= unit < 256]
            return (bytes(octets),) if len(octets) == len(units) else None
        return tuple(units)


def _weight(values: Values) -> int:
    """More than may be kept where a value is missing."""
    kinds = set(map(type, values))  # a tenth of what looking at each value costs
    if kinds <= _NUMBERS:
        return len(values)
    if type(None) in kinds:
        return LONGEST + 1
    return len(values) + sum(len(value) // 16 for value in values if isinstance(value, str | bytes))


def _units(target: Target, values: Values) -> Sequence[Value] | None:
    """One value for each address of the target; None where they do not lie so."""
    if target.first is None or target.name or not values:
        return None
    if len(values) == 1 and isinstance(values[0], bytes):
        return values[0] if len(values[0]) == target.count else None
    return values if len(values) == target.count else None


def _alike(values: Values, like: Values) -> bool:
    return len(values) == len(like) and isinstance(values[0], bytes) == isinstance(like[0], bytes)


def _overlap(one: Target, other: Target) -> bool:
    if one.area != other.area:
        return False
    if one.first is None or other.first is None:
        return one.first == other.first and _stem(one) == _stem(other)
    if one.name != other.name and one.name.startswith("bit ") and other.name.startswith("bit "):
        return False
    return one.first < other.first + other.count and other.first < one.first + one.count


def _stem(target: Target) -> str:
    """Elements and members are parts of one tag, a range of an array of one node."""
    return (_STEM_OF_TAG if target.area == "tag" else _STEM).split(target.name, maxsplit=1)[0]
