# SPDX-License-Identifier: Apache-2.0
"""What stands between a stream and its device, over real sockets, with a protocol of one line a request."""

import asyncio
import socket
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from portineria.dataplane.aio.outer import reset_on_close
from portineria.dataplane.aio.stream_end import StreamEnd
from portineria.dataplane.gateway.device import DeviceSocket
from portineria.dataplane.gateway.functions import Functions, Verdict
from portineria.dataplane.gateway.inspected import InspectedDevice
from portineria.policy.function_profile import OBSERVE, TRIAL, Clause, Profile, encode_profile
from portineria.protocols.operation import Kind, Operation
from portineria.wire.stream import WINDOW, Data, Eof
from tests.integration.gateway.lines import Lines
from tests.integration.process import eventually


@dataclass
class Bench:
    """A stream without a leg: what it would send is kept, and can be looked at."""

    far: socket.socket
    switch: dict[str, bool] = field(default_factory=lambda: {"on": True})
    over: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    functions: Functions = field(default_factory=Functions)
    said = 0
    heard = b""

    def begin(self, near: socket.socket) -> None:
        device = DeviceSocket(near, lambda: self.switch["on"], lambda: None)
        self.lines = Lines()
        self.inspected = InspectedDevice(device, self.lines, self._decide)
        self.stream = StreamEnd(self.inspected, gateway_side=True, on_over=self.over.append, on_leg_lost=lambda: None)
        self.inspected.begin(self.stream)
        device.begin(self.inspected)

    def _decide(self, operations: tuple[Operation, ...], earlier: Verdict | None = None) -> Verdict:
        verdict = self.functions.decide(operations, earlier=earlier)
        self.verdicts.append(verdict)
        return verdict

    def hold(self, *profiles: Profile) -> None:
        self.functions.take([encode_profile(profile) for profile in profiles])

    def say(self, data: bytes) -> None:
        """As the technician's end does."""
        self.stream.handle([Data(self.said, memoryview(data))])
        self.said += len(data)

    def say_end(self) -> None:
        self.stream.handle([Eof(self.said)])

    @property
    def to_technician(self) -> bytes:
        return b"".join(bytes(content) for _, content in self.stream._out.from_offset(0))

    async def device_hears(self, expected: bytes) -> None:
        async with asyncio.timeout(10):
            while len(self.heard) < len(expected):
                self.heard += await asyncio.get_running_loop().sock_recv(self.far, 1 << 16)
        assert self.heard == expected

    async def device_says(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.far, data)

    async def rest(self) -> tuple[bytes, str]:
        """What the device still hears, and how it ends."""
        rest = b""
        async with asyncio.timeout(10):
            try:
                while data := await asyncio.get_running_loop().sock_recv(self.far, 1 << 16):
                    rest += data
            except ConnectionResetError:
                return rest, "reset"
        return rest, "eof"


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    near.setblocking(False)
    far.setblocking(False)
    reset_on_close(near)
    opened = Bench(far)
    opened.begin(near)
    opened.hold(OBSERVE)
    yield opened
    opened.stream.end("cut")
    far.close()


async def test_what_is_refused_is_answered_here_and_never_arrives(bench: Bench) -> None:
    bench.say(b"read a\nwrite a 1\nread b\nboth a 1\n")
    await bench.device_hears(b"read a\nread b\n")
    await bench.device_says(b"5\n6\n")
    await eventually(lambda: bench.to_technician == b"no\nno\n5\n6\n", "the answers")
    assert bench.inspected.refused == 2
    assert (bench.inspected.to_device, bench.inspected.from_device) == (14, 4)


async def test_however_the_bytes_are_split_the_outcome_is_the_same(bench: Bench) -> None:
    for byte in b"read a\nwrite a 1\nread b\n":
        bench.say(bytes([byte]))
    await bench.device_hears(b"read a\nread b\n")
    assert bench.to_technician == b"no\n"


