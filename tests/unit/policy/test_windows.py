# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.core.time_zones import zone_named
from portineria.policy.decision import Attempt, GrantFacts, Standing, decide
from portineria.policy.ending import Ending, Reason
from portineria.policy.windows import BadWindow, Once, Schedule, Weekly, first_moment, parse_windows, windows_text

ROME, TOKYO = ZoneInfo("Europe/Rome"), ZoneInfo("Asia/Tokyo")
DAY = timedelta(days=1)


def schedule(text: str, zone: ZoneInfo | None = ROME) -> Schedule:
    return Schedule(parse_windows(text), zone)


def at(text: str, zone: ZoneInfo = ROME, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def span(text: str, moment: datetime, zone: ZoneInfo = ROME) -> datetime | None:
    return schedule(text, zone).open_until(moment, moment + 14 * DAY)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("mon-fri 8:00 - 18:00", "Mon-Fri 08:00-18:00"),
        ("Sun,Mon,Tue 22:00-06:00", "Mon-Tue,Sun 22:00-06:00"),
        ("Fri-Mon 00:00–24:00", "Mon,Fri-Sun 00:00-24:00"),
        ("lun-ven 08:00-18:00", "Mon-Fri 08:00-18:00"),
        ("Mon - Wed, Fri 08:00-18:00", "Mon-Wed,Fri 08:00-18:00"),
        ("土、日 22：00〜6：00", "Sat-Sun 22:00-06:00"),
        ("2028-02-29 08:00-12:00", "2028-02-29 08:00-12:00"),
        ("2026-12-31 22:00 - 2027-01-01 06:00", "2026-12-31 22:00 - 2027-01-01 06:00"),
        ("2026-12-31 22:00-24:00", "2026-12-31 22:00-24:00"),
        ("Sat 08:00-12:00\nSat 8:00-12:00;;", "Sat 08:00-12:00"),
    ],
)
def test_windows_are_read_as_people_write_them_and_written_in_one_way(text: str, canonical: str) -> None:
    assert windows_text(parse_windows(text)) == canonical
    assert parse_windows(canonical) == parse_windows(text)


EMPTY = "ends when it begins; a whole day is 00:00-24:00"
NOT_READ = "write Mon-Fri 08:00-18:00, or 2026-12-24 08:00-12:00"
LONG = "x" * 1001
MANY = "; ".join(f"Mon 08:{minute}-09:00" for minute in range(10, 31))


@pytest.mark.parametrize(
    ("text", "shown", "why"),
    [
        *((text, text, "ends before it begins") for text in (
            "2026-12-24 12:00-08:00", "2026-12-24 12:00 - 2026-12-23 13:00", "2026-12-24 12:00-12:00",
        )),
        *((text, text, EMPTY) for text in ("Mon 08:00-08:00", "Mon 24:00-06:00")),
        *((text, text, "there is no 2026-02-29") for text in (
            "2026-02-29 08:00-12:00", "2026-02-28 08:00 - 2026-02-29 12:00",
        )),
        *((f"{year}-01-01 08:00-12:00", None, "a year from 2000 to 2199") for year in (1999, 2200)),
        ("Mon 08:00-24:01", None, "a day ends at 24:00"),
        ("2026-12-24 24:01 - 2026-12-26 08:00", None, "a day ends at 24:00"),
        ("Mon 24:30-06:00", None, "a day ends at 24:00"),
        ("2026-12-24 08:00-24:30", None, "a day ends at 24:00"),
        *((f"{days} 08:00-18:00", None, "days are Mon, Tue, Wed, Thu, Fri, Sat, Sun") for days in (
            "Mon-Fry", "Mon-", ",",
        )),
        *((text, text, NOT_READ) for text in ("always", "Mon 08:00-18:60", "Mon 25:00-26:00")),
        ("Mon\t08:00~20:00; Mon  8：60-9：00", "Mon 8:60-9:00", NOT_READ),
        (MANY, MANY[:40] + "…", "more than 20 windows"),
        (LONG, LONG[:40] + "…", "more than 1000 characters"),
    ],
)  # fmt: skip
def test_what_is_no_window_is_refused_with_the_reason(text: str, shown: str | None, why: str) -> None:
    with pytest.raises(BadWindow) as refused:
        parse_windows(text)
    shown = shown or text
    assert (refused.value.text, str(refused.value)) == (shown, f"windows: {shown!r}: {why}")


