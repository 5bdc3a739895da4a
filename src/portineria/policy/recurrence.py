# SPDX-License-Identifier: Apache-2.0
"""A permission that comes again every week, by the clock of the plant."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from portineria.policy.windows import Weekly, occurrences


class Occurrence(NamedTuple):
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Recurrence:
    """``longest``: of one occurrence, also where a clock that is put back makes it longer; ``zone``: None where nobody
    knows the plant's time, and it never comes.
    """

    window: Weekly
    zone: tzinfo | None
    longest: timedelta

    def at(self, moment: datetime) -> Occurrence | None:
        """The one that lasts then; of two, the one that began last: each ends by itself."""
        found = self.within(moment, moment)
        return found[-1] if found else None

    def within(self, begins: datetime, ends: datetime) -> list[Occurrence]:
        """Those that begin before ``ends`` or then, and are not over at ``begins``; the first one first."""
        found = (
            Occurrence(start, min(end, start + self.longest))
            for start, end in occurrences(self.window, self.zone, begins, ends)
        )
        return sorted(one for one in found if one.begins < one.ends and one.ends > begins and one.begins <= ends)
