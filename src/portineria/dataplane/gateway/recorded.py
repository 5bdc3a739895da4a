# SPDX-License-Identifier: Apache-2.0
"""Stands before one device and has everything recorded that passes: what is written to it, what it says."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from portineria.dataplane.gateway.device import CLOSED_FROZEN, DeviceSocket, Listener
from portineria.recording.capture import comment_of
from portineria.wire.stream import DATA_OVERHEAD

TO_DEVICE, FROM_DEVICE = 0, 1
COMMENTED = 64  # operations that one packet names; a bundle may have more


class Tap(Protocol):
    """One stream of a recording."""

    @property
    def blocked(self) -> bool:
        """Nothing may pass now: it could not be kept."""

    def open(self, device: "RecordedDevice") -> None: ...
    def data(self, direction: int, pieces: list[memoryview], comment: str = "") -> None: ...
    def half(self, direction: int) -> None: ...
    def operation(self, fields: Mapping[str, object]) -> int:
        """Its number; 0 when it was left out because the disk is behind."""


class RecordedDevice:
    """The ``Local`` of whoever stands above, the ``Listener`` of the device. Between both it adds nothing."""

    def __init__(self, device: DeviceSocket, tap: Tap) -> None:
        self._device, self._tap = device, tap
        self._above: Listener | None = None
        self._held: list[memoryview] = []  # bounded by the stream's window: what is held here is not acknowledged
        self._held_bytes = 0
        self._reads = True
        self._eof = self._closing = self._frozen = False
        self._operations: list[int] = []  # that the next bytes to the device ask for

    def begin(self, above: Listener) -> None:
        self._above = above
        self._tap.open(self)
        self._device.begin(self)

    def operation(self, fields: Mapping[str, object], passes: bool) -> int:
        """Its number. ``passes``: the next bytes to the device ask for it."""
        number = self._tap.operation(fields)
        if passes and number:
            self._operations.append(number)
        return number

    # -- towards the device ------------------------------------------------------------------------------------

    @property
    def unsent(self) -> int:
        return self._device.unsent + self._held_bytes

    def write(self, pieces: list[memoryview]) -> None:
        if self._held or self._tap.blocked or self._frozen:
            self._held += pieces
            self._held_bytes += sum(map(len, pieces))
            return
        comment = ", ".join(map(comment_of, self._operations[:COMMENTED]))
        self._operations.clear()
        self._tap.data(TO_DEVICE, pieces, comment)
        self._device.write(pieces)

    def write_eof(self) -> None:
        if self._held and self._frozen:
            asyncio.get_running_loop().call_soon(self.local_lost, CLOSED_FROZEN)
            return
        if self._held:
            self._eof = True
            return
        self._tap.half(TO_DEVICE)
        self._device.write_eof()

    def close(self) -> None:
        if self._held:
            self._closing = True
        else:
            self._device.close()

    def abort(self) -> None:
        self._held, self._held_bytes = [], 0
        self._device.abort()

    def freeze(self, stands: bool) -> None:
        self._frozen = stands
        if not stands and self._held:
            self.unblocked()

    def unblocked(self) -> None:
        """There is room again."""
        if self._device.closed or self._above is None:
            return
        held, self._held, self._held_bytes = self._held, [], 0
        for piece in held:  # one by one: what waited here is more than may wait for the disk
            self.write([piece])
        if self._eof and not self._held:
            self._eof = False
            self.write_eof()
        if self._closing and not self._held:
            self.close()
            return
        if self._reads and not self._tap.blocked:
            self._device.resume_reading()
        self._above.local_took()

    # -- from the device ---------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        self._reads = False
        self._device.pause_reading()

    def resume_reading(self) -> None:
        self._reads = True
        if not self._tap.blocked:
            self._device.resume_reading()

    def local_data(self, buffer: bytearray, count: int) -> None:
        assert self._above is not None  # noqa: S101 - the device speaks after begin
        self._tap.data(FROM_DEVICE, [memoryview(buffer)[DATA_OVERHEAD : DATA_OVERHEAD + count]])
        self._above.local_data(buffer, count)
        if self._tap.blocked:
            self._device.pause_reading()

    def local_eof(self) -> None:
        assert self._above is not None  # noqa: S101 - the device speaks after begin
        self._tap.half(FROM_DEVICE)
        self._above.local_eof()

    def local_lost(self, reason: str) -> None:
        if self._above is not None:
            self._above.local_lost(reason)

    def local_took(self) -> None:
        if self._above is not None:
            self._above.local_took()
