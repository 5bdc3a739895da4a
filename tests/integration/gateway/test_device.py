# SPDX-License-Identifier: Apache-2.0
"""The socket to a device asks for permission at every single send (WIRE 17), whatever timers are late."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from portineria.dataplane.aio.outer import reset_on_close
from portineria.dataplane.aio.stream_end import StreamEnd
from portineria.dataplane.gateway.device import DeviceFailed, DeviceSocket, connect_device
from tests.integration.process import eventually


@dataclass
class Bench:
    """A device's side in the test's hand."""

    device: DeviceSocket
    far: socket.socket
    switch: dict[str, bool]
    over: list[str] = field(default_factory=list)
    forbidden: list[bool] = field(default_factory=list)

    async def rest(self) -> tuple[int, str]:
        """Read what still comes; return how many bytes, and how it ended."""
        loop, count = asyncio.get_running_loop(), 0
        async with asyncio.timeout(10):
            try:
                while data := await loop.sock_recv(self.far, 1 << 16):
                    count += len(data)
            except ConnectionResetError:
                return count, "reset"
        return count, "eof"


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    near.setblocking(False)
    far.setblocking(False)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    reset_on_close(near)
    switch = {"on": True}
    forbidden: list[bool] = []
    over: list[str] = []
    device = DeviceSocket(near, lambda: switch["on"], lambda: forbidden.append(True))
    stream = StreamEnd(device, gateway_side=True, on_over=over.append, on_leg_lost=lambda: None)
    device.begin(stream)
    yield Bench(device, far, switch, over, forbidden)
    stream.end("cut")
    far.close()


async def test_an_address_of_this_very_machine_is_no_device_however_it_came_to_be_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as own:
        port = own.getsockname()[1]
        with pytest.raises(DeviceFailed) as caught:
            await connect_device("127.0.0.1", port, timeout_s=30)
        assert caught.value.code == "address.refused"
        meant = await connect_device("127.0.0.1", port, timeout_s=30, own=True)
        meant.close()


async def test_without_permission_not_even_the_first_byte_is_sent(bench: Bench) -> None:
    bench.switch["on"] = False
    bench.device.write([memoryview(b"too late")])
    assert await bench.rest() == (0, "reset")
    await eventually(lambda: bench.forbidden)


async def test_what_waits_for_the_device_is_not_sent_once_permission_ended(bench: Bench) -> None:
    bench.device.write([memoryview(bytes(1 << 16)) for _ in range(200)])
    assert bench.device.unsent > 1 << 20, "everything before the device is full"
    bench.switch["on"] = False
    waiting = bench.device.unsent
    count, ended = await bench.rest()  # the device begins to read: the socket becomes writable again
    assert ended == "reset"
    assert count <= (200 << 16) - waiting, "only what the kernel had already"
    assert bench.device.closed


async def test_the_end_of_the_tools_data_is_not_passed_on_without_permission(bench: Bench) -> None:
    bench.switch["on"] = False
    bench.device.write_eof()
    assert await bench.rest() == (0, "reset")


async def test_without_permission_nothing_more_is_read(bench: Bench) -> None:
    bench.switch["on"] = False
    bench.far.send(b"secret")
    await eventually(lambda: bench.device.closed)


async def test_many_small_writes_arrive_in_order_and_in_one_piece(bench: Bench) -> None:
    sent = bytearray()
    for number in range(20_000):
        piece = number.to_bytes(3, "big") * (1 if number % 100 else 3000)
        sent += piece
        bench.device.write([memoryview(piece)])
    bench.device.write_eof()
    loop, heard = asyncio.get_running_loop(), bytearray()
    async with asyncio.timeout(20):
        while data := await loop.sock_recv(bench.far, 1 << 16):
            heard += data
    assert heard == sent
    assert bench.device.unsent == 0


async def test_data_and_a_reset_that_come_together_are_both_noticed(bench: Bench) -> None:
    bench.far.send(b"last words")
    reset_on_close(bench.far)
    bench.far.close()
    await eventually(lambda: bench.over == ["device.reset"])
