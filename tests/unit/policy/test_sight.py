# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portineria.policy.decision import Decision, Standing
from portineria.policy.ending import Reason
from portineria.policy.sight import Sight, sight_of
from tests.unit.policy.test_decision import GOOD, standings

YES, NO = Decision((), grant="grt_a"), Decision((Reason.NO_GRANT,))


def test_a_live_grant_reaches_a_rule_may_ask_and_nothing_is_absent() -> None:
    assert sight_of(standing=GOOD, admitted_by_rule=True, decision=YES) is Sight.REACHABLE
    assert sight_of(standing=GOOD, admitted_by_rule=True, decision=NO) is Sight.ASKABLE
    assert sight_of(standing=GOOD, admitted_by_rule=False, decision=NO) is Sight.ABSENT


def test_a_missing_second_factor_hides_nothing_but_reaches_nothing() -> None:
    denied = Decision((Reason.SECOND_FACTOR,))
    standing = Standing(True, True, True, second_factor=False)
    assert sight_of(standing=standing, admitted_by_rule=True, decision=denied) is Sight.ASKABLE


@given(standings, st.booleans(), st.sampled_from([YES, NO]))
def test_whoever_was_locked_out_sees_nothing(standing: Standing, by_rule: bool, decision: Decision) -> None:
    sight = sight_of(standing=standing, admitted_by_rule=by_rule, decision=decision)
    if not (standing.person_enabled and standing.member and standing.supplier_enabled):
        assert sight is Sight.ABSENT
