# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.policy.decision import Attempt, GrantFacts, Standing, decide
from portineria.policy.ending import Device, Ending, Locked, Reason
from portineria.policy.supplier_standing import Firm, Level
from portineria.policy.windows import Schedule, parse_windows

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
GOOD = Standing(person_enabled=True, member=True, supplier_enabled=True, second_factor=True)
GRANT = GrantFacts("grt_a", "mac_press", NINE, NINE + timedelta(hours=2), None, rule_holds=True)


def attempt(minutes: int = 30, *, standing: Standing = GOOD, admitted: bool = True, serving: bool = True) -> Attempt:
    return Attempt(NINE + timedelta(minutes=minutes), "mac_press", standing, admitted, serving)


@pytest.mark.parametrize(
    ("minutes", "denials"),
    [(-1, (Reason.NOT_YET,)), (0, ()), (119, ()), (120, (Reason.EXPIRED,))],
)
def test_a_grant_opens_at_its_start_and_is_shut_at_its_end(minutes: int, denials: tuple[Reason, ...]) -> None:
    assert decide(attempt(minutes), [GRANT]).denials == denials


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        (Standing(False, True, True, True), Reason.PERSON_DISABLED),
        (Standing(True, False, True, True), Reason.NO_MEMBERSHIP),
        (Standing(True, True, False, True), Reason.SUPPLIER_DISABLED),
        (Standing(True, True, True, False), Reason.SECOND_FACTOR),
        (Standing(True, True, True, True, answered=False), Reason.NOBODY_ANSWERS),
    ],
)
def test_whoever_does_not_stand_is_refused_and_their_session_is_cut(standing: Standing, reason: Reason) -> None:
    decision = decide(attempt(standing=standing), [GRANT])
    assert decision.denials == (reason,)
    assert decision.ending is Ending.SECURITY


def test_what_was_agreed_ends_on_its_day_and_what_runs_drains() -> None:
    soon = NINE + timedelta(minutes=40)
    until = replace(GOOD, member_until=soon)
    assert decide(attempt(39, standing=until), [GRANT]).ends == soon
    assert decide(attempt(39, standing=replace(GOOD, member_until=GRANT.ends + timedelta(days=1))), [GRANT]).ends == (
        GRANT.ends
    )
    over = decide(attempt(40, standing=until), [GRANT])
    assert (over.denials, over.ending) == ((Reason.MEMBERSHIP_OVER,), Ending.ADMINISTRATIVE)
    shut = Schedule(parse_windows("Mon-Sun 08:00-18:00"), UTC)
    assert decide(attempt(39, standing=until), [replace(GRANT, schedule=shut)]).ends == soon


def test_an_emergency_role_is_lost_for_security_a_rule_for_administration() -> None:
    emergency = replace(GRANT, id="grt_e", rule_holds=False, emergency=True)
    lost = decide(attempt(), [emergency])
    assert (lost.denials, lost.ending, lost.emergency) == ((Reason.NO_EMERGENCY_ROLE,), Ending.SECURITY, True)
    assert decide(attempt(), [replace(GRANT, rule_holds=False)]).ending is Ending.ADMINISTRATIVE


def test_what_an_emergency_opened_comes_first_where_it_opens_at_all() -> None:
    emergency = replace(GRANT, id="grt_e", ends=NINE + timedelta(hours=1), emergency=True)
    assert decide(attempt(), [GRANT, emergency]).grant == "grt_e"
    assert decide(attempt(90), [GRANT, emergency]).grant == "grt_a"
    locked = replace(attempt(), locks=frozenset({Locked.LINE}))
    assert decide(locked, [emergency]).denials == (Reason.LOCKED_LINE,)


def test_a_gateway_that_is_not_admitted_cuts_and_a_machine_without_services_drains() -> None:
    assert decide(attempt(admitted=False), [GRANT]).ending is Ending.SECURITY
    bare = decide(attempt(serving=False), [GRANT])
    assert bare.denials == (Reason.NOTHING_TO_REACH,)
    assert bare.ending is Ending.ADMINISTRATIVE


