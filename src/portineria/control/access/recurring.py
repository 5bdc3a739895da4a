# SPDX-License-Identifier: Apache-2.0
"""A request for the same hours of every week until a day: one yes for all of them, each judged when it comes."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple, Protocol

from portineria.control.access.models import Grant
from portineria.control.access.windows import ZoneGone
from portineria.control.estate.models import Machine
from portineria.control.identity.services import BadField
from portineria.core.time_zones import zone_named
from portineria.policy.recurrence import Occurrence, Recurrence
from portineria.policy.windows import BadWindow, Weekly, first_moment, parse_windows

MOST_DAYS = 366  # from now to the last day
MOST_OCCURRENCES = 160  # what one yes may be to: three days of every week for a year
_DAY = 24 * 60


class Asks(Protocol):
    """A request or a wish for one."""

    @property
    def weekly(self) -> str: ...

    @property
    def until(self) -> date | None: ...


class Weeks(NamedTuple):
    """As it is kept. ``minutes``: of each occurrence, as the clock shows it."""

    weekly: str
    until: date
    minutes: int


def clean_weeks(weekly: str, until: date | None, machine: Machine, begins: datetime) -> Weeks | None:
    """None where nothing comes again. Raise BadField, ZoneGone."""
    if not weekly.strip() and until is None:
        return None
    window = _window(weekly)
    zone = zone_named(machine.plant.time_zone)
    if zone is None:
        raise ZoneGone(machine.plant)
    first = begins.astimezone(zone).date()
    if until is None or not first <= until <= first + timedelta(days=MOST_DAYS):
        raise BadField("last_day", "within a year", most=MOST_OCCURRENCES)
    weeks = Weeks(str(window), until, (window.ends - window.begins) % _DAY or _DAY)
    if not 1 <= len(coming(weeks, machine, weeks.minutes, begins)) <= MOST_OCCURRENCES:
        raise BadField("last_day", f"1 to {MOST_OCCURRENCES} times", most=MOST_OCCURRENCES)
    return weeks


def _window(text: str) -> Weekly:
    try:
        windows = parse_windows(text)
    except BadWindow as error:
        raise BadField("weekly", str(error), window=error.text) from error
    if len(windows) != 1 or not isinstance(windows[0], Weekly):
        raise BadField("weekly", "one, of every week", window=text[:40])
    return windows[0]


def recurrence(weekly: str, machine: Machine, minutes: int) -> Recurrence:
    """``machine`` comes with its plant."""
    return Recurrence(_window(weekly), zone_named(machine.plant.time_zone), timedelta(minutes=minutes))


def times_of(grant: Grant, machine: Machine) -> dict[str, Any]:
    """As policy takes them. A rule that was shortened shortens what was given under it."""
    most = grant.rule.max_minutes
    recurs = recurrence(grant.weekly, machine, min(grant.minutes or 0, most)) if grant.weekly else None
    return {
        "starts": grant.starts_at, "ends": grant.ends_under(most), "lasts": grant.lasts(most), "recurs": recurs,
    }  # fmt: skip


def coming(asked: Asks, machine: Machine, minutes: int, begins: datetime) -> list[Occurrence]:
    """Every one that is not over at ``begins``; none where nobody knows the plant's time any more."""
    zone = zone_named(machine.plant.time_zone)
    if asked.until is None or zone is None:
        return []
    over = first_moment(datetime.combine(asked.until + timedelta(days=1), time()), zone)
    found = recurrence(asked.weekly, machine, minutes).within(begins, over)
    return [one for one in found if one.begins < over]


def said(weeks: Weeks | None) -> dict[str, str]:
    """In the register."""
    return {"weekly": weeks.weekly, "until": weeks.until.isoformat()} if weeks else {}


def last_moment(until: date) -> datetime:
    """Wherever the plant is, the last day is over then."""
    return datetime.combine(until + timedelta(days=2), time(), UTC)
