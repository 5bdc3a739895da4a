# SPDX-License-Identifier: Apache-2.0
"""The tool's socket and the stream behind it, with real sockets on both sides."""

import asyncio
import hashlib
import os
import random
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from portineria.dataplane.aio.task import until
from portineria.dataplane.connector.tool_side import ToolSide
from portineria.wire.stream import WINDOW
from tests.integration.connector.wire_pair import WirePair, connected_sockets, read_all, read_exactly, wire_pair

MEBIBYTE = 1 << 20


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[WirePair]:
    async with wire_pair(tmp_path) as made:
        yield made


async def send(sock: socket.socket, data: bytes, *, end: bool = True) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, data)
    if end:
        sock.shutdown(socket.SHUT_WR)


async def test_both_directions_arrive_whole_and_the_stream_finishes(pair: WirePair) -> None:
    there, back = os.urandom(9 * MEBIBYTE), os.urandom(7 * MEBIBYTE)
    async with asyncio.timeout(30):
        at_device, at_tool, *_ = await asyncio.gather(
            read_all(pair.device), read_all(pair.tool), send(pair.tool, there), send(pair.device, back)
        )
        assert (await pair.connector.over, await pair.gateway.over) == ("finished", "finished")
    assert hashlib.sha256(at_device).digest() == hashlib.sha256(there).digest()
    assert hashlib.sha256(at_tool).digest() == hashlib.sha256(back).digest()
    assert pair.gateway.stream.bytes_each_way == (len(there), len(back))
    assert pair.connector.stream.bytes_each_way == (len(there), len(back))


async def test_one_question_and_one_answer_end_without_waiting_for_more(pair: WirePair) -> None:
    """The last byte of each side is smaller than every mark: it must be acknowledged all the same."""
    async with asyncio.timeout(30):
        await send(pair.tool, b"?")
        assert await read_all(pair.device) == b"?"
        await send(pair.device, b"!")
        assert await read_all(pair.tool) == b"!"
        assert await pair.connector.over == "finished"


async def test_an_end_without_a_byte_is_passed_on_and_the_answer_still_comes(pair: WirePair) -> None:
    async with asyncio.timeout(30):
        pair.tool.shutdown(socket.SHUT_WR)
        assert await read_all(pair.device) == b""
        await send(pair.device, b"banner")
        assert await read_all(pair.tool) == b"banner"


async def test_a_tool_that_does_not_read_stops_the_device_and_costs_no_more_than_the_window(pair: WirePair) -> None:
    data = os.urandom(40 * MEBIBYTE)
    sending = asyncio.ensure_future(send(pair.device, data))
    received = -1

    def stands_still() -> bool:
        nonlocal received
        before, received = received, pair.connector.stream.received
        return before == received > 0

    assert await until(stands_still, timeout_s=20, step_s=0.3)
    assert not sending.done()
    assert pair.connector.local.unsent <= WINDOW + MEBIBYTE
    async with asyncio.timeout(30):
        got = await read_all(pair.tool, 1 << 18)
        await sending
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()


async def test_a_last_rest_that_the_tool_reads_late_still_finishes_the_stream(pair: WirePair) -> None:
    """It waits below every mark that would call us: only the last byte's own report ends the stream."""
    piece, sent = bytes(1 << 14), 0

    def all_came() -> bool:
        return pair.connector.stream.received == sent

    async with asyncio.timeout(20):
        while not pair.connector.local.unsent:
            sent += len(piece)
            await send(pair.device, piece, end=False)
            assert await until(all_came, timeout_s=30, step_s=0.001)
        pair.device.shutdown(socket.SHUT_WR)
        pair.tool.shutdown(socket.SHUT_WR)
        assert len(await read_all(pair.device)) == 0
        await until(lambda: pair.connector.over.done(), timeout_s=0.3)
        assert 0 < pair.connector.local.unsent < 1 << 17
        assert len(await read_all(pair.tool)) == sent
        assert await pair.connector.over == "finished"


async def test_a_tool_that_resets_resets_the_device(pair: WirePair) -> None:
    await send(pair.tool, b"begin", end=False)
    assert await read_exactly(pair.device, 5) == b"begin"
    pair.tool.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    pair.tool.close()
    async with asyncio.timeout(30):
        with pytest.raises(ConnectionResetError):
            await read_all(pair.device)
        assert await pair.connector.over == "tool.reset"
        assert await pair.gateway.over == "tool.reset"


async def test_a_cut_drops_what_the_tool_has_not_read(pair: WirePair) -> None:
    sending = asyncio.ensure_future(send(pair.device, bytes(30 * MEBIBYTE)))
    assert await until(lambda: pair.connector.local.unsent > MEBIBYTE, timeout_s=10)
    pair.gateway.stream.end("cut")
    async with asyncio.timeout(30):
        assert await pair.connector.over == "cut"
        with pytest.raises(ConnectionResetError):
            await read_all(pair.tool)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def replaced_after(pair: WirePair, count: int) -> None:
    """Lose the leg once ``count`` more bytes have come, wait until both ends know, give them another."""
    goal, losses = pair.gateway.stream.received + count, pair.gateway.lost + 1
    assert await until(lambda: pair.gateway.stream.received >= goal, timeout_s=20, step_s=0.001)
    pair.lose_leg()
    assert await until(lambda: pair.connector.lost == pair.gateway.lost == losses, timeout_s=30)
    await pair.new_leg()


async def test_legs_lost_again_and_again_lose_and_repeat_no_byte(pair: WirePair) -> None:
    there, back = os.urandom(48 * MEBIBYTE), os.urandom(48 * MEBIBYTE)
    moving = asyncio.gather(read_all(pair.device), read_all(pair.tool), send(pair.tool, there), send(pair.device, back))
    chance = random.Random(7)
    async with asyncio.timeout(60):
        for _ in range(6):
            await replaced_after(pair, chance.randrange(MEBIBYTE, 2 * MEBIBYTE))
        at_device, at_tool, *_ = await moving
        assert await pair.connector.over == "finished"
    assert hashlib.sha256(at_device).digest() == hashlib.sha256(there).digest()
    assert hashlib.sha256(at_tool).digest() == hashlib.sha256(back).digest()


async def test_what_the_tool_says_before_the_answer_is_kept_and_its_leaving_is_noticed() -> None:
    left: list[bool] = []
    tool, accepted = await connected_sockets()
    side = ToolSide(accepted, lambda: left.append(True))
    await side.start()
    tool.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    tool.close()
    assert await until(lambda: bool(left), timeout_s=30)
    assert side.gone
