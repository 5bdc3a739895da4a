# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import contextlib

from portineria.bus.persistence import for_ever


async def test_a_conversation_that_swallows_the_cancellation_is_the_last_one() -> None:
    """As nats-py does while it closes: the task was told once to end, and nobody says it again."""
    begun = [asyncio.Event(), asyncio.Event()]
    turns = iter(begun)

    async def converse() -> None:
        next(turns).set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    task = asyncio.create_task(for_ever(converse))
    await begun[0].wait()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done == {task}
    assert task.cancelled()
    assert not begun[1].is_set()
