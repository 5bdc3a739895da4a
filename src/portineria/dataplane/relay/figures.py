# SPDX-License-Identifier: Apache-2.0
"""What a relay tells of itself in numbers. Not which gateways and sessions: that it does not know either, by name."""

import asyncio
from functools import partial

from portineria.dataplane.relay.door import Door
from portineria.dataplane.relay.relay import Relay
from portineria.process.figures import Figure, Sample
from portineria.process.metrics import LoopStuck, Telling, of_loop

LINKS = Figure("portineria_relay_links", "Gateways that have a link here now.")
PAIRS = Figure("portineria_relay_pairs", "Pairs of legs that carry a session's connection now.")
WAITING = Figure("portineria_relay_legs_waiting", "Connectors' legs that wait for their gateway's.")
SPARES = Figure("portineria_relay_legs_spare", "Legs that gateways far away keep here for the next connector.")
SETUPS = Figure("portineria_relay_setups", "Connections that have not proved themselves yet.")
PIPES = Figure("portineria_relay_pipes", "Kernel pipes made for splicing, in use or kept.")
JOINED = Figure("portineria_relay_pairs_total", "Pairs of legs joined since the start.")
CARRIED = Figure("portineria_relay_carried_bytes_total", "Bytes carried since the start, by direction.", ("direction",))
BUS = Figure("portineria_relay_bus_connected", "1 while the control plane's bus hears this relay, else 0.")
FIGURES = (LINKS, PAIRS, WAITING, SPARES, SETUPS, PIPES, JOINED, CARRIED, BUS)


def telling(relay: Relay, door: Door) -> Telling:
    loop = asyncio.get_running_loop()
    return Telling(
        "relay", partial(of_loop, loop, partial(_samples, relay, door)), partial(_causes, loop, relay), loop
    )  # fmt: skip


def _causes(loop: asyncio.AbstractEventLoop, relay: Relay) -> list[str]:
    """Without the bus sessions go on, and nobody new comes in once the list of gateways is old."""
    try:
        return of_loop(loop, lambda: [] if relay.bus.connected else ["bus"])
    except LoopStuck:
        return ["loop"]


def _samples(relay: Relay, door: Door) -> list[Sample]:
    now, (to_gateways, to_connectors) = relay.figures, relay.carried.bytes
    return [
        LINKS.of(now["links"]), PAIRS.of(now["pairs"]), WAITING.of(now["waiting"]), SPARES.of(now["spares"]),
        PIPES.of(now["pipes"]), SETUPS.of(door.setups), JOINED.of(relay.carried.pairs),
        CARRIED.of(to_gateways, "to-gateway"), CARRIED.of(to_connectors, "to-connector"), BUS.of(relay.bus.connected),
    ]  # fmt: skip
