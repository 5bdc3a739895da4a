# SPDX-License-Identifier: Apache-2.0
"""Who holds a PIN at this machine: setting one, taking it away. The server is told the names, and never more."""

from functools import partial

from portineria.dataplane.aio.thread import in_thread
from portineria.dataplane.gateway import emergency_pins
from portineria.dataplane.gateway.emergency_pins import HOLDERS, BadPin, Pin
from portineria.dataplane.gateway.local_door import Answer, Proof
from portineria.dataplane.gateway.spool import Spool
from portineria.dataplane.gateway.store import Store


class Holders:
    def __init__(self, store: Store, spool: Spool) -> None:
        self._store, self._spool = store, spool

    async def all(self) -> list[Pin]:
        return await self._store.submit(emergency_pins.load, reads=True)

    async def locked(self) -> bool:
        """Too many wrong ones, and the server has not acknowledged it yet."""
        return (await self._store.submit(emergency_pins.tried, reads=True)).locked

    async def set(self, proof: Proof) -> Answer:
        """It counts once the server has acknowledged the event that tells of it."""
        try:
            emergency_pins.check_form(proof.pin)
        except BadPin as error:
            return Answer(error.code)
        others = [one for one in await self.all() if one.holder != proof.holder]
        if len(others) >= HOLDERS:
            return Answer("emergency.holders")
        if await in_thread(partial(emergency_pins.taken, others, proof.pin)):
            return Answer("emergency.pin-taken")
        salt, verifier = await in_thread(partial(emergency_pins.made, proof.pin))
        also = emergency_pins.keep(proof.holder, salt, verifier)
        await self._spool.record("emergency.pin-set", also=also, holder=proof.holder)
        return Answer()

    async def remove(self, holder: str) -> Answer:
        if all(one.holder != holder for one in await self.all()):
            return Answer("emergency.no-holder")
        await self._spool.record("emergency.pin-removed", also=emergency_pins.remove(holder), holder=holder)
        return Answer()
