# SPDX-License-Identifier: Apache-2.0
"""Calls that block, beside the event loop."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class _Outcome(Generic[T]):
    """What became of a call, handed to the loop that awaits it, if that still runs."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self._loop.create_future()

    def tell(self, settle: Callable[[], None]) -> None:
        def unless_nobody_waits() -> None:
            if not self.future.done():
                settle()

        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            self._loop.call_soon_threadsafe(unless_nobody_waits)

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: TracebackType | None) -> bool:
        if error is not None:
            self.tell(lambda: self.future.set_exception(error))
        return True


async def in_thread(call: Callable[[], T]) -> T:
    """What ``call`` returns or raises. The end of the process does not wait for it.

    It would for asyncio.to_thread: whoever asked a server that fell silent could not stop before its time-out.
    """
    outcome = _Outcome[T]()

    def run() -> None:
        with outcome:
            result = call()
            outcome.tell(lambda: outcome.future.set_result(result))

    threading.Thread(target=run, name="call", daemon=True).start()
    return await outcome.future
