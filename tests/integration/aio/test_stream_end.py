# SPDX-License-Identifier: Apache-2.0
"""Two ends of a stream over real legs: what a tool and a device experience of it."""

import asyncio
import hashlib
import os
import socket
from collections.abc import Iterator

import pytest

from portineria.dataplane.aio import stream_end as module
from portineria.dataplane.aio.stream_end import StreamEnd, read_buffer
from portineria.wire.stream import (
    DATA_BYTES,
    DATA_OVERHEAD,
    PING,
    WINDOW,
    Ack,
    End,
    Frame,
    FrameReader,
    Notice,
    Pong,
    Reset,
    data_head,
    encode_ack,
    encode_control,
    encode_eof,
)
from tests.integration.aio.ends import Appetite, Heard, Installation, channels, eventually, stop_reading, tcp_pair

pytestmark = pytest.mark.usefixtures("leaves_nothing_open")
Pair = tuple[socket.socket, socket.socket]


class OneEnd:
    def __init__(self, *, gateway_side: bool, hungry: bool = True) -> None:
        self.local = Appetite(hungry=hungry)
        self.over: list[str] = []
        self.lost = 0
        self.notices: list[Notice] = []
        self.stream = StreamEnd(
            self.local, gateway_side=gateway_side, on_over=self.over.append, on_leg_lost=self._lost,
            on_notice=self.notices.append,
        )  # fmt: skip

    def _lost(self) -> None:
        self.lost += 1

    def says(self, content: bytes) -> int:
        """The local socket says ``content`` as far as it is read; return how much that is."""
        at = 0
        while at < len(content) and self.local.reading:
            buffer = read_buffer()
            part = content[at : at + len(buffer) - DATA_OVERHEAD]
            buffer[DATA_OVERHEAD : DATA_OVERHEAD + len(part)] = part
            self.stream.local_data(buffer, len(part))
            at += len(part)
        return at

    def takes(self, count: int | None = None) -> None:
        self.local.take(count)
        self.stream.local_took()


class Path:
    """Tool ⇄ connector's end ⇄ leg ⇄ gateway's end ⇄ device."""

    def __init__(self, ours: Installation, *, tool_hungry: bool = True, device_hungry: bool = True) -> None:
        self._ours = ours
        self.tool = OneEnd(gateway_side=False, hungry=tool_hungry)
        self.device = OneEnd(gateway_side=True, hungry=device_hungry)

    async def leg(self, sockets: Pair) -> None:
        """A new leg under both ends."""
        connector, gateway = await channels(self._ours, *sockets)
        received = self.tool.stream.received, self.device.stream.received
        self.device.stream.attach(gateway, FrameReader(), received[0])
        self.tool.stream.attach(connector, FrameReader(), received[1])

    def end(self) -> None:
        for one in (self.tool, self.device):
            one.stream.end("cut")


@pytest.fixture
def sockets() -> Iterator[list[Pair]]:
    with tcp_pair() as first, tcp_pair() as second, tcp_pair() as third:
        yield [first, second, third]


async def carry(speaker: OneEnd, hearer: OneEnd, content: bytes) -> None:
    at = 0
    while at < len(content):
        at += speaker.says(content[at:])
        await eventually(lambda: speaker.local.reading or hearer.over, "room")
    await eventually(lambda: len(hearer.local.taken) >= len(content), "all of it")


async def test_an_echo_and_the_end_counts_it(ours: Installation, sockets: list[Pair]) -> None:
    path = Path(ours)
    await path.leg(sockets[0])
    question = os.urandom(3 * WINDOW + 17)
    await carry(path.tool, path.device, question)
    await carry(path.device, path.tool, bytes(path.device.local.taken))
    assert bytes(path.tool.local.taken) == question
    path.tool.stream.local_eof()
    path.device.stream.local_eof()
    await eventually(lambda: path.tool.over and path.device.over, "both ends are over")
    assert (path.tool.over, path.device.over) == (["finished"], ["finished"])
    assert path.tool.stream.bytes_each_way == path.device.stream.bytes_each_way == (len(question), len(question))
    assert path.tool.local.closed
    assert path.device.local.closed


async def test_a_half_close_leaves_the_other_direction_open(ours: Installation, sockets: list[Pair]) -> None:
    path = Path(ours)
    await path.leg(sockets[0])
    path.tool.says(b"the question")
    path.tool.stream.local_eof()
    await eventually(lambda: path.device.local.ended, "the device hears the end of the question")
    assert bytes(path.device.local.taken) == b"the question"
    answer = os.urandom(1 << 20)
    await carry(path.device, path.tool, answer)
    assert bytes(path.tool.local.taken) == answer
    assert not path.tool.over
    path.device.stream.local_eof()
    await eventually(lambda: path.tool.over == path.device.over == ["finished"], "a good end")


