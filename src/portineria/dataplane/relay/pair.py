# SPDX-License-Identifier: Apache-2.0
"""Two legs that belong together: the goodbye of the outer layer (spliced) or its keeping (nested), then the pump."""

import asyncio
import socket

from portineria.dataplane.aio.outer import CLOSE_S, Outer, abort_socket
from portineria.dataplane.aio.task import both
from portineria.dataplane.relay.pump import PipePool, SplicedPair
from portineria.wire.leg import FROM_RELAY, Go

_RECEIVE = 1 << 16


class LegPair:
    """One connector leg and the gateway leg that was dialled for it."""

    def __init__(self, session: str, connector: Outer, gateway: Outer, *, nested: bool, gateway_id: str = "") -> None:
        self.session, self.gateway_id = session, gateway_id
        self._connector, self._gateway = connector, gateway
        self._nested = nested
        self._spliced: SplicedPair | None = None
        self._copied = [0, 0]
        self._behind: dict[Outer, bytes] = {}  # came behind the goodbye of the outer layer

    @property
    def moved(self) -> tuple[int, int]:
        """Bytes of the end-to-end session (to the gateway, to the connector)."""
        return self._spliced.moved if self._spliced is not None else (self._copied[0], self._copied[1])

    async def run(self, pool: PipePool) -> None:
        """Until both directions ended. A plain close then lets the kernel deliver the rest; anything else aborts."""
        go = FROM_RELAY.frame(Go(self._nested))
        try:
            await both(self._connector.send(go), self._gateway.send(go))
            if self._nested:
                await self._copy_both()
            else:
                await self._splice(pool)
        except BaseException:
            self.abort()
            raise
        self._connector.sock.close()
        self._gateway.sock.close()

    async def _splice(self, pool: PipePool) -> None:
        async with asyncio.timeout(CLOSE_S):
            await both(self._take_off(self._connector), self._take_off(self._gateway))
        self._spliced = SplicedPair(self._connector.sock, self._gateway.sock, pool)
        await self._spliced.run(self._behind.pop(self._connector), self._behind.pop(self._gateway))

    async def _take_off(self, outer: Outer) -> None:
        self._behind[outer] = await outer.take_off_as_relay()

    async def _copy_both(self) -> None:
        await both(self._copy(self._connector, self._gateway, 0), self._copy(self._gateway, self._connector, 1))

    async def _copy(self, source: Outer, sink: Outer, way: int) -> None:
        """Ciphertext of the inner session out of one outer layer and into the other, at the sink's pace."""
        loop = asyncio.get_running_loop()
        early = source.take_early()
        if early:
            self._copied[way] += len(early)
            await sink.send(early)
        while True:
            for piece in source.layer.read():
                self._copied[way] += len(piece)
                sink.layer.write(piece)
            await sink.flush()
            if source.layer.peer_closed:
                break
            data = await loop.sock_recv(source.sock, _RECEIVE)
            if not data:
                break  # no goodbye here: the ends notice by their own session's
            source.layer.feed(data)
        if source.layer.peer_closed:
            sink.layer.unwrap()
            await sink.flush()
        sink.sock.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        abort_socket(self._connector.sock)
        abort_socket(self._gateway.sock)
