# SPDX-License-Identifier: Apache-2.0
"""A Modbus device and an OPC UA server of the plant, as a process of its own: `signal_server.py MODBUS OPCUA JOURNAL`.

Says "ready"; then each line that it is told sets a value: `coil 17 1`, `discrete 3 0`, `node 1`, `silent 5` (seconds).
What is written to the Modbus device by anybody else stands in the journal.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from pathlib import Path

from asyncua import ua
from asyncua.server.server import Server
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


async def main(modbus_port: int, opcua_port: int, journal: Path) -> None:
    logging.disable(logging.CRITICAL)
    coils, discrete = ([SimData(0, count=64, values=False, datatype=DataType.BITS)] for _ in range(2))
    registers = [SimData(0, values=[0] * 8, datatype=DataType.REGISTERS)]
    ours = False

    async def action(function, start, address, count, registers, values):
        if not ours:
            with journal.open("a") as file:
                file.write(f"{function}\n")

    modbus = ModbusTcpServer(
        SimDevice(1, (coils, discrete, registers, registers), action=action), address=("127.0.0.1", modbus_port)
    )
    await modbus.serve_forever(background=True)
    opcua = Server()
    await opcua.init()
    opcua.set_endpoint(f"opc.tcp://127.0.0.1:{opcua_port}")
    opcua.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    space = await opcua.register_namespace("urn:example:press")
    node = await opcua.nodes.objects.add_variable(ua.NodeId(ua.String("Guard closed"), ua.Int16(space)), "Guard", False)
    async with opcua:
        print("ready", node.nodeid.to_string(), flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            what, *given = line.split()
            ours = True
            if what == "coil":
                await modbus.async_setValues(1, 5, int(given[0]), [given[1] == "1"])
            elif what == "discrete":
                await modbus.async_setValues(1, 2, int(given[0]), [given[1] == "1"])
            elif what == "node":
                await opcua.write_attribute_value(node.nodeid, ua.DataValue(given[0] == "1"))
            else:
                time.sleep(float(given[0]))  # noqa: ASYNC251 - a device that hangs, connections and all
            ours = False
            print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
