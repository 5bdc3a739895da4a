# SPDX-License-Identifier: Apache-2.0
"""Everything one machine needs, in one command: web, bus, switchboard, and the relays as child processes."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from functools import partial

import structlog
import uvicorn

from portineria.bus.interface import Bus
from portineria.control import operations
from portineria.control.console_connection import KEEP_ALIVE_S, ConsoleConnection
from portineria.control.console_door import ConsoleDoor
from portineria.control.console_places import Place, places_within
from portineria.control.settings.server import ServerSettings
from portineria.process import logging
from portineria.process.descriptors import raise_descriptor_limit
from portineria.process.loop import run
from portineria.process.stop import stop_signals

log = structlog.get_logger()
_GRACE_S = 1  # answers under way at a stop; streams are told to end before


class _Web(uvicorn.Server):
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


def _web() -> _Web:
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
    return _Web(config)


def _connection(web: _Web, place: Place) -> ConsoleConnection:
    return ConsoleConnection(place, config=web.config, server_state=web.server_state)


async def serve(settings: ServerSettings, stop: asyncio.Event) -> None:
    """Until ``stop`` is set. Django runs with ``settings`` already, and ``prepare`` has been called."""
    from portineria.control.audit import news
    from portineria.control.bus import control_bus, share_news
    from portineria.control.estate.relays import console_socket, write_programs
    from portineria.control.relay_children import RelayChildren
    from portineria.control.remote_sessions.switchboard import Switchboard
    from portineria.control.sealer import Sealer

    programs = await asyncio.to_thread(write_programs)
    switchboard = Switchboard()
    bus = control_bus(settings, switchboard.receive)
    web = _web()
    door = ConsoleDoor(console_socket(), partial(_connection, web), settings, places_within(raise_descriptor_limit()))
    await switchboard.open(bus)
    await bus.open([program.relay for program in programs])
    share_news(bus)
    loop = asyncio.get_running_loop()
    serving = loop.create_task(web.serve(sockets=[]), name="web")
    await web.ready.wait()
    door.open()
    background = [
        loop.create_task(switchboard.run(), name="switchboard"),
        loop.create_task(RelayChildren(programs).run(), name="relays"),
        loop.create_task(Sealer().run(), name="sealer"),
    ]
    announcing = loop.create_task(_announce(bus, [program.relay for program in programs], settings), name="announce")
    try:
        await _until(stop, [serving, *background])
    finally:
        news.detach()
        news.end_all()
        await door.close()
        web.should_exit = True
        await _end([announcing, *background], serving)
        await bus.close()
        await switchboard.close()


async def _announce(bus: Bus, relays: list[str], settings: ServerSettings) -> None:
    """Not before somebody can come in: a port may be taken, which its relay says."""
    for relay in relays:
        await bus.arrival(relay)
    log.info("serving", console=settings.public_url, state=str(settings.state))


async def _until(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """A part that ends by itself ends everything: half a server would only look like one."""
    stopping = asyncio.get_running_loop().create_task(stop.wait(), name="stop")
    try:
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
    for task in done - {stopping}:
        task.result()


async def _end(background: list[asyncio.Task[None]], serving: asyncio.Task[None]) -> None:
    for task in background:
        task.cancel()
    await asyncio.gather(*background, serving, return_exceptions=True)


async def _serve_until_signal(settings: ServerSettings) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in stop_signals():
        loop.add_signal_handler(number, stop.set)
    await serve(settings, stop)


def main(settings: ServerSettings) -> int:
    logging.set_up()
    operations.set_up(settings)
    run(_serve_until_signal(settings))
    return 0
