# SPDX-License-Identifier: Apache-2.0
"""After a cut, an expiry or a freeze not one byte more reaches the device (WIRE 17)."""

import asyncio
import fcntl
import struct
import termios
import time
from collections.abc import AsyncIterator

import pytest

from tests.integration.end import Stream
from tests.integration.floor import Device, DeviceConnection, Floor
from tests.integration.gateway.conftest import Plant, asset_of
from tests.integration.gateway.test_orders import refusal
from tests.integration.process import eventually


@pytest.fixture
async def deaf(floor: Floor) -> AsyncIterator[Device]:
    """A device that accepts and does not read: everything on the way to it fills up."""
    opened = Device(floor, number=12, receive_buffer=32768)
    opened.reading = False
    opened.answer = lambda data: b""
    yield opened
    opened.close()


def waiting_bytes(connection: DeviceConnection) -> int:
    """What lies in the device's own receive buffer: it has arrived already."""
    return int(struct.unpack("i", fcntl.ioctl(connection.sock.fileno(), termios.FIONREAD, b"\0" * 4))[0])


async def filled(stream: Stream, device: Device) -> tuple[DeviceConnection, int]:
    """Push until nothing moves any more; return the connection and how much had arrived at the device."""
    async with asyncio.timeout(20):
        while not stream.tool.paused:
            await stream.say(b"x" * 65536)
    await eventually(lambda: device.connections)
    connection, arrived = device.connections[0], [0, 1]
    while arrived[-1] != arrived[-2]:  # until the device's buffer stays as full as it is
        await asyncio.sleep(0.3)
        arrived.append(waiting_bytes(connection))
    return connection, arrived[-1]


async def nothing_more(connection: DeviceConnection, arrived: int) -> None:
    """The device now reads all there is: exactly what had arrived, then the reset."""
    connection.read_on()
    await eventually(lambda: connection.ended, "the device's connection ends")
    assert connection.ended == "reset"
    assert len(connection.heard) <= arrived


async def test_a_cut_with_full_buffers_delivers_nothing_more(plant: Plant, deaf: Device) -> None:
    plant.end.permit([asset_of(deaf)])
    stream = await plant.end.open()
    connection, arrived = await filled(stream, deaf)
    plant.authority.withdraw(plant.end.session, "cut", reason="emergency")
    ended = await plant.authority.event(plant.gateway, "session.ended", plant.end.session)
    assert (ended.fields["ending"], ended.fields["reason"]) == ("cut", "emergency")
    latency = ended.fields["latency_ms"]
    assert isinstance(latency, int)
    assert 0 <= latency < 5_000
    assert await stream.ended() == "cut"
    await nothing_more(connection, arrived)


async def test_expiry_with_full_buffers_delivers_nothing_more(plant: Plant, deaf: Device) -> None:
    plant.end.permit([asset_of(deaf)], expires_ms=plant.authority._unix_ms() + 4_000, drain_s=0)
    stream = await plant.end.open()
    connection, arrived = await filled(stream, deaf)
    assert await stream.ended() == "expired"
    await nothing_more(connection, arrived)


@pytest.mark.parametrize("nested", [True, False], ids=["nested", "spliced"])
async def test_a_gateway_frozen_past_the_lease_forwards_nothing_when_it_wakes(
    plant: Plant, deaf: Device, nested: bool
) -> None:
    """Both the gateway's queue and everything before it are full while it sleeps."""
    plant.end.permit([asset_of(deaf)], lease_s=2, on_silence="cut")
    stream = await plant.end.open(nested=nested)
    connection, arrived = await filled(stream, deaf)
    plant.process.freeze()
    await asyncio.sleep(2.5)  # past the lease, which is what this is about
    plant.process.thaw()
    # Only then may the device read on: what the kernel holds (SEND_BUFFER_BYTES) it would deliver to a reading device
    # even while the process sleeps, and nothing a frozen process can do would stop that.
    await plant.authority.event(plant.gateway, "session.ended", ending="silence")
    await nothing_more(connection, arrived)
    assert await stream.ended() == "silence"


async def test_a_gateway_frozen_past_the_end_lets_nothing_through_to_a_device_that_reads(plant: Plant) -> None:
    """The leg is full of data when the gateway wakes, and the device is ready to take it."""
    plant.device.answer = lambda data: b""
    plant.end.permit([plant.asset], lease_s=2, on_silence="cut")
    stream = await plant.end.open()
    await stream.say(b"before")
    await eventually(lambda: plant.device.connections and plant.device.connections[0].heard == b"before")
    plant.process.freeze()
    await stream.say(b"y" * 1_000_000)
    await asyncio.sleep(2.5)  # past the lease
    heard = bytes(plant.device.connections[0].heard)
    plant.process.thaw()
    await eventually(lambda: plant.device.connections[0].ended == "reset")
    assert bytes(plant.device.connections[0].heard) == heard == b"before"


async def test_a_killed_gateway_delivers_nothing_more(plant: Plant, deaf: Device) -> None:
    plant.end.permit([asset_of(deaf)])
    stream = await plant.end.open()
    connection, arrived = await filled(stream, deaf)
    await plant.process.kill()
    await nothing_more(connection, arrived)
    await eventually(lambda: stream.legs_lost == 1)


async def test_a_cut_while_the_device_is_being_connected_leaves_nothing_behind(plant: Plant, floor: Floor) -> None:
    silent = plant.end.assets[0].__class__("srv_aaaaaaaaaaaaaaaa", floor.address(99), 502)
    plant.end.permit([silent])
    async with asyncio.TaskGroup() as tasks:
        opening = tasks.create_task(refusal(plant.end))
        await eventually(lambda: plant.authority.found(plant.gateway, "order.accepted"))
        await asyncio.sleep(0.3)  # into the connect, which lasts a second
        plant.authority.withdraw(plant.end.session, "cut")
        await plant.authority.event(plant.gateway, "session.ended", ending="cut")
    assert opening.result() in ("order.unknown", "device.unreachable")


async def test_a_cut_ends_every_stream_and_every_leg_of_its_session_only(plant: Plant) -> None:
    other = plant.another_end()
    plant.end.permit([plant.asset])
    other.permit([plant.asset])
    mine = [await plant.end.open() for _ in range(5)]
    kept = await other.open()
    began = time.monotonic()
    plant.authority.withdraw(plant.end.session, "cut")
    for stream in mine:
        assert await stream.ended() == "cut"
    assert time.monotonic() - began < 10
    await kept.say(b"kept")
    await kept.heard(4)
    ended = await plant.authority.event(plant.gateway, "session.ended", plant.end.session)
    assert ended.fields["streams"] == 5
    codes = [one.event.code for one in plant.authority.events[plant.gateway] if one.event.session == plant.end.session]
    assert codes[-1] == "session.ended"
    assert codes.count("stream.opened") == codes.count("stream.closed") == 5
    assert codes.count("session.ended") == 1


async def test_a_second_withdrawal_makes_no_second_receipt(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    letter = plant.authority.withdraw(plant.end.session, "cut")
    await stream.ended("cut")
    plant.authority.send(plant.gateway, letter)
    await plant.authority.event(plant.gateway, "session.ended")
    other = plant.another_end()
    other.permit([plant.asset])
    (await other.open()).hang_up()
    await eventually(lambda: len(plant.authority.found(plant.gateway, "stream.closed")) == 2)
    assert len(plant.authority.found(plant.gateway, "session.ended")) == 1
