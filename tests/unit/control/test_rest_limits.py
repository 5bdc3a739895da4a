# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tests.unit.control.django_state import start

start()

from portineria.control.rest.limits import _ACCOUNTS, Buckets  # noqa: E402 settings need Django to have started


def test_an_account_that_hurries_waits_and_the_others_do_not() -> None:
    buckets = Buckets(per_minute=60)
    assert [buckets.take("a", 0.0) for _ in range(12)] == [0.0] * 12  # a fifth of a minute's measure at once
    assert buckets.take("a", 0.0) == 1.0
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 0.5) == 0.5
    assert buckets.take("a", 1.0) == 0.0
    assert buckets.take("a", 1.0) > 0


def test_a_long_rest_saves_up_no_more_than_one_burst() -> None:
    buckets = Buckets(per_minute=60)
    buckets.take("a", 0.0)
    assert [buckets.take("a", 3600.0) for _ in range(13)][-1] > 0


def test_memory_does_not_grow_with_accounts() -> None:
    buckets = Buckets(per_minute=60)
    for number in range(_ACCOUNTS + 50):
        buckets.take(str(number), 0.0)
    assert len(buckets) == _ACCOUNTS
