# SPDX-License-Identifier: Apache-2.0
"""One relay process: ``python -m portineria.dataplane.relay SETTINGS.toml``."""

import asyncio
import fcntl
import os
import signal
import sys
from pathlib import Path

import structlog

from portineria.dataplane.aio.task import Tasks
from portineria.dataplane.relay.door import Door
from portineria.dataplane.relay.relay import Relay
from portineria.dataplane.relay.settings import RelaySettings
from portineria.process import logging
from portineria.process.descriptors import raise_descriptor_limit
from portineria.process.loop import run
from portineria.process.settings import read_settings

log = structlog.get_logger()
TAKEN = os.EX_TEMPFAIL  # 75: this relay runs already; it outlived the server that started it


async def serve(settings: RelaySettings) -> None:
    """Until SIGTERM or SIGINT. SIGUSR1 logs what is in use."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    raise_descriptor_limit()
    relay, tasks = Relay(settings), Tasks()
    door = Door(relay)
    loop.add_signal_handler(signal.SIGUSR1, lambda: log.info("relay.figures", setups=door.setups, **relay.figures))
    for host, port in door.open():
        log.info("relay.listening", relay=settings.relay, host=host, port=port)
    tasks.spawn(relay.bus.run(), "bus")
    try:
        await stop.wait()
    finally:
        await door.close()
        await tasks.close()


def take(lock: Path) -> int | None:
    """Hold the lock as long as this process lives, with its number inside; None when another relay holds it."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.truncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def main(path: str) -> int:
    logging.set_up()
    settings = read_settings(RelaySettings, Path(path), prefix="PORTINERIA_RELAY_")
    if settings.lock is not None and take(settings.lock) is None:
        log.info("relay.taken", relay=settings.relay)
        return TAKEN
    run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