async def test_a_reader_that_stops_stops_the_writer_at_one_window(ours: Installation, sockets: list[Pair]) -> None:
    path = Path(ours, device_hungry=False)
    await path.leg(sockets[0])
    said, content = 0, bytes(DATA_BYTES)
    async with asyncio.timeout(10):
        while path.tool.local.reading or path.device.local.unsent < said:
            said += path.tool.says(content)
            await asyncio.sleep(0)
    for _ in range(50):  # more than twice as long as an acknowledgement may be held back
        said += path.tool.says(content)
        await asyncio.sleep(0.001)
    assert said <= WINDOW + module._SLACK
    assert not path.tool.local.reading
    path.device.takes()
    await eventually(lambda: path.tool.local.reading, "it goes on when the reader does")
    path.end()


async def test_a_slow_readers_leg_is_read_all_the_same(ours: Installation, sockets: list[Pair]) -> None:
    """A stopped device must not look like a dead leg."""
    path = Path(ours, device_hungry=False)
    connector, gateway = await channels(ours, *sockets[0])
    path.device.stream.attach(gateway, FrameReader(), 0)
    heard, reader = Heard(connector), FrameReader()
    for at in range(0, WINDOW, DATA_BYTES):
        connector.write(data_head(at, DATA_BYTES), bytes(DATA_BYTES))
    connector.write(PING)
    frames: list[Frame] = []

    def answered() -> bool:
        frames.extend(reader.receive(memoryview(bytes(heard.data))))
        heard.data.clear()
        return any(isinstance(frame, Pong) for frame in frames)

    await eventually(answered, "PONG")
    assert path.device.local.unsent == WINDOW
    path.end()


async def test_more_than_the_window_ends_the_stream(ours: Installation, sockets: list[Pair]) -> None:
    path = Path(ours, device_hungry=False)
    connector, gateway = await channels(ours, *sockets[0])
    path.device.stream.attach(gateway, FrameReader(), 0)
    for at in range(0, WINDOW + module._SLACK + DATA_BYTES, DATA_BYTES):
        connector.write(data_head(at, DATA_BYTES), bytes(DATA_BYTES))
    await eventually(lambda: path.device.over == ["protocol"], "refused")
    assert path.device.local.aborted


@pytest.mark.parametrize("slow", [False, True], ids=["quick device", "slow device"])
async def test_a_transfer_over_three_legs_arrives_once_with_its_checksum(
    ours: Installation, sockets: list[Pair], slow: bool
) -> None:
    path = Path(ours, device_hungry=not slow)
    content, at = os.urandom(10 << 20), 0
    for number in range(3):
        await path.leg(sockets[number])
        goal = at + len(content) // 3 if number < 2 else len(content)
        while at < goal and (not slow or path.tool.local.reading):
            at += path.tool.says(content[at : min(goal, at + DATA_BYTES)])
            await asyncio.sleep(0)  # the leg takes its turn
        if number < 2:  # a slow device: lost while the window is full of what it has not taken
            sockets[number][0].shutdown(socket.SHUT_RDWR)
            await eventually(lambda: path.tool.lost + path.device.lost == 2 * number + 2, "both miss the leg")  # noqa: B023
        path.device.takes(1 << 20)
    while len(path.device.local.taken) < len(content):
        at += path.tool.says(content[at : at + DATA_BYTES])
        path.device.takes()
        await asyncio.sleep(0)
        assert not path.tool.over
        assert not path.device.over
    assert hashlib.sha256(path.device.local.taken).digest() == hashlib.sha256(content).digest()
    path.end()


async def test_the_end_is_said_again_on_a_new_leg(ours: Installation, sockets: list[Pair]) -> None:
    path = Path(ours)
    path.tool.says(b"without any leg")
    path.tool.stream.local_eof()
    path.device.stream.local_eof()
    await path.leg(sockets[0])
    await eventually(lambda: path.tool.over == path.device.over == ["finished"], "a good end")
    assert bytes(path.device.local.taken) == b"without any leg"


async def test_a_gateway_does_not_finish_before_its_device_took_everything(
    ours: Installation, sockets: list[Pair]
) -> None:
    path = Path(ours, device_hungry=False)
    await path.leg(sockets[0])
    path.device.stream.local_eof()
    path.tool.says(b"slowly taken")
    path.tool.stream.local_eof()
    await eventually(lambda: path.device.local.ended, "the end is at the device")
    sockets[0][0].shutdown(socket.SHUT_RDWR)
    await eventually(lambda: path.device.lost and path.tool.lost, "both ends miss the leg")
    path.device.takes()  # nobody is there to hear it
    assert not path.device.over
    await path.leg(sockets[1])
    await eventually(lambda: path.tool.over == path.device.over == ["finished"], "a good end")


