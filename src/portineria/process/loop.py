# SPDX-License-Identifier: Apache-2.0
import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from portineria.process.memory import keep_freed_blocks

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """On uvloop where it exists: an idle TLS link costs 33 KB there and 277 KB on the stock loop."""
    keep_freed_blocks()
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    return uvloop.run(work)
