# SPDX-License-Identifier: Apache-2.0
"""What a write changes is read first, where its owner says that this is free of side effects, and disturbs nothing."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
from asyncua import ua
from asyncua.client.client import Client as UaClient
from asyncua.common.callback import CallbackType
from asyncua.server.server import Server
from pymodbus.client import AsyncModbusTcpClient
from snap7 import Client

from portineria.core.ids import Kind, new_id
from portineria.dataplane.aio.task import Tasks
from portineria.policy.function_profile import TRIAL, encode_profile
from portineria.wire.statement import Asset
from tests.integration.authority import Authority
from tests.integration.end import End, Stream
from tests.integration.floor import Device
from tests.integration.gateway.conftest import Plant, asset_of
from tests.integration.gateway.test_functions import READ, READ_ANSWER, WRITE, heard, modbus
from tests.integration.gateway_process import GatewayProcess
from tests.integration.process import eventually
from tests.integration.protocols import s7comm
from tests.integration.protocols.controlled import Controlled, controlled

OURS = bytes.fromhex("800200000006 ff 03 0068 0001")  # the write's number with its first bit turned
STATION = Path(s7comm.__file__).with_name("server.py")
ELSEWHERE = bytes.fromhex("000300000006 ff 06 0069 00b4")


class Heard:
    def __init__(self) -> None:
        self.values = list[int]()

    def datachange_notification(self, node: Any, value: int, data: Any) -> None:
        self.values.append(value)


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
async def tool(stream: Stream) -> AsyncIterator[int]:
    """A port for a stock client: its socket on one side and the stream on the other."""
    tasks = Tasks()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def back() -> None:
            said = 0
            while True:
                await stream.heard(said + 1)
                writer.write(bytes(stream.tool.heard[said:]))
                said = len(stream.tool.heard)

        tasks.spawn(back(), "answers")
        try:
            while data := await reader.read(4096):
                await stream.say(data)
        finally:
            writer.close()

    async with await asyncio.start_server(carry, "127.0.0.1", 0) as server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            await tasks.close()


async def modbus_works(stream: Stream, device: Device) -> None:
    async with tool(stream) as port:
        client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=5, retries=0)
        assert await client.connect()
        for number in range(40):
            assert not (await client.write_register(100 + number % 5, number, device_id=255)).isError()
            assert (await client.read_holding_registers(104, count=1, device_id=255)).registers == [120]
        client.close()
    reached = bytes(device.connections[0].heard)
    # Of 100 to 103 before each write; 104 was read in between.
    assert len([at for at in range(0, len(reached), 12) if reached[at] & 0x80]) == 4 * 8


async def s7_works(stream: Stream, station: Controlled) -> None:
    def work(port: int) -> None:
        client = Client()
        client.connect("127.0.0.1", 0, 1, port)
        for number in range(50):
            client.db_write(1, 10, bytearray((number, 0xA5)))
            assert client.db_read(1, 20, 4) == bytes(range(20, 24))
        client.db_write(1, 200, bytearray(b"\1"))  # not free
        client.disconnect()

    async with tool(stream) as port:
        await asyncio.to_thread(work, port)
    state = station.state()
    # One of ours before each write, since what was written is unknown again.
    assert (state["reads"], state["writes"], state["memory"]["DB"][20:24]) == (100, 51, "31a5")


class Press:
    """A stock server with two nodes that can be written; ``reads``: what its own callback says."""

    def __init__(self) -> None:
        self.server, self.reads = Server(), list[ua.NodeId]()

    async def open(self) -> int:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = int(found.getsockname()[1])
        await self.server.init()
        self.server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
        self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        for name in ("Speed", "Other"):
            node = await self.server.nodes.objects.add_variable(ua.NodeId.from_string(f"ns=2;s={name}"), name, 7)
            await node.set_writable()
        self.server.subscribe_server_callback(
            CallbackType.PreRead,
            lambda event, _: self.reads.extend(each.NodeId for each in event.request_params.NodesToRead),
        )
        return port


async def opc_ua_works(stream: Stream, press: Press) -> None:
    """With a subscription, whose requests always wait at the server."""
    async with tool(stream) as at, UaClient(f"opc.tcp://127.0.0.1:{at}") as client:
        speed, other, told = client.get_node("ns=2;s=Speed"), client.get_node("ns=2;s=Other"), Heard()
        subscription = await client.create_subscription(20, told)
        await subscription.subscribe_data_change(speed)
        for number in range(30):
            await speed.write_value(number)
            assert await other.read_value() == 7
        await other.write_value(2)
        await eventually(lambda: told.values[-1:] == [29], "the subscription goes on")
    assert press.reads.count(speed.nodeid) == 30  # one of ours before each write


async def test_stock_clients_and_servers_notice_nothing(authority: Authority, device: Device, tmp_path: Path) -> None:
    device.answer, press = modbus, Press()
    port = await press.open()
    with controlled(STATION) as station:
        registers = msgspec.structs.replace(asset_of(device), protocol="modbus", free_reads=[("holding", 100, 104)])
        block = Asset(new_id(Kind.SERVICE), *station.address, protocol="s7comm", free_reads=[("db 1", 0, 99)])
        nodes = Asset(new_id(Kind.SERVICE), "127.0.0.1", port, protocol="opcua", free_nodes=["ns=2;s=Speed"])
        assets = [registers, block, nodes]
        reach = [f"{each.address}:{each.port}" for each in assets]
        process = GatewayProcess(authority, tmp_path / "gateway", reach=reach, loopback_devices=True)
        authority.admit(process.gateway)
        await process.start()
        await authority.linked(process.gateway)
        end = End(authority, process.gateway, tmp_path)
        end.permit(assets, profiles=[encode_profile(TRIAL)])
        try:
            await modbus_works(await end.open(registers), device)
            await s7_works(await end.open(block), station)
            async with press.server:
                await opc_ua_works(await end.open(nodes), press)
            told = await changes(Plant(authority, process, device, end, tmp_path))
        finally:
            await process.end()
    assert told[-4:] == [
        ("db 1 10-11", "0x0a0b", "0x31a5"), ("db 1 200", None, "0x01"),
        ("node ns=2;s=Speed", "7", "29"), ("node ns=2;s=Other", "7", "2"),
    ]  # fmt: skip
