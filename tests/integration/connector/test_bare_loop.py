# SPDX-License-Identifier: Apache-2.0
"""Nothing on the connector's path may need what only POSIX has."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.integration.connector import bare_loop
from tests.integration.connector.terminal import SignedIn

PROGRAM = Path(bare_loop.__file__)


async def test_the_whole_path_works_without_anything_that_windows_lacks(terminal: SignedIn) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), str(terminal.home), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(40):
        out, err = await process.communicate()
    assert (out.decode().strip(), err.decode()) == (str(bare_loop.SIZE), "")


def test_readiness_callbacks_would_be_noticed() -> None:
    loop = bare_loop.BareLoop()
    try:
        with pytest.raises(NotImplementedError):
            loop.add_reader(0, print)
    finally:
        loop.close()
