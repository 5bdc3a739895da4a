# SPDX-License-Identifier: Apache-2.0
"""What was looked at, what was seen, what it means, and what to do about it."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"  # works now; will not for ever, or not for everybody
    FAULT = "fault"


class Finding(msgspec.Struct, frozen=True):
    """``check`` is a stable name. ``seen`` may name things of the plant; the other words never do."""

    check: str
    level: Level
    seen: str
    means: str = ""
    remedy: str = ""
    number: float | None = None  # seconds, days or MiB, where the check has one


def ok(check: str, seen: str, number: float | None = None) -> Finding:
    return Finding(check, Level.OK, seen, number=number)


def warning(check: str, seen: str, means: str, remedy: str, number: float | None = None) -> Finding:
    return Finding(check, Level.WARNING, seen, means, remedy, number)


def fault(check: str, seen: str, means: str, remedy: str, number: float | None = None) -> Finding:
    return Finding(check, Level.FAULT, seen, means, remedy, number)


def status_of(findings: Iterable[Finding]) -> int:
    """What the command ends with: 0 nothing, 4 warnings only, 1 something that does not work."""
    levels = {finding.level for finding in findings}
    return 1 if Level.FAULT in levels else 4 if Level.WARNING in levels else 0