@pytest.mark.parametrize(
    ("changed", "reason", "ending"),
    [
        ({"revoked": Ending.SECURITY}, Reason.REVOKED_FOR_SECURITY, Ending.SECURITY),
        ({"revoked": Ending.ADMINISTRATIVE}, Reason.REVOKED, Ending.ADMINISTRATIVE),
        ({"rule_holds": False}, Reason.NO_RULE, Ending.ADMINISTRATIVE),
        ({"maintained": False}, Reason.MAINTENANCE, Ending.ADMINISTRATIVE),
        ({"present": False}, Reason.PRESENCE, Ending.ADMINISTRATIVE),
        ({"settable": True}, Reason.PRESENCE_SETTABLE, Ending.ADMINISTRATIVE),
        ({"trained": False}, Reason.TRAINING, Ending.ADMINISTRATIVE),
        ({"recorded": False}, Reason.NOT_RECORDED, Ending.ADMINISTRATIVE),
        ({"approved": False}, Reason.NO_APPROVAL, Ending.ADMINISTRATIVE),
        ({"ticket_holds": False}, Reason.TICKET, Ending.ADMINISTRATIVE),
        ({"watched": False}, Reason.NOT_WATCHED, Ending.ADMINISTRATIVE),
        ({"machine": "mac_other"}, Reason.OTHER_MACHINE, Ending.SECURITY),
        ({"in_group": False}, Reason.NO_GROUP, Ending.SECURITY),
    ],
)
def test_each_flaw_of_a_grant_has_its_reason_and_its_ending(
    changed: dict[str, Any], reason: Reason, ending: Ending
) -> None:
    facts = {name: getattr(GRANT, name) for name in ("id", "machine", "starts", "ends", "revoked", "rule_holds")}
    decision = decide(attempt(), [GrantFacts(**(facts | changed))])
    assert decision.denials == (reason,)
    assert decision.ending is ending


def test_nothing_begins_while_a_change_waits_and_everything_after_that() -> None:
    paused = replace(GRANT, paused_until=NINE + timedelta(minutes=30))
    assert decide(attempt(29), [paused]).denials == (Reason.CHANGE_WAITS,)
    assert decide(attempt(29), [paused]).ending is Ending.ADMINISTRATIVE
    assert decide(attempt(30), [paused]).permitted


def test_every_reason_is_reported_not_only_the_first() -> None:
    bad = GrantFacts("grt_b", "mac_press", NINE, NINE + timedelta(hours=2), Ending.ADMINISTRATIVE, rule_holds=False)
    decision = decide(attempt(180, standing=Standing(False, True, True, True)), [bad])
    assert decision.denials == (Reason.PERSON_DISABLED, Reason.REVOKED, Reason.NO_RULE, Reason.EXPIRED)
    nobody = attempt(standing=replace(GOOD, member=False), admitted=False)
    assert decide(nobody, []).denials == (Reason.NO_MEMBERSHIP, Reason.GATEWAY_NOT_ADMITTED, Reason.NO_GRANT)


def test_of_what_is_refused_the_grants_own_end_is_told_and_the_one_that_came_closest() -> None:
    hours = Schedule(parse_windows("Mon 09:00-10:00"), UTC)
    inside = replace(GRANT, schedule=hours)
    untrained = decide(attempt(), [replace(inside, trained=False, approved=False), replace(inside, trained=False)])
    assert (untrained.denials, untrained.ends) == ((Reason.TRAINING,), GRANT.ends)
    assert decide(attempt(), [inside]).ends == NINE + timedelta(hours=1)
    assert decide(attempt(), [replace(GRANT, trained=False), replace(GRANT, approved=False)]).grant == GRANT.id


def test_a_notice_that_was_not_read_is_a_reason_of_its_own_whatever_else_is_missing() -> None:
    untold = replace(attempt(), told=False)
    cases: list[tuple[list[GrantFacts], tuple[Reason, ...]]] = [
        ([GRANT], ()),
        ([], (Reason.NO_GRANT,)),
        ([replace(GRANT, rule_holds=False)], (Reason.NO_RULE,)),
    ]
    for held, before in cases:
        assert decide(untold, held).denials == (*before, Reason.NOTICE)
    assert decide(untold, [GRANT]).ending is Ending.ADMINISTRATIVE


