# SPDX-License-Identifier: Apache-2.0
"""A technician's terminal: our commands as processes, signed in to a responder that plays the control plane."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from tests.integration.connector.control_plane import ControlPlane
from tests.integration.process import as_a_child_of_a_test


class Terminal:
    """Not signed in yet."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.before: list[str] = []  # the program and its words that start ours in its own place

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        return await asyncio.create_subprocess_exec(
            *self.before, sys.executable, "-m", "portineria.cli.main", *words, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**environment, "PORTINERIA_HOME": str(self.home)}, preexec_fn=as_a_child_of_a_test,
        )  # fmt: skip

    async def run(self, *words: str) -> tuple[int, str, str]:
        process = await self.start(*words)
        async with asyncio.timeout(30):
            out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    @contextlib.asynccontextmanager
    async def running(self, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await self.start(*words)
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


class SignedIn(Terminal):
    """Signed in to the server that ``plane`` plays."""

    def __init__(self, home: Path, plane: ControlPlane) -> None:
        super().__init__(home)
        self.plane = plane
