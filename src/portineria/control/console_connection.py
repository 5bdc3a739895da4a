# SPDX-License-Identifier: Apache-2.0
"""One HTTP connection of the console, which may not idle for ever, neither before a request nor inside one."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from portineria.control.console_places import Place

REQUEST_S = 10.0  # from the handshake, or the last answer's first idle byte, to a whole request line with headers
KEEP_ALIVE_S = 30.0  # after an answer; a new connection costs a browser two round trips
Factory = Callable[[Place], "ConsoleConnection"]


class ConsoleConnection(H11Protocol):
    """uvicorn's own limit of idle time begins after the first answer and ends with the first byte that follows."""

    def __init__(self, place: Place, **more: Any) -> None:
        super().__init__(app_state={"place": place}, **more)
        self._place = place
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self._place.held:  # it had to give way during its handshake
            transport.abort()
            return
        self._place.give_way = transport.abort
        self._watch(REQUEST_S)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch(REQUEST_S)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch(KEEP_ALIVE_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._place.leave()
        self._drop_deadline()
        super().connection_lost(exc)

    def _watch(self, seconds: float) -> None:
        """While nobody works on a request the clock runs; more bytes do not wind it up again."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request, whatever its declaration says
        if cycle is not None and not cycle.response_complete:
            self._drop_deadline()
        elif self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(seconds, self._too_late)

    def _drop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        self.transport.abort()
