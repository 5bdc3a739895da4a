# SPDX-License-Identifier: Apache-2.0
"""``inspect.*``: what inspection of Modbus costs a gateway in CPU time per PDU, without sockets and TLS, and what it
leaves of a tool's requests over a whole path.

``python -m tests.bench.inspection`` measures the first alone. A request and its answer are two PDUs, decoded, decided
under a profile of limits and rates, forwarded and framed for the leg; refusals are not among them.
"""

import asyncio
import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator

from portineria.dataplane.aio.stream_end import StreamEnd, read_buffer
from portineria.dataplane.gateway.functions import Functions
from portineria.dataplane.gateway.inspected import InspectedDevice
from portineria.dataplane.gateway.work import Work
from portineria.demo.main_job import HeldSession
from portineria.policy.function_profile import encode_profile, operate
from portineria.policy.profile_text import parse_clause
from portineria.protocols.modbus import INFO
from portineria.wire.stream import DATA_OVERHEAD, Ack, Data
from tests.bench.load import connect, cpu_seconds
from tests.bench.ours import MACHINE, running
from tests.bench.peers import free_port
from tests.bench.report import Found, figure

PAIRS, ROUNDS = 20_000, 5
REQUESTS, FULL_REQUESTS = 2_000, 20_000
_INSPECTED = "Bench inspected"
_CLAUSE = "write on holding 100-119 between 0 and 500 at most 1000000 per 1 s"
_READ, _WRITE = bytes.fromhex("0000 0000 0006 ff 03 0064 000a"), bytes.fromhex("0000 0000 0006 ff 06 0068 00b4")
_ANSWER = bytes.fromhex("0000 0000 0017 ff 03 14") + bytes(20)


class NoDevice:
    """Takes everything at once."""

    unsent = 0

    def write(self, pieces: list[memoryview]) -> None: ...
    def write_eof(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class Wire:
    """One stream, requests one after the other; ``inspected`` or as bytes."""

    def __init__(self, *, inspected: bool) -> None:
        functions = Functions()
        functions.take([encode_profile(operate("setpoints", [parse_clause(_CLAUSE)]))])
        self.device = InspectedDevice(
            NoDevice(), INFO.begin(), lambda asked, earlier=None: functions.decide(asked, set(INFO.own)),
            work=Work().of("svc"),
        )  # fmt: skip
        local = self.device if inspected else NoDevice()
        self.stream = StreamEnd(local, gateway_side=True, on_over=lambda how: None, on_leg_lost=lambda: None)
        self.device.begin(self.stream)
        self._listener = self.device if inspected else self.stream
        self._said = self._heard = 0

    def pair(self, request: bytes, answer: bytes) -> None:
        self.stream.handle([Data(self._said, memoryview(request))])
        self._said += len(request)
        buffer = read_buffer()
        buffer[DATA_OVERHEAD : DATA_OVERHEAD + len(answer)] = answer
        self._listener.local_data(buffer, len(answer))
        self._heard += len(answer)
        self.stream.handle([Ack(self._heard)])


def _cpu_us(*, inspected: bool) -> float:
    """Of one PDU. Nine reads to a write, as a panel asks."""
    wire = Wire(inspected=inspected)
    begun = time.process_time()
    for number in range(PAIRS):
        asked, told = (_WRITE, _WRITE) if number % 10 == 0 else (_READ, _ANSWER)
        head = (number & 0xFFFF).to_bytes(2, "big")
        wire.pair(head + asked[2:], head + told[2:])
    spent = time.process_time() - begun
    wire.stream.end("cut")
    assert not inspected or wire.device.refused == 0
    return spent * 1e6 / (2 * PAIRS)


async def _measured() -> tuple[list[float], list[float]]:
    rounds = [(_cpu_us(inspected=True), _cpu_us(inspected=False)) for _ in range(ROUNDS)]
    return [with_it for with_it, _ in rounds], [without for _, without in rounds]


def cpu() -> Found:
    inspected, plain = asyncio.run(_measured())
    print(f"  CPU per Modbus PDU: {inspected} µs, without inspection {plain} µs", flush=True)
    figures = {
        "inspect.modbus.cpu": figure(inspected, "µs"),
        "inspect.modbus.plain": figure(plain, "µs"),
    }
    return Found(figures, {}, {"inspected_us": inspected, "plain_us": plain})


def measure(rounds: int, *, full: bool) -> Found:
    found = cpu()
    seen, unseen = paths(rounds, FULL_REQUESTS if full else REQUESTS)
    print(f"  requests a second and CPU of the gateway: {seen}, neither decoded nor recorded {unseen}", flush=True)
    rates = [[rate for rate, _ in each] for each in (seen, unseen)]
    added = [with_it - without for (_, with_it), (_, without) in zip(seen, unseen, strict=True)]
    found.figures["inspect.modbus.rate"] = figure(rates[0], "/s", ("neither decoded nor recorded", rates[1]))
    found.figures["inspect.modbus.cpu.recorded"] = figure(added, "µs")
    found.raw.update(seen=seen, unseen=unseen)
    return found


Measured = tuple[float, float]  # requests a second; CPU of the gateway for each PDU, µs


def paths(rounds: int, requests: int) -> tuple[list[Measured], list[Measured]]:
    """Of a tool that sends the next request after each answer: decoded and recorded, and neither."""
    port, seen, unseen = free_port(), list[Measured](), list[Measured]()
    with _device(port), running(port) as ours:
        ours.add_inspected(_INSPECTED, port)
        ours.ask(_INSPECTED, 240)
        for _ in range(rounds):
            for machine, found in ((MACHINE, unseen), (_INSPECTED, seen)):
                with HeldSession(machine, ours.env) as held:
                    [address] = held.doors.values()
                    before = cpu_seconds([ours.gateway_pid])
                    rate = _rate(address, requests)
                    found.append((rate, (cpu_seconds([ours.gateway_pid]) - before) * 1e6 / (2 * requests)))
    return seen, unseen


def _rate(address: tuple[str, int], requests: int) -> float:
    with connect(address) as connection:
        connection.sendall(_READ)  # its connection to the device is open behind the answer
        _receive(connection, len(_ANSWER))
        start = time.perf_counter()
        for number in range(requests):
            asked, told = (_WRITE, _WRITE) if number % 10 == 0 else (_READ, _ANSWER)
            connection.sendall((number & 0xFFFF).to_bytes(2, "big") + asked[2:])
            _receive(connection, len(told))
        return requests / (time.perf_counter() - start)


def _receive(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        if not (more := connection.recv(size - len(found))):
            raise ConnectionError("the path ended")
        found += more
    return found


@contextlib.contextmanager
def _device(port: int) -> Iterator[None]:
    """Answers each request with what was asked of it."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        serving = threading.Thread(target=_listen, args=(listener,))
        serving.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            serving.join()


def _listen(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            threading.Thread(target=_serve, args=(listener.accept()[0],), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, contextlib.suppress(ConnectionError):
        while True:
            asked = _receive(connection, len(_READ))
            connection.sendall(asked[:2] + (_WRITE if asked[7] == _WRITE[7] else _ANSWER)[2:])


if __name__ == "__main__":
    sys.stdout.write(json.dumps(cpu().raw) + "\n")
