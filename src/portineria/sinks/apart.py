# SPDX-License-Identifier: Apache-2.0
"""Calls of sinks that may hang: a disk, or a library that waits for somebody's broker.

In threads of their own that nobody waits for at the end. asyncio's few threads serve the whole process, sealing and
leases among it: some disks that hang would take all of them for ever.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

from portineria.sinks.kind import Away

T = TypeVar("T")
_under_way: set[Hashable] = set()  # of this process
_guard = threading.Lock()
_FREELY = contextlib.nullcontext()


class _Settled:
    """An error inside goes to whoever waits, whatever it is."""

    def __init__(self, outcome: Future[T]) -> None:
        self._outcome = outcome

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: TracebackType | None) -> bool:
        if error is not None:
            self._outcome.set_exception(error)
        return True


async def apart(call: Callable[[], T], *, alone: Hashable = None) -> T:
    """What ``call`` returns or raises; it goes on when nobody waits for it any more.

    ``alone``: what it is about. Raise Away while an earlier one about the same has not come back, so that no thread is
    added at each attempt.
    """
    return await asyncio.wrap_future(begun(call, _taken(alone)))


def begun(call: Callable[[], T], taken: contextlib.AbstractContextManager[None] = _FREELY) -> Future[T]:
    """``call`` in a thread of its own, within ``taken``; any number may wait for what it returns or raises."""
    outcome = Future[T]()
    outcome.set_running_or_notify_cancel()  # from now on nobody cancels it, whoever stops waiting

    def run() -> None:
        with _Settled(outcome), taken:
            result = call()
        if not outcome.done():
            outcome.set_result(result)

    threading.Thread(target=run, name="sink", daemon=True).start()
    return outcome


def _taken(alone: Hashable) -> contextlib.AbstractContextManager[None]:
    """Until its end is reached. Raise Away."""
    if alone is None:
        return _FREELY
    with _guard:
        if alone in _under_way:
            raise Away("an earlier attempt has not come back")
        _under_way.add(alone)
    return _given_back(alone)


@contextmanager
def _given_back(alone: Hashable) -> Iterator[None]:
    try:
        yield
    finally:
        with _guard:
            _under_way.discard(alone)
