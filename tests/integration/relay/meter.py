# SPDX-License-Identifier: Apache-2.0
"""What a process uses and holds, seen from outside."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path

from tests.integration.process import WAIT_S, Process, eventually

_PAGE = os.sysconf("SC_PAGE_SIZE")
_AT_ONCE = 16 << 20


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def figures(relay: Process) -> dict[str, int]:
    """What the relay says is in use, on SIGUSR1."""
    before = relay.said.count("relay.figures")
    relay.send(signal.SIGUSR1)
    await eventually(lambda: relay.said.count("relay.figures") > before, "the relay's figures")
    last = [line for line in relay.said.splitlines() if "relay.figures" in line][-1]
    return {name: value for name, value in json.loads(last).items() if isinstance(value, int)}


async def settled(relay: Process, **expected: int) -> dict[str, int]:
    """Wait until the relay's tables hold just this; return all figures."""
    deadline = time.monotonic() + WAIT_S
    while True:
        found = await figures(relay)
        if all(found[name] == value for name, value in expected.items()):
            return found
        assert time.monotonic() < deadline, f"{found}, expected {expected}"
        await asyncio.sleep(0.05)


def in_memory(pid: int, *markers: bytes) -> set[bytes]:
    """Which of these byte strings lie anywhere in the writable memory of the process: in use, freed, or on a stack."""
    found: set[bytes] = set()
    longest = max(len(marker) for marker in markers)
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, access = line.split()[:2]
            if not access.startswith("rw"):
                continue
            at, end = (int(number, 16) for number in span.split("-"))
            while at < end:
                try:
                    memory.seek(at)
                    part = memory.read(min(_AT_ONCE, end - at))
                except OSError:  # a page that only the kernel may touch
                    break
                if not part:
                    break
                found |= {marker for marker in markers if marker in part}
                at += len(part) if at + len(part) >= end else max(len(part) - longest, 1)
    return found
