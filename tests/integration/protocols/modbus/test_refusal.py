# SPDX-License-Identifier: Apache-2.0
"""A stock client whose writes are refused shows its ordinary error and goes on; the device's journal has none."""

from __future__ import annotations

import os

import pytest
from pymodbus.client import AsyncModbusTcpClient

from portineria.protocols.inspection import Request
from portineria.protocols.modbus import INFO
from portineria.protocols.operation import Kind
from tests.integration.protocols.modbus.conftest import Device
from tests.integration.protocols.pump import Pump, pumping

OPERATIONS = 10_000 if os.environ.get("PORTINERIA_DEEP") else 2_000  # 13 s, 5 s


def reads_only(request: Request) -> bool:
    return all(operation.kind == Kind.READ for operation in request.operations)


async def work(pump: Pump, operations: int) -> None:
    """One refused write after each hundred reads."""
    client = AsyncModbusTcpClient("127.0.0.1", port=pump.port, timeout=5, retries=0)
    assert await client.connect()
    for number in range(operations):
        if number % 100 == 0:
            refused = await client.write_register(10, 4711, device_id=1)
            assert (refused.isError(), refused.exception_code, refused.function_code) == (True, 1, 0x86)
        read = await client.read_holding_registers(number % 50, count=4, device_id=2)
        assert read.registers == [number % 50 + each for each in range(4)]
    assert client.connected
    client.close()


async def test_a_refused_write_leaves_the_client_working(device: Device) -> None:
    async with pumping(INFO.begin, device.address, reads_only) as pump:
        await work(pump, OPERATIONS)
        assert (pump.connections, len(pump.refused), pump.undecodable) == (1, OPERATIONS // 100, [])
    assert device.writes() == []
    assert len(device.reached()) == OPERATIONS


@pytest.mark.parametrize("unit", [1, 247])
async def test_each_kind_of_write_is_refused_in_the_words_of_modbus(device: Device, unit: int) -> None:
    async with pumping(INFO.begin, device.address, reads_only) as pump:
        client = AsyncModbusTcpClient("127.0.0.1", port=pump.port, timeout=5, retries=0)
        assert await client.connect()
        answers = [
            await client.write_coil(1, True, device_id=unit),
            await client.write_coils(1, [True] * 9, device_id=unit),
            await client.write_register(1, 7, device_id=unit),
            await client.write_registers(1, [7] * 9, device_id=unit),
            await client.mask_write_register(address=1, and_mask=0, or_mask=7, device_id=unit),
            await client.readwrite_registers(read_address=1, read_count=1, write_address=1, values=[7], device_id=unit),
            await client.diag_restart_communication(True, device_id=unit),
            await client.report_device_id(device_id=unit),
        ]
        assert [answer.exception_code for answer in answers] == [1] * 8
        assert (await client.read_coils(1, count=9, device_id=unit)).bits[:9] == [False] * 9
        client.close()
    assert device.writes() == []


async def test_what_is_allowed_reaches_the_device(device: Device) -> None:
    """The journal does tell of a write that came through."""
    async with pumping(INFO.begin, device.address, lambda _: True) as pump:
        client = AsyncModbusTcpClient("127.0.0.1", port=pump.port, timeout=5, retries=0)
        assert await client.connect()
        assert not (await client.write_register(10, 4711, device_id=1)).isError()
        assert (await client.read_holding_registers(10, count=1, device_id=1)).registers == [4711]
        client.close()
        assert [answer.values for answer in pump.answers] == [(), ((4711,),)]
    assert [(access["address"], access["unit"]) for access in device.writes()] == [(10, 1)]
