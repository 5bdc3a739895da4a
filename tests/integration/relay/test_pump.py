# SPDX-License-Identifier: Apache-2.0
"""The relay's pump on real sockets: nothing lost, nothing kept, every half-close passed on."""

import array
import asyncio
import contextlib
import fcntl
import hashlib
import os
import socket
import termios

import pytest
import uvloop

from portineria.dataplane.aio.outer import abort_socket
from portineria.dataplane.relay.pump import _TURNS, PipePool, SplicedPair

MB = 1 << 20


class Ends:
    """Connector socket ⇄ (pump) ⇄ gateway socket, over TCP on loopback."""

    def __init__(self, pipes: int, first: tuple[bytes, bytes] = (b"", b""), *, room: int = 0) -> None:
        """``room``: bytes that the pump's side can receive unread; the kernel's own choice without it."""
        self.pool = PipePool(pipes)
        self.connector, inner_a = _tcp_pair(room)
        self.gateway, inner_b = _tcp_pair()
        self.middle = (inner_a, inner_b)
        self.pair = SplicedPair(inner_a, inner_b, self.pool)
        self.task = asyncio.ensure_future(self._run(first))

    async def _run(self, first: tuple[bytes, bytes]) -> None:
        await self.pair.run(*first)
        for sock in self.middle:
            sock.close()

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        for sock in (self.connector, self.gateway, *self.middle):
            sock.close()


def _tcp_pair(room: int = 0) -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        if room:  # before the handshake, which fixes how far the window can open
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    near.setblocking(False)
    far.setblocking(False)
    return near, far


async def send_all(sock: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, data)
    sock.shutdown(socket.SHUT_WR)


async def receive_all(sock: socket.socket) -> bytes:
    parts = []
    while part := await asyncio.get_running_loop().sock_recv(sock, MB):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("pipes", [2, 0], ids=["spliced", "copied"])
async def test_both_directions_arrive_whole_and_end_by_half_closes(pipes: int) -> None:
    there, back = os.urandom(5 * MB + 17), os.urandom(3 * MB + 1)
    ends = Ends(pipes)
    async with asyncio.timeout(20):
        _, at_gateway = await asyncio.gather(send_all(ends.connector, there), receive_all(ends.gateway))
        assert not ends.task.done()  # the other direction is still open
        _, at_connector = await asyncio.gather(send_all(ends.gateway, back), receive_all(ends.connector))
        await ends.task
    assert hashlib.sha256(at_gateway).digest() == hashlib.sha256(there).digest()
    assert hashlib.sha256(at_connector).digest() == hashlib.sha256(back).digest()
    assert ends.pair.moved == (len(there), len(back))
    await ends.close()


async def test_what_came_behind_the_goodbye_goes_first() -> None:
    ends = Ends(2, first=(b"client hello", b"server hello"))
    async with asyncio.timeout(10):
        await asyncio.gather(send_all(ends.connector, b" and more"), send_all(ends.gateway, b" too"))
        got = await asyncio.gather(receive_all(ends.gateway), receive_all(ends.connector))
    assert list(got) == [b"client hello and more", b"server hello too"]
    await ends.close()


@pytest.mark.parametrize("pipes", [2, 0], ids=["spliced", "copied"])
async def test_a_reader_that_stops_stops_the_writer(pipes: int) -> None:
    ends = Ends(pipes)
    loop = asyncio.get_running_loop()
    writing = asyncio.ensure_future(loop.sock_sendall(ends.connector, bytes(200 * MB)))
    before = -1
    async with asyncio.timeout(30):
        while ends.pair.moved[0] != before:  # until nothing moves any more
            before = ends.pair.moved[0]
            await asyncio.sleep(0.1)
    assert not writing.done()
    assert ends.pair.moved[0] < 40 * MB  # only what the kernel's socket buffers hold
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await ends.close()


async def test_a_reset_on_one_side_ends_the_pair_and_frees_its_pipes() -> None:
    ends = Ends(2)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(ends.connector, b"half a sentence")
    assert await loop.sock_recv(ends.gateway, 100) == b"half a sentence"
    abort_socket(ends.gateway)
    async with asyncio.timeout(20):
        await ends.task
    assert ends.pool.take() is not None
    assert ends.pool.take() is not None
    assert ends.pool.take() is None  # two were allowed, none is lost, none was made twice
    await ends.close()


async def test_a_pipe_that_still_holds_bytes_is_never_used_again() -> None:
    ends = Ends(2)
    loop = asyncio.get_running_loop()
    writing = asyncio.ensure_future(loop.sock_sendall(ends.connector, bytes(50 * MB)))
    before = -1
    while ends.pair.moved[0] != before:
        before = ends.pair.moved[0]
        await asyncio.sleep(0.1)
    await ends.close()
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    for _ in range(2):
        pipe = ends.pool.take()
        assert pipe is not None
        with pytest.raises(BlockingIOError):
            os.read(pipe[0], 1)


@pytest.mark.parametrize("pipes", [2, 0], ids=["spliced", "copied"])
def test_data_and_a_reset_that_arrive_together_end_the_pair(pipes: int) -> None:
    """On the loop that relays run on, which may report such a socket once only."""
    uvloop.run(_data_and_reset_together(pipes))


async def _data_and_reset_together(pipes: int) -> None:
    ends = Ends(pipes, room=MB)
    await asyncio.sleep(0)
    with contextlib.suppress(BlockingIOError):
        while True:
            ends.connector.send(bytes(32768))
    abort_socket(ends.connector)
    assert _unread(ends.middle[0]) > _TURNS * 65536  # more than the pump takes in one go
    reading = asyncio.ensure_future(receive_all(ends.gateway))
    async with asyncio.timeout(20):
        await ends.task
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await ends.close()


def _unread(sock: socket.socket) -> int:
    """Bytes that wait to be read (FIONREAD, tcp(7))."""
    count = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, count)
    return count[0]
