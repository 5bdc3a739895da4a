# SPDX-License-Identifier: Apache-2.0
"""uvicorn inside our processes, and how those end."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator

import uvicorn

from portineria.control.console_connection import KEEP_ALIVE_S, ConsoleConnection
from portineria.control.console_places import Place
from portineria.control.settings.server import ServerSettings
from portineria.process import metrics
from portineria.process.stop import stop_signals

_GRACE_S = 1  # answers under way at a stop; streams are told to end before


class WebServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the process, not to one of its parts."""
        yield


def web_server() -> WebServer:
    from portineria.control.asgi import application

    config = uvicorn.Config(
        application,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=int(KEEP_ALIVE_S),
        http=ConsoleConnection,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=65536,
        ws="none",
    )
    return WebServer(config)


def connection(web: WebServer, place: Place) -> ConsoleConnection:
    return ConsoleConnection(place, config=web.config, server_state=web.server_state)


async def until(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """A part that ends by itself ends everything: half a server would only look like one."""
    stopping = asyncio.get_running_loop().create_task(stop.wait(), name="stop")
    try:
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
    for task in done - {stopping}:
        task.result()


async def end(background: list[asyncio.Task[None]], serving: asyncio.Task[None]) -> None:
    for task in background:
        task.cancel()
    await asyncio.gather(*background, serving, return_exceptions=True)


async def serve_until_signal(
    serve: Callable[[ServerSettings, asyncio.Event], Awaitable[None]], settings: ServerSettings, *, part: str
) -> None:
    """``part``: serve, web or worker. Raise NoMetricsPort, BadSettings, and what ``serve`` raises."""
    from portineria.control import figures, readiness
    from portineria.control.own_connection import given_back
    from portineria.control.sqlite.round import ROUND
    from portineria.control.tracing import tracing

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in stop_signals():
        loop.add_signal_handler(number, stop.set)
    if part != "worker":  # one that waits for its turn needs none
        readiness.attach("bus", lambda: False)  # until it has one
    # A web process says nothing of the house: there are several, and a worker does.
    read = figures.of_process if part == "web" else figures.of_house
    listener = metrics.listen(settings.metrics, metrics.Telling(part, read, given_back(readiness.causes)))
    try:
        with tracing(settings), ROUND.going():
            await serve(settings, stop)
    finally:
        readiness.detach()
        if listener is not None:
            listener.close()
