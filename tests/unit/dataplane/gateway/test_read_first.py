# SPDX-License-Identifier: Apache-2.0
"""A write that waits for a read of our own is decided by what holds when it goes, and counted once."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from portineria.dataplane.aio.stream_end import StreamEnd
from portineria.dataplane.gateway.functions import Functions, Verdict
from portineria.dataplane.gateway.inspected import InspectedDevice
from portineria.dataplane.gateway.read_first import ReadFirst
from portineria.dataplane.gateway.work import Work
from portineria.policy.function_profile import OBSERVE, Clause, Denial, Profile, Rate, Route, Why, encode_profile
from portineria.protocols.modbus import INFO
from portineria.protocols.operation import Kind, Operation
from portineria.wire.stream import DATA_OVERHEAD, Data

WRITE = bytes.fromhex("0001 0000 0006 ff 06 0064 00ff")
OURS = bytes.fromhex("8001 0000 0006 ff 03 0064 0001")
ANSWER = bytes.fromhex("8001 0000 0005 ff 03 02 0078")
NO = bytes.fromhex("0001 0000 0003 ff 86 01")
ONE = encode_profile(Profile("one", (Clause((Kind.WRITE,), rate=Rate(1, 600)),)))
OTHER_ONE = encode_profile(Profile("other", (Clause((Kind.WRITE,), rate=Rate(1, 600)),)))


class Socket:
    """What the device would hear."""

    unsent = 0

    def __init__(self) -> None:
        self.heard = b""

    def write(self, pieces: list[memoryview]) -> None:
        self.heard += b"".join(map(bytes, pieces))

    def write_eof(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class Bench:
    def __init__(self, own: Collection[Route] = INFO.own) -> None:
        self.functions, self.socket, self.said = Functions(), Socket(), 0
        work = Work().of("svc")
        first = ReadFirst([("holding", 100, 119)], work=work, own=own)
        self.inspected = InspectedDevice(self.socket, INFO.begin(), self._decide, work=work, first=first)
        self.stream = StreamEnd(
            self.inspected, gateway_side=True, on_over=lambda how: None, on_leg_lost=lambda: None
        )  # fmt: skip
        self.inspected.begin(self.stream)

    def _decide(self, operations: tuple[Operation, ...], earlier: Verdict | None = None) -> Verdict:
        return self.functions.decide(operations, frozenset(INFO.own), earlier=earlier)

    def say(self, data: bytes) -> None:
        self.stream.handle([Data(self.said, memoryview(data))])
        self.said += len(data)

    def device_says(self, data: bytes) -> None:
        self.inspected.local_data(bytearray(DATA_OVERHEAD) + data, len(data))

    @property
    def to_client(self) -> bytes:
        return b"".join(bytes(content) for _, content in self.stream._out.from_offset(0))


@pytest.fixture
async def bench() -> Bench:
    made = Bench()
    made.functions.take([ONE])
    made.say(WRITE)
    assert made.socket.heard == OURS
    return made


async def test_an_order_that_became_narrower_meanwhile_is_what_counts(bench: Bench) -> None:
    bench.inspected.freeze(True)
    bench.functions.take([ONE, encode_profile(OBSERVE)])
    bench.device_says(ANSWER)
    assert (bench.socket.heard, bench.to_client) == (OURS, b"")
    bench.inspected.freeze(False)
    assert (bench.socket.heard, bench.to_client) == (OURS, NO)


async def test_its_rate_is_counted_once_by_each_profile_that_judges(bench: Bench) -> None:
    bench.functions.take([ONE, OTHER_ONE])
    bench.device_says(ANSWER)
    assert (bench.socket.heard, bench.to_client) == (OURS + WRITE, b"")
    bench.device_says(WRITE)
    bench.functions.take([OTHER_ONE])
    bench.say(WRITE)
    assert bench.to_client == WRITE + NO


def test_what_somebody_said_yes_to_keeps_it_and_what_nobody_was_asked_about_is_held() -> None:
    (write,) = INFO.begin().from_client(WRITE)
    hold = (("hold", Denial(write.operations[0], (Why.HOLD,))),)
    for earlier, held in ((Verdict((), (), hold), ()), (Verdict((), ()), hold)):
        first = ReadFirst(waits=(write, earlier), _ready=True)
        assert first.finish() is write
        assert first.judged(write, lambda operations, earlier=None: Verdict((), (), hold)).held == held


@pytest.mark.parametrize(
    ("own", "unit", "reads"),
    [(INFO.own, 255, True), (INFO.own, 7, False), ((("unit 7",),), 7, True), ((("unit 7",),), 255, False)],
)
async def test_only_the_device_that_its_owner_marked_is_read(own: Collection[Route], unit: int, reads: bool) -> None:
    bench = Bench(own)
    write = WRITE[:6] + bytes([unit]) + WRITE[7:]
    bench.say(write)
    assert bench.socket.heard == (OURS[:6] + bytes([unit]) + OURS[7:] if reads else write)