def test_as_much_as_is_allowed_is_read() -> None:
    twenty = "; ".join(f"Mon 08:{minute}-09:00" for minute in range(10, 30))
    assert len(parse_windows(twenty)) == 20
    assert parse_windows(twenty.ljust(1000)) == parse_windows(twenty)
    years = parse_windows("2000-01-01 00:00-24:00; 2199-12-31 00:00-24:00; 2026-01-01 9:05-09:06")
    assert [(window.begins.year, window.begins.hour) for window in years if isinstance(window, Once)] == [
        (2000, 0), (2199, 0), (2026, 9),
    ]  # fmt: skip


def test_a_week_of_working_hours() -> None:
    hours = "Mon-Fri 08:00-18:00"
    assert span(hours, at("2026-11-26 08:00")) == at("2026-11-26 18:00")  # a Thursday
    assert span(hours, at("2026-11-26 07:59")) is None
    assert span(hours, at("2026-11-26 18:00")) is None
    assert span(hours, at("2026-11-28 12:00")) is None  # Saturday
    found = schedule(hours).opens_within(at("2026-11-27 19:00"), at("2026-12-30 00:00"))
    assert found == at("2026-11-30 08:00")
    assert schedule(hours).opens_within(at("2026-11-28 00:00"), at("2026-11-29 00:00")) is None
    assert schedule(hours).opens_within(at("2026-11-27 12:00"), at("2026-11-27 13:00")) == at("2026-11-27 12:00")


def test_without_windows_it_is_always_open_and_no_longer_than_was_asked() -> None:
    eight, nine = at("2026-11-26 08:00"), at("2026-11-26 09:00")
    always, hours = schedule(""), schedule("Thu 08:00-18:00; Thu 07:00-08:30")
    assert (always.opens_within(eight, nine), always.opens_within(nine, nine), always.opens_within(nine, eight)) == (
        eight, None, None,
    )  # fmt: skip
    assert (always.closes_within(eight, nine), always.closes_within(nine, nine), always.closes_within(nine, eight)) == (
        nine, None, None,
    )  # fmt: skip
    assert (always.open_until(eight, nine), hours.open_until(eight, nine)) == (nine, nine)
    assert hours.open_until(nine, nine) is hours.open_until(nine, eight) is None
    assert hours.opens_within(eight - DAY, nine) == at("2026-11-26 07:00")


def test_an_end_that_is_not_after_the_begin_is_on_the_next_day() -> None:
    day = Schedule((Weekly(frozenset({3}), 480, 480),), ROME)
    assert day.open_until(at("2026-11-26 08:00"), at("2026-11-28 00:00")) == at("2026-11-27 08:00")


def test_a_day_is_the_plants_even_where_the_rest_of_the_world_has_another() -> None:
    """On Hawaii it is still Monday at nine in the evening when it is Tuesday in Greenwich."""
    hawaii = ZoneInfo("Pacific/Honolulu")
    assert span("Sun 23:30-23:29", at("2026-11-30 23:00", hawaii), hawaii) == at("2026-11-30 23:29", hawaii)
    once = schedule("2026-11-30 20:00-22:00", hawaii)
    assert once.opens_within(at("2026-11-29 00:00", hawaii), at("2026-12-02 00:00", hawaii)) == at(
        "2026-11-30 20:00", hawaii
    )
    assert once.open_until(at("2026-11-30 19:59", hawaii), at("2026-12-02 00:00", hawaii)) is None


