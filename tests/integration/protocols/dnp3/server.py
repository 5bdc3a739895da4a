# SPDX-License-Identifier: Apache-2.0
"""A stock py1815 outstation as a process of its own, on an address that it is given or on loopback. Says its port;
answers each line of stdin with what reached it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence

from py1815 import OutstationServer, Session
from py1815.application import ObjectHeader, object_header
from py1815.control import CommandStatus
from py1815.session import Control

MASTER, OUTSTATION = 1, 10
BLOCKS, POINTS, LARGEST = 2, 150, 400  # a poll takes two fragments of two frames
acts: list[str] = []
reads: list[int] = []  # how many headers each read had


class Points:
    """Analog inputs, each with its own number as value."""

    def read(self, headers: Sequence[ObjectHeader]) -> bytes:
        return b"".join(self.read_blocks(headers))

    def read_blocks(self, headers: Sequence[ObjectHeader]) -> list[bytes]:
        reads.append(len(headers))
        if any(each.start is not None for each in headers):
            return [object_header(30, 4, start=7, stop=7) + b"\7\0"]
        starts = [block * POINTS for block in range(BLOCKS)]
        values = [[each.to_bytes(2, "little") for each in range(start, start + POINTS)] for start in starts]
        return [
            object_header(30, 4, start=start, stop=start + POINTS - 1) + b"".join(points)
            for start, points in zip(starts, values, strict=True)
        ]


class Controls:
    def select(self, controls: Sequence[Control]) -> list[CommandStatus]:
        acts.extend(f"select {each.group} {each.index}" for each in controls)
        return [CommandStatus.SUCCESS] * len(controls)

    def operate(self, controls: Sequence[Control]) -> list[CommandStatus]:
        acts.extend(f"operate {each.group} {each.index}" for each in controls)
        return [CommandStatus.SUCCESS] * len(controls)


class Freezes:
    def freeze(self, headers: Sequence[ObjectHeader], *, clear: bool) -> None:
        acts.append("freeze")


def restart() -> int:
    acts.append("restart")
    return 1


def clock(milliseconds: int) -> None:
    acts.append("clock")


async def main() -> None:
    session = Session(
        Points(),
        control_provider=Controls(),
        freeze_provider=Freezes(),
        time_sink=clock,
        restart_handler=restart,
        outstation_address=OUTSTATION,
        master_address=MASTER,
        broadcast_controls=True,
        max_response=LARGEST,
    )
    server = OutstationServer(session, bind=sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:0")
    await server.start()
    print(server.port, flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps({"acts": acts, "reads": len(reads)}), flush=True)
    await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
