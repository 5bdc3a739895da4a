# SPDX-License-Identifier: Apache-2.0
"""The small CIP controller of the unit tests in a plant's network: ``python -m …`` prints when it listens, and the list
of what changed it for each line that it is given.
"""

import asyncio
import json
import sys

from tests.unit.protocols.cip.device import Device

CIP = ("192.168.10.11", 44818)  # beside the demo's controller
_HEADER = 24


async def main() -> None:
    device = Device()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(_HEADER)
                body = await reader.readexactly(int.from_bytes(head[2:4], "little"))
                writer.write(device.receive(head + body))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(serve, *CIP):
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        while await asyncio.to_thread(sys.stdin.readline):
            sys.stdout.write(json.dumps(device.done) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
