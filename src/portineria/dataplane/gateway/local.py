# SPDX-License-Identifier: Apache-2.0
"""What somebody does at the machine of the gateway itself, whether or not a line leads to the server."""

from collections.abc import Callable, Collection

from portineria.dataplane.gateway import local_cut
from portineria.dataplane.gateway.local_cut import LocalCut
from portineria.dataplane.gateway.local_door import Answer, CutNow, LocalDoor, Question
from portineria.dataplane.gateway.session import Session
from portineria.dataplane.gateway.spool import Spool
from portineria.dataplane.gateway.state import State
from portineria.dataplane.gateway.store import Store

SCHEMA = local_cut.SCHEMA


class Local:
    """``open`` it when the spool is; ``close`` it before."""

    def __init__(
        self, state: State, store: Store, spool: Spool, sessions: Callable[[], Collection[Session]]
    ) -> None:  # fmt: skip
        self.cut = LocalCut(store, spool, sessions, also_end=lambda: 0)
        self._door = LocalDoor(state.door, self._act)

    async def open(self) -> None:
        await self.cut.open()
        await self._door.open()

    async def close(self) -> None:
        await self._door.close()

    async def _act(self, question: Question) -> Answer:
        if isinstance(question, CutNow):
            return Answer(said={"ended": await self.cut.cut(question.reason)})
        return Answer("" if await self.cut.lift(question.reason) else "cut.none")
