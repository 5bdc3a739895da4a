# SPDX-License-Identifier: Apache-2.0
"""One plant in the foreground. One JSON line on stdout says that all its devices listen; SIGTERM or SIGINT ends it."""

import argparse
import asyncio
import json
import logging
import signal
import sys
from ipaddress import IPv4Address
from pathlib import Path

from portineria.core.errors import Unavailable
from portineria.demo.plant.journal import Journal
from portineria.demo.plant.layout import places
from portineria.demo.plant.plant import Plant


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m portineria.demo.plant", description=__doc__)
    parser.add_argument("--name", default="Torino press line 3")
    parser.add_argument("--seed", type=int, help="another machine under the same name (default: from the name)")
    parser.add_argument("--address", default="192.168.10.10", type=IPv4Address, help="devices take the five after it")
    parser.add_argument("--high-ports", action="store_true", help="1502, 1102, 14840, 2222, 8081: no privilege needed")
    parser.add_argument("--state", type=Path, required=True, help="folder for the SSH host key and the shared files")
    parser.add_argument("--journal", type=Path, help="JSON lines of everything that reached a device")
    parser.add_argument("--password", default="press3", help="of the person operator on the maintenance PC")
    return parser.parse_args()


def _quieten_libraries() -> None:
    """They report every visitor's broken line as an error, and dump bytes: only what stops the plant is of interest."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    for name in ("pymodbus", "pymodbus.logging", "snap7", "asyncua", "asyncssh", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


async def _run(arguments: argparse.Namespace) -> None:
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    where = places(str(arguments.address), high_ports=arguments.high_ports)
    plant = Plant(
        arguments.name,
        where,
        state=arguments.state,
        journal=Journal(arguments.journal),
        password=arguments.password,
        seed=arguments.seed,
    )
    async with asyncio.TaskGroup() as tasks:
        living = tasks.create_task(_start_and_live(plant), name="plant")
        stopping = tasks.create_task(asked_to_stop.wait(), name="stop order")
        await asyncio.wait({living, stopping}, return_when=asyncio.FIRST_COMPLETED)
        living.cancel()
        stopping.cancel()
    await plant.stop()


async def _start_and_live(plant: Plant) -> None:
    await plant.start()
    print(json.dumps({"plant": plant.name, "services": plant.services()}), flush=True)
    await plant.live()


def main() -> int:
    arguments = _arguments()
    _quieten_libraries()
    status = 0
    try:
        asyncio.run(_run(arguments))
    except* Unavailable as failures:
        for failure in failures.exceptions:
            print(f"plant: {failure}", file=sys.stderr)
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
