# SPDX-License-Identifier: Apache-2.0
"""``inspect.*``: what inspection of Modbus costs a gateway, in CPU time per PDU, without sockets and TLS.

``python -m tests.bench.inspection`` measures it alone. A request and its answer are two PDUs, decoded, decided under a
profile of limits and rates, forwarded and framed for the leg; refusals are not among them.
"""

import asyncio
import json
import sys
import time

from portineria.dataplane.aio.stream_end import StreamEnd, read_buffer
from portineria.dataplane.gateway.functions import Functions
from portineria.dataplane.gateway.inspected import InspectedDevice
from portineria.dataplane.gateway.work import Work
from portineria.policy.function_profile import encode_profile, operate
from portineria.policy.profile_text import parse_clause
from portineria.protocols.modbus import INFO
from portineria.wire.stream import DATA_OVERHEAD, Ack, Data
from tests.bench.report import Found, figure

PAIRS, ROUNDS = 20_000, 5
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


def measure() -> Found:
    inspected, plain = asyncio.run(_measured())
    print(f"  CPU per Modbus PDU: {inspected} µs, without inspection {plain} µs", flush=True)
    figures = {
        "inspect.modbus.cpu": figure(inspected, "µs"),
        "inspect.modbus.plain": figure(plain, "µs"),
    }
    return Found(figures, {}, {"inspected_us": inspected, "plain_us": plain})


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure().raw) + "\n")
