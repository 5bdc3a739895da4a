# SPDX-License-Identifier: Apache-2.0
"""When a rule is open: weekly and one-off windows, as the clocks of the plant show them.

``Mon-Fri 08:00-18:00``, ``Sat,Sun 22:00-06:00`` (until the next morning), ``2026-12-24 08:00-12:00``,
``2026-12-24 08:00 - 2026-12-27 18:00``. A window begins at the first moment at which the plant's clock shows its begin
or a later time, and ends at the first moment at which it shows its end or a later time. So what a clock skips in spring
is the moment of the skip, and what it shows twice in autumn counts the first time.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from portineria.core.errors import Invalid

WINDOWS = 20  # of one rule: what whoever approves can read
TEXT = 1000  # characters of all of them together: 20 of the longest form, 35 each, with what is between them
_DAY = 24 * 60  # minutes
_ONE_DAY = timedelta(days=1)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# As people write them: what the console shows in their language can be typed there too.
_WRITTEN = {
    name: number
    for names in ("mon tue wed thu fri sat sun", "lun mar mer gio ven sab dom", "月 火 水 木 金 土 日")
    for number, name in enumerate(names.split())
}
_TIME = r"([01]?[0-9]|2[0-4]):([0-5][0-9])"
_DATE = r"(\d{4}-\d{2}-\d{2})"
_WEEKLY = re.compile(rf"([^\d]+?) *{_TIME} ?- ?{_TIME}")
_ONCE = re.compile(rf"{_DATE} +{_TIME} ?- ?(?:{_DATE} +)?{_TIME}")
_AS_TYPED = str.maketrans("–〜~：、，", "---:,,")  # by text editors and Japanese keyboards
_YEARS = (2000, 2200)  # far from where adding a day or an offset would overflow


class BadWindow(Invalid):
    code = "policy.window"

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"windows: {text!r}: {why}")
        self.text = text


@dataclass(frozen=True, slots=True)
class Weekly:
    """``begins`` and ``ends`` in minutes of the day; an end that is not after the begin is on the next day."""

    days: frozenset[int]  # 0 is Monday
    begins: int
    ends: int

    def __str__(self) -> str:
        return f"{_days_text(self.days)} {_clock(self.begins)}-{_clock(self.ends)}"


@dataclass(frozen=True, slots=True)
class Once:
    """From one reading of the plant's clock to a later one."""

    begins: datetime  # without a zone
    ends: datetime

    def __str__(self) -> str:
        midnight = self.ends.time() == time()
        last = self.ends.date() - timedelta(days=midnight)
        end = "24:00" if midnight else f"{self.ends:%H:%M}"
        if last == self.begins.date():
            return f"{self.begins:%Y-%m-%d %H:%M}-{end}"
        return f"{self.begins:%Y-%m-%d %H:%M} - {last:%Y-%m-%d} {end}"


