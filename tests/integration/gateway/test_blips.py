# SPDX-License-Identifier: Apache-2.0
"""A lost leg does not lose the device's connection (WIRE 13)."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from portineria.core.errors import PortineriaError
from portineria.wire.statement import RelayAddress
from tests.integration.authority import Authority, eventually
from tests.integration.end import End, Refused, Stream
from tests.integration.floor import Device, Floor
from tests.integration.gateway.conftest import Plant, asset_of
from tests.integration.gateway_process import GatewayProcess


async def resumed(end: End, stream: Stream, relay: RelayAddress | None = None) -> None:
    """Try until a relay and the gateway's link are back, as a connector does."""
    async with asyncio.timeout(20):
        while True:
            try:
                await end.resume(stream, relay=relay)
            except (PortineriaError, OSError, TimeoutError):
                await asyncio.sleep(0.05)
            else:
                return


async def test_a_lost_leg_is_resumed_without_the_device_noticing(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    await stream.say(b"before ")
    await stream.heard(7)
    assert stream.leg is not None
    stream.leg.abort()
    await eventually(lambda: stream.legs_lost == 1)
    await stream.say(b"meanwhile ")
    await resumed(plant.end, stream)
    await stream.say(b"after")
    assert await stream.heard(22) == b"before meanwhile after"
    assert len(plant.device.connections) == 1
    event = await plant.authority.event(plant.gateway, "stream.resumed", stream=stream.name)
    assert event.fields["relay"] == plant.authority.relay.address.relay


@pytest.mark.slow
async def test_a_transfer_survives_its_relay_being_killed(plant: Plant) -> None:
    plant.end.permit([plant.asset], lease_s=60)
    sent = os.urandom(8 << 20)
    stream = await plant.end.open()
    async with asyncio.TaskGroup() as tasks:
        saying = tasks.create_task(stream.say(sent))
        for part in (1, 2):
            await stream.heard(part * (2 << 20))
            await plant.authority.restart_relay(plant.authority.relay.address.relay)
            await resumed(plant.end, stream)
        await saying
        stream.say_end()
    heard = await stream.heard(len(sent))
    assert hashlib.sha256(heard).digest() == hashlib.sha256(sent).digest()
    await stream.ended("finished")
    assert len(plant.device.connections) == 1


async def test_a_stream_goes_on_over_another_relay(tmp_path: Path, device: Device, floor: Floor) -> None:
    authority = await Authority(tmp_path).start(relays=2)
    process = GatewayProcess(authority, tmp_path / "gateway", reach=[f"{floor.network}:502"])
    authority.admit(process.gateway)
    await process.start()
    try:
        await authority.linked(process.gateway, links=2)
        first, second = authority.relays.values()
        end = End(authority, process.gateway, tmp_path)
        end.permit([asset_of(device)])
        stream = await end.open()
        await first.process.kill()
        await eventually(lambda: stream.legs_lost == 1)
        await resumed(end, stream, second.address)
        await stream.say(b"over the other relay")
        assert await stream.heard(20) == b"over the other relay"
        event = await authority.event(process.gateway, "stream.resumed")
        assert event.fields["relay"] == second.address.relay
        assert authority.faults == []
    finally:
        await process.end()
        await authority.close()


@pytest.mark.parametrize("hold_s", [0, 1])
async def test_after_the_hold_time_the_device_is_let_go(plant: Plant, hold_s: int) -> None:
    plant.end.permit([plant.asset], hold_s=hold_s)
    stream = await plant.end.open()
    assert stream.leg is not None
    stream.leg.abort()
    closed = await plant.authority.event(plant.gateway, "stream.closed")
    assert closed.fields["how"] == "hold.expired"
    await eventually(lambda: plant.device.connections[0].ended == "reset")
    with pytest.raises(Refused) as refused:
        await plant.end.resume(stream)
    assert refused.value.reason == "hold.expired"


async def test_nobody_else_resumes_a_stream(plant: Plant) -> None:
    rival = plant.another_end()
    plant.end.permit([plant.asset])
    rival.permit([plant.asset])
    stream = await plant.end.open()
    with pytest.raises(Refused) as refused:
        await rival.resume(stream)
    assert refused.value.reason == "hold.expired"
    await stream.say(b"mine")
    assert await stream.heard(4) == b"mine"


async def test_a_held_stream_ends_with_its_session(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    assert stream.leg is not None
    stream.leg.abort()
    await eventually(lambda: stream.legs_lost == 1)
    plant.authority.withdraw(plant.end.session, "cut")
    await eventually(lambda: plant.device.connections[0].ended == "reset")
    with pytest.raises(Refused):
        await plant.end.resume(stream)
