# SPDX-License-Identifier: Apache-2.0
"""Everything one machine needs, in one command: web, bus, switchboard, and the relays as child processes."""

import asyncio
from functools import partial

import structlog

from portineria.bus.interface import Bus
from portineria.control import operations, readiness
from portineria.control.console_door import ConsoleDoor
from portineria.control.console_places import places_within
from portineria.control.settings.server import ServerSettings
from portineria.control.web_server import connection, end, serve_until_signal, until, web_server
from portineria.process import logging
from portineria.process.descriptors import raise_descriptor_limit
from portineria.process.loop import run

log = structlog.get_logger()


async def serve(settings: ServerSettings, stop: asyncio.Event) -> None:
    """Until ``stop`` is set. Django runs with ``settings`` already, and ``prepare`` has been called."""
    from portineria.control.audit import news
    from portineria.control.bus import control_bus, share_news
    from portineria.control.estate.relays import console_socket, write_programs
    from portineria.control.own_connection import given_back
    from portineria.control.register_care import care_for_registers
    from portineria.control.relay_children import RelayChildren
    from portineria.control.remote_sessions.switchboard import Switchboard

    programs = await asyncio.to_thread(given_back(write_programs))
    switchboard = Switchboard()
    bus = control_bus(settings, switchboard.receive)
    web = web_server()
    door = ConsoleDoor(console_socket(), partial(connection, web), settings, places_within(raise_descriptor_limit()))
    await switchboard.open(bus)
    await bus.open([program.relay for program in programs])
    share_news(bus)
    readiness.attach("bus", lambda: bus.connected)
    loop = asyncio.get_running_loop()
    serving = loop.create_task(web.serve(sockets=[]), name="web")
    await web.ready.wait()
    door.open()
    background = [
        loop.create_task(switchboard.run(), name="switchboard"),
        loop.create_task(RelayChildren(programs).run(), name="relays"),
        *care_for_registers(settings),
    ]
    announcing = loop.create_task(_announce(bus, [program.relay for program in programs], settings), name="announce")
    try:
        await until(stop, [serving, *background])
    finally:
        news.detach()
        news.end_all()
        await door.close()
        web.should_exit = True
        await end([announcing, *background], serving)
        await bus.close()
        await switchboard.close()


async def _announce(bus: Bus, relays: list[str], settings: ServerSettings) -> None:
    """Not before somebody can come in: a port may be taken, which its relay says."""
    for relay in relays:
        await bus.arrival(relay)
    log.info("serving", console=settings.public_url, state=str(settings.state))


def main(settings: ServerSettings) -> int:
    logging.set_up(level=settings.log_level, form=settings.log_form)
    operations.set_up(settings)
    run(serve_until_signal(serve, settings, part="serve"))
    return 0
