# SPDX-License-Identifier: Apache-2.0
import pytest

from portineria.dataplane.gateway.permit import NEVER, Permit
from portineria.wire.statement import OnSilence

NOW = 1000.0
ORDER, NEWER = b"o" * 32, b"n" * 32


def permit(*, on_silence: OnSilence = "drain", drain_s: float = 60, leased: bool = True) -> Permit:
    """An order from 900 to 2000 whose lease of 30 s was asked for at 1000."""
    made = Permit(900, 2000, lease_s=30, drain_s=drain_s, on_silence=on_silence, order_sha256=ORDER)
    if leased:
        made.lease(ORDER, NOW, 30)
    return made


@pytest.mark.parametrize(
    ("at", "reason"),
    [(899, "order.not-yet"), (1000, None), (1029.9, None), (1030, "lease.missing"), (2000, "order.expired")],
)
def test_something_new_begins_only_in_time_and_under_a_lease(at: float, reason: str | None) -> None:
    assert permit().refuses_new(at) == reason


def test_without_a_lease_nothing_begins_and_nothing_has_to_end() -> None:
    unleased = permit(leased=False, on_silence="cut")
    assert unleased.refuses_new(NOW) == "lease.missing"
    assert unleased.stops_at == 2060
    assert unleased.ended(NOW, busy=False) is None


@pytest.mark.parametrize(("on_silence", "stops_at"), [("drain", 1090), ("cut", 1030), ("until_expiry", 2060)])
def test_what_runs_stops_as_the_device_wants_it_in_silence(on_silence: OnSilence, stops_at: float) -> None:
    assert permit(on_silence=on_silence).stops_at == stops_at


def test_a_lease_is_never_longer_than_the_order_allows_nor_shortened_by_an_older_one() -> None:
    long = permit()
    long.lease(ORDER, NOW, 3600)
    assert long.lease_until == 1030
    long.lease(ORDER, NOW - 20, 30)
    assert long.lease_until == 1030


def test_a_lease_for_another_order_counts_for_nothing() -> None:
    other = permit(leased=False)
    other.lease(NEWER, NOW, 30)
    assert not other.leased


def test_a_newer_order_keeps_what_runs_and_needs_a_lease_of_its_own_for_more() -> None:
    newer = Permit(900, 3000, lease_s=30, drain_s=60, on_silence="drain", order_sha256=NEWER)
    permit().renew(newer)
    assert newer.stops_at == 1090
    assert newer.refuses_new(NOW) == "lease.missing"
    newer.lease(NEWER, NOW + 5, 30)
    assert newer.refuses_new(NOW + 6) is None


def test_a_lost_lease_leaves_an_idle_session_its_drain_time_to_come_back() -> None:
    assert permit().ended(1030, busy=False) is None
    drain = permit().draining(1031)
    assert drain is not None
    assert (drain.until, drain.reason) == (1090, "lease.lost")
    over = permit().ended(1090, busy=True)
    assert over is not None
    assert over.ending == "silence"


def test_a_withdrawal_drains_what_runs_and_ends_what_does_not() -> None:
    running, idle = permit(), permit()
    running.withdraw(NOW, 2, 10, "narrowed", busy=True)
    idle.withdraw(NOW, 2, 10, "narrowed", busy=False)
    assert running.refuses_new(NOW) == "order.draining"
    assert running.ended(NOW, busy=True) is None
    assert running.stops_at == NOW + 10
    ends = [found.ending for found in (running.ended(NOW + 10, busy=True), idle.ended(NOW, busy=False)) if found]
    assert ends == ["drained", "finished"]


def test_a_withdrawal_said_twice_does_not_last_longer() -> None:
    said = permit()
    said.withdraw(NOW, 2, 10, "narrowed", busy=True)
    said.withdraw(NOW + 9, 2, 10, "narrowed", busy=True)
    assert said.stops_at == NOW + 10


def test_an_expired_order_drains_and_then_ends() -> None:
    kept = permit()
    kept.lease_until = 2500
    assert kept.ended(1999, busy=True) is None
    assert kept.ended(2000, busy=True) is None
    drain = kept.draining(2000)
    assert drain is not None
    assert (drain.reason, drain.until) == ("order.expired", 2060)
    ended = kept.ended(2000, busy=False)
    assert ended is not None
    assert ended.ending == "expired"


def test_a_gateway_that_cannot_record_drains_until_it_can() -> None:
    full = permit()
    full.obstruct(NOW, "spool.full")
    full.obstruct(NOW + 50, "spool.full")
    assert full.refuses_new(NOW) == "spool.full"
    assert full.stops_at == NOW + 60
    full.clear()
    assert full.refuses_new(NOW) is None


def test_a_newer_order_does_not_give_a_gateway_that_cannot_record_more_time() -> None:
    full, newer = permit(), Permit(900, 3000, lease_s=30, drain_s=60, on_silence="drain", order_sha256=NEWER)
    full.obstruct(NOW, "spool.full")
    full.renew(newer)
    newer.lease(NEWER, NOW + 30, 30)
    newer.obstruct(NOW + 30, "spool.full")
    assert newer.refuses_new(NOW + 30) == "spool.full"
    assert newer.stops_at == NOW + 60


def test_the_next_moment_is_always_ahead_and_misses_no_change() -> None:
    watched, at, moments = permit(), 850.0, []
    while (at := watched.next_moment(at)) != NEVER:
        moments.append(at)
    assert moments == [900, 1030, 1090, 2000, 2060]
