# SPDX-License-Identifier: Apache-2.0
"""Windows of a rule at the machines it names: taken only where somebody can say when they are."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from portineria.control.access.models import Grant, Rule
from portineria.control.access.work_time import BEGIN_WITHIN
from portineria.control.estate.models import Machine, Plant
from portineria.control.identity.models import Person
from portineria.control.identity.services import BadField
from portineria.core.errors import Conflict
from portineria.core.time_zones import zone_named
from portineria.policy.windows import BadWindow, parse_windows, windows_text

_LOOK_AHEAD = timedelta(days=366)  # for when it opens again; one-off windows lie further ahead than that in no plan


class ZoneGone(Conflict):
    """``plant``: by name."""

    code = "access.windows.zone"

    def __init__(self, plant: Plant) -> None:
        super().__init__(f"plant {plant.name}: there is no time zone {plant.time_zone!r} any more")
        self.values = {"plant": plant.name, "zone": plant.time_zone}


class OutsideWindows(Conflict):
    """``opens``: when the rule is open next at this machine, by the clock of its plant; for somebody who may not know
    where that is, by their own.
    """

    code = "access.windows.outside"

    def __init__(self, rule: Rule, machine: Machine, asked: datetime, reader: Person | None = None) -> None:
        schedule = rule.schedule_at(machine.plant.time_zone)
        opens = schedule.opens_within(asked, asked + _LOOK_AHEAD)
        guest = reader is not None and machine.plant.organisation_id not in reader.staff_of
        zone = reader.time_zone if reader is not None and guest else machine.plant.time_zone
        shown = f"{opens.astimezone(zone_named(zone) or UTC):%Y-%m-%d %H:%M}" if opens else "—"
        super().__init__(f"rule {rule.public_id} is not open then, next at {shown} {zone}")
        self.values = {"opens": shown, "zone": zone}


def clean_windows(text: str, machines: Iterable[Machine]) -> str:
    """As they are kept. Raise BadField, and ZoneGone for machines where nobody knows the time."""
    try:
        windows = parse_windows(text)
    except BadWindow as error:
        raise BadField("windows", str(error), window=error.text) from error
    if not windows:
        return ""
    for plant in {machine.plant for machine in machines}:
        if zone_named(plant.time_zone) is None:
            raise ZoneGone(plant)
    return windows_text(windows)


def require_opening(rule: Rule, machine: Machine, begins: datetime, ends: datetime) -> None:
    """Raise OutsideWindows where a permission for this time would never open anything."""
    if rule.schedule_at(machine.plant.time_zone).opens_within(begins, ends) is None:
        raise OutsideWindows(rule, machine, begins)


def opens_in(rule: Rule, machine: Machine, spans: Iterable[tuple[datetime, datetime]]) -> bool:
    schedule = rule.schedule_at(machine.plant.time_zone)
    return any(schedule.opens_within(begins, ends) is not None for begins, ends in spans)


def begin_within(rule: Rule, machine: Machine, at: datetime) -> datetime:
    """By when work has to begin that somebody says yes to now. Raise OutsideWindows where it could not."""
    closes = rule.schedule_at(machine.plant.time_zone).closes_within(at, at + BEGIN_WITHIN)
    if closes is None:
        raise OutsideWindows(rule, machine, at)
    return closes


def require_longer(grant: Grant, before: datetime, at: datetime) -> None:
    """Raise OutsideWindows where a later end gives nothing more: the window closes before it."""
    schedule = grant.rule.schedule_at(grant.machine.plant.time_zone)
    if schedule.opens_within(max(before, at), grant.ends_at) is None:
        raise OutsideWindows(grant.rule, grant.machine, max(before, at))
