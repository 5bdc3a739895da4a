# SPDX-License-Identifier: Apache-2.0
"""A stock pymodbus server as a process of its own: `server.py JOURNAL`. Says its port; writes down what reaches it."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
from pathlib import Path

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

UNITS = (1, 2, 247)
SIZE = 64


def device(unit: int, journal: Path) -> SimDevice:
    async def action(function, start, address, count, registers, values):
        """Called for each access before it is carried out; values: what is to be written."""
        with journal.open("a") as file:
            line = {
                "unit": unit,
                "function": function,
                "address": address,
                "count": count,
                "writes": values is not None,
            }
            file.write(json.dumps(line) + "\n")

    bits = [SimData(0, count=SIZE, values=False, datatype=DataType.BITS)]
    registers = [SimData(0, values=list(range(SIZE)), datatype=DataType.REGISTERS)]
    return SimDevice(unit, (bits, bits, registers, registers), action=action)


async def main(journal: Path) -> None:
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ModbusTcpServer([device(unit, journal) for unit in UNITS], address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    print(port, flush=True)
    await server.serving


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