@pytest.mark.parametrize(("age", "denials"), [(0, ()), (15, ()), (15.1, (Reason.SECOND_FACTOR_OLD,))])
def test_a_second_factor_may_be_as_old_as_the_rule_says(age: float, denials: tuple[Reason, ...]) -> None:
    asked = replace(attempt(), factor_age=timedelta(minutes=age))
    judged = decide(asked, [replace(GRANT, factor_within=timedelta(minutes=15))])
    assert (judged.denials, judged.ending) == (denials, Ending.ADMINISTRATIVE)
    assert decide(asked, [GRANT]).permitted


def test_a_computer_that_is_unknown_or_no_longer_trusted() -> None:
    wanting = replace(GRANT, needs_device=True)
    cases: list[tuple[Device, GrantFacts, tuple[Reason, ...], Ending]] = [
        (Device.KNOWN, wanting, (), Ending.ADMINISTRATIVE),
        (Device.NONE, wanting, (Reason.COMPANY_DEVICE,), Ending.ADMINISTRATIVE),
        (Device.NONE, GRANT, (), Ending.ADMINISTRATIVE),
        (Device.REVOKED, wanting, (Reason.DEVICE_REVOKED,), Ending.SECURITY),
        (Device.REVOKED, GRANT, (Reason.DEVICE_REVOKED,), Ending.SECURITY),
    ]
    for device, grant, denials, ending in cases:
        judged = decide(replace(attempt(), device=device), [grant])
        assert (judged.denials, judged.ending) == (denials, ending)


def test_the_grant_that_lasts_longest_permits() -> None:
    longer = GrantFacts("grt_b", "mac_press", NINE, NINE + timedelta(hours=3), None, rule_holds=True)
    assert decide(attempt(), [GRANT, longer]).grant == "grt_b"
    assert decide(attempt(), [longer, GRANT]).ends == longer.ends


def test_of_two_grants_that_last_as_long_the_same_one_permits_whichever_comes_first() -> None:
    other = replace(GRANT, id="grt_b")
    assert decide(attempt(), [GRANT, other]).grant == decide(attempt(), [other, GRANT]).grant == "grt_a"


grants = st.builds(
    GrantFacts,
    id=st.sampled_from(["grt_a", "grt_b", "grt_c"]),
    machine=st.sampled_from(["mac_press", "mac_other"]),
    starts=st.integers(-600, 600).map(lambda minutes: NINE + timedelta(minutes=minutes)),
    ends=st.integers(-600, 600).map(lambda minutes: NINE + timedelta(minutes=minutes)),
    revoked=st.sampled_from([None, Ending.SECURITY, Ending.ADMINISTRATIVE]),
    rule_holds=st.booleans(),
)
standings = st.builds(Standing, st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans())
attempts = st.builds(
    lambda minutes, standing, admitted, serving: attempt(
        minutes, standing=standing, admitted=admitted, serving=serving
    ),
    st.integers(-700, 700),
    standings,
    st.booleans(),
    st.booleans(),
)


@given(attempts, st.lists(grants, max_size=5))
def test_nobody_is_permitted_without_a_whole_grant(asked: Attempt, held: list[GrantFacts]) -> None:
    decision = decide(asked, held)
    whole = [
        grant
        for grant in held
        if grant.machine == asked.machine
        and grant.revoked is None
        and grant.rule_holds
        and grant.starts <= asked.at < grant.ends
    ]
    stands = asked.standing == GOOD and asked.gateway_admitted and asked.has_services
    assert decision.permitted == bool(whole and stands)
    if decision.permitted:
        assert decision.ends == max(grant.ends for grant in whole)


@given(attempts, st.lists(grants, max_size=5), st.randoms())
def test_the_order_of_the_rows_decides_nothing(asked: Attempt, held: list[GrantFacts], random: object) -> None:
    shuffled = sorted(held, key=lambda _: random.random())  # type: ignore[attr-defined]
    one, other = decide(asked, held), decide(asked, shuffled)
    assert (one.permitted, one.ending, len(one.denials)) == (other.permitted, other.ending, len(other.denials))


