# SPDX-License-Identifier: Apache-2.0
"""How a process of ours is asked to end: Ctrl-C, SIGTERM, and SIGHUP when its terminal goes away."""

import asyncio
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """A signal ended the work. ``status`` is what shells make of that."""

    def __init__(self, number: int) -> None:
        super().__init__(f"asked to end by {signal.Signals(number).name}")
        self.status = 128 + number


def stop_signals() -> list[signal.Signals]:
    """Those that end this process.

    SIGINT also where a script put it into the background and so had it ignored: nothing of ours stays open behind a
    script that ended. SIGHUP only where nohup did not save the process from its terminal.
    """
    always = [signal.SIGTERM, signal.SIGINT]
    if sys.platform == "win32" or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return always
    return [*always, signal.SIGHUP]


async def stoppable(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``, which a signal cancels; each further one cancels what it still does to end in order.

    Call it from the main thread's main task, nothing else under it. Raises Stopped.
    """
    loop, task, came = asyncio.get_running_loop(), asyncio.current_task(), list[int]()
    assert task is not None  # noqa: S101 - a coroutine that runs has one

    def stop(number: int, _frame: object) -> None:
        came.append(number)
        loop.call_soon_threadsafe(task.cancel)

    # Not the loop's own add_signal_handler: Windows has none.
    before = {number: signal.signal(number, stop) for number in stop_signals()}
    try:
        return await work
    except asyncio.CancelledError:
        if came:
            raise Stopped(came[0]) from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stopping() -> Iterator[None]:
    """For work without a loop that has to clean up: a signal raises Stopped in it, once; the next one ends at once."""
    before: dict[signal.Signals, Any] = {}

    def stop(number: int, _frame: object) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        raise Stopped(number)

    before |= {number: signal.signal(number, stop) for number in stop_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
