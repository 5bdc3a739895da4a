# SPDX-License-Identifier: Apache-2.0
"""A lost leg does not lose the device's connection (WIRE 13)."""

import asyncio
import hashlib
import os
import socket
from pathlib import Path

import pytest

from portineria.core.errors import PortineriaError
from portineria.core.ids import Kind, new_id
from portineria.dataplane.gateway.status import read_status
from portineria.wire.statement import Asset, RelayAddress
from portineria.wire.stream import Hello, Open, Refuse, encode_control
from tests.integration.authority import Authority
from tests.integration.end import End, Leg, Refused, Stream
from tests.integration.floor import Device, Floor
from tests.integration.gateway.conftest import Plant, asset_of
from tests.integration.gateway_process import GatewayProcess
from tests.integration.process import eventually


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


async def finished_unheard(plant: Plant, *, drains: bool = False) -> Stream:
    """A stream that the gateway finished, and whose technician's end heard neither the last ACK nor END.

    ``drains``: as the last one of its session, whose permission has ended.
    """
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    await stream.say(b"all of it")
    await stream.heard(9)
    [connection] = plant.device.connections
    connection.sock.shutdown(socket.SHUT_WR)
    await eventually(lambda: stream.tool.eof, "the device's end arrives")
    if drains:
        plant.authority.withdraw(plant.end.session, "drain", drain_s=600)
        await eventually(lambda: stream.notices)
    assert stream.leg is not None
    stream.leg.channel.on_data = lambda pieces: None  # what the gateway says from now on is lost
    stream.say_end()
    closed = await plant.authority.event(plant.gateway, "stream.closed", stream=stream.name)
    assert closed.fields["how"] == "finished"
    assert stream.over is None
    stream.leg.abort()
    await eventually(lambda: stream.legs_lost == 1)
    return stream


async def test_a_last_word_that_is_lost_with_the_leg_is_said_again(plant: Plant) -> None:
    """The gateway has let the device go; the tool must not be reset, since everything was delivered."""
    stream = await finished_unheard(plant)
    await plant.end.resume(stream)
    await stream.ended("finished")
    assert (bytes(stream.tool.heard), stream.tool.aborted, stream.tool.closed) == (b"all of it", False, True)
    assert len(plant.device.connections) == 1


async def test_a_last_word_outlives_the_session_that_ended_with_it(plant: Plant) -> None:
    stream = await finished_unheard(plant, drains=True)
    await plant.authority.event(plant.gateway, "session.ended", ending="drained")
    await plant.end.resume(stream)
    await stream.ended("finished")
    assert (bytes(stream.tool.heard), stream.tool.aborted, stream.tool.closed) == (b"all of it", False, True)
    with pytest.raises(Refused) as refused:
        await plant.end.open()
    assert refused.value.reason == "order.unknown"
    assert len(plant.device.connections) == 1


