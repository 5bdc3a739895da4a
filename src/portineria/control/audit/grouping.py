# SPDX-License-Identifier: Apache-2.0
"""Events that record no change of a row (a denied attempt, a look into the register): many share one commit.

Each is durable when its caller goes on, as any event is. While one commit is on its way to the disk the next ones
gather, so a flood of them costs commits by the disk's pace, not by their number. Only ledgers are locked: whoever has
rows of their own to change records inside their own transaction.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import DatabaseError, connection, transaction

from portineria.control.audit.drafts import Draft
from portineria.control.audit.models import Event
from portineria.control.audit.services import append, append_behind
from portineria.core.errors import PortineriaError, Unavailable

_TOGETHER = 256  # a commit of so many takes some 30 ms; nobody waits for more than two
# As many as came last time are back soon: without it the first of them commits alone, and the others after it.
_GATHER_S = 0.002


class NotCommitted(Unavailable):
    """Nothing of it was recorded: trying again is safe."""


def _held() -> threading.Lock:
    """Whoever takes it waits until somebody else releases it; a tenth of what a ``threading.Event`` takes."""
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True)
class _Wish:
    drafts: Sequence[Draft]
    turn: threading.Lock = field(default_factory=_held)
    leads: bool = False
    events: list[Event] = field(default_factory=list)
    error: Exception | None = field(default_factory=lambda: NotCommitted("whoever committed for several was stopped"))
    done: bool = False


class Group:
    """Whoever comes while nobody commits does so, for all that wait; then the next one that waits."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._waiting: deque[_Wish] = deque()
        self._expected = 1
        self._led = False
        self._newest: Event | None = None  # of whoever led last

    def record(self, drafts: Sequence[Draft]) -> list[Event]:
        """Append and commit; raise what the database says."""
        if connection.in_atomic_block:  # somebody's own transaction: theirs decides
            return append(drafts)
        wish = _Wish(drafts)
        with self._lock:
            self._waiting.append(wish)
            if not self._led:
                self._led = wish.leads = True
            elif len(self._waiting) == self._expected:
                self._lock.notify()
        if not wish.leads:
            wish.turn.acquire()
        if not wish.done:
            self._lead()
        if wish.error is not None:
            raise wish.error
        return wish.events

    def _lead(self) -> None:
        """Once, for the first that wait, ourselves among them; then somebody else is woken to go on."""
        with self._lock:
            self._lock.wait_for(lambda: len(self._waiting) >= self._expected, _GATHER_S)
            batch = [self._waiting.popleft() for _ in range(min(_TOGETHER, len(self._waiting)))]
            self._expected = len(batch)
        try:
            self._commit(batch)
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._led = following is not None
            for wish in batch:
                wish.done = True
                wish.turn.release()
            if following is not None:
                following.turn.release()

    def _commit(self, batch: Sequence[_Wish]) -> None:
        try:
            events = iter(self._append([one for wish in batch for one in wish.drafts]))
        except (DatabaseError, PortineriaError) as error:
            for wish in batch:
                wish.error = error
            return
        for wish in batch:
            wish.events, wish.error = [next(events) for _ in wish.drafts], None

    def _append(self, drafts: Sequence[Draft]) -> list[Event]:
        """Commit them: behind what was written last if that is still the newest, else with the ledgers locked."""
        newest, self._newest = self._newest, None
        found = None
        if newest is not None and {one.organisation for one in drafts} == {newest.organisation}:
            found = append_behind(newest, drafts)
        if found is None:
            with transaction.atomic():
                found = append(drafts)
        self._newest = found[-1]
        return found


_group = Group()


def record_alone(drafts: Sequence[Draft]) -> list[Event]:
    """Several drafts of one call stand or fall together, and with whoever shares their commit."""
    return _group.record(drafts)
