# SPDX-License-Identifier: Apache-2.0
import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0  # the bus is the installation's own: two seconds are polite enough


async def for_ever(converse: Callable[[], Awaitable[None]]) -> NoReturn:
    """One conversation after the other, with pauses that grow while they end soon.

    It ends where its task was cancelled, also if the conversation swallowed that.
    """
    pause_s, loop = _FIRST_PAUSE_S, asyncio.get_running_loop()
    while True:
        began = loop.time()
        await converse()
        heed_cancellation()
        if loop.time() - began > _LONGEST_PAUSE_S:
            pause_s = _FIRST_PAUSE_S
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


def heed_cancellation() -> None:
    """Raise CancelledError where this task was told to end: nats-py swallows that while it connects and closes, and
    nobody says it again.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
