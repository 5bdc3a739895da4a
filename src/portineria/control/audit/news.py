# SPDX-License-Identifier: Apache-2.0
"""Tells open pages *that* something changed; what changed they ask through the ordinary, checked views.

A page subscribes from the event loop; services tell from any thread once their transaction is committed.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_WAITING = 100  # news per page; a page that is that far behind asks for everything anew


@dataclass(frozen=True, slots=True)
class News:
    organisation: str
    seq: int
    code: str
    actor: str
    session: str = ""
    machine: str = ""
    gateway: str = ""
    person: str = ""


class Subscription:
    """News of some organisations, or only what concerns one person."""

    def __init__(self, organisations: frozenset[str], person: str, everything: bool) -> None:
        self._organisations = organisations
        self._everything = everything
        self._person = person
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[News | None] = asyncio.Queue(_WAITING)

    def concerns(self, news: News) -> bool:
        if self._everything or news.organisation in self._organisations:
            return True
        return bool(self._person) and self._person in (news.actor, news.person)

    def post(self, news: News | None) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # the loop is closed: nobody reads any more
            self._loop.call_soon_threadsafe(self._put, news)

    def _put(self, news: News | None) -> None:
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(news)

    async def __aiter__(self) -> AsyncIterator[News]:
        while (news := await self._queue.get()) is not None:
            yield news


_open: set[Subscription] = set()
_away: list[Callable[[News], None]] = []
_lock = threading.Lock()


@contextmanager
def subscription(
    *, organisations: frozenset[str] = frozenset(), person: str = "", everything: bool = False
) -> Iterator[Subscription]:
    """``async for news in …`` inside; ends by itself when the process stops."""
    mine = Subscription(organisations, person, everything)
    with _lock:
        _open.add(mine)
    try:
        yield mine
    finally:
        with _lock:
            _open.discard(mine)


def attach(send: Callable[[News], None]) -> None:
    """``send`` takes what is told here to the other control processes; from any thread."""
    _away[:] = [send]


def detach() -> None:
    _away.clear()


def tell(news: News) -> None:
    """Pages of this process, and of the others."""
    show(news)
    for send in _away:
        send(news)


def show(news: News) -> None:
    """Pages of this process only: another one told it."""
    with _lock:
        concerned = [page for page in _open if page.concerns(news)]
    for page in concerned:
        page.post(news)


def end_all() -> None:
    """Open streams would hold up an orderly stop."""
    with _lock:
        pages = list(_open)
    for page in pages:
        page.post(None)
