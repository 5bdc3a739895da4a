# SPDX-License-Identifier: Apache-2.0
"""What a write changes is read first, where its owner says that this is free of side effects, and disturbs nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
from pymodbus.client import AsyncModbusTcpClient

from portineria.dataplane.aio.task import Tasks
from portineria.policy.function_profile import TRIAL, encode_profile
from tests.integration.end import Stream
from tests.integration.gateway.conftest import Plant
from tests.integration.gateway.test_functions import READ, READ_ANSWER, WRITE, heard, modbus

OURS = bytes.fromhex("800200000006 ff 03 0068 0001")  # the write's number with its first bit turned
ELSEWHERE = bytes.fromhex("000300000006 ff 06 0069 00b4")


def permit(plant: Plant) -> None:
    plant.device.answer = modbus
    asset = msgspec.structs.replace(plant.asset, protocol="modbus", free_reads=[("holding", 100, 104)])
    plant.end.permit([asset], profiles=[encode_profile(TRIAL)])


async def changes(plant: Plant) -> list[tuple[object, object, object]]:
    plant.authority.withdraw(plant.end.session, "cut")
    await plant.authority.event(plant.gateway, "session.worked", plant.end.session)
    told = plant.authority.found(plant.gateway, "work.changed", plant.end.session)
    return [(each.fields["targets"], each.fields.get("before"), each.fields["after"]) for each in told]


async def test_the_old_value_is_read_once_under_a_number_of_its_own(plant: Plant) -> None:
    permit(plant)
    stream = await plant.end.open()
    await stream.say(WRITE + READ)  # what comes behind waits too
    assert await stream.heard(23) == WRITE + READ_ANSWER
    assert heard(plant) == OURS + WRITE + READ
    await stream.say(WRITE)  # read since
    await stream.heard(35)
    await stream.say(READ + WRITE)  # not idle
    await stream.heard(58)
    await stream.say(ELSEWHERE)  # not free
    await stream.heard(70)
    assert heard(plant) == OURS + WRITE + READ + WRITE + READ + WRITE + ELSEWHERE
    assert await changes(plant) == [("holding 104", "120", "180"), ("holding 105", None, "180")]
    done = plant.authority.found(plant.gateway, "work.done", plant.end.session)
    assert {each.fields["function"]: each.fields["count"] for each in done} == {
        "write-single-register": 4, "read-holding-registers": 2,
    }  # fmt: skip


async def test_a_device_that_does_not_answer_in_time_is_written_and_asked_no_more(plant: Plant) -> None:
    permit(plant)
    late = [OURS[:4] + READ_ANSWER[4:]]  # it comes with the answer to the first write, and goes to nobody

    def answer(data: bytes) -> bytes:
        return b"" if data.startswith(OURS[:2]) else (late.pop() if late else b"") + modbus(data)

    plant.device.answer = answer
    stream = await plant.end.open()
    await stream.say(WRITE)
    assert await stream.heard(12) == WRITE
    await stream.say(WRITE)
    assert await stream.heard(24) == WRITE + WRITE
    assert heard(plant) == OURS + WRITE + WRITE
    assert await changes(plant) == [("holding 104", None, "180")]


@contextlib.asynccontextmanager
async def tool(stream: Stream) -> AsyncIterator[AsyncModbusTcpClient]:
    """A stock client, its socket on one side and the stream on the other."""
    tasks = Tasks()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def back() -> None:
            said = 0
            while True:
                await stream.heard(said + 1)
                writer.write(bytes(stream.tool.heard[said:]))
                said = len(stream.tool.heard)

        tasks.spawn(back(), "answers")
        while data := await reader.read(4096):
            await stream.say(data)
        writer.close()

    async with await asyncio.start_server(carry, "127.0.0.1", 0) as server:
        client = AsyncModbusTcpClient("127.0.0.1", port=server.sockets[0].getsockname()[1], timeout=5, retries=0)
        assert await client.connect()
        try:
            yield client
        finally:
            client.close()
            await tasks.close()


async def test_a_stock_client_notices_nothing(plant: Plant) -> None:
    permit(plant)
    async with tool(await plant.end.open()) as client:
        for number in range(40):
            assert not (await client.write_register(100 + number % 5, number, device_id=255)).isError()
            assert (await client.read_holding_registers(104, count=1, device_id=255)).registers == [120]
    reads_of_ours = [at for at in range(0, len(heard(plant)), 12) if heard(plant)[at] & 0x80]
    assert len(reads_of_ours) == 4 * 8  # of 100 to 103 before each write; 104 was read in between
