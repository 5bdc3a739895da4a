# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from tests.integration.authority import Authority
from tests.integration.end import End
from tests.integration.floor import Device, Floor
from tests.integration.gateway.conftest import asset_of
from tests.integration.gateway_process import GatewayProcess
from tests.integration.relay.meter import settled


async def test_a_leg_in_reserve_carries_the_first_connection_and_is_replaced(
    device: Device, floor: Floor, tmp_path: Path
) -> None:
    """As gateways far away keep one by themselves. It stays nested, which one that is dialled here would not."""
    authority = await Authority(tmp_path).start()
    process = GatewayProcess(authority, tmp_path / "gateway", reach=[f"{floor.network}:1-65535"], spare_legs="always")
    authority.admit(process.gateway)
    await process.start()
    try:
        for _ in range(2):
            await settled(authority.relay.process, spares=1, pairs=0)
            end = End(authority, process.gateway, tmp_path)
            end.permit([asset_of(device)])
            leg = await end.dial()
            assert len(leg.channel._layers) == 2
            stream = await end.open(leg=leg)
            await settled(authority.relay.process, spares=1, pairs=1)
            await stream.say(b"read register 100")
            assert await stream.heard(17) == b"read register 100"
            stream.say_end()
            await stream.ended("finished")
    finally:
        await process.end()
        await authority.close()
