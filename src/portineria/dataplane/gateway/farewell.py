# SPDX-License-Identifier: Apache-2.0
"""Sessions that are over, for a moment: their streams' last words may have been lost together with a leg (WIRE 13)."""

import asyncio
from collections.abc import Container

from portineria.dataplane.gateway.opening import Opening
from portineria.dataplane.gateway.past import PastStreams

FAREWELLS = 256  # sessions; where every hall of a large plant changes its shift at once, some hundred end together


class Farewell:
    """Says to whoever held the session's key how its streams ended; opens and resumes nothing.

    ``orders``: the hashes of all its orders. A leg that says no HELLO is let go after ``hello_s``.
    """

    def __init__(self, past: PastStreams, orders: Container[bytes], *, hello_s: float) -> None:
        self.past, self._orders, self._hello_s = past, orders, hello_s

    async def serve(self, opening: Opening) -> None:
        """One leg. Raises LegGone, TimeoutError and ProtocolError."""
        async with asyncio.timeout(self._hello_s):
            hello = await opening.hello()
        known = hello.resume and hello.order_sha256 in self._orders
        if known and (past := self.past.find(hello.stream)) is not None:
            opening.say_last(past.answer(hello.resume_from))
        else:
            opening.refuse("order.unknown")


class Farewells:
    """By session key; the oldest go first."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Farewell] = {}

    def add(self, key_sha256: bytes, farewell: Farewell, *, kept_s: float) -> None:
        if not len(farewell.past):
            return
        if len(self._kept) >= FAREWELLS:
            del self._kept[next(iter(self._kept))]
        self._kept[key_sha256] = farewell
        asyncio.get_running_loop().call_later(kept_s, self._forget, key_sha256, farewell)

    def _forget(self, key_sha256: bytes, farewell: Farewell) -> None:
        if self._kept.get(key_sha256) is farewell:
            del self._kept[key_sha256]

    def find(self, key_sha256: bytes) -> Farewell | None:
        return self._kept.get(key_sha256)

    def __len__(self) -> int:
        return len(self._kept)