def test_a_night_belongs_to_the_day_on_which_it_began() -> None:
    night = "Fri 22:00-06:00"
    assert span(night, at("2026-11-28 05:59")) == at("2026-11-28 06:00")
    assert span(night, at("2026-11-27 05:00")) is None
    assert span(night, at("2026-11-27 23:00")) == at("2026-11-28 06:00")


def test_windows_that_overlap_or_touch_are_one() -> None:
    text = "Mon 08:00-12:00; Mon 11:00-14:00; Mon 14:00-24:00; Tue 00:00-01:00; Tue 02:00-03:00"
    assert span(text, at("2026-11-30 09:00")) == at("2026-12-01 01:00")
    assert span("Mon-Sun 00:00-24:00", at("2026-11-30 09:00")) == at("2026-11-30 09:00") + 14 * DAY


def test_leap_days_are_days() -> None:
    assert span("2028-02-28 08:00 - 2028-03-01 08:00", at("2028-02-29 12:00")) == at("2028-03-01 08:00")
    assert span("Tue 08:00-09:00", at("2028-02-29 08:30")) == at("2028-02-29 09:00")


def test_the_night_that_is_an_hour_shorter() -> None:
    """Rome, 29 March 2026: 01:59 is followed by 03:00."""
    jump = at("2026-03-29 03:00")
    assert at("2026-03-29 01:59") + timedelta(minutes=1) == jump
    skipped = [datetime(2026, 3, 29, 2) + timedelta(seconds=second) for second in range(0, 3600, 7)]  # noqa: DTZ001
    assert {first_moment(wall, ROME) for wall in skipped} == {jump}
    assert all(first_moment(wall, ROME).tzinfo is UTC for wall in (*skipped, skipped[0] + DAY))
    night = span("Sat 22:00-06:00", at("2026-03-28 22:00"))
    assert night is not None
    assert night - at("2026-03-28 22:00") == timedelta(hours=7)
    assert span("Sun 02:30-04:00", jump - timedelta(seconds=1)) is None
    assert span("Sun 02:30-04:00", jump) == at("2026-03-29 04:00")
    assert span("Sun 01:00-02:30", at("2026-03-29 01:00")) == jump
    assert schedule("Sun 02:10-02:50").opens_within(jump - DAY, jump + DAY) is None  # that day it never is
    assert span("Sun 02:10-02:50", at("2026-04-05 02:20")) == at("2026-04-05 02:50")


def test_the_night_that_is_an_hour_longer() -> None:
    """Rome, 25 October 2026: 02:59 is followed by 02:00. What is shown twice counts the first time."""
    night = span("Sat 22:00-06:00", at("2026-10-24 22:00"))
    assert night is not None
    assert night - at("2026-10-24 22:00") == timedelta(hours=9)
    assert span("Sun 01:00-02:30", at("2026-10-25 01:00")) == at("2026-10-25 02:30", fold=0)
    assert span("Sun 01:00-02:30", at("2026-10-25 02:15", fold=1)) is None
    assert span("Sun 02:30-04:00", at("2026-10-25 02:15", fold=1)) == at("2026-10-25 04:00")


def test_a_clock_that_was_put_back_over_midnight_had_shown_the_next_day() -> None:
    """St. John's, 7 November 2010: a minute after midnight it was 23:01 again."""
    newfoundland = ZoneInfo("America/St_Johns")
    again = at("2010-11-06 23:30", newfoundland, fold=1)
    assert span("Sun 00:00-08:00", again, newfoundland) == at("2010-11-07 08:00", newfoundland)
    assert span("Sun 00:00-08:00", at("2010-11-06 23:30", newfoundland), newfoundland) is None
    assert span("Sat 20:00-24:00", again, newfoundland) is None