@given(attempts, st.lists(grants, max_size=4), grants)
def test_another_grant_never_takes_permission_away(asked: Attempt, held: list[GrantFacts], more: GrantFacts) -> None:
    assert not decide(asked, held).permitted or decide(asked, [*held, more]).permitted


def of_firm(asked: Attempt, level: Level) -> Attempt:
    firm = Firm(level, asked.at + timedelta(minutes=20))
    return replace(asked, standing=replace(asked.standing, firm=firm))


# Each asks for something more, of the person, of what they go through, or of the grant.
CONDITIONS: list[Callable[[Attempt, GrantFacts], tuple[Attempt, GrantFacts]]] = [
    lambda asked, grant: (asked, replace(grant, approved=False)),
    lambda asked, grant: (asked, replace(grant, recorded=False)),
    lambda asked, grant: (asked, replace(grant, maintained=False)),
    lambda asked, grant: (asked, replace(grant, present=False)),
    lambda asked, grant: (asked, replace(grant, settable=True)),
    lambda asked, grant: (asked, replace(grant, in_group=False)),
    lambda asked, grant: (asked, replace(grant, paused_until=asked.at + timedelta(minutes=1))),
    lambda asked, grant: (asked, replace(grant, trained=False)),
    lambda asked, grant: (asked, replace(grant, watched=False)),
    lambda asked, grant: (asked, replace(grant, factor_within=timedelta(minutes=15))),
    lambda asked, grant: (replace(asked, factor_age=timedelta(minutes=16)), grant),
    lambda asked, grant: (asked, replace(grant, needs_device=True)),
    lambda asked, grant: (asked, replace(grant, least_standing=Level.B)),
    lambda asked, grant: (of_firm(asked, Level.C), replace(grant, least_standing=Level.B)),
    lambda asked, grant: (of_firm(asked, Level.B), replace(grant, least_standing=Level.B)),
    lambda asked, grant: (replace(asked, device=Device.NONE), grant),
    lambda asked, grant: (replace(asked, device=Device.REVOKED), grant),
    lambda asked, grant: (asked, replace(grant, rule_holds=False)),
    lambda asked, grant: (asked, replace(grant, revoked=Ending.ADMINISTRATIVE)),
    lambda asked, grant: (asked, replace(grant, ends=grant.ends - timedelta(minutes=90))),
    lambda asked, grant: (asked, replace(grant, starts=grant.starts + timedelta(minutes=90))),
    lambda asked, grant: (asked, replace(grant, schedule=Schedule(parse_windows("Mon 09:20-10:00"), UTC))),
    lambda asked, grant: (asked, replace(grant, schedule=Schedule(parse_windows("Mon 09:20-10:00"), None))),
    lambda asked, grant: (replace(asked, standing=replace(asked.standing, second_factor=False)), grant),
    *(lambda asked, grant, kind=kind: (replace(asked, locks=asked.locks | {kind}), grant) for kind in Locked),
]


@given(attempts, st.lists(grants, max_size=4), st.lists(st.sampled_from(CONDITIONS), max_size=4))
def test_adding_a_condition_never_admits_more(
    asked: Attempt, held: list[GrantFacts], more: list[Callable[[Attempt, GrantFacts], tuple[Attempt, GrantFacts]]]
) -> None:
    before, narrower = decide(asked, held), held
    for condition in more:
        pairs = [condition(asked, grant) for grant in narrower]
        narrower, asked = [grant for _, grant in pairs], pairs[0][0] if pairs else asked
    after = decide(asked, narrower)
    assert before.permitted or not after.permitted
    if after.permitted:
        assert before.ends is not None
        assert after.ends is not None
        assert after.ends <= before.ends


@pytest.mark.parametrize("kind", Locked)
def test_each_lock_has_its_reason_and_cuts(kind: Locked) -> None:
    decision = decide(replace(attempt(), locks=frozenset({kind})), [GRANT])
    assert decision.denials == (Reason(f"locked-{kind.value}"),)
    assert decision.ending is Ending.SECURITY
