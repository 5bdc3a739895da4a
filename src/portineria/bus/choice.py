# SPDX-License-Identifier: Apache-2.0
"""Which bus a process uses: its settings say a path, or the address of a NATS server."""

from pathlib import Path

from portineria.bus.interface import Bus, BusEnd, Greeting, Hearer, Orders, Receiver
from portineria.bus.local import LocalBus, LocalBusEnd
from portineria.bus.nats_access import is_address, read_access
from portineria.bus.nats_bus import NatsBus
from portineria.bus.nats_end import NatsBusEnd
from portineria.process.settings import BadSettings


def relay_end(where: str, seed: Path | None, ca: Path | None, receive: Orders, greeting: Greeting) -> BusEnd:
    """Raise BadSettings."""
    if is_address(where):
        return NatsBusEnd(read_access(where, seed, ca), receive, greeting)
    return LocalBusEnd(Path(where), receive, greeting)


def control_end(
    where: str, folder: Path, seed: Path | None, ca: Path | None, receive: Receiver | None, hear: Hearer
) -> Bus:
    """``where`` empty: sockets in ``folder``. ``receive`` None: only publishes. Raise BadSettings."""
    if where:
        return NatsBus(read_access(where, seed, ca), receive, hear)
    if receive is None:
        raise BadSettings("several control processes need a NATS server between them: `bus` in portineria.toml")
    return LocalBus(folder, receive)
