# SPDX-License-Identifier: Apache-2.0
"""Joins one client of the plant's own network with one device: what an emergency carries, and no more."""

from collections.abc import Callable

from portineria.dataplane.aio.stream_end import Local
from portineria.dataplane.gateway.device import DeviceSocket
from portineria.wire.stream import DATA_OVERHEAD

_UNSENT = 1 << 20  # bytes that one side has not taken before the other is read no further


class _Half:
    """Hears one side and tells the other."""

    def __init__(self, join: "Join", here: Local, there: Local) -> None:
        self._join, self._here, self._there = join, here, there
        self.carried = 0
        self.ended = False

    def local_data(self, buffer: bytearray, count: int) -> None:
        self.carried += count
        self._there.write([memoryview(bytes(memoryview(buffer)[DATA_OVERHEAD : DATA_OVERHEAD + count]))])
        if self._there.unsent > _UNSENT:
            self._here.pause_reading()

    def local_eof(self) -> None:
        self.ended = True
        self._there.write_eof()
        self._join.look()

    def local_lost(self, reason: str) -> None:
        self._join.end("tool.reset" if reason == "device.reset" and self._join.is_client(self) else reason)

    def local_took(self) -> None:
        """This side takes bytes again: the other may be read on."""
        if self._here.unsent <= _UNSENT // 2:
            self._there.resume_reading()


class Join:
    """``end`` once, or by itself: then ``over`` is told how."""

    def __init__(self, client: DeviceSocket, device: Local, over: Callable[[str], None]) -> None:
        self._client_socket, self._device_local, self._over = client, device, over
        self.client = _Half(self, client, device)
        self.device = _Half(self, device, client)
        self._ended = False

    def is_client(self, half: _Half) -> bool:
        return half is self.client

    def look(self) -> None:
        if self.client.ended and self.device.ended:
            self.end("finished")

    def end(self, how: str) -> None:
        """Whatever ends it but both sides themselves resets both: nothing that still waits arrives."""
        if self._ended:
            return
        self._ended = True
        for side in (self._device_local, self._client_socket):
            side.close() if how == "finished" else side.abort()
        self._over(how)
