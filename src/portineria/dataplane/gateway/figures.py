# SPDX-License-Identifier: Apache-2.0
"""What a gateway tells of itself in numbers: the same as ``status.json``, without a name or an address."""

import asyncio
from functools import partial

from portineria.dataplane.gateway.gateway import Gateway
from portineria.dataplane.gateway.status import SessionStatus, Status
from portineria.process.figures import Figure, Sample
from portineria.process.metrics import LoopStuck, Telling, of_loop

ADMITTED = Figure("portineria_gateway_admitted", "1 once the console admitted this gateway, else 0.")
LINKS = Figure("portineria_gateway_links", "Relays that this gateway is connected to.")
OPENED = Figure("portineria_gateway_links_opened", "Of those, over a path whose outer TLS a proxy opens.")
SESSIONS = Figure("portineria_gateway_sessions", "Sessions by state: open, draining, waiting-for-lease.", ("state",))
STREAMS = Figure("portineria_gateway_streams", "Connections to devices that sessions have open.")
EVENTS = Figure("portineria_gateway_events_waiting", "Signed events that the control plane did not acknowledge yet.")
EVENT_BYTES = Figure("portineria_gateway_events_waiting_bytes", "Their size on the disk.")
FULL = Figure(
    "portineria_gateway_spool_full", "1 while there is no room for events, and nothing new is let in; else 0."
)
CLOCK = Figure("portineria_gateway_time_known", "1 once the control plane signed the time for this gateway, else 0.")
CERTIFICATE = Figure("portineria_gateway_certificate_expiry_timestamp_seconds", "When its certificate ends; Unix time.")
CONFIRMED = Figure(
    "portineria_gateway_register_confirmed_timestamp_seconds",
    "When the control plane last showed a register that fits the one kept here; Unix time, 0: not since the start.",
)
CONTRADICTED = Figure(
    "portineria_gateway_register_contradictions", "Registers shown that do not fit, and that nobody accepted: an alarm."
)
REACH = Figure("portineria_gateway_reach_fault", "1 while the local reach list cannot be read, and nothing is dialled.")
FIGURES = (
    ADMITTED, LINKS, OPENED, SESSIONS, STREAMS, EVENTS, EVENT_BYTES, FULL, CLOCK, CERTIFICATE, CONFIRMED, CONTRADICTED,
    REACH,
)  # fmt: skip
_STATES = ("open", "draining", "waiting-for-lease")


def telling(gateway: Gateway) -> Telling:
    loop = asyncio.get_running_loop()
    return Telling(
        "gateway", lambda: _samples(of_loop(loop, gateway.status)), partial(_causes, loop, gateway), loop
    )  # fmt: skip


def _causes(loop: asyncio.AbstractEventLoop, gateway: Gateway) -> list[str]:
    try:
        status = of_loop(loop, gateway.status)
    except LoopStuck:
        return ["loop"]
    found = {
        "admission": status.admission != "admitted",
        "link": not status.links,
        "time": not status.time,
        "disk": status.full,
        "reach": bool(status.reach_fault),
    }
    return [cause for cause, wrong in found.items() if wrong]


def _samples(status: Status) -> list[Sample]:
    return [
        ADMITTED.of(status.admission == "admitted"),
        LINKS.of(len(status.links)),
        OPENED.of(sum(link.opened_by is not None for link in status.links)),
        *_sessions(status.sessions),
        EVENTS.of(status.events_waiting),
        EVENT_BYTES.of(status.events_bytes),
        FULL.of(status.full),
        CLOCK.of(status.time > 0),
        CERTIFICATE.of(status.certificate_ends_ms / 1000),
        CONFIRMED.of(status.register.confirmed_ms / 1000),
        CONTRADICTED.of(len(status.register.contradicted)),
        REACH.of(bool(status.reach_fault)),
    ]


def _sessions(sessions: list[SessionStatus]) -> list[Sample]:
    by_state = [SESSIONS.of(sum(each.state == state for each in sessions), state) for state in _STATES]
    return [*by_state, STREAMS.of(sum(each.streams for each in sessions))]
