# SPDX-License-Identifier: Apache-2.0
"""One gateway process: ``python -m portineria.dataplane.gateway STATE_DIRECTORY``."""

import asyncio
import resource
import sys
from pathlib import Path

import structlog

from portineria.core.errors import PortineriaError
from portineria.dataplane.gateway.figures import telling
from portineria.dataplane.gateway.gateway import Gateway
from portineria.dataplane.gateway.settings import GatewaySettings
from portineria.dataplane.gateway.state import State
from portineria.process import logging, metrics
from portineria.process.loop import run
from portineria.process.settings import read_settings
from portineria.process.stop import stop_signals

log = structlog.get_logger()


def load_settings(state: State) -> GatewaySettings:
    path = state.settings if state.settings.exists() else None
    return read_settings(GatewaySettings, path, prefix="PORTINERIA_GATEWAY_")


async def serve(settings: GatewaySettings, state: State) -> None:
    """Until SIGTERM, SIGINT or SIGHUP."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in stop_signals():
        loop.add_signal_handler(number, stop.set)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gateway = Gateway(settings, state)
    listener = metrics.listen(settings.metrics, telling(gateway), anywhere=False)
    running = asyncio.ensure_future(gateway.run())  # noqa: TID251 - awaited below, in any case
    stopping = asyncio.ensure_future(stop.wait())  # noqa: TID251
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if listener is not None:
            listener.close()
        stopping.cancel()
        if running.done():
            running.result()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def main(directory: str) -> int:
    """Raises PortineriaError for what keeps it from starting."""
    state = State(Path(directory))
    settings = load_settings(state)
    logging.set_up(level=settings.log_level, form=settings.log_form)
    state.lock()
    try:
        run(serve(settings, state))
    finally:
        state.unlock()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except PortineriaError as error:
        log.error("gateway.failed", code=error.code, why=str(error))
        sys.exit(1)
