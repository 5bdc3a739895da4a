# SPDX-License-Identifier: Apache-2.0
"""The connection to one device. Every single send asks for permission first (WIRE 17).

A plain non-blocking socket instead of a transport: a transport sends what it holds by itself, later, unasked.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Protocol

from portineria.dataplane.aio.outer import LEG_IDLE_S, abort_socket, keep_alive, reset_on_close
from portineria.dataplane.aio.stream_end import read_buffer
from portineria.dataplane.gateway.beginning import Beginning
from portineria.dataplane.gateway.pieces import Pieces
from portineria.wire.stream import DATA_OVERHEAD

# The kernel goes on sending what it holds while this process is frozen: 256 KiB (it doubles the figure) keep a device
# on a plant's network busy (1 Gbit/s x 2 ms) and bound what can leave that late.
SEND_BUFFER_BYTES = 128 << 10
_READS = 4  # of one device before the others have their turn
CLOSED_FROZEN = "frozen.closed"  # its tool was closed while something of it waited
_PIECES = 64  # of one sendmsg; the limit of the kernel is 1024


class DeviceFailed(Exception):
    """``code``: device.refused, device.silent or device.unreachable."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def connect_device(address: str, port: int, *, timeout_s: float, own: bool = False) -> socket.socket:
    """Raises DeviceFailed. ``own``: an address of this machine is meant (a demonstration)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        async with asyncio.timeout(timeout_s):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
        if not own and sock.getsockname()[0] == sock.getpeername()[0]:
            raise DeviceFailed("address.refused")  # an own address that appeared after it was looked at
        keep_alive(sock, LEG_IDLE_S)
        reset_on_close(sock)  # also when this process is killed: the kernel would deliver what it holds
    except ConnectionRefusedError:
        sock.close()
        raise DeviceFailed("device.refused") from None
    except TimeoutError:
        sock.close()
        raise DeviceFailed("device.silent") from None
    except OSError:
        sock.close()
        raise DeviceFailed("device.unreachable") from None
    except BaseException:
        sock.close()
        raise
    return sock


class Listener(Protocol):
    """Who hears the device: the end of a stream, or what stands before it."""

    def local_data(self, buffer: bytearray, count: int) -> None: ...
    def local_eof(self) -> None: ...
    def local_lost(self, reason: str) -> None: ...
    def local_took(self) -> None: ...


class DeviceSocket:
    """The ``Local`` of a stream. ``allowed`` is asked before each send and read, ``forbidden`` told of a no."""

    def __init__(self, sock: socket.socket, allowed: Callable[[], bool], forbidden: Callable[[], None]) -> None:
        self._sock, self._allowed, self._forbidden = sock, allowed, forbidden
        self._loop = asyncio.get_running_loop()
        self._stream: Listener | None = None
        self._waiting = Pieces()
        self._reading = self._writing = self._eof = self._closing = self._frozen = False
        self.closed = False
        self.beginning: Beginning | None = None  # set while the first bytes are wanted

    def begin(self, stream: Listener) -> None:
        self._stream = stream
        self.resume_reading()

    @property
    def unsent(self) -> int:
        return self._waiting.size

    # -- towards the device ------------------------------------------------------------------------------------

    def write(self, pieces: list[memoryview]) -> None:
        if self.closed:
            return
        if self.beginning is not None:
            self.beginning.to_device(pieces)
            self._kept()
        self._waiting.add(pieces)
        if not self._writing:
            self._send()

    def _kept(self) -> None:
        if self.beginning is not None and not self.beginning.missing:
            self.beginning = None

    def write_eof(self) -> None:
        if self._frozen and self._waiting.size and self._stream is not None:
            self._loop.call_soon(self._stream.local_lost, CLOSED_FROZEN)
            return
        self._eof = True
        if not self._writing:
            self._send()

    def _send(self) -> None:
        """As much as the kernel takes now, as long as it is permitted."""
        if self._frozen and self._waiting.size:
            self._stop_writing()
            return
        try:
            while first := self._waiting.first(_PIECES):
                if not self._permitted():
                    return
                self._waiting.drop(self._sock.sendmsg(first))
        except (BlockingIOError, InterruptedError):
            self._wait_writable()
            return
        except OSError:
            self._lost()
            return
        self._stop_writing()
        self._all_sent()

    def _all_sent(self) -> None:
        if self._eof and not self.closed and self._permitted():
            self._eof = False
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:
                self._lost()
        if self._closing:
            self._shut(lambda: close_gently(self._sock))

    def freeze(self, stands: bool) -> None:
        """Nothing more is sent; what is said waits here, as far as the stream's window goes."""
        self._frozen = stands
        if not stands and self._waiting.size and not self.closed:
            self._send()
            if self._stream is not None:
                self._stream.local_took()

    def _wait_writable(self) -> None:
        if not self._writing:
            self._writing = True
            self._loop.add_writer(self._sock.fileno(), self._writable)

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._sock.fileno())

    def _writable(self) -> None:
        self._send()
        if self._stream is not None:
            self._stream.local_took()

    def _permitted(self) -> bool:
        if self._allowed():
            return True
        self.abort()
        self._loop.call_soon(self._forbidden)
        return False

    # -- from the device ---------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._sock.fileno())

    def resume_reading(self) -> None:
        if not self._reading and not self.closed and self._stream is not None:
            self._reading = True
            self._loop.add_reader(self._sock.fileno(), self._readable)

    def _readable(self) -> None:
        """Read until there is nothing, in turns with everybody else.

        Not one read per call: when data and a reset arrive together, libuv reports both once and then stops watching.
        """
        for _ in range(_READS):
            if not self._reading or not self._read():
                return
        self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._reading:
            self._readable()

    def _read(self) -> bool:
        """Whether there may be more."""
        assert self._stream is not None  # noqa: S101 - reading begins with the stream
        if not self._permitted():
            return False
        try:
            buffer = read_buffer()
            count = self._sock.recv_into(memoryview(buffer)[DATA_OVERHEAD:])
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self._lost()
            return False
        if count:
            if self.beginning is not None:
                self.beginning.from_device(memoryview(buffer)[DATA_OVERHEAD : DATA_OVERHEAD + count])
                self._kept()
            self._stream.local_data(buffer, count)
        else:
            self.pause_reading()
            self._stream.local_eof()
        return bool(count)

    # -- ends --------------------------------------------------------------------------------------------------

    def _lost(self) -> None:
        self.abort()
        if self._stream is not None:
            self._stream.local_lost("device.reset")

    def close(self) -> None:
        """After what is written."""
        self._closing = True
        self.pause_reading()
        if not self._waiting.size and not self.closed:
            self._all_sent()

    def abort(self) -> None:
        """At once, with a reset: what this process or the kernel still holds never arrives."""
        self._shut(lambda: abort_socket(self._sock))

    def _shut(self, act: Callable[[], None]) -> None:
        if self.closed:
            return
        self.closed = True
        self.pause_reading()
        self._stop_writing()
        self._waiting.clear()
        with contextlib.suppress(OSError):
            act()


def close_gently(sock: socket.socket) -> None:
    """What was sent still arrives: undoes ``reset_on_close``."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes(8))
    sock.close()
