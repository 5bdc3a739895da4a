# SPDX-License-Identifier: Apache-2.0
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from portineria.core.ids import Kind, new_id
from portineria.wire.statement import Asset
from tests.integration.authority import Authority
from tests.integration.end import End
from tests.integration.floor import Device, Floor, open_floor
from tests.integration.gateway_process import GatewayProcess


@pytest.fixture(scope="session")
def floor() -> Iterator[Floor]:
    opened = open_floor()
    yield opened
    opened.close()


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[Authority]:
    started = await Authority(tmp_path).start()
    yield started
    await started.close()


@pytest.fixture
async def device(floor: Floor) -> AsyncIterator[Device]:
    """An echo on port 502 of the floor's first address."""
    opened = Device(floor)
    yield opened
    opened.close()


def asset_of(device: Device) -> Asset:
    return Asset(new_id(Kind.SERVICE), device.address, device.port)


@dataclass
class Plant:
    """Authority, relay, gateway and one device, with a technician's end that has an order."""

    authority: Authority
    process: GatewayProcess
    device: Device
    end: End
    directory: Path

    @property
    def gateway(self) -> str:
        return self.process.gateway

    @property
    def asset(self) -> Asset:
        return self.end.assets[0]

    def another_end(self) -> End:
        return End(self.authority, self.gateway, self.directory)


@pytest.fixture
async def plant(device: Device, floor: Floor, tmp_path: Path) -> AsyncIterator[Plant]:
    """Up and linked; nothing ordered yet. Relay and gateway start at the same time."""
    authority = await Authority(tmp_path).start(wait=False)
    process = GatewayProcess(authority, tmp_path / "gateway", reach=[f"{floor.network}:1-65535"])
    authority.admit(process.gateway)
    await process.start()
    await authority.relay_up(authority.relay.address.relay)
    await authority.linked(process.gateway)
    end = End(authority, process.gateway, tmp_path)
    end.assets = [asset_of(device)]
    yield Plant(authority, process, device, end, tmp_path)
    await process.end()
    await authority.close()
