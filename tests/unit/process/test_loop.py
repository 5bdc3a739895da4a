# SPDX-License-Identifier: Apache-2.0
import asyncio
import sys

import pytest

from portineria.process.loop import run


async def _which() -> str:
    return type(asyncio.get_running_loop()).__module__


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not exist there")
def test_a_process_runs_on_uvloop() -> None:
    assert run(_which()).startswith("uvloop")


def test_its_failure_is_the_callers() -> None:
    async def fail() -> None:
        raise ValueError("no relay")

    with pytest.raises(ValueError, match="no relay"):
        run(fail())
