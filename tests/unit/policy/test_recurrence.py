# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

from hypothesis import given
from hypothesis import strategies as st

from portineria.policy.decision import decide
from portineria.policy.ending import Ending, Reason
from portineria.policy.recurrence import Recurrence
from portineria.policy.windows import Schedule, Weekly, parse_windows
from tests.unit.policy.test_windows import ROME, TOKYO, at, attempt, grant, moments, schedule, schedules, weekly, zones


def every(text: str, zone: tzinfo | None = ROME, minutes: int = 480) -> Recurrence:
    [window] = parse_windows(text)
    assert isinstance(window, Weekly)
    return Recurrence(window, zone, timedelta(minutes=minutes))


def test_it_is_open_in_its_hours_and_what_runs_drains_at_their_end() -> None:
    given_ = replace(grant(at("2026-11-24 09:00"), schedule(""), 24 * 30), recurs=every("Tue,Thu 14:00-16:00"))
    inside = decide(attempt(at("2026-11-26 14:30")), [given_])
    assert (inside.permitted, inside.ends, inside.comes_again) == (True, at("2026-11-26 16:00"), True)
    assert not decide(attempt(at("2026-11-26 14:30")), [replace(given_, recurs=None)]).comes_again
    for moment in ("2026-11-26 13:59", "2026-11-26 16:00", "2026-11-25 14:30"):
        refused = decide(attempt(at(moment)), [given_])
        assert (refused.denials, refused.ending) == ((Reason.BETWEEN_TIMES,), Ending.ADMINISTRATIVE)


def test_each_is_no_longer_than_its_minutes_and_the_rule_is_judged_each_time() -> None:
    thursday = grant(at("2026-11-24 09:00"), schedule("Thu 15:00-18:00"), 24 * 30)
    given_ = replace(thursday, recurs=every("Tue,Thu 14:00-16:00", minutes=90))
    assert decide(attempt(at("2026-11-26 15:10")), [given_]).ends == at("2026-11-26 15:30")
    assert decide(attempt(at("2026-11-26 15:30")), [given_]).denials == (Reason.BETWEEN_TIMES,)
    assert decide(attempt(at("2026-11-26 14:10")), [given_]).denials == (Reason.OUTSIDE_WINDOWS,)


def test_the_last_one_ends_with_its_grant_whatever_else_would_last() -> None:
    begins = at("2026-11-26 14:30")
    given_ = replace(grant(begins, schedule(""), 1), recurs=every("Thu 14:00-18:00"), closes=at("2026-11-26 17:00"))
    assert decide(attempt(begins), [given_]).ends == at("2026-11-26 15:30")


def test_without_the_plants_time_nothing_comes_and_that_is_said() -> None:
    given_ = replace(grant(at("2026-11-24 09:00"), schedule("", None), 24 * 30), recurs=every("Thu 14:00-16:00", None))
    assert decide(attempt(at("2026-11-26 14:30")), [given_]).denials == (Reason.TIME_ZONE_UNKNOWN,)
    assert every("Thu 14:00-16:00", None).within(at("2026-01-01 00:00"), at("2027-01-01 00:00")) == []


def test_the_changed_clock_moves_nothing_by_the_clock_of_the_plant() -> None:
    found = every("Sun 14:00-16:00").within(at("2026-03-22 00:00"), at("2026-04-05 00:00"))
    assert [one.begins for one in found] == [at("2026-03-22 14:00"), at("2026-03-29 14:00")]
    assert {one.ends - one.begins for one in found} == {timedelta(hours=2)}
    assert found[1].begins - found[0].begins == timedelta(days=7, hours=-1)
    [longer] = every("Sat 22:00-06:00").within(at("2026-10-24 22:00"), at("2026-10-24 23:00"))
    assert longer.ends - longer.begins == timedelta(hours=8)  # the clock shows nine hours; eight were granted
    assert every("Sun 02:10-02:50").within(at("2026-03-29 00:00"), at("2026-03-30 00:00")) == []  # skipped
    [tokyo] = every("Thu 14:00-16:00", TOKYO).within(at("2026-11-26 00:00"), at("2026-11-26 23:00"))
    assert tokyo.begins == at("2026-11-26 14:00", TOKYO) == datetime(2026, 11, 26, 5, tzinfo=UTC)


def test_whole_days_follow_each_other_and_each_ends_by_itself() -> None:
    days = every("Mon-Sun 00:00-24:00", minutes=1440)
    noon = at("2026-11-26 12:00")
    assert decide(attempt(noon), [replace(grant(noon, schedule(""), 100), recurs=days)]).ends == at("2026-11-27 00:00")


recurrences = st.builds(Recurrence, weekly, zones, st.integers(1, 1440).map(lambda count: timedelta(minutes=count)))


@given(recurrences, schedules, moments, st.integers(0, 300))
def test_what_comes_again_outlives_neither_its_time_nor_its_rule(
    recurs: Recurrence, when: Schedule, starts: datetime, later: int
) -> None:
    when = Schedule(when.windows, recurs.zone)
    moment = starts + timedelta(hours=later)
    given_ = replace(grant(starts, when, 200), recurs=recurs)
    decision, occurrence = decide(attempt(moment), [given_]), recurs.at(moment)
    assert decision.permitted == (later < 200 and when.open_at(moment) and occurrence is not None)
    if decision.permitted:
        assert occurrence is not None
        assert decision.ends is not None
        assert occurrence.begins <= moment < decision.ends <= min(occurrence.ends, given_.ends)
        assert occurrence.ends - occurrence.begins <= recurs.longest
        # Taking the weeks away admits at least as much.
        assert decide(attempt(moment), [replace(given_, recurs=None)]).permitted


@given(recurrences, moments, st.integers(1, 40000))
def test_those_that_come_are_those_that_are_there_at_their_time(
    recurs: Recurrence, moment: datetime, minutes: int
) -> None:
    found = recurs.within(moment, moment + timedelta(minutes=minutes))
    assert found == sorted(found)
    for one in found:
        assert one.begins < one.ends
        assert recurs.at(one.begins) is not None
        assert recurs.at(one.ends - timedelta(microseconds=1)) is not None
    there = recurs.at(moment)
    assert there is None or there in found
