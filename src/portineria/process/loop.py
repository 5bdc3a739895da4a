# SPDX-License-Identifier: Apache-2.0
import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from portineria.process import memory

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """On uvloop where it exists: an idle TLS link costs 33 KB there and 277 KB on the stock loop."""
    if memory.keep_freed_blocks():
        work = _returning(work)
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    return uvloop.run(work)


async def _returning(work: Coroutine[Any, Any, T]) -> T:
    memory.return_now_and_then(memory.LOOK_S)
    return await work
