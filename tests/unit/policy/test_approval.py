# SPDX-License-Identifier: Apache-2.0
"""Levels of approvals: each has its number of its own people, nobody twice, and they are asked in their order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.policy.approval import Level, asked, complete, filled
from portineria.policy.decision import Attempt, GrantFacts, Standing, decide
from portineria.policy.ending import Ending, Reason

A, B = frozenset({1, 2}), frozenset({2, 3})
SOME = st.frozensets(st.integers(1, 5), max_size=5)
LEVELS = st.lists(st.builds(Level, st.integers(1, 3), st.none() | SOME), max_size=3)


@pytest.mark.parametrize(
    ("said", "counts", "now"),
    [
        (set(), (0, 0), 0),
        ({1}, (1, 0), 1),
        ({2}, (1, 0), 1),  # in both: counted once, in the first
        ({3}, (0, 1), 0),  # of the second alone
        ({1, 2}, (1, 1), None),
        ({2, 3}, (1, 1), None),
        ({1, 9}, (1, 0), 1),
    ],
)
def test_who_fills_which_level_and_which_is_asked_now(said: set[int], counts: tuple[int, ...], now: int | None) -> None:
    levels = [Level(1, A), Level(1, B)]
    assert (filled(levels, said), asked(levels, said)) == (counts, now)


def test_a_level_of_whoever_approves_takes_those_whom_no_other_level_needs() -> None:
    levels = [Level(1), Level(1, frozenset({1}))]
    assert filled(levels, {1}) == (1, 0)
    assert filled(levels, {1, 2}) == (1, 1)
    assert complete([], set())
    assert (filled([Level(3, A | B)], {1, 2, 3}), filled([Level(2, A)], {1, 2, 9})) == ((3,), (2,))


def _by_hand(levels: list[Level], said: frozenset[int]) -> bool:
    """Each in its own place, by trying all ways."""
    places = [level for level in levels for _ in range(level.needed)]
    return len(places) <= len(said) and any(
        all(place.asks(person) for place, person in zip(places, some, strict=True))
        for some in permutations(sorted(said), len(places))
    )


@given(LEVELS, SOME)
def test_all_is_given_only_when_each_level_has_its_number_of_its_own_people(
    levels: list[Level], said: frozenset[int]
) -> None:
    assert complete(levels, said) == _by_hand(levels, said)
    counts = filled(levels, said)
    assert sum(counts) <= len(said)
    assert all(count <= level.needed for count, level in zip(counts, levels, strict=True))


@given(LEVELS, SOME, st.integers(1, 5))
def test_one_yes_more_takes_from_no_level_and_completes_none_after_one_that_is_not(
    levels: list[Level], said: frozenset[int], person: int
) -> None:
    before, after = asked(levels, said), asked(levels, said | {person})
    assert after is None or (before is not None and after >= before)
    assert sum(filled(levels, said | {person})) >= sum(filled(levels, said))


NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ATTEMPT = Attempt(NINE, "mac_press", Standing(True, True, True, True), gateway_admitted=True)
GRANT = GrantFacts("grt_a", "mac_press", NINE, NINE + timedelta(hours=2), None, rule_holds=True)


@given(LEVELS, SOME, st.builds(Level, st.integers(1, 3), st.none() | SOME), st.integers(0, 3))
def test_a_level_besides_never_admits_more(levels: list[Level], said: frozenset[int], more: Level, at: int) -> None:
    without = decide(ATTEMPT, [replace(GRANT, levels=tuple(levels), said=said)])
    besides = (*levels[:at], more, *levels[at:])
    with_it = decide(ATTEMPT, [replace(GRANT, levels=besides, said=said)])
    assert without.permitted or not with_it.permitted
    needing = replace(more, needed=more.needed + 1)
    stricter = decide(ATTEMPT, [replace(GRANT, levels=(*levels, needing), said=said)])
    assert not stricter.permitted or decide(ATTEMPT, [replace(GRANT, levels=(*levels, more), said=said)]).permitted


def test_a_level_that_lost_a_yes_ends_as_an_approval_does() -> None:
    lost = decide(ATTEMPT, [replace(GRANT, levels=(Level(1, A),), said=frozenset({3}))])
    assert (lost.denials, lost.ending) == ((Reason.NO_APPROVAL,), Ending.ADMINISTRATIVE)
    neither = replace(GRANT, levels=(Level(1, A),), said=A, approved=False)
    assert decide(ATTEMPT, [neither]).denials == (Reason.NO_APPROVAL,)