Window = Weekly | Once


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows at one place. ``zone`` is None where the place names a time zone that does not exist any more: then
    nobody knows when they are open, and they are not.
    """

    windows: tuple[Window, ...]
    zone: tzinfo | None

    def open_at(self, at: datetime) -> bool:
        return not self.windows or any(begin <= at < end for begin, end in self._around(at))

    def open_until(self, at: datetime, longest: datetime) -> datetime | None:
        """When what is open at ``at`` closes, at most ``longest``; None while it is closed.

        Windows that overlap or touch are one.
        """
        if not self.windows:
            return longest
        until = at
        while until < longest:
            ends = [end for begin, end in self._around(until) if begin <= until < end]
            if not ends:
                break
            until = max(ends)
        return min(until, longest) if until > at else None

    def opens_within(self, begins: datetime, ends: datetime) -> datetime | None:
        """The first moment from ``begins`` on and before ``ends`` at which it is open, if there is one."""
        if not self.windows:
            return begins if begins < ends else None
        found = [span for window in self.windows for span in self._occurrences(window, begins, ends)]
        return min((max(start, begins) for start, end in found if max(start, begins) < min(end, ends)), default=None)

    def closes_within(self, begins: datetime, ends: datetime) -> datetime | None:
        """When it closes for the last time from ``begins`` on, at most ``ends``; None where it does not open."""
        if not self.windows:
            return ends if begins < ends else None
        found = [span for window in self.windows for span in self._occurrences(window, begins, ends)]
        return max((min(end, ends) for start, end in found if max(start, begins) < min(end, ends)), default=None)

    def _around(self, at: datetime) -> Iterable[tuple[datetime, datetime]]:
        for window in self.windows:
            yield from self._occurrences(window, at, at)

    def _occurrences(self, window: Window, begins: datetime, ends: datetime) -> Iterable[tuple[datetime, datetime]]:
        """Those that may touch the time between."""
        return occurrences(window, self.zone, begins, ends)


def occurrences(
    window: Window, zone: tzinfo | None, begins: datetime, ends: datetime
) -> Iterable[tuple[datetime, datetime]]:
    """Those that may touch the time between; none without a zone."""
    if zone is None:
        return
    if isinstance(window, Once):
        yield first_moment(window.begins, zone), first_moment(window.ends, zone)
        return
    # One day before, which may last over midnight, and one after: a clock that is put back at 00:01 had shown it.
    day = begins.astimezone(zone).date() - _ONE_DAY
    last = ends.astimezone(zone).date() + _ONE_DAY
    while day <= last:
        if day.weekday() in window.days:
            midnight = datetime.combine(day, time())
            minutes = window.ends if window.ends > window.begins else window.ends + _DAY
            start, end = midnight + timedelta(minutes=window.begins), midnight + timedelta(minutes=minutes)
            yield first_moment(start, zone), first_moment(end, zone)
        day += _ONE_DAY


ALWAYS = Schedule((), None)


def first_moment(shown: datetime, zone: tzinfo) -> datetime:
    """In UTC: when the clocks of ``zone`` first show ``shown``, or a later time because they skip it."""
    late = shown.replace(tzinfo=zone).astimezone(UTC)
    early = shown.replace(tzinfo=zone, fold=1).astimezone(UTC)  # before ``late`` only where the clocks skip ``shown``
    while late - early > timedelta(seconds=1):
        middle = (early + (late - early) / 2).replace(microsecond=0)
        early, late = (early, middle) if _shown(middle, zone) >= shown else (middle, late)
    return late


def _shown(at: datetime, zone: tzinfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


@lru_cache(maxsize=4096)
def parse_windows(text: str) -> tuple[Window, ...]:
    """Apart by semicolons or on lines of their own. Raise BadWindow."""
    return _windows(text)


def _windows(text: str) -> tuple[Window, ...]:
    if len(text) > TEXT:
        raise BadWindow(text[:40] + "…", f"more than {TEXT} characters")
    found = [_parse(" ".join(part.split())) for part in re.split(r"[;\n]", text) if part.strip()]
    if len(found) > WINDOWS:
        raise BadWindow(text[:40] + "…", f"more than {WINDOWS} windows")
    return tuple(dict.fromkeys(found))


def windows_text(windows: Iterable[Window]) -> str:
    """As ``parse_windows`` reads them."""
    return "; ".join(map(str, windows))


def _parse(text: str) -> Window:
    text = text.translate(_AS_TYPED)
    if (once := _ONCE.fullmatch(text)) is not None:
        return _once(text, *once.groups())
    if (weekly := _WEEKLY.fullmatch(text)) is not None:
        days, *clock = weekly.groups()
        begins, ends = _minutes(text, *clock[:2]), _minutes(text, *clock[2:])
        if begins in (ends, _DAY):
            raise BadWindow(text, "ends when it begins; a whole day is 00:00-24:00")
        return Weekly(_days(text, days), begins, ends)
    raise BadWindow(text, "write Mon-Fri 08:00-18:00, or 2026-12-24 08:00-12:00")


def _once(text: str, first: str, h1: str, m1: str, last: str | None, h2: str, m2: str) -> Once:
    begins = _date(text, first) + timedelta(minutes=_minutes(text, h1, m1))
    ends = _date(text, last or first) + timedelta(minutes=_minutes(text, h2, m2))
    if ends <= begins:
        raise BadWindow(text, "ends before it begins")
    return Once(begins, ends)


def _date(text: str, written: str) -> datetime:
    try:
        day = date.fromisoformat(written)
    except ValueError as error:
        raise BadWindow(text, f"there is no {written}") from error
    if not _YEARS[0] <= day.year < _YEARS[1]:
        raise BadWindow(text, f"a year from {_YEARS[0]} to {_YEARS[1] - 1}")
    return datetime.combine(day, time())


def _minutes(text: str, hours: str, minutes: str) -> int:
    if (found := int(hours) * 60 + int(minutes)) > _DAY:
        raise BadWindow(text, "a day ends at 24:00")
    return found


def _days(text: str, written: str) -> frozenset[int]:
    found: set[int] = set()
    for part in written.replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        begins, ends = _day(text, first), _day(text, last if dash else first)
        found |= {(begins + step) % 7 for step in range((ends - begins) % 7 + 1)}  # Fri-Mon goes over the week's end
    return frozenset(found)


def _day(text: str, written: str) -> int:
    if (found := _WRITTEN.get(written.lower())) is None:
        raise BadWindow(text, f"days are {', '.join(_DAYS)}")
    return found


def _days_text(days: frozenset[int]) -> str:
    """Runs of days, of two on; Sunday ends a run."""
    parts: list[str] = []
    left = sorted(days)
    while left:
        run = [left.pop(0)]
        while left and left[0] == run[-1] + 1:
            run.append(left.pop(0))
        parts.append(_DAYS[run[0]] if len(run) == 1 else f"{_DAYS[run[0]]}-{_DAYS[run[-1]]}")
    return ",".join(parts)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
