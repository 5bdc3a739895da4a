# SPDX-License-Identifier: Apache-2.0
"""Reads what a write is about to change, so that a report says from what to what (decision 0094).

Only where the machine's owner says that reading has no side effect, nobody has read it yet, and nothing else is under
way on the connection: the write waits for the answer, for half a second at most, and passes whatever it is.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from portineria.dataplane.aio.stream_end import Local
from portineria.dataplane.gateway.functions import Verdict
from portineria.dataplane.gateway.journal import Journal
from portineria.dataplane.gateway.work import StreamWork
from portineria.policy.function_profile import Route
from portineria.protocols.inspection import Answer, Inspection, Request
from portineria.protocols.operation import Kind, Operation, Target

WITHIN_S = 0.5  # devices answer in hundredths of a second, the least patient client waits for one
Range = tuple[str, int, int]  # area, first, last


class Decider(Protocol):
    """Whoever knows what the session may do, and tells what it may not. ``earlier``: by what it passed already."""

    def __call__(self, operations: tuple[Operation, ...], earlier: Verdict | None = None) -> Verdict: ...


@dataclass(slots=True)
class ReadFirst:
    """Of one connection. Once a device did not answer in time it is asked nothing more on it."""

    free: Sequence[Range] = ()
    nodes: Collection[str] = ()  # what has a name instead of an address
    work: StreamWork | None = None
    own: Collection[Route] = ()  # that mean the device itself, which its owner spoke of
    waits: tuple[Request, Verdict] | None = None  # the write
    _asked: Request | None = None
    _off: bool = False
    _timer: asyncio.TimerHandle | None = None
    _ready: bool = False
    _waited: tuple[Request, Verdict] | None = None  # the newest write that did

    def ask(self, request: Request, verdict: Verdict, inspection: Inspection, ready: Callable[[], None]) -> bool:
        """Whether this request, which is wanted, waits until ``ready`` is called for a read that is to be sent now."""
        self._asked = inspection.read_first(request)
        if self._asked is None:
            return False
        self.waits, self._ready = (request, verdict), False
        self._timer = asyncio.get_running_loop().call_later(WITHIN_S, self._time_over, ready)
        return True

    def judged(self, request: Request, decide: Decider) -> Verdict:
        """Its verdict of now. One that waited keeps the yes that somebody gave it, and is counted only once."""
        if self._waited is None or self._waited[0] is not request:
            return decide(request.operations)
        earlier = self._waited[1]
        verdict = decide(request.operations, earlier)
        held = () if earlier.held else verdict.held
        return replace(verdict, noted=earlier.noted + verdict.noted, held=held)

    def send(self, device: Local, journal: Journal) -> int:
        """Return how many bytes."""
        assert self._asked is not None  # noqa: S101 - as ask just said
        journal.own(self._asked)
        device.write([memoryview(self._asked.data)])
        return len(self._asked.data)

    def wants(self, request: Request) -> bool:
        """Whether this is a write whose old value may be read and is not known."""
        if not (self.free or self.nodes) or self._off or self.work is None or len(request.operations) != 1:
            return False
        [operation] = request.operations
        if operation.kind is not Kind.WRITE or len(operation.targets) != 1:
            return False
        if self._waited is not None and self._waited[0] is request:
            return False
        if operation.route and operation.route not in self.own:
            return False
        target = operation.targets[0]
        free = target.name in self.nodes if target.first is None else _within(target, self.free)
        return free and not self.work.knows(operation)

    def _time_over(self, ready: Callable[[], None]) -> None:
        self._asked, self._off, self._ready = None, True, True
        ready()

    def hears(self, answer: Answer) -> None:
        if answer.to is not None and answer.to is self._asked:
            if not answer.error and self.work is not None:
                self.work.read_first(answer.to.operations[0], answer.values)
            self._asked, self._ready = None, True

    def finish(self) -> Request | None:
        """The write that need not wait any more."""
        if not self._ready or self.waits is None:
            return None
        if self._timer is not None:
            self._timer.cancel()
        self._waited, self.waits, self._ready = self.waits, None, False
        return self._waited[0]

    @property
    def bytes(self) -> int:
        return len(self.waits[0].data) if self.waits is not None else 0

    def leave(self) -> None:
        self.waits, self._ready = None, False
        if self._timer is not None:
            self._timer.cancel()


def _within(target: Target, free: Sequence[Range]) -> bool:
    first = target.first
    if first is None:
        return False
    last = first + target.count - 1
    return any(target.area == area and least <= first and last <= most for area, least, most in free)
