# SPDX-License-Identifier: Apache-2.0
"""The bus of this control process, as its settings say."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import msgspec

from portineria.bus import message
from portineria.bus.choice import control_end
from portineria.bus.interface import Bus, Receiver
from portineria.control.audit import news
from portineria.control.estate.nats import bus_ca, control_seed
from portineria.control.estate.relays import bus_folder
from portineria.control.own_connection import given_back
from portineria.control.remote_sessions import glances
from portineria.control.settings.server import ServerSettings

# The database is never touched from the loop's thread. What waits is bounded; what does not fit was seen by nobody.
_opener = ThreadPoolExecutor(1, thread_name_prefix="glances")
_room = threading.BoundedSemaphore(64)


def control_bus(settings: ServerSettings, receive: Receiver | None) -> Bus:
    """``receive`` None: it only publishes, which needs NATS. Raise BadSettings."""
    return control_end(settings.bus, bus_folder(), control_seed(), bus_ca(), receive, _hear)


def share_news(bus: Bus) -> None:
    """Open pages of other control processes hear what is told here, and what gateways show here of watched sessions.
    Ends with ``news.detach`` and ``glances.detach``.
    """
    loop = asyncio.get_running_loop()

    def send(item: news.News) -> None:
        loop.call_soon_threadsafe(bus.tell, message.News(**asdict(item)))

    def send_glance(gateway: str, sealed: bytes) -> None:
        loop.call_soon_threadsafe(bus.tell, message.Glanced(gateway, [sealed]))

    news.attach(send)
    glances.attach(send_glance)


def _open(told: message.Glanced) -> None:
    try:
        given_back(glances.hear)(told.gateway, told.sealed)
    finally:
        _room.release()


def _hear(told: message.ToControls) -> None:
    if isinstance(told, message.Glanced):
        if glances.wanted(told.gateway) and _room.acquire(blocking=False):
            _opener.submit(_open, told)
    else:
        news.show(news.News(**msgspec.structs.asdict(told)))
