# SPDX-License-Identifier: Apache-2.0
"""The smallest function profile under which everything that was done would have passed, as lines to read and edit."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from portineria.policy.function_profile import OBSERVE, OBSERVING, Clause, Meter, Route, judge
from portineria.policy.profile_text import LINE, parse_clause
from portineria.protocols.operation import Kind, Operation

_TARGETS = 64  # of one clause
_EXACT = 10**15  # what a line says is read back as it was
_KEYWORDS = {"on", "between", "at", "through", "of"}


@dataclass(slots=True)
class _Use:
    """What was done by one function on one route."""

    places: dict[tuple[str, str | None], list[tuple[int, int]]] = field(default_factory=dict)  # None: ranges of an area
    without_target: bool = False
    low: float = float("inf")
    high: float = float("-inf")
    numbers: bool = True  # everything that was written was a number

    def add(self, operation: Operation) -> None:
        self.without_target |= not operation.targets
        for target in operation.targets:
            ranges = self.places.setdefault((target.area, target.name if target.first is None else None), [])
            if target.first is not None:
                ranges[:] = _joined([*ranges, (target.first, target.first + target.count - 1)])
        self.numbers &= bool(operation.values)
        for value in operation.values:
            if isinstance(value, (int, float)) and abs(value) < _EXACT:
                self.low, self.high = min(self.low, +value), max(self.high, +value)
            else:
                self.numbers = False


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those that touch are one."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found


class Learner:
    """Whatever ``observe`` admits is not learned: it is part of every profile of one's own.

    ``left_out`` counts what is never learned: unknown functions, because that one was used does not make it harmless,
    and names that no line can say.
    """

    def __init__(self) -> None:
        self._uses: dict[tuple[str, str, Route], _Use] = {}
        self._meter = Meter(OBSERVE)
        self.left_out: dict[str, int] = {}

    def take(self, operations: Iterable[Operation], own: Collection[Route] = ()) -> None:
        for operation in operations:
            if not judge(OBSERVE, [operation], self._meter, 0.0, own).denials:
                continue
            if operation.kind is Kind.UNKNOWN or not _sayable(operation):
                name = f"{operation.protocol} {operation.function} ({operation.code})"
                self.left_out[name] = self.left_out.get(name, 0) + 1
                continue
            route = () if operation.route in own else operation.route
            self._uses.setdefault((operation.protocol, operation.function, route), _Use()).add(operation)

    def lines(self) -> list[str]:
        """Clauses, one of each function and route. What is too long for a line is said without its targets."""
        return [_shortened(*key, use) for key, use in sorted(self._uses.items())]

    def clauses(self) -> tuple[Clause, ...]:
        return (*OBSERVING, *map(parse_clause, self.lines()))


def _places(use: _Use) -> list[str]:
    """As a line says them. Too many ranges become one of each area; nothing when an operation had no target."""
    for narrow in (True, False):
        texts = []
        for (area, name), ranges in use.places.items():
            spans = ranges if narrow or not ranges else [(ranges[0][0], ranges[-1][1])]
            texts += [f"{_word(area)} {low}" if low == high else f"{_word(area)} {low}-{high}" for low, high in spans]
            if name is not None:
                texts.append(f"{_word(area)} {_word(name)}".rstrip())
        if len(texts) <= _TARGETS:
            return [] if use.without_target else sorted(texts)
    return []


def _shortened(protocol: str, function: str, route: Route, use: _Use) -> str:
    exact = _line(protocol, function, route, _places(use), use)
    return exact if len(exact) <= LINE else _line(protocol, function, route, [], use)


def _line(protocol: str, function: str, route: Route, places: list[str], use: _Use) -> str:
    parts = [f"function {_word(function)}"]
    if places:
        parts.append(f"on {', '.join(places)}")
    if use.numbers:
        parts.append(f"between {use.low} and {use.high}")
    if route:
        parts.append(f"through {' > '.join(map(_word, route))}")
    return " ".join([*parts, f"of {protocol}"])


def _sayable(operation: Operation) -> bool:
    names = [target.name for target in operation.targets if target.first is None]
    words = [operation.function, *(target.area for target in operation.targets), *operation.route]
    # A name of digits would read as addresses, one with a star as a prefix.
    plain = all(not name.endswith("*") and not re.fullmatch(r"[0-9]+(-[0-9]*)?", name) for name in names)
    said = all(text.isprintable() and '"' not in text for text in [*names, *words])
    short = all(0 < len(word) <= 64 for word in words) and all(len(name) <= 256 for name in names)
    return plain and said and short and all(target.count > 0 for target in operation.targets)


def _word(text: str) -> str:
    """As the language of clauses reads it back."""
    plain = text and text not in _KEYWORDS and not text.endswith(",") and not set(text) & set(' "\t\n>')
    return text if plain or not text else f'"{text}"'
