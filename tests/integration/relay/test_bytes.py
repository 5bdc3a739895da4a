# SPDX-License-Identifier: Apache-2.0
"""What the relay carries, in both modes: whole, in order, at the reader's pace."""

import asyncio
import hashlib
import os
from collections.abc import Callable

import pytest

from portineria.core.ids import Kind, new_id
from portineria.wire.statement import Asset
from tests.integration.end import End
from tests.integration.floor import Floor
from tests.integration.process import eventually
from tests.integration.relay.conftest import Bare, Plant
from tests.integration.relay.meter import resident_bytes, settled

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("nested", [True, False], ids=["nested", "spliced"]),
]
MB = 1 << 20
NOTHING = {"waiting": 0, "legs": 0, "pairs": 0, "setups": 0}


async def standstill(moved: Callable[[], int], *, still_s: float = 0.7) -> int:
    """Wait until a count stops growing; return it."""
    loop, before, since = asyncio.get_running_loop(), -1, 0.0
    async with asyncio.timeout(20):
        while True:
            now = moved()
            if now != before:
                before, since = now, loop.time()
            elif loop.time() - since > still_s:
                return now
            await asyncio.sleep(0.05)


async def test_both_directions_arrive_whole_each_with_its_own_end(bare: Bare, nested: bool) -> None:
    await bare.gateway.serve(nested=nested)
    mine, theirs = await bare.connector.pair(nested=nested)
    assert mine.nested == theirs.nested == nested
    there, back = os.urandom(6 * MB + 13), os.urandom(4 * MB + 1)

    async def say(leg, data: bytes) -> None:
        await leg.send(data)
        await leg.end()

    async with asyncio.timeout(30):
        _, at_gateway = await asyncio.gather(say(mine, there), theirs.receive_all())
        # One direction is over, the other goes on as long as it likes.
        _, at_connector = await asyncio.gather(say(theirs, back), mine.receive_all())
    assert hashlib.sha256(at_gateway).digest() == hashlib.sha256(there).digest()
    assert hashlib.sha256(at_connector).digest() == hashlib.sha256(back).digest()
    await settled(bare.authority.relay.process, **NOTHING)

    def closed() -> list[tuple[int, int]]:
        reports = [leg for leg in bare.authority.legs_closed if leg.session == bare.connector.session]
        return [(leg.bytes_to_gateway, leg.bytes_to_connector) for leg in reports]

    await eventually(lambda: closed() == [(len(there), len(back))], "the bytes each way are reported")


async def test_either_end_may_want_it_nested(bare: Bare, nested: bool) -> None:
    await bare.gateway.serve(nested=not nested)
    mine, theirs = await bare.connector.pair(nested=nested)
    assert mine.nested
    assert theirs.nested
    await mine.send(b"nested when one of us wants it")
    assert await theirs.exactly(30) == b"nested when one of us wants it"


async def test_a_slow_gateway_side_stops_a_fast_writer_and_the_relay_stays_small(bare: Bare, nested: bool) -> None:
    relay = bare.authority.relay.process
    await bare.gateway.serve(nested=nested)
    mine, theirs = await bare.connector.pair(nested=nested)
    before, sent = resident_bytes(relay.pid), 0

    async def write() -> None:
        nonlocal sent
        while True:
            await mine.send(bytes(65536))
            sent += 65536

    writing = asyncio.ensure_future(write())
    stopped_at = await standstill(lambda: sent)
    assert stopped_at < 40 * MB  # what the kernel's buffers of two connections hold
    assert resident_bytes(relay.pid) < before + 3 * MB
    for _ in range(100):
        await theirs.receive()
    await eventually(lambda: sent > stopped_at, "it goes on when the other side reads again")
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    mine.close()
    theirs.close()
    await settled(relay, **NOTHING)


async def test_a_slow_device_stops_a_fast_technician_end_to_end(plant: Plant, nested: bool) -> None:
    relay, gateway = plant.authority.relay.process, plant.process
    end = plant.end()
    warm = await end.open(nested=nested)
    await warm.say(bytes(MB))
    await warm.heard(MB)
    warm.hang_up()
    plant.device.reading = False
    try:
        stream = await end.open(nested=nested)
        before, sent = (resident_bytes(relay.pid), resident_bytes(gateway.pid)), 0

        async def write() -> None:
            nonlocal sent
            while sent < 100 * MB:
                await stream.say(bytes(65536))
                sent += 65536

        writing = asyncio.ensure_future(write())
        stopped_at = await standstill(lambda: sent)
        assert stopped_at < 12 * MB  # the window of 4 MiB and the device's own buffers
        await asyncio.sleep(0.5)
        assert resident_bytes(relay.pid) < before[0] + 3 * MB
        assert resident_bytes(gateway.pid) < before[1] + 10 * MB  # at most the window, and what the allocator keeps
        slow = plant.device.connections[-1]
        plant.device.answer = lambda _: b""
        slow.read_on()
        await eventually(lambda: sent > stopped_at + 8 * MB, "it goes on when the device reads again", within_s=20)
        assert resident_bytes(relay.pid) < before[0] + 4 * MB
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        stream.hang_up()
    finally:
        plant.device.reading, plant.device.answer = True, lambda data: data


async def test_many_streams_of_several_sessions_at_once_each_get_their_own_bytes(plant: Plant, nested: bool) -> None:
    ends = [plant.end() for _ in range(3)]

    async def one(end: End) -> None:
        stream = await end.open(nested=nested)
        data = os.urandom(200_000)
        await stream.say(data)
        stream.say_end()
        assert await stream.heard(len(data)) == data
        await stream.ended("finished")

    async with asyncio.timeout(60):
        await asyncio.gather(*(one(ends[number % 3]) for number in range(30)))
    await settled(plant.authority.relay.process, **NOTHING)
    assert plant.authority.faults == []


async def test_the_device_s_last_words_arrive_after_the_technician_s_end(
    plant: Plant, floor: Floor, nested: bool
) -> None:
    loop, data, end = asyncio.get_running_loop(), os.urandom(3 * MB), plant.end()
    with floor.listen(11, 2000) as listener:
        end.permit([Asset(new_id(Kind.SERVICE), floor.address(11), 2000)])
        stream = await end.open(nested=nested)
        async with asyncio.timeout(20):
            talker, _ = await loop.sock_accept(listener)
            with talker:
                talker.setblocking(False)
                await stream.say(b"report")
                stream.say_end()
                while await loop.sock_recv(talker, 100):
                    pass
                await loop.sock_sendall(talker, data)  # the other direction ended long ago
    heard = await stream.heard(len(data))
    assert hashlib.sha256(heard).digest() == hashlib.sha256(data).digest()
    await stream.ended("finished")
