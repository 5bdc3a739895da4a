# SPDX-License-Identifier: Apache-2.0
"""The bus of this control process, as its settings say."""

import asyncio
from dataclasses import asdict

import msgspec

from portineria.bus import message
from portineria.bus.choice import control_end
from portineria.bus.interface import Bus, Receiver
from portineria.control.audit import news
from portineria.control.estate.nats import bus_ca, control_seed
from portineria.control.estate.relays import bus_folder
from portineria.control.settings.server import ServerSettings


def control_bus(settings: ServerSettings, receive: Receiver | None) -> Bus:
    """``receive`` None: it only publishes, which needs NATS. Raise BadSettings."""
    return control_end(settings.bus, bus_folder(), control_seed(), bus_ca(), receive, _show)


def share_news(bus: Bus) -> None:
    """Open pages of other control processes hear what is told here. Ends with ``news.detach``."""
    loop = asyncio.get_running_loop()

    def send(item: news.News) -> None:
        loop.call_soon_threadsafe(bus.tell, message.News(**asdict(item)))

    news.attach(send)


def _show(told: message.News) -> None:
    news.show(news.News(**msgspec.structs.asdict(told)))
