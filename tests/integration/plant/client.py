# SPDX-License-Identifier: Apache-2.0
"""Real clients of the devices, run as a program inside a plant's network. Prints what it saw as JSON."""

import asyncio
import hashlib
import json
import socket
import sys
from typing import Any


async def modbus(address: str, port: int) -> dict[str, Any]:
    from pymodbus.client import AsyncModbusTcpClient

    client = AsyncModbusTcpClient(address, port=port)
    assert await client.connect()
    before = await client.read_holding_registers(100, count=12, device_id=1)
    taken = await client.write_register(104, 1500, device_id=1)
    too_hot = await client.write_register(104, 1801, device_id=1)
    half_good = await client.write_registers(104, [1400, 9999], device_id=1)
    measured = await client.write_register(100, 1, device_id=1)
    recipe = await client.write_registers(112, [7, 8, 9], device_id=1)
    outside = await client.read_holding_registers(500, count=1, device_id=1)
    named = await client.read_holding_registers(130, count=16, device_id=1)
    after = await client.read_holding_registers(100, count=15, device_id=1)
    deadline = asyncio.get_running_loop().time() + 10
    while after.registers[0] == before.registers[0]:  # a living machine warms up
        assert asyncio.get_running_loop().time() < deadline
        after = await client.read_holding_registers(100, count=15, device_id=1)
    coils = await client.read_coils(0, count=2, device_id=1)
    stopped = await client.write_coil(0, False, device_id=1)
    state = await client.read_holding_registers(107, count=1, device_id=1)
    client.close()
    return {
        "before": before.registers,
        "after": after.registers,
        "recipe_read": after.registers[12:15],
        "setpoint_taken": not taken.isError(),
        "too_hot": too_hot.exception_code,
        "half_good": half_good.exception_code,
        "measured": measured.exception_code,
        "recipe": not recipe.isError(),
        "outside": outside.exception_code,
        "name": b"".join(word.to_bytes(2, "big") for word in named.registers).decode().strip(),
        "coils": coils.bits[:2],
        "stopped": not stopped.isError(),
        "state": state.registers,
    }


async def s7(address: str, port: int) -> dict[str, Any]:
    import struct

    from snap7 import Client

    plc = Client()
    plc.connect(address, rack=0, slot=1, tcp_port=port)
    first = bytes(plc.db_read(1, 0, 128))
    plc.db_write(1, 4, bytearray(struct.pack(">f", 777.0)))
    plc.db_write(1, 64, bytearray(b"note"))
    note = bytes(plc.db_read(1, 64, 4))
    speed = first[:4]
    deadline = asyncio.get_running_loop().time() + 10
    while speed == first[:4]:
        assert asyncio.get_running_loop().time() < deadline
        speed = bytes(plc.db_read(1, 0, 4))
    plc.db_write(1, 4, bytearray(struct.pack(">f", 99999.0)))
    setpoint = 99999.0
    while setpoint == 99999.0:  # the drive takes what it can bear at its next cycle
        assert asyncio.get_running_loop().time() < deadline
        [setpoint] = struct.unpack(">f", plc.db_read(1, 4, 4))
    plc.disconnect()
    name = first[28 : 28 + first[27]].decode()
    return {"name": name, "note": note.decode(), "setpoint": setpoint, "strokes": int.from_bytes(first[16:20], "big")}


async def opcua(address: str, port: int) -> dict[str, Any]:
    from asyncua.client.client import Client
    from asyncua.ua.uaerrors import UaStatusCodeError

    url = f"opc.tcp://{address}:{port}/press3"
    async with Client(url) as client:
        index = await client.get_namespace_index("urn:portineria:demo:press")
        press = await client.nodes.objects.get_child(f"{index}:Press")
        setpoint = await press.get_child(f"{index}:Setpoint")
        await setpoint.write_value(123.0)
        refused = []
        for name, value in (("Setpoint", 999.0), ("Temperature", 20.0)):
            try:
                await (await press.get_child(f"{index}:{name}")).write_value(value)
            except UaStatusCodeError as error:
                refused.append(type(error).__name__)
        return {
            "name": await (await press.get_child(f"{index}:Name")).read_value(),
            "setpoint": await setpoint.read_value(),
            "refused": refused,
            "started": await press.call_method(f"{index}:Start", 800),
            "too_fast": await press.call_method(f"{index}:Start", 8000),
            "endpoints": [point.EndpointUrl for point in await client.get_endpoints()],
        }


async def echo(address: str, port: int) -> dict[str, Any]:
    """Send 5 MB, say that this was all, and read everything back."""
    reader, writer = await asyncio.open_connection(address, port)
    sent, seen = hashlib.sha256(), hashlib.sha256()

    async def send() -> None:
        for number in range(80):
            chunk = number.to_bytes(4, "big") * 16384
            sent.update(chunk)
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()

    sending = asyncio.gather(send())
    while chunk := await reader.read(65536):
        seen.update(chunk)
    await sending
    writer.close()
    return {"same": sent.digest() == seen.digest()}


async def knock(address: str, port: int) -> dict[str, Any]:
    """Whether anything accepts and keeps a connection, and if not, why."""
    try:
        with socket.create_connection((address, port), timeout=1.0) as connection:
            return {"open": connection.recv(1) != b""}
    except OSError as error:
        return {"open": False, "error": type(error).__name__}


async def listen(address: str, port: int) -> dict[str, Any]:
    """Accept and greet every connection until stdin ends; the address and port are printed first."""
    with socket.create_server((address, port)) as listener:
        print(json.dumps(listener.getsockname()), flush=True)
        while True:
            connection, _ = listener.accept()
            connection.sendall(b"!")
            connection.close()


PROGRAMS = {program.__name__: program for program in (modbus, s7, opcua, echo, knock, listen)}

if __name__ == "__main__":
    print(json.dumps(asyncio.run(PROGRAMS[sys.argv[1]](sys.argv[2], int(sys.argv[3])))))
