# SPDX-License-Identifier: Apache-2.0
"""How good an organisation judged the security of a supplier, and whether that is good enough for a rule."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Level(StrEnum):
    """From the best to the worst: of two, the better one is the lesser."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


@dataclass(frozen=True, slots=True)
class Firm:
    """A supplier, as it was assessed last. ``until``: from this moment on that counts no longer; None: it never was."""

    level: Level | None = None
    until: datetime | None = None

    def stands(self, least: Level, at: datetime) -> bool:
        return self.level is not None and self.until is not None and self.level <= least and at < self.until


UNASSESSED = Firm()


def falls_short(least: Level | None, firm: Firm | None, at: datetime) -> bool:
    """``least``: what a rule asks; None: nothing. ``firm``: whose person it is; None: the organisation's own, whom the
    standing of suppliers does not concern.
    """
    return least is not None and firm is not None and not firm.stands(least, at)


def stands_until(least: Level | None, firm: Firm | None, longest: datetime) -> datetime:
    """When what does not fall short ends for that reason, at most ``longest``."""
    if least is None or firm is None or firm.until is None:
        return longest
    return min(firm.until, longest)
