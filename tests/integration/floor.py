# SPDX-License-Identifier: Apache-2.0
"""A plant's floor: a network namespace beside this one, with addresses of its own for devices.

A gateway never dials loopback or its own addresses, so devices need others. The namespace belongs to a thread and goes
with it; sockets made in that thread stay in it, wherever they are used.
"""

import asyncio
import contextlib
import ctypes
import os
import queue
import random
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from portineria.dataplane.aio.outer import abort_socket

_CLONE_NEWNET = 0x40000000
WHY_NOT = "needs root and iproute2: apt-get install iproute2; or unshare --user --map-root-user --net --mount make test"


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=10, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class Floor:
    """``address(n)`` is on the floor, ``gateway_address`` on this side of the cable."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="floor", daemon=True)
        self._cable = ""
        self._net = ""

    @property
    def gateway_address(self) -> str:
        return f"{self._net}.1"

    def address(self, number: int = 10) -> str:
        return f"{self._net}.{number}"

    @property
    def network(self) -> str:
        return f"{self._net}.0/24"

    def open(self) -> "Floor":
        self._thread.start()
        try:
            thread = self._do(self._unshare)
            for _ in range(20):  # somebody else on this machine may test at the same time
                number = random.randrange(512)
                self._net = f"198.{18 + number // 256}.{number % 256}"
                self._cable = f"flr{os.getpid() % 100000}x{number}"
                with contextlib.suppress(OSError):
                    _ip("link", "add", self._cable, "type", "veth", "peer", "name", "floor0", "netns", str(thread))
                    _ip("address", "add", f"{self._net}.1/24", "dev", self._cable)
                    break
            else:
                raise OSError("no free network for a floor")
            _ip("link", "set", self._cable, "up")
            self._do(self._furnish)
        except BaseException:
            self.close()
            raise
        return self

    def _unshare(self) -> int:
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "no network namespace of its own")
        return threading.get_native_id()

    def _furnish(self) -> None:
        for number in range(10, 20):
            _ip("address", "add", f"{self._net}.{number}/24", "dev", "floor0")
        _ip("link", "set", "floor0", "up")
        _ip("link", "set", "lo", "up")

    def listen(self, number: int = 10, port: int = 502, *, receive_buffer: int = 0) -> socket.socket:
        """A listening socket on the floor."""

        def make() -> socket.socket:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if receive_buffer:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            listener.bind((self.address(number), port))
            listener.listen(512)
            listener.setblocking(False)
            return listener

        made: socket.socket = self._do(make)
        return made

    def _do(self, job: Callable[[], Any]) -> Any:
        future: Future[Any] = Future()
        self._jobs.put((job, future))
        return future.result(10)

    def _run(self) -> None:
        while (entry := self._jobs.get()) is not None:
            job, future = entry
            try:
                future.set_result(job())
            except OSError as error:
                future.set_exception(error)

    def close(self) -> None:
        if self._cable:
            with contextlib.suppress(OSError):
                _ip("link", "delete", self._cable)
        self._jobs.put(None)
        self._thread.join(10)


def open_floor() -> Floor:
    """Skips the test where no namespace can be made."""
    if shutil.which("ip") is None:
        pytest.skip(WHY_NOT)
    try:
        return Floor().open()
    except OSError as error:
        pytest.skip(f"{WHY_NOT} ({error})")


class Device:
    """A listening device of the test's own: keeps what it hears, answers by ``answer``, or stops reading."""

    def __init__(self, floor: Floor, *, number: int = 10, port: int = 502, receive_buffer: int = 0) -> None:
        self.address, self.port = floor.address(number), port
        self._listener = floor.listen(number, port, receive_buffer=receive_buffer)
        self._accepting = asyncio.get_running_loop().create_task(self._accept())
        self.connections: list[DeviceConnection] = []
        self.answer: Callable[[bytes], bytes] = lambda data: data
        self.reading = True

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self._listener)
            self.connections.append(DeviceConnection(self, sock))

    def close(self) -> None:
        self._accepting.cancel()
        self._listener.close()
        for connection in self.connections:
            connection.close()


class DeviceConnection:
    """``heard`` grows while the device reads; ``ended`` is "eof" or "reset"."""

    def __init__(self, device: Device, sock: socket.socket) -> None:
        self._device, self.sock = device, sock
        self.heard = bytearray()
        self.ended = ""
        self._going = asyncio.Event()
        if device.reading:
            self._going.set()
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def read_on(self) -> None:
        self._going.set()

    def stop_reading(self) -> None:
        self._going.clear()

    async def say(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._going.wait()
                data = await loop.sock_recv(self.sock, 1 << 16)
                if not data:
                    self.ended = "eof"
                    self.sock.close()
                    return
                self.heard += data
                if answer := self._device.answer(data):
                    await loop.sock_sendall(self.sock, answer)
        except OSError:
            self.ended = "reset"
            self.sock.close()

    def close(self) -> None:
        self._task.cancel()
        self.sock.close()

    def reset(self) -> None:
        """As a device does that is switched off and on."""
        self._task.cancel()
        abort_socket(self.sock)
