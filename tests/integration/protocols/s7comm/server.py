# SPDX-License-Identifier: Apache-2.0
"""A stock python-snap7 server as a process of its own. Says its port; answers each line of stdin with its state."""

from __future__ import annotations

import json
import logging
import socket
import sys

from snap7.server import Server
from snap7.type import SrvArea

AREAS = {SrvArea.DB: 1, SrvArea.MK: 0, SrvArea.PA: 0, SrvArea.TM: 0}
SIZE = 256
READ, WRITTEN = 0x20000, 0x40000  # snap7 server, event codes


class Acts(logging.Handler):
    """What the server's own log says it was told to do."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if any(word in text for word in ("requested", "Set clock", "download", "Download")):
            self.seen.append(text)


def main() -> None:
    acts = Acts()
    logger = logging.getLogger("snap7.server")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(acts)
    memory = {area: bytearray(range(SIZE)) for area in AREAS}
    counts = {READ: 0, WRITTEN: 0}
    server = Server(log=False, max_clients=64)
    for area, number in AREAS.items():
        server.register_area(area, number, memory[area])

    def reached(event) -> None:
        if event.EvtCode in counts:
            counts[event.EvtCode] += 1

    server.set_events_callback(reached)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server.start_to("127.0.0.1", tcp_port=port)
    print(port, flush=True)
    for _ in sys.stdin:
        state = {"cpu": server.cpu_state.name, "reads": counts[READ], "writes": counts[WRITTEN], "acts": acts.seen}
        state["memory"] = {area.name: bytes(data).hex() for area, data in memory.items()}
        print(json.dumps(state), flush=True)
    server.stop()


if __name__ == "__main__":
    main()
