# SPDX-License-Identifier: Apache-2.0
"""What goes on around registers all the time, in one of several processes: sealing, witnesses, time stamps, sinks,
tickets, what people are told, the deletion of recordings whose time is over, and memberships that nobody uses.
"""

import asyncio

from portineria.control import readiness
from portineria.control.closing import keep_closing
from portineria.control.delivering import Delivering
from portineria.control.expiring import keep_deleting
from portineria.control.notifying import Notifying
from portineria.control.sealer import Sealer
from portineria.control.settings.server import ServerSettings
from portineria.control.stamping import keep_stamped
from portineria.control.ticketing import Ticketing
from portineria.control.witnessing import keep_witnessed


def care_for_registers(settings: ServerSettings) -> list[asyncio.Task[None]]:
    """Tasks that end when they are cancelled, or with BadSettings."""
    loop, sealer = asyncio.get_running_loop(), Sealer()
    readiness.attach("sealer", lambda: sealer.working)
    return [
        loop.create_task(sealer.run(), name="sealer"),
        loop.create_task(keep_witnessed(settings), name="witnesses"),
        loop.create_task(keep_stamped(settings), name="time stamps"),
        loop.create_task(Delivering(settings.host).run(), name="sinks"),
        loop.create_task(Ticketing(settings.public_url).run(), name="tickets"),
        loop.create_task(Notifying(settings).run(), name="notifications"),
        loop.create_task(keep_deleting(), name="retention"),
        loop.create_task(keep_closing(), name="unused accounts"),
    ]
