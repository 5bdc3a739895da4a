# SPDX-License-Identifier: Apache-2.0
"""One relay process: ``python -m portineria.dataplane.relay SETTINGS.toml``."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import structlog

from portineria.core.errors import PortineriaError
from portineria.dataplane.aio.task import Tasks
from portineria.dataplane.relay.door import Door
from portineria.dataplane.relay.figures import telling
from portineria.dataplane.relay.relay import Relay
from portineria.dataplane.relay.settings import RelaySettings
from portineria.process import logging, metrics
from portineria.process.descriptors import raise_descriptor_limit
from portineria.process.lock import take
from portineria.process.loop import run
from portineria.process.memory import return_freed_blocks
from portineria.process.settings import read_settings
from portineria.process.stop import stop_signals

log = structlog.get_logger()
TAKEN = os.EX_TEMPFAIL  # 75: this relay runs already; it outlived the server that started it
_CROWD, _RETURN_S = 500, 30.0  # what 500 links or sessions held is 15 MB; less is not worth a pause
SAID = os.EX_UNAVAILABLE  # 69: it could not start, and its one line says why


async def return_memory(relay: Relay, *, every_s: float) -> None:
    """When a crowd has left: 15,904 links that ended left 500 MB behind, scattered, which nobody else could use."""
    most = 0
    while True:
        figures = relay.figures
        now = figures["links"] + figures["pairs"]
        most = max(most, now)
        if most - now >= _CROWD:
            return_freed_blocks()
            most = now
        await asyncio.sleep(every_s)


async def serve(settings: RelaySettings) -> None:
    """Until SIGTERM, SIGINT or SIGHUP. SIGUSR1 logs what is in use."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in stop_signals():
        loop.add_signal_handler(number, stop.set)
    raise_descriptor_limit()
    relay, tasks = Relay(settings), Tasks()
    door = Door(relay)
    loop.add_signal_handler(signal.SIGUSR1, lambda: log.info("relay.figures", setups=door.setups, **relay.figures))
    listener = metrics.listen(settings.metrics, telling(relay, door))
    for host, port in door.open():
        log.info("relay.listening", relay=settings.relay, host=host, port=port)
    tasks.spawn(relay.bus.run(), "bus")
    tasks.spawn(return_memory(relay, every_s=_RETURN_S), "memory")
    try:
        await stop.wait()
    finally:
        if listener is not None:
            listener.close()
        await door.close()
        await tasks.close()


def main(path: str) -> int:
    """Raises NoPort, BadSettings."""
    logging.set_up()
    settings = read_settings(RelaySettings, Path(path), prefix="PORTINERIA_RELAY_")
    logging.set_up(level=settings.log_level, form=settings.log_form)
    if settings.lock is not None and take(settings.lock) is None:
        log.info("relay.taken", relay=settings.relay)
        return TAKEN
    run(serve(settings))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except PortineriaError as error:  # `serve` tries again
        log.error("relay.failed", code=error.code, why=str(error))
        sys.exit(SAID)
