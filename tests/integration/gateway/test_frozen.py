# SPDX-License-Identifier: Apache-2.0
"""A peer that stands still for ten minutes and then goes on. Here for seconds; `make deep` waits the minutes out.

The seconds are more than five: so long a TCP_USER_TIMEOUT waited that killed a live but slow reader (WIRE 15).
"""

import asyncio
import hashlib
import os

import pytest

from tests.integration.end import Refused, Stream
from tests.integration.gateway.conftest import Plant
from tests.integration.process import eventually

FROZEN_S = 600.0 if os.environ.get("PORTINERIA_DEEP") else 8.0
HOLD_S = 60 if os.environ.get("PORTINERIA_DEEP") else 1
BYTES = 20 << 20  # more than every buffer on the way holds


async def works(plant: Plant, text: bytes) -> None:
    stream = await plant.end.open()
    await stream.say(text)
    assert await stream.heard(len(text)) == text
    stream.hang_up()


async def test_a_device_that_stands_still_and_goes_on_has_lost_nothing(plant: Plant) -> None:
    """Its kernel answers, its program does not read: neither the leg nor its connection may be given up."""
    plant.device.reading = False
    plant.device.answer = lambda data: b""
    plant.end.permit([plant.asset])
    stream, sent = await plant.end.open(), os.urandom(BYTES)
    saying = asyncio.ensure_future(stream.say(sent))
    await eventually(lambda: stream.tool.paused, "everything on the way is full")
    await asyncio.sleep(FROZEN_S)
    assert (stream.over, stream.legs_lost, plant.device.connections[0].ended) == (None, 0, "")
    plant.device.connections[0].read_on()
    await saying
    stream.say_end()
    await stream.ended("finished")
    assert hashlib.sha256(plant.device.connections[0].heard).digest() == hashlib.sha256(sent).digest()
    assert len(plant.device.connections) == 1


def stand_still(stream: Stream) -> None:
    """As a stopped process does: its kernel keeps the connection, nobody reads it and nothing is said."""
    assert stream.leg is not None
    transport = stream.leg.channel._transport
    assert transport is not None
    transport.pause_reading()
    stream.end._pulse.close()


@pytest.mark.slow
async def test_a_technicians_end_that_stands_still_does_not_keep_the_device(plant: Plant) -> None:
    """Found by its silence; after the hold time the device is let go. The others go on, and so may it, anew."""
    plant.end.permit([plant.asset], hold_s=HOLD_S)
    stream = await plant.end.open()
    await stream.say(b"x")
    await stream.heard(1)
    stand_still(stream)
    await asyncio.sleep(FROZEN_S)
    closed = await plant.authority.event(plant.gateway, "stream.closed", stream=stream.name)
    assert closed.fields["how"] == "hold.expired"
    await eventually(lambda: plant.device.connections[0].ended == "reset")
    with pytest.raises(Refused) as refused:
        await plant.end.resume(stream)
    assert refused.value.reason == "hold.expired"
    await works(plant, b"anew")
    assert stream.leg is not None
    stream.leg.abort()


async def test_a_gateway_that_stands_still_cuts_first_and_then_serves_again(plant: Plant) -> None:
    """Both its lease and its links are long over when it wakes."""
    plant.device.answer = lambda data: b""
    plant.end.permit([plant.asset], lease_s=2, on_silence="cut")
    stream = await plant.end.open()
    await stream.say(b"before")
    await eventually(lambda: plant.device.connections and plant.device.connections[0].heard == b"before")
    plant.process.freeze()
    await stream.say(b"y" * 1_000_000)
    await asyncio.sleep(FROZEN_S)
    plant.process.thaw()
    await plant.authority.event(plant.gateway, "session.ended", ending="silence")
    await eventually(lambda: plant.device.connections[0].ended == "reset")
    assert bytes(plant.device.connections[0].heard) == b"before"
    await plant.authority.linked(plant.gateway)
    plant.device.answer = lambda data: data
    asset, plant.end = plant.asset, plant.another_end()
    plant.end.permit([asset])
    await works(plant, b"awake")
