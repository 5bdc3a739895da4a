# SPDX-License-Identifier: Apache-2.0
"""What a rule asks of a supplier's standing: of nobody's person nothing, and never more is admitted by asking more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.policy.decision import Attempt, Decision, GrantFacts, Standing, decide
from portineria.policy.ending import Ending, Reason
from portineria.policy.supplier_standing import UNASSESSED, Firm, Level, falls_short, stands_until

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
GOOD = Standing(person_enabled=True, member=True, supplier_enabled=True, second_factor=True)
GRANT = GrantFacts("grt_a", "mac_press", NINE, NINE + timedelta(hours=2), None, rule_holds=True)
SOON = NINE + timedelta(minutes=30)
SHORT = (Reason.SUPPLIER_STANDING,)


def judged(least: Level | None, firm: Firm | None, at: datetime = NINE) -> Decision:
    attempt = Attempt(at, "mac_press", replace(GOOD, firm=firm), gateway_admitted=True)
    return decide(attempt, [replace(GRANT, least_standing=least)])


@pytest.mark.parametrize(
    ("least", "firm", "denials"),
    [
        (Level.B, Firm(Level.B, SOON), ()),
        (Level.B, Firm(Level.A, SOON), ()),
        (Level.B, Firm(Level.C, SOON), SHORT),
        (Level.D, Firm(Level.D, SOON), ()),
        (Level.D, UNASSESSED, SHORT),  # not even the worst
        (Level.A, None, ()),  # one of the organisation's own
        (None, UNASSESSED, ()),
        (None, Firm(Level.D, NINE), ()),
    ],
)
def test_a_supplier_has_to_stand_at_least_as_well_as_is_asked(
    least: Level | None, firm: Firm | None, denials: tuple[Reason, ...]
) -> None:
    decision = judged(least, firm)
    assert (decision.denials, decision.ending) == (denials, Ending.ADMINISTRATIVE)


def test_what_is_permitted_ends_with_the_standing_and_begins_no_more_at_that_moment() -> None:
    firm = Firm(Level.A, SOON)
    assert judged(Level.B, firm).ends == SOON
    assert judged(Level.B, firm, SOON - timedelta(microseconds=1)).ends == SOON
    over = judged(Level.B, firm, SOON)
    assert (over.denials, over.ends) == (SHORT, GRANT.ends)
    for later in (judged(None, firm), judged(Level.B, None), judged(Level.B, Firm(Level.A, NINE + timedelta(days=9)))):
        assert later.ends == GRANT.ends
    assert stands_until(Level.A, UNASSESSED, SOON) == SOON


def test_whoever_builds_a_standing_and_forgets_the_firm_admits_nobody() -> None:
    assert falls_short(Level.D, GOOD.firm, NINE)


levels = st.sampled_from(Level)
firms = st.one_of(
    st.none(),
    st.just(UNASSESSED),
    st.builds(Firm, levels, st.integers(-60, 180).map(lambda minutes: NINE + timedelta(minutes=minutes))),
)


@given(st.one_of(st.none(), levels), levels, firms, st.integers(-60, 180))
def test_asking_for_more_never_admits_more_and_never_for_longer(
    before: Level | None, more: Level, firm: Firm | None, minutes: int
) -> None:
    at = NINE + timedelta(minutes=minutes)
    stricter = more if before is None else min(before, more)
    was, now = judged(before, firm, at), judged(stricter, firm, at)
    assert was.permitted or not now.permitted
    if now.permitted:
        assert was.ends is not None
        assert now.ends is not None
        assert at < now.ends <= was.ends
