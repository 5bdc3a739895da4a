# SPDX-License-Identifier: Apache-2.0
"""A relay that died has all its gateways back, spread over time."""

import time
from pathlib import Path

import pytest

from tests.bench.crowd import crowd
from tests.integration.relay.bare import running

pytestmark = pytest.mark.asyncio(loop_scope="module")
_LOST = "link.lost Truncated"  # how a gateway notices that its relay was killed
_DOWN = "link.lost ConnectionRefusedError"  # whoever dials before it listens again


async def test_all_gateways_of_a_killed_relay_come_back_and_none_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as authority, crowd(authority, 100, ["127.0.0.1"], spread_s=12.0) as gateways:
        await gateways.all_up(within_s=60)
        _, before = await gateways.ask()
        died = time.monotonic()
        await authority.restart_relay(authority.relay.address.relay)
        await gateways.all_up(within_s=60, times=2, every_s=0.05)
        _, after = await gateways.ask()
        # The last of a hundred comes after eight of twelve seconds, but for one run in 10^17. In step they need five.
        assert time.monotonic() - died > 8
        assert set(after - before) <= {"link.opened", _LOST, _DOWN}
