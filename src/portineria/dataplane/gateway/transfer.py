# SPDX-License-Identifier: Apache-2.0
"""Whether a session writes a program or firmware at this moment, told from what passed in the last seconds.

Protocols have no word for it that all of them share: a download is many requests, often with a stop before and a start
behind. Broken off in the middle it leaves a machine that does not run, so what can wait waits for its end.
"""

import asyncio
from collections.abc import Callable, Iterable

from portineria.dataplane.gateway.clock import boot_s
from portineria.dataplane.gateway.spool import Spool
from portineria.protocols.operation import Kind, Operation

_WRITES = frozenset({Kind.PROGRAM_WRITE, Kind.FIRMWARE})
_AROUND = _WRITES | {Kind.START, Kind.STOP, Kind.MODE, Kind.PROGRAM_READ}  # belong to one that runs, begin none


class Transfer:
    """Of one session, over all its inspected connections."""

    def __init__(self, session: str, spool: Spool, quiet_s: float) -> None:
        """Over ``quiet_s`` after its last request: tools pause for seconds while a controller checks a block."""
        self._session, self._spool, self._quiet_s = session, spool, quiet_s
        self.running = False
        self.over: Callable[[], None] | None = None  # told of each end
        self._since = self._last = 0.0
        self._quiet: asyncio.TimerHandle | None = None
        self._late: asyncio.TimerHandle | None = None
        self._waiting: Callable[[], None] | None = None

    def passed(self, operations: Iterable[Operation]) -> None:
        """What was admitted."""
        kinds = _AROUND if self.running else _WRITES
        kind = next((operation.kind for operation in operations if operation.kind in kinds), None)
        if kind is None:
            return
        self._last = boot_s()
        if not self.running:
            self.running, self._since = True, self._last
            self._spool.record("session.transferring", self._session, operation=kind.value)
            self._come_back(self._quiet_s)

    def _come_back(self, seconds: float) -> None:
        self._quiet = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        left = self._last + self._quiet_s - boot_s()
        if left > 0:
            self._come_back(left)
            return
        self.running = False
        self._spool.record("session.transferred", self._session, seconds=round(self._last - self._since))
        self._act()
        if self.over is not None:
            self.over()

    def when_over(self, act: Callable[[], None], within_s: float) -> None:
        """Now, when none runs; else at its end, at the latest after so long. Takes the place of what waits already."""
        self._forget()
        self._waiting = act
        if not self.running or within_s <= 0:
            self._act()
        else:
            self._late = asyncio.get_running_loop().call_later(within_s, self._act)

    def _act(self) -> None:
        act = self._waiting
        self._forget()
        if act is not None:
            act()

    def _forget(self) -> None:
        self._waiting = None
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def close(self) -> None:
        self._forget()
        if self._quiet is not None:
            self._quiet.cancel()
