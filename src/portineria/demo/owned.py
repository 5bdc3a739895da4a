# SPDX-License-Identifier: Apache-2.0
"""Who owns what the demo leaves outside its own process: names and marks that tell a living owner from a dead one."""

import os
import re
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MARK = "PORTINERIA_DEMO_NETWORK"  # in the environment of every process that runs inside
PREFIX = "portineria-"
_OWNED = re.compile(rf"{PREFIX}(\d+)-(\d+)-")
_GRACE_S = 1.0
_DEADLINE_S = 5.0


def token(name: str) -> str:
    """``portineria-PID-BORN-name``; the time of birth tells a process from a later one with the same number."""
    return f"{PREFIX}{os.getpid()}-{_born(os.getpid())}-{name}"


def orphaned(text: str) -> bool:
    """Whether ``text`` begins with the token of an owner that is no more."""
    match = _OWNED.match(text)
    return match is not None and _born(int(match[1])) != int(match[2])


def marked_processes() -> dict[int, str]:
    """Number and mark of the processes that run in the network of a plant, whoever owns it."""
    found: dict[int, str] = {}
    wanted = f"{MARK}={PREFIX}".encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with suppress(OSError):  # it ended meanwhile, or is somebody else's
            for entry in (folder / "environ").read_bytes().split(b"\0"):
                if entry.startswith(wanted):
                    found[int(folder.name)] = entry.partition(b"=")[2].decode(errors="replace")
    return found


def end_processes(numbers: Iterable[int]) -> None:
    """SIGTERM, and SIGKILL for who is still there after a second. Returns when all are gone."""
    left = set(numbers)
    started = time.monotonic()
    for order, until in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, _DEADLINE_S)):
        for number in left:
            with suppress(ProcessLookupError):
                os.kill(number, order)
        while left and time.monotonic() - started < until:
            left = {number for number in left if _running(number)}
            time.sleep(0.01)


def _running(number: int) -> bool:
    state = _stat(number)
    return bool(state) and state[0] not in "ZX"  # a zombie only waits for its parent to read its status


def _born(number: int) -> int:
    """Start time in clock ticks since boot (proc(5), field 22); 0 when there is no such process."""
    fields = _stat(number)
    return int(fields[19]) if fields and fields[0] not in "ZX" else 0


def _stat(number: int) -> list[str]:
    try:
        # The second field is the program's name in brackets and may itself hold spaces and brackets.
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
