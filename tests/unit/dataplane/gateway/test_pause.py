# SPDX-License-Identifier: Apache-2.0
"""How long a gateway waits before it dials a relay again."""

from portineria.dataplane.gateway.link import pause_s
from portineria.dataplane.gateway.settings import GatewaySettings

SETTINGS = GatewaySettings()
TRIES = 2000


def pauses(attempt: int, *, stood: bool, busy: bool) -> list[float]:
    return sorted(pause_s(SETTINGS, attempt, stood=stood, busy=busy) for _ in range(TRIES))


def test_idle_gateways_that_lost_a_relay_come_back_evenly_over_the_spread() -> None:
    found = pauses(0, stood=True, busy=False)
    assert found[-1] <= SETTINGS.spread_s
    for quarter in (1, 2, 3):
        assert abs(found[TRIES * quarter // 4] - SETTINGS.spread_s * quarter / 4) < 0.1 * SETTINGS.spread_s


def test_a_gateway_with_a_session_comes_back_at_once() -> None:
    assert pauses(0, stood=True, busy=True)[-1] <= SETTINGS.retry_min_s


def test_who_was_not_let_in_waits_ever_longer_and_never_too_long() -> None:
    medians = [pauses(attempt, stood=False, busy=False)[TRIES // 2] for attempt in range(1, 7)]
    assert medians == sorted(medians)
    for attempt in (1, 6, 10_000):
        found = pauses(attempt, stood=False, busy=False)
        assert found[0] >= SETTINGS.retry_min_s / 2
        assert found[-1] <= min(SETTINGS.retry_max_s, SETTINGS.retry_min_s * 2 ** min(attempt, 16))


def test_the_shortest_spread_is_the_first_pause() -> None:
    settings = GatewaySettings(spread_s=0)
    assert max(pause_s(settings, 0, stood=True, busy=False) for _ in range(TRIES)) <= settings.retry_min_s
