# SPDX-License-Identifier: Apache-2.0
"""What somebody does at the machine of the gateway itself, whether or not a line leads to the server; and what the
plant says there of itself.
"""

from collections.abc import Callable, Collection

from portineria.dataplane.gateway import emergency, local_cut
from portineria.dataplane.gateway.emergency import Emergency
from portineria.dataplane.gateway.emergency_holders import Holders
from portineria.dataplane.gateway.local_cut import WHY, LocalCut
from portineria.dataplane.gateway.local_door import (
    Answer,
    CloseOpenings,
    CutNow,
    LiftCut,
    LocalDoor,
    OpenNow,
    Question,
    RemovePin,
    SetPin,
)
from portineria.dataplane.gateway.session import Session, Surroundings
from portineria.dataplane.gateway.signals import Signals
from portineria.dataplane.gateway.state import State
from portineria.dataplane.gateway.store import Store
from portineria.wire.statement import EmergencyTerms, ReadSignals

SCHEMA = local_cut.SCHEMA + emergency.SCHEMA


class Local:
    """``open`` it when spool and recordings are; ``close`` it before them."""

    def __init__(
        self, state: State, store: Store, around: Surroundings, sessions: Callable[[], Collection[Session]]
    ) -> None:  # fmt: skip
        self.emergency = Emergency(store, around)
        self.cut = LocalCut(store, around.spool, sessions, also_end=lambda: self.emergency.end_all(WHY))
        self._holders = Holders(store, around.spool)
        self._door = LocalDoor(state.door, self._act)
        self.signals = Signals(state.signals, around.reach, around.spool.boot, around.glances.show)

    async def open(self) -> None:
        await self.cut.open()
        await self.emergency.open()
        await self._door.open()

    async def close(self) -> None:
        await self._door.close()
        await self.emergency.close()
        await self.signals.close()

    def take(self, letter: EmergencyTerms | ReadSignals, then: Callable[[], None]) -> None:
        """``then``: the question says what is kept by now."""
        if isinstance(letter, ReadSignals):
            self.signals.take(letter)
        elif self.emergency.terms.take(letter):
            then()

    def sessions_changed(self, then: Callable[[], None]) -> None:
        self.cut.settle()
        then()

    async def _act(self, question: Question) -> Answer:
        if isinstance(question, CutNow):
            return Answer(said={"ended": await self.cut.cut(question.reason)})
        if isinstance(question, LiftCut):
            return Answer("" if await self.cut.lift(question.reason) else "cut.none")
        if isinstance(question, OpenNow):
            return await self.emergency.try_open(question)
        if isinstance(question, CloseOpenings):
            return Answer(said={"ended": self.emergency.end_all("emergency.closed")})
        if isinstance(question, SetPin):
            return await self._holders.set(question.proof)
        if isinstance(question, RemovePin):
            return await self._holders.remove(question.holder)
        return await self._shown()

    async def _shown(self) -> Answer:
        terms, pins = self.emergency.terms.kept, await self._holders.all()
        machines = terms.machines if terms is not None and terms.allowed else []
        return Answer(
            said={
                "permitted": int(terms is not None and terms.allowed),
                "minutes": terms.minutes if terms is not None else 0,
                "machines": [
                    f"{machine.name}: {service.name} (port {service.port}){' LOCKED' if machine.locked else ''}"
                    for machine in machines
                    for service in machine.services
                ],
                "holders": [one.holder for one in pins if one.known],
                "waiting": [one.holder for one in pins if not one.known],
                "open": self.emergency.shown,
                "locked": int(await self._holders.locked()),
            }
        )