def test_in_tokyo_no_clock_changes_and_the_plants_zone_decides() -> None:
    for day in ("2026-03-29", "2026-10-25"):
        found = span("Sun 01:00-04:00", at(f"{day} 01:00", TOKYO), TOKYO)
        assert found == at(f"{day} 01:00", TOKYO) + timedelta(hours=3)
    nine = at("2026-11-26 09:00", TOKYO)  # one in the night in Rome
    assert span("Thu 08:00-18:00", nine, TOKYO) is not None
    assert span("Thu 08:00-18:00", nine, ROME) is None


def test_a_time_zone_that_vanished_opens_nothing_and_says_so() -> None:
    assert zone_named("Europe/Rome") is not None
    assert zone_named("Europe/Atlantis") is zone_named("../../etc/passwd") is zone_named("") is None
    lost = schedule("Mon-Sun 00:00-24:00", None)
    assert lost.open_until(at("2026-11-26 09:00"), at("2026-11-27 09:00")) is None
    assert lost.opens_within(at("2026-11-26 09:00"), at("2026-11-27 09:00")) is None
    decision = decide(attempt(at("2026-11-26 09:00")), [grant(at("2026-11-26 08:00"), lost)])
    assert (decision.denials, decision.ending) == ((Reason.TIME_ZONE_UNKNOWN,), Ending.ADMINISTRATIVE)
    assert decide(attempt(at("2026-11-26 09:00")), [grant(at("2026-11-26 08:00"), schedule("", None))]).permitted


def attempt(moment: datetime) -> Attempt:
    return Attempt(moment, "mac_press", Standing(True, True, True, True), gateway_admitted=True)


def grant(starts: datetime, when: Schedule, hours: int = 24) -> GrantFacts:
    return GrantFacts("grt_a", "mac_press", starts, starts + timedelta(hours=hours), None, True, when)


def test_outside_a_window_nothing_starts_and_what_runs_drains() -> None:
    starts = at("2026-11-26 07:00")
    given = grant(starts, schedule("Mon-Fri 08:00-18:00"))
    assert decide(attempt(starts), [given]).denials == (Reason.OUTSIDE_WINDOWS,)
    inside = decide(attempt(at("2026-11-26 09:00")), [given])
    assert (inside.permitted, inside.ends) == (True, at("2026-11-26 18:00"))
    after = decide(attempt(at("2026-11-26 18:00")), [given])
    assert (after.denials, after.ending) == ((Reason.OUTSIDE_WINDOWS,), Ending.ADMINISTRATIVE)


# -- properties: around both changes of the clock, a leap day and the turn of a year --------------------------------

clocks = st.integers(0, 1440)
weekly = st.builds(Weekly, st.frozensets(st.integers(0, 6), min_size=1), st.integers(0, 1439), clocks).filter(
    lambda window: window.begins != window.ends
)
days = st.sampled_from(
    [date(2026, 3, 28), date(2026, 10, 24), date(2028, 2, 28), date(2026, 12, 31), date(2026, 11, 26)]
)
walls = st.builds(
    lambda day, minutes: datetime.combine(day, time(0)) + timedelta(minutes=minutes), days, st.integers(-1440, 4320)
)
once = st.builds(lambda begins, minutes: Once(begins, begins + timedelta(minutes=minutes)), walls, st.integers(1, 5000))
zones = st.sampled_from([ROME, TOKYO, ZoneInfo("America/St_Johns"), ZoneInfo("Pacific/Apia"), None])
schedules = st.builds(Schedule, st.lists(weekly | once, max_size=4).map(tuple), zones)
moments = st.builds(lambda wall, zone: wall.replace(tzinfo=zone).astimezone(UTC), walls, zones.filter(bool))


@given(st.lists(weekly | once, max_size=8))
def test_writing_and_reading_again_changes_nothing(windows: list[Weekly | Once]) -> None:
    assert parse_windows(windows_text(windows)) == tuple(dict.fromkeys(windows))


