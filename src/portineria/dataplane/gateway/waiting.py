# SPDX-License-Identifier: Apache-2.0
"""Orders that came before the first signed time: without it nobody can say whether they are still in force."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from portineria.wire.statement import Order, Withdrawal

WAITING_ORDERS = 64


@dataclass(frozen=True, slots=True)
class _Waiting:
    order: Order
    order_sha256: bytes
    timer: asyncio.TimerHandle


class WaitingOrders:
    """``too_late`` is told of each that waited in vain or found no place."""

    def __init__(self, too_late: Callable[[Order, bytes], None]) -> None:
        self._too_late = too_late
        self._waiting: dict[bytes, _Waiting] = {}

    def add(self, order: Order, order_sha256: bytes, wait_s: float) -> None:
        if order_sha256 in self._waiting:
            return
        if len(self._waiting) >= WAITING_ORDERS:
            self._too_late(order, order_sha256)
            return
        timer = asyncio.get_running_loop().call_later(wait_s, self._give_up, order_sha256)
        self._waiting[order_sha256] = _Waiting(order, order_sha256, timer)

    def _give_up(self, order_sha256: bytes) -> None:
        waiting = self._waiting.pop(order_sha256)
        self._too_late(waiting.order, order_sha256)

    def take_all(self) -> list[tuple[Order, bytes]]:
        """In the order in which they came."""
        taken, self._waiting = list(self._waiting.values()), {}
        for waiting in taken:
            waiting.timer.cancel()
        return [(waiting.order, waiting.order_sha256) for waiting in taken]

    def withdraw(self, withdrawal: Withdrawal) -> None:
        for waiting in list(self._waiting.values()):
            if waiting.order.session == withdrawal.session and waiting.order.order_seq <= withdrawal.order_seq:
                waiting.timer.cancel()
                del self._waiting[waiting.order_sha256]