@pytest.mark.parametrize(("by_tool", "reason"), [(True, "tool.reset"), (False, "cut")])
async def test_a_reset_reaches_the_other_side_with_its_reason(
    ours: Installation, sockets: list[Pair], by_tool: bool, reason: str
) -> None:
    path = Path(ours)
    await path.leg(sockets[0])
    one, other = (path.tool, path.device) if by_tool else (path.device, path.tool)
    one.stream.end(reason)
    await eventually(lambda: other.over, "the other side hears it")
    assert one.over == other.over == [reason]
    assert one.local.aborted
    assert other.local.aborted


@pytest.mark.parametrize("claimed", ["finished", "cut", "expired"])
async def test_a_connector_cannot_have_its_reset_recorded_as_what_it_was_not(
    ours: Installation, sockets: list[Pair], claimed: str
) -> None:
    path = Path(ours)
    connector, gateway = await channels(ours, *sockets[0])
    path.device.stream.attach(gateway, FrameReader(), 0)
    connector.write(encode_control(Reset(claimed)))
    await eventually(lambda: path.device.over, "over")
    assert path.device.over == ["reset"]
    assert path.device.local.aborted


async def test_what_follows_a_reset_in_the_same_read_never_reaches_the_device(
    ours: Installation, sockets: list[Pair]
) -> None:
    path = Path(ours)
    connector, gateway = await channels(ours, *sockets[0])
    connector.write(encode_control(Reset("tool.reset")), data_head(0, 5) + b"write", encode_eof(5))
    await eventually(lambda: len(gateway._early) >= 3, "all three records are there")
    early, gateway._early = gateway._early, []
    path.device.stream.attach(gateway, FrameReader(), 0)
    assert gateway.on_data is not None
    gateway.on_data(early)
    assert path.device.over == ["tool.reset"]
    assert path.device.local.taken == b""


async def test_data_is_acknowledged_also_when_another_frame_follows_it(ours: Installation, sockets: list[Pair]) -> None:
    path = Path(ours)
    connector, gateway = await channels(ours, *sockets[0])
    path.device.stream.attach(gateway, FrameReader(), 0)
    heard, reader = Heard(connector), FrameReader()
    connector.write(data_head(0, 5) + b"write" + PING)
    frames: list[Frame] = []

    def acknowledged() -> bool:
        frames.extend(reader.receive(memoryview(bytes(heard.data))))
        heard.data.clear()
        return Ack(5) in frames

    await eventually(acknowledged, "ACK 5", within_s=30)
    path.end()


async def test_an_end_before_everything_arrived_is_truncated(ours: Installation, sockets: list[Pair]) -> None:
    path = Path(ours)
    connector, gateway = await channels(ours, *sockets[0])
    path.tool.stream.attach(connector, FrameReader(), 0)
    gateway.write(data_head(0, 4) + b"half", encode_control(End(0, 4)))
    await eventually(lambda: path.tool.over, "over")
    assert path.tool.over == ["truncated"]
    assert path.tool.local.aborted


@pytest.mark.parametrize("said", [encode_ack(1), encode_eof(1), data_head(1, 1) + b"x", b"\xff" * 5])
async def test_what_no_honest_end_says_ends_the_stream_at_both(
    ours: Installation, sockets: list[Pair], said: bytes
) -> None:
    path = Path(ours)
    connector, gateway = await channels(ours, *sockets[0])
    path.device.stream.attach(gateway, FrameReader(), 0)
    heard = Heard(connector)
    connector.write(said)
    await eventually(lambda: path.device.over == ["protocol"], "refused")
    await eventually(lambda: encode_control(Reset("protocol")) in bytes(heard.data), "and told")


async def test_a_notice_reaches_the_connectors_owner(ours: Installation, sockets: list[Pair]) -> None:
    path = Path(ours)
    await path.leg(sockets[0])
    path.device.stream.notify(Notice("expired", 600))
    await eventually(lambda: path.tool.notices == [Notice("expired", 600)], "the notice")
    path.end()


async def test_a_leg_that_fell_silent_is_given_up_though_tcp_holds(
    ours: Installation, sockets: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PING_S", 0.1)
    monkeypatch.setattr(module, "DEAD_S", 0.4)
    path = Path(ours)
    connector, gateway = await channels(ours, *sockets[0])
    stop_reading(gateway)
    path.tool.stream.attach(connector, FrameReader(), 0)
    await eventually(lambda: path.tool.lost == 1, "given up", within_s=30)
    assert not path.tool.over
    path.end()
    gateway.abort()


async def test_an_idle_leg_that_answers_is_kept(
    ours: Installation, sockets: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PING_S", 0.05)
    monkeypatch.setattr(module, "DEAD_S", 0.5)
    path = Path(ours)
    began = asyncio.get_running_loop().time()
    await path.leg(sockets[0])
    await eventually(lambda: asyncio.get_running_loop().time() > began + 1.2, "two dead times")
    assert path.tool.lost == path.device.lost == 0
    path.end()