@given(walls, st.sampled_from([ROME, TOKYO, ZoneInfo("Australia/Lord_Howe")]))
def test_no_clock_showed_a_later_time_before_the_first_moment(wall: datetime, zone: ZoneInfo) -> None:
    found = first_moment(wall, zone)
    assert found.astimezone(zone).replace(tzinfo=None) >= wall
    assert (found - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None, fold=0) < wall


@given(schedules, moments, st.integers(1, 20000))
def test_what_opens_and_closes_fits_together(when: Schedule, moment: datetime, minutes: int) -> None:
    longest = moment + timedelta(minutes=minutes)
    until, opens = when.open_until(moment, longest), when.opens_within(moment, longest)
    if until is None:
        assert not when.open_at(moment)
        assert opens is None or opens > moment
    else:
        assert moment < until <= longest
        assert opens == moment
        assert all(when.open_at(moment + (until - moment) * part / 8) for part in range(8))
        assert until == longest or not when.open_at(until)
    if opens is not None:
        assert moment <= opens < longest
        assert when.open_at(opens)
        assert opens == moment or not when.open_at(opens - timedelta(seconds=1))


@given(schedules, moments, st.integers(1, 200), st.integers(0, 300))
def test_no_permission_outlives_its_grant_or_its_rules_window(
    when: Schedule, starts: datetime, hours: int, later: int
) -> None:
    given_, moment = grant(starts, when, hours), starts + timedelta(hours=later)
    decision = decide(attempt(moment), [given_])
    assert decision.permitted == (later < hours and when.open_at(moment))
    if decision.permitted:
        assert decision.ends is not None
        assert moment < decision.ends <= given_.ends
        assert decision.ends == given_.ends or not when.open_at(decision.ends)


@given(schedules, moments, st.integers(1, 600), st.integers(1, 48), st.integers(0, 60), st.integers(1, 900) | st.none())
def test_work_that_counts_from_its_opening_outlives_nothing_either(
    when: Schedule, starts: datetime, lasts: int, hours: int, later: int, closes: int | None
) -> None:
    moment = starts + timedelta(hours=later)
    limit = moment + timedelta(minutes=closes) if closes else None
    given_ = replace(grant(starts, when, hours), lasts=timedelta(minutes=lasts), closes=limit)
    decision = decide(attempt(moment), [given_])
    assert decision.permitted == (later < hours and when.open_at(moment))
    if not decision.permitted:
        assert (decision.begin_by, decision.lasts, decision.ends) == (None, None, given_.ends)
        return
    assert decision.ends is not None
    assert decision.begin_by is not None
    assert decision.lasts == timedelta(minutes=lasts)
    assert moment < decision.begin_by <= min(given_.ends, limit or given_.ends)
    longest = min(moment + timedelta(minutes=lasts), limit or datetime.max.replace(tzinfo=UTC))
    assert moment < decision.ends <= longest
    assert decision.ends == longest or not when.open_at(decision.ends)


@given(schedules, moments, st.integers(1, 20000))
def test_it_closes_for_the_last_time_where_nothing_opens_after_that(
    when: Schedule, moment: datetime, minutes: int
) -> None:
    longest = moment + timedelta(minutes=minutes)
    closes = when.closes_within(moment, longest)
    assert (closes is None) == (when.opens_within(moment, longest) is None)
    if closes is not None:
        assert moment < closes <= longest
        assert when.open_at(closes - timedelta(microseconds=1))
        assert when.opens_within(closes, longest) is None


@given(schedules, weekly | once, moments)
def test_one_more_window_never_closes_and_the_first_never_opens(
    when: Schedule, more: Weekly | Once, moment: datetime
) -> None:
    wider = Schedule((*when.windows, more), when.zone)
    if when.windows:
        assert not when.open_at(moment) or wider.open_at(moment)
    else:
        assert when.open_at(moment)