async def test_why_a_held_stream_was_ended_is_told_after_its_session(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    assert stream.leg is not None
    stream.leg.abort()
    await eventually(lambda: stream.legs_lost == 1)
    plant.authority.withdraw(plant.end.session, "drain", drain_s=1)
    await plant.authority.event(plant.gateway, "session.ended", ending="drained")
    with pytest.raises(Refused) as refused:
        await plant.end.resume(stream)
    assert refused.value.reason == "drained"


async def test_nobody_else_hears_the_last_word(plant: Plant) -> None:
    stream = await finished_unheard(plant)
    rival = plant.another_end()
    rival.permit([plant.asset])
    with pytest.raises(Refused) as refused:
        await rival.resume(stream)
    assert refused.value.reason == "hold.expired"


async def test_a_reset_that_is_lost_with_the_leg_keeps_its_reason(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    await stream.say(b"x")
    await stream.heard(1)
    assert stream.leg is not None
    stream.leg.channel.on_data = lambda pieces: None
    plant.device.connections[0].reset()
    await plant.authority.event(plant.gateway, "stream.closed", how="device.reset")
    stream.leg.abort()
    with pytest.raises(Refused) as refused:
        await plant.end.resume(stream)
    assert refused.value.reason == "device.reset"


def say_hello(leg: Leg, end: End, stream: str, asset: Asset, *, resume: bool) -> None:
    leg.channel.write(encode_control(Hello(end.order_sha256, stream, asset.service, asset.port, 0, resume)))


async def test_a_leg_lost_while_the_device_is_being_connected_costs_no_second_connection(
    authority: Authority, floor: Floor, tmp_path: Path
) -> None:
    """HELLO has come, OPEN has not gone: the same stream goes on over the next leg, from its beginning."""
    process = GatewayProcess(authority, tmp_path / "gateway", reach=[f"{floor.network}:503"], connect_s=30)
    authority.admit(process.gateway)
    await process.start()
    busy = floor.listen(13, 503)
    busy.listen(0)  # one place, which is taken: the kernel lets the next one wait
    try:
        await authority.linked(process.gateway)
        loop = asyncio.get_running_loop()
        with socket.socket() as first_in_line:
            first_in_line.setblocking(False)
            await loop.sock_connect(first_in_line, (floor.address(13), 503))
            end = End(authority, process.gateway, tmp_path)
            asset, name = Asset(new_id(Kind.SERVICE), floor.address(13), 503), new_id(Kind.STREAM)
            end.permit([asset])
            lost = await end.dial()
            say_hello(lost, end, name, asset, resume=False)
            await eventually(lambda: connecting(process) == 1, "the gateway dials the device")
            lost.abort()
            second = await end.dial()
            say_hello(second, end, name, asset, resume=True)
            (await loop.sock_accept(busy))[0].close()
            device, _ = await asyncio.wait_for(loop.sock_accept(busy), 30)
            assert await second.answer() == Open(0)
            await loop.sock_sendall(device, b"welcome")
            await authority.event(process.gateway, "stream.resumed", stream=name)
            assert len(authority.found(process.gateway, "stream.opened")) == 1
            assert connecting(process) == 1
            device.close()
    finally:
        busy.close()
        await process.end()


def connecting(process: GatewayProcess) -> int:
    """Streams that run or are being connected, as `gateway status` shows them."""
    status = read_status(process.state.status)
    return sum(session.streams for session in status.sessions) if status else 0


async def test_a_hello_that_a_relay_held_back_opens_nothing(plant: Plant) -> None:
    """Its connector was told that the stream is unknown and has opened another one meanwhile."""
    plant.end.permit([plant.asset])
    name = new_id(Kind.STREAM)
    first, second = await plant.end.dial(), await plant.end.dial()
    say_hello(second, plant.end, name, plant.asset, resume=True)
    assert await second.answer() == Refuse("hold.expired")
    say_hello(first, plant.end, name, plant.asset, resume=False)
    assert await first.answer() == Refuse("order.stale")
    assert plant.device.connections == []


async def test_a_refusal_that_is_lost_with_the_leg_is_said_again(plant: Plant) -> None:
    """Without another attempt at a device that has just refused."""
    off = Asset(plant.asset.service, plant.device.address, 9)
    plant.end.permit([off])
    name = new_id(Kind.STREAM)
    first = await plant.end.dial()
    say_hello(first, plant.end, name, off, resume=False)
    await plant.authority.event(plant.gateway, "stream.refused", stream=name)
    second = await plant.end.dial()
    say_hello(second, plant.end, name, off, resume=True)
    assert await second.answer() == Refuse("device.refused")
    assert len(plant.authority.found(plant.gateway, "stream.refused")) == 1


async def test_a_name_is_used_for_one_connection_only(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    with pytest.raises(Refused) as refused:
        await plant.end.open(name=stream.name)
    assert refused.value.reason == "order.stale"
    assert len(plant.device.connections) == 1
