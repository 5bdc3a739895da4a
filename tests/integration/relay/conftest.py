# SPDX-License-Identifier: Apache-2.0
import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from portineria.core.ids import Kind, new_id
from portineria.wire.statement import Asset
from tests.integration.authority import Authority
from tests.integration.end import End, Stream
from tests.integration.floor import Device, Floor, open_floor
from tests.integration.gateway_process import GatewayProcess
from tests.integration.hostile import HostileLink, HostileRelay
from tests.integration.process import eventually
from tests.integration.relay.bare import BareConnector, BareGateway


@pytest.fixture(scope="session")
def floor() -> Iterator[Floor]:
    opened = open_floor()
    yield opened
    opened.close()


# One relay process for a module: a test that breaks it starts its own (``bare.running``) or restarts it.
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def authority(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Authority]:
    started = Authority(tmp_path_factory.mktemp("authority"))
    try:
        yield await started.start()
    finally:
        await started.close()


@dataclass
class Bare:
    """A relay process with an admitted gateway of the test's own, and a technician's session."""

    authority: Authority
    gateway: BareGateway
    connector: BareConnector

    @property
    def relay(self) -> str:
        return self.authority.relay.address.relay


@pytest_asyncio.fixture(loop_scope="module")
async def bare(authority: Authority) -> AsyncIterator[Bare]:
    gateway = BareGateway(authority)
    authority.admit(*authority.gateways)
    yield Bare(authority, gateway, BareConnector(gateway))
    await gateway.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def device(floor: Floor) -> AsyncIterator[Device]:
    """An echo on port 502 of the floor's first address."""
    opened = Device(floor)
    yield opened
    opened.close()


@dataclass
class Plant:
    """Authority, relay and gateway processes, one device, and a technician's end."""

    authority: Authority
    process: GatewayProcess
    device: Device
    directory: Path

    @property
    def gateway(self) -> str:
        return self.process.gateway

    def end(self, **order: object) -> End:
        """A technician whose session is ordered."""
        end = End(self.authority, self.gateway, self.directory)
        asset = Asset(new_id(Kind.SERVICE), self.device.address, self.device.port)
        end.permit([asset], **order)
        return end


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plant(
    authority: Authority, device: Device, floor: Floor, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Plant]:
    """Up and linked; nothing ordered yet."""
    directory = tmp_path_factory.mktemp("plant")
    process = GatewayProcess(authority, directory / "gateway", reach=[f"{floor.network}:1-65535"])
    authority.admit(process.gateway)
    await process.start()
    await authority.linked(process.gateway)
    yield Plant(authority, process, device, directory)
    await process.end()


@dataclass
class Stolen:
    """A gateway process whose only relay is in a thief's hands. The thief passes letters on unless told otherwise."""

    authority: Authority
    relay: HostileRelay
    process: GatewayProcess
    device: Device
    directory: Path

    @property
    def gateway(self) -> str:
        return self.process.gateway

    async def link(self) -> HostileLink:
        """The gateway's link of the moment."""
        await eventually(lambda: self.relay.link_of(self.gateway), "the gateway's link")
        found = self.relay.link_of(self.gateway)
        assert found is not None
        return found

    def end(self, **order: object) -> End:
        """A technician whose session is ordered."""
        end = End(self.authority, self.gateway, self.directory)
        end.permit([Asset(new_id(Kind.SERVICE), self.device.address, self.device.port)], **order)
        return end

    async def open(self, end: End, *, nested: bool = False, stop_after: int | None = None) -> Stream:
        """A stream through the stolen relay, which joins the legs."""
        link = await self.link()
        stream, _ = await asyncio.gather(end.open(nested=nested), self.relay.pair(link, stop_after=stop_after))
        return stream


@contextlib.asynccontextmanager
async def stolen_relay(directory: Path, floor: Floor, device: Device, **settings: object) -> AsyncIterator[Stolen]:
    authority, name = Authority(directory), new_id(Kind.RELAY)
    await authority.bus.open([name])
    honest = authority.relays[name] = authority._furnish_relay(name, {})  # its keys; the process never starts
    process = GatewayProcess(authority, directory / "gateway", reach=[f"{floor.network}:1-65535"], **settings)
    path = authority.bus.path(name)
    try:
        async with HostileRelay(name, honest.certificate, honest.key, port=honest.address.port, path=path) as relay:
            await process.start()
            await authority.linked(process.gateway)
            yield Stolen(authority, relay, process, device, directory)
    finally:
        await process.end()
        await authority.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stolen(floor: Floor, device: Device, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stolen]:
    async with stolen_relay(tmp_path_factory.mktemp("stolen"), floor, device) as opened:
        yield opened
