# SPDX-License-Identifier: Apache-2.0
"""Relays as child processes: without our database and keys, started again when they die, stopped when we stop."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from portineria.control.estate.relays import RelayProgram

log = structlog.get_logger()
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0
_STEADY_S = 30.0  # after that long a death counts as the first again
_STOP_S = 1.0
_TAKEN = os.EX_TEMPFAIL  # the relay's own word for: one of me runs already
_SAID = os.EX_UNAVAILABLE  # likewise for: my log line says why I could not start
# What the parent may know and a relay may not; what remains are paths, locale and the relay's own variables.
_WITHHELD = ("PORTINERIA_MASTER_KEY", "PORTINERIA_SERVER_", "DJANGO_SETTINGS_MODULE", "PORTINERIA_STATE")


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_WITHHELD)}


class RelayChildren:
    def __init__(self, programs: Sequence[RelayProgram]) -> None:
        self._programs = programs
        self.processes: dict[str, asyncio.subprocess.Process] = {}

    async def run(self) -> None:
        """Until cancelled; then every child is stopped before this returns."""
        async with asyncio.TaskGroup() as tasks:
            for program in self._programs:
                tasks.create_task(self._keep(program), name=f"relay {program.relay}")

    async def _keep(self, program: RelayProgram) -> None:
        pause, clock = _FIRST_PAUSE_S, asyncio.get_running_loop().time
        while True:
            began = clock()
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "portineria.dataplane.relay",
                str(program.settings),
                env=environment(),
                start_new_session=True,
            )  # fmt: skip - a session of its own: Ctrl-C reaches us, and we stop it in order
            self.processes[program.relay] = child
            try:
                code = await child.wait()
            except asyncio.CancelledError:
                await _stop(child)
                raise
            if code == _TAKEN:
                await _outlived(program)
                continue
            if code != _SAID:
                log.warning("relay.died", relay=program.relay, code=code)
            pause = _FIRST_PAUSE_S if clock() - began > _STEADY_S else min(pause * 2, _LONGEST_PAUSE_S)
            await asyncio.sleep(pause)


async def _outlived(program: RelayProgram) -> None:
    """A relay that a killed server left behind carries sessions and finds our bus by itself: wait for its end.

    When we are stopped it is stopped too. Returns when there is nothing to wait for.
    """
    number = _holder(program)
    if number is None:
        return
    log.info("relay.found", relay=program.relay, pid=number)
    try:
        await _end_of(number)
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)
        raise


async def _end_of(number: int) -> None:
    """Of a process that is not our child: its descriptor becomes readable (pidfd_open(2))."""
    try:
        descriptor = os.pidfd_open(number)
    except ProcessLookupError:
        return
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _holder(program: RelayProgram) -> int | None:
    """The process that holds the relay's lock, if it still is that relay."""
    try:
        number = int(program.lock.read_text())
        command = Path(f"/proc/{number}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return number if str(program.settings).encode() in command else None


async def _stop(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    child.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_S):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
