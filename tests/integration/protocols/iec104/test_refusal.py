# SPDX-License-Identifier: Apache-2.0
"""A stock client whose commands are refused gets its ordinary no and goes on; nothing of them reached the station."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from portineria.protocols.iec104 import INFO
from portineria.protocols.inspection import Request
from portineria.protocols.operation import Kind
from tests.integration.process import eventually
from tests.integration.protocols.controlled import Controlled
from tests.integration.protocols.pump import pumping
from tests.unit.protocols.iec104.conversation import START, STARTED
from tests.unit.protocols.iec104.test_numbering import Station

CLIENT = Path(__file__).with_name("client.py")
READS, EVERY = 600, 20  # of the stock client, which takes 10 ms for each
OPERATIONS = 10_000
LOOKING = {Kind.IDENTIFY, Kind.READ, Kind.SESSION, Kind.DIAGNOSTIC}
READ = bytes.fromhex("660105002f000b0000")
SINGLE = bytes.fromhex("2d0106002f0064000001")
VALUE = bytes.fromhex("0d0105002f000b00000000484100")
NEGATIVE = bytes.fromhex("2d0147002f0064000001")


def looks_only(request: Request) -> bool:
    return all(operation.kind in LOOKING for operation in request.operations)


def decides_in_10_ms(request: Request) -> bool:
    """As a line would: c104 misses a confirmation that comes before its own call to send has returned."""
    if not looks_only(request):
        time.sleep(0.01)
    return looks_only(request)


def stock_client(port: int, reads: int) -> dict[str, Any]:
    command = [sys.executable, str(CLIENT), str(port), str(reads), str(EVERY)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=90)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_a_refused_command_leaves_the_client_working(station: Controlled) -> None:
    async with pumping(INFO.begin, station.address, decides_in_10_ms) as pump:
        found = await asyncio.to_thread(stock_client, pump.port, READS)
        refused = READS // EVERY * 2
        assert (pump.connections, len(pump.refused), pump.undecodable) == (1, refused, [])
    assert found["commands"] == [False] * refused
    assert found["told"] == ["2d0147", "320147"] * (refused // 2)  # a negative confirmation of each
    assert (found["value"], found["interrogation"]) == (12.5, True)
    assert found["reads"] > READS * 9 // 10  # c104 now and then misses an answer, which is its own
    assert not any("CLOSED" in state for state in found["states"][1:])
    state = station.state()
    assert state["acts"] == []
    assert not {"45", "50"} & set(state["reached"])
    assert state["reached"]["102"] == READS


async def test_what_is_allowed_reaches_the_station(station: Controlled) -> None:
    """The proofs above are none if the station would not show what it was told."""
    async with pumping(INFO.begin, station.address, lambda _: True) as pump:
        await asyncio.to_thread(stock_client, pump.port, EVERY)  # it misses an answer now and then, also without us
        assert pump.undecodable == []
    assert station.state()["acts"] == ["command 100", "command 105"]


class Client:
    """A strict one, which breaks off at a number that it did not expect, with six requests on their way at once."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.station, self.rest = Station(), b""
        self.socket.sendall(START)
        assert self.frame() == STARTED

    def frame(self) -> bytes:
        while len(self.rest) < 2 or len(self.rest) < 2 + self.rest[1]:
            data = self.socket.recv(65536)
            assert data, "the connection was ended"
            self.rest += data
        size = 2 + self.rest[1]
        found, self.rest = self.rest[:size], self.rest[size:]
        return found

    def converse(self, asdus: list[bytes]) -> Counter[bytes]:
        """Return what came for them: this station confirms each read, and sends its value."""
        self.socket.sendall(b"".join(self.station.send(asdu) for asdu in asdus))
        self.station.got.clear()
        wanted = Counter(NEGATIVE if asdu == SINGLE else VALUE for asdu in asdus)
        while wanted - (came := Counter(self.station.got)):
            if due := self.station.receive(self.frame()):
                self.socket.sendall(due)
        return came


def work(port: int) -> tuple[int, int]:
    """Return how many values and how many refusals came."""
    client, came = Client(port), Counter[bytes]()
    while came[VALUE] < OPERATIONS:
        came += client.converse([READ, SINGLE, READ, READ, SINGLE, READ])
    client.socket.close()
    return came[VALUE], came[NEGATIVE]


async def test_ten_thousand_reads_with_refusals_between_them(station: Controlled) -> None:
    """Both ends strict about numbers: the real station closes as well where one is wrong."""
    async with pumping(INFO.begin, station.address, looks_only) as pump:
        reads, refusals = await asyncio.to_thread(work, pump.port)
        assert (pump.connections, pump.undecodable) == (1, [])
        assert refusals == len(pump.refused) > OPERATIONS // 3
    assert reads >= OPERATIONS
    # Its callbacks come from another thread, behind the answers.
    await eventually(lambda: station.state()["reached"] == {"102": reads}, "all reads in the station's own count")
    assert station.state()["acts"] == []
