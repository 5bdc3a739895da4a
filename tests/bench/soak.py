# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.bench.soak MINUTES``: session churn through the real processes; one line of JSON at the end.

Each turn makes a session, opens connections in it that carry bytes both ways, and ends it; beside that one connector
process stays, and connections come and go in it. All of it is recorded, and the recordings are uploaded. Memory
and descriptors of server, relay, gateway and that connector are sampled. Memory is what each allocated itself: of the
files that they map, 24 to 33 MB each, the kernel counts a share by the number of processes that do, so in PSS a process
grows when a neighbour ends.

A process gives back what is free once a minute, and takes 10 to 20 MB again with the next turns. So the churn rests for
that long every few minutes and for 40 s more, as the last session's chunks, reports and connections to the database go
first. Of each rest the lowest counts: what stays. The first rest is the start, when caches are warm, the
last one the end; the slope is that of the least squares between the second and the last.

A gateway remembers a session until its order has expired, or the order could be replayed (271 bytes), and the names of
a session's connections (16 bytes, 16,384 at the most). So the sessions that come and go have orders of a few minutes:
in the second half as many are forgotten as are added. The one that stays gets two names a turn, 0.1 MB in an hour.
"""

import asyncio
import contextlib
import json
import math
import sys
import time
from collections import defaultdict
from pathlib import Path

from portineria.demo.main_job import HeldSession
from portineria.process.loop import run
from tests.bench import ours
from tests.bench.load import cpu_seconds, download, echoes, running_device
from tests.bench.memory import own_bytes
from tests.bench.peers import free_port, wait_for
from tests.bench.recording import record_machine

EVERY_S, BYTES = 5.0, 250_000
BUSY_S, REST_S = 260.0, 100.0  # in so long everybody gives back what is free when the last session is quite over
CHURNING, ORDER_MINUTES = "Bench churn", 5
LOOKS, LOOK_S = 20, 0.05  # at descriptors: SQLite opens three for every question, and something asks every second


def slope(points: list[tuple[float, float]]) -> float:
    """Of the straight line with the least squares; per unit of the first coordinate."""
    middle = sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
    spread = sum((x - middle[0]) ** 2 for x, _ in points)
    return sum((x - middle[0]) * (y - middle[1]) for x, y in points) / spread if spread else 0.0


def descriptors(pid: int) -> int:
    """Without those of SQLite's files that belong to no connection.

    POSIX locks end with any descriptor of a file that is closed, so SQLite closes none while another connection of the
    process has a lock, and gives it to the next one: as many stay as connections were ever open at a time. A connection
    that is open has the log open too.
    """
    names = list[str]()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            names.append(str(entry.readlink()))
    databases, logs = (sum(name.endswith(end) for name in names) for end in (".sqlite3", ".sqlite3-wal"))
    return len(names) - max(databases - logs, 0)


class Watch:
    """Samples by process, of each rest: (seconds, bytes) and descriptors."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids, self._began = pids, time.monotonic()
        self.memory: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.descriptors: dict[str, list[int]] = defaultdict(list)

    async def rest(self) -> None:
        """Watch one."""
        memory, count = dict.fromkeys(self._pids, math.inf), dict.fromkeys(self._pids, sys.maxsize)
        began = time.monotonic()
        while time.monotonic() - began < REST_S:
            for name, pid in self._pids.items():
                memory[name] = min(memory[name], own_bytes(pid))
            for name, least in (await self._descriptors()).items():
                count[name] = min(count[name], least)
            await asyncio.sleep(EVERY_S)
        for name in self._pids:
            self.memory[name].append((time.monotonic() - self._began, memory[name]))
            self.descriptors[name].append(count[name])

    async def _descriptors(self) -> dict[str, int]:
        """The fewest of a second: those that stay."""
        looks: dict[str, list[int]] = defaultdict(list)
        for _ in range(LOOKS):
            for name, pid in self._pids.items():
                looks[name].append(descriptors(pid))
            await asyncio.sleep(LOOK_S)
        return {name: min(seen) for name, seen in looks.items()}

    def result(self) -> dict[str, dict[str, object]]:
        return {
            name: {
                "mb_start": round(points[0][1] / 1e6, 2),
                "mb_end": round(points[-1][1] / 1e6, 2),
                "mb_per_hour": round(slope(points[1:] or points) * 3600 / 1e6, 3),
                "mb_at_rest": [round(value / 1e6, 1) for _, value in points],
                "descriptors_start": self.descriptors[name][0],
                "descriptors_end": self.descriptors[name][-1],
            }
            for name, points in self.memory.items()
        }


async def churn(own: ours.Ours, held: HeldSession, watch: Watch, seconds: float) -> int:
    """Return how many sessions there were. At rest nothing of a session is open but the one that stays."""
    end, busy_until, turns, asked = time.monotonic() + seconds, time.monotonic() + BUSY_S, 0, -math.inf
    outside = next(iter(held.doors.values()))
    while time.monotonic() < end - REST_S:
        if time.monotonic() - asked > ORDER_MINUTES * 60:
            asked = time.monotonic()
            await asyncio.to_thread(own.ask, CHURNING, ORDER_MINUTES + 1)  # what it opened before ends by itself
        async with own.inside(CHURNING) as line:
            address = (line.doors[0].address, line.doors[0].port)
            await asyncio.gather(*(asyncio.to_thread(download, address, BYTES) for _ in range(2)))
            await asyncio.to_thread(echoes, address, 20)
        await asyncio.gather(*(asyncio.to_thread(download, outside, BYTES) for _ in range(2)))
        turns += 1
        if time.monotonic() >= busy_until:
            await watch.rest()
            busy_until = time.monotonic() + BUSY_S
    await watch.rest()
    return turns


def main(minutes: float) -> int:
    port = free_port()
    with contextlib.ExitStack() as stack:
        own = stack.enter_context(ours.running(port))
        stack.enter_context(running_device("127.0.0.1", port))
        wait_for(port)
        own.add(CHURNING, port)
        for machine in (ours.MACHINE, CHURNING):
            record_machine(own, machine, "strict")
        held = stack.enter_context(HeldSession(ours.MACHINE, own.env))
        pids = {
            "server": own.server_pid, "relay": own.relay_pids[0], "gateway": own.gateway_pid, "connector": held.pid,
        }  # fmt: skip
        watch, cpu = Watch(pids), cpu_seconds(list(pids.values()))
        turns = run(churn(own, held, watch, minutes * 60))
        found = watch.result()
        cpu = cpu_seconds(list(pids.values())) - cpu
    print(json.dumps({"minutes": minutes, "sessions": turns, "cpu_s": round(cpu, 1), "processes": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
