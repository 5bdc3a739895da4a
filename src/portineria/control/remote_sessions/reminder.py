# SPDX-License-Identifier: Apache-2.0
"""When a letter without an answer is said again: soon at first, then ever more seldom. No clock of its own.

A gateway that was away hears everything when it comes back, so what is seldom said is not late.
"""

from collections.abc import Iterable
from dataclasses import dataclass

FIRST_S, LONGEST_S = 2.0, 60.0


@dataclass(slots=True)
class _Said:
    at: float
    pause_s: float = FIRST_S


class Reminder:
    def __init__(self) -> None:
        self._said: dict[str, _Said] = {}

    def due(self, unanswered: Iterable[str], now: float) -> set[str]:
        """Those to be said now; ``now`` in seconds. The first time each was said by whoever decided it."""
        self._said = {name: self._said.get(name) or _Said(now) for name in unanswered}
        due = {name for name, said in self._said.items() if said.at + said.pause_s <= now}
        for name in due:
            self._said[name] = _Said(now, min(2 * self._said[name].pause_s, LONGEST_S))
        return due
