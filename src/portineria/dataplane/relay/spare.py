# SPDX-License-Identifier: Apache-2.0
"""Legs that gateways far away keep here before anybody asks: one each, for the next connector that comes."""

import asyncio
import socket

from portineria.dataplane.aio.outer import LEG_IDLE_S, Outer, keep_alive


class Spares:
    """A leg in reserve says nothing: whatever comes from it, its end above all, is the end of it."""

    def __init__(self) -> None:
        self._legs: dict[str, Outer] = {}

    def __len__(self) -> int:
        return len(self._legs)

    def add(self, gateway: str, outer: Outer) -> None:
        """In place of the one that is there: a gateway that comes anew has lost it."""
        self.drop(gateway)
        self._legs[gateway] = outer
        # Its gateway probes once a minute, and it is dropped with the link, which is probed more often.
        outer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
        asyncio.get_running_loop().add_reader(outer.sock.fileno(), self.drop, gateway)

    def take(self, gateway: str) -> Outer | None:
        if (outer := self._let_go(gateway)) is not None:
            keep_alive(outer.sock, LEG_IDLE_S)
        return outer

    def drop(self, gateway: str) -> None:
        if (outer := self._let_go(gateway)) is not None:
            outer.abort()

    def _let_go(self, gateway: str) -> Outer | None:
        outer = self._legs.pop(gateway, None)
        if outer is not None:
            asyncio.get_running_loop().remove_reader(outer.sock.fileno())
        return outer
