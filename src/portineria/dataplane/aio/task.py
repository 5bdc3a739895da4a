# SPDX-License-Identifier: Apache-2.0
"""Tasks that are kept, named and reported. The event loop itself keeps only weak references to tasks."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from portineria.core.errors import PortineriaError

log = structlog.get_logger()


class Tasks:
    """The tasks of one owner. ``close`` cancels and awaits them; a failed one is logged with its code, never lost."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self.closed = False

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, PortineriaError):
            log.warning("task.failed", task=task.get_name(), code=error.code, why=str(error))
        else:
            log.error("task.broken", task=task.get_name(), exc_info=error)

    def __len__(self) -> int:
        return len(self._tasks)

    async def close(self) -> None:
        self.closed = True
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def both(first: Coroutine[Any, Any, Any], second: Coroutine[Any, Any, Any]) -> None:
    """Run both to their end; when one fails the other is cancelled and that failure raised, as itself."""
    tasks = [asyncio.ensure_future(first), asyncio.ensure_future(second)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool], *, timeout_s: float, step_s: float = 0.01) -> bool:
    """Wait until ``condition`` holds; return whether it did in time."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not condition():
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(step_s)
    return True
