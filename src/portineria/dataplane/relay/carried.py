# SPDX-License-Identifier: Apache-2.0
"""How many bytes this relay carried since its start: of pairs that are over, and of those that run."""

from portineria.dataplane.relay.pair import LegPair
from portineria.dataplane.relay.pump import PipePool


class Carried:
    def __init__(self) -> None:
        self.pairs = 0
        self._over = [0, 0]
        self._running: set[LegPair] = set()

    async def run(self, pair: LegPair, pool: PipePool) -> None:
        """As the pair does it."""
        self._running.add(pair)
        self.pairs += 1
        try:
            await pair.run(pool)
        finally:
            self._running.discard(pair)
            for way, moved in enumerate(pair.moved):
                self._over[way] += moved

    @property
    def bytes(self) -> tuple[int, int]:
        """To gateways, to connectors."""
        running = [pair.moved for pair in self._running]
        return self._over[0] + sum(moved[0] for moved in running), self._over[1] + sum(moved[1] for moved in running)
