# SPDX-License-Identifier: Apache-2.0
"""Child processes of tests, and waiting for what they do."""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

WAIT_S = 30.0  # a deadline, not a pause: this machine may be busy with other tests


async def eventually(condition: Callable[[], object], what: str = "", *, within_s: float = WAIT_S) -> None:
    """Wait for a condition; fail with ``what`` when it does not come true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what or condition}")
        await asyncio.sleep(0.005)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def as_from_a_terminal() -> None:
    """Before the child's program: a run under nohup or in a script's background tests the same as any other."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def as_a_child_of_a_test() -> None:
    """Before the child's program. Whoever kills the test run leaves nothing running behind."""
    as_from_a_terminal()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, linux/prctl.h


class Process:
    """A child process of the test: its log is kept, its signals are ours to give."""

    def __init__(self, arguments: list[str], log: Path, *, program: str = sys.executable) -> None:
        self._program, self._arguments, self.log = program, arguments, log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, environment: dict[str, str] | None = None) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self._program, *self._arguments, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(environment or {})}, preexec_fn=as_a_child_of_a_test,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def freeze(self) -> None:
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.send(signal.SIGCONT)

    async def kill(self) -> None:
        await self.end(signal.SIGKILL)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal, wait, return the exit status."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
                self._process.send_signal(number)
            try:
                async with asyncio.timeout(WAIT_S):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        return self._process.returncode or 0

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""