async def test_a_refused_request_is_acknowledged_and_the_stream_finishes(bench: Bench) -> None:
    bench.say(b"write a 1\nwrite a 2\n")
    bench.say_end()
    assert await bench.rest() == (b"", "eof")
    assert bench.stream._in.take_ack(bench.stream._in.received - bench.inspected.unsent) == 21  # 20 bytes and the end


async def test_a_request_that_ends_half_way_is_not_sent(bench: Bench) -> None:
    bench.say(b"read a\nread b")
    bench.say_end()
    assert await bench.rest() == (b"read a\n", "eof")


async def test_bytes_that_cannot_be_decoded_end_the_stream_and_nothing_of_them_passes(bench: Bench) -> None:
    bench.say(b"read a\n")
    await bench.device_hears(b"read a\n")
    bench.say(b"read b\nformat c:\nread c\n")
    assert bench.over == ["protocol.undecodable"]
    assert await bench.rest() == (b"", "reset")


async def test_a_device_that_answers_garbage_ends_the_stream_too(bench: Bench) -> None:
    bench.say(b"read a\n")
    await bench.device_says(b"x" * 200)
    await eventually(lambda: bench.over == ["protocol.undecodable"], "the end")
    assert bench.to_technician == b""


async def test_on_trial_everything_passes_and_is_noted(bench: Bench) -> None:
    bench.hold(TRIAL)
    bench.say(b"write a 1\n")
    await bench.device_hears(b"write a 1\n")
    [verdict] = bench.verdicts
    assert not verdict.refused
    assert [name for name, _ in verdict.noted] == ["trial"]


async def test_of_two_profiles_both_have_to_admit(bench: Bench) -> None:
    bench.hold(OBSERVE, Profile("writes", (Clause((Kind.WRITE,)),)))
    bench.say(b"read a\nwrite a 1\n")
    assert bench.to_technician == b"no\nno\n"


async def test_another_profile_holds_at_once_for_what_runs(bench: Bench) -> None:
    bench.say(b"read a\n")
    bench.hold(Profile("nothing"))
    bench.say(b"read b\n")
    bench.hold()
    bench.say(b"write c 1\n")
    await bench.device_hears(b"read a\nwrite c 1\n")
    assert bench.to_technician == b"no\n"


async def test_when_permission_is_over_not_even_an_admitted_request_is_sent(bench: Bench) -> None:
    bench.switch["on"] = False
    bench.say(b"read a\n")
    assert await bench.rest() == (b"", "reset")


async def test_a_client_that_never_reads_its_refusals_is_not_made_more_of_them_than_fit(bench: Bench) -> None:
    """Each is ten times as long as what it answers; the technician's end acknowledges nothing."""
    bench.lines.no = b"x" * 99 + b"\n"
    most = b"write a 1\n" * (WINDOW // 10)
    for at in range(0, len(most), 200_000):
        bench.say(most[at : at + 200_000])
    assert WINDOW // 2 < len(bench.to_technician) <= WINDOW
    undecided = len(most) - 10 * bench.inspected.refused
    assert undecided - 10 < bench.inspected.unsent <= undecided  # the decoder may hold the beginning of one


async def test_single_bytes_that_wait_cost_little_more_than_their_number(bench: Bench) -> None:
    bench.inspected.pause_reading()
    tracemalloc.start()
    for _ in range(20_000):
        bench.inspected.write([memoryview(b"r")])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert bench.inspected.unsent == 20_000
    assert held < 100_000


async def test_what_waits_undecided_counts_as_not_taken_and_goes_on_later(bench: Bench) -> None:
    bench.inspected.pause_reading()  # as the stream does while nobody takes what it says
    bench.say(b"read a\nwrite a 1\n")
    bench.say_end()
    assert bench.inspected.unsent == 17
    assert bench.to_technician == b""
    bench.inspected.resume_reading()
    assert await bench.rest() == (b"read a\n", "eof")
    assert bench.to_technician == b"no\n"
    assert bench.inspected.unsent == 0
