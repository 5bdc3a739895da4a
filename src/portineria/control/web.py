# SPDX-License-Identifier: Apache-2.0
"""The console and its API as a process of their own: any number of them, behind a load balancer."""

import asyncio
from functools import partial

import structlog

from portineria.bus.interface import Bus
from portineria.bus.message import ToRelay
from portineria.control import operations, readiness
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
    from portineria.control.audit.news_of_others import NewsOfOthers
    from portineria.control.bus import control_bus, share_news
    from portineria.control.console_door import ConsoleDoor
    from portineria.control.console_listener import ConsoleListener
    from portineria.control.estate.relays import console_socket, settle_relays
    from portineria.control.own_connection import given_back
    from portineria.control.remote_sessions import outgoing

    relays = [row.public_id for row in await asyncio.to_thread(given_back(settle_relays))]
    bus = control_bus(settings, None)
    server = web_server()
    places = places_within(raise_descriptor_limit())
    door = ConsoleDoor(console_socket(), partial(connection, server), settings, places)
    listener = ConsoleListener(settings.web_addresses(), settings.balancers, door.let_in)
    await bus.open(relays)
    outgoing.attach(partial(_send, asyncio.get_running_loop(), bus))
    share_news(bus)
    readiness.attach("bus", lambda: bus.connected)
    loop = asyncio.get_running_loop()
    serving = loop.create_task(server.serve(sockets=[]), name="web")
    await server.ready.wait()
    background = [loop.create_task(NewsOfOthers().run(), name="news of others")]
    try:
        listener.open()
        log.info("serving", console=settings.public_url, listen=settings.web_addresses())
        await until(stop, [serving, *background])
    finally:
        outgoing.detach()
        news.detach()
        news.end_all()
        await listener.close()
        await door.close()
        server.should_exit = True
        await end(background, serving)
        await bus.close()


def _send(loop: asyncio.AbstractEventLoop, bus: Bus, message: ToRelay) -> None:
    loop.call_soon_threadsafe(bus.publish_all, message)


def main(settings: ServerSettings) -> int:
    """Raise BadSettings, NoConsolePort."""
    logging.set_up(level=settings.log_level, form=settings.log_form)
    settings.check_shared("web")
    operations.join(settings)
    run(serve_until_signal(serve, settings, part="web"))
    return 0
