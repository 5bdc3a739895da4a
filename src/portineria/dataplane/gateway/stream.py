# SPDX-License-Identifier: Apache-2.0
"""One stream of a session: the device's connection, the end that carries it, and how long it waits for a new leg."""

import asyncio
import socket
from collections.abc import Callable

from portineria.core.errors import ProtocolError
from portineria.dataplane.aio.stream_end import Local, StreamEnd
from portineria.dataplane.gateway.beginning import Beginning
from portineria.dataplane.gateway.clock import boot_s
from portineria.dataplane.gateway.device import DeviceSocket
from portineria.dataplane.gateway.glances import Glances, StreamGlances
from portineria.dataplane.gateway.inspected import InspectedDevice
from portineria.dataplane.gateway.opening import Opening
from portineria.dataplane.gateway.permit import NEVER
from portineria.dataplane.gateway.recorded import RecordedDevice, Tap
from portineria.wire.statement import Asset
from portineria.wire.stream import Notice, Open, encode_control


class GatewayStream:
    """``session_stops_at`` is asked before every send; ``overdue`` is told when it had passed. ``inspect`` puts what
    decides operations before the device; without it bytes pass as they come. What passes is recorded by ``tap``.
    """

    def __init__(
        self, stream: str, asset: Asset, sock: socket.socket, *, hold_s: float, session_stops_at: Callable[[], float],
        overdue: Callable[[], None], over: Callable[["GatewayStream", str], None],
        glances: Glances, inspect: Callable[[Local], InspectedDevice] | None = None, tap: Tap | None = None,
    ) -> None:  # fmt: skip
        self.stream, self.asset = stream, asset
        self._hold_s, self._session_stops_at = hold_s, session_stops_at
        self.stops_at = NEVER  # of this stream alone: its service is no longer in the order
        self._device = DeviceSocket(sock, self._allowed, overdue)
        self.recorded = RecordedDevice(self._device, tap) if tap is not None else None
        self.inspected = inspect(self.recorded or self._device) if inspect is not None else None
        self._end = StreamEnd(
            self.inspected or self.recorded or self._device, gateway_side=True,
            on_over=lambda how: self._over(over, how), on_leg_lost=self._leg_lost,
        )  # fmt: skip
        self.beginning = Beginning() if self.inspected is None else None
        self._device.beginning = self.beginning
        if self.inspected is not None:
            self.inspected.begin(self._end)
        self._glances = self._seen_by(glances)
        self._hold: asyncio.TimerHandle | None = None
        self._lost_at = 0.0
        self._discarded = False

    def _allowed(self) -> bool:
        return boot_s() < min(self.stops_at, self._session_stops_at())

    def _seen_by(self, glances: Glances) -> StreamGlances | None:
        if self.inspected is None:
            return None
        return glances.of(self.asset.service, self.inspected, self.recorded.operation if self.recorded else None)

    def _over(self, over: Callable[["GatewayStream", str], None], how: str) -> None:
        self._stop_holding()
        if self._glances is not None:
            self._glances.over()
        if not self._discarded:
            over(self, how)

    def start(self, opening: Opening) -> None:
        (self.recorded or self._device).begin(self.inspected or self._end)
        self._take_leg(opening, resume_from=0, peer_received=0)

    def resume(self, opening: Opening, peer_received: int) -> int:
        """Go on over a new leg; return for how many milliseconds there was none."""
        after_ms = 0 if self._hold is None else round((boot_s() - self._lost_at) * 1000)
        self._stop_holding()
        self._take_leg(opening, resume_from=self._end.received, peer_received=peer_received)
        return after_ms

    def _take_leg(self, opening: Opening, *, resume_from: int, peer_received: int) -> None:
        if opening.gone:
            self._lost_at = boot_s()
            self._leg_lost()
            return
        try:
            opening.channel.write(encode_control(Open(resume_from)))
            self._end.attach(opening.channel, opening.reader, peer_received)
            self._end.handle(opening.frames)
        except ProtocolError:
            opening.channel.abort()
            self._end.end("protocol")

    def _leg_lost(self) -> None:
        """The device's connection is kept for the hold time: the technician's tool must not notice a blip."""
        self._lost_at = boot_s()
        self._stop_holding()
        if self._hold_s == 0:
            self._end.end("hold.expired")
            return
        self._hold = asyncio.get_running_loop().call_later(self._hold_s, self._end.end, "hold.expired")

    def _stop_holding(self) -> None:
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None

    def freeze(self, stands: bool) -> None:
        """What the technician's tool says waits, unacknowledged, where it would be decided or recorded."""
        (self.inspected or self.recorded or self._device).freeze(stands)

    def notify(self, notice: Notice) -> None:
        self._end.notify(notice)

    def silence(self) -> None:
        """The device's connection is reset now; the rest of the ending may follow."""
        self._device.abort()

    def end(self, reason: str) -> None:
        self._end.end(reason)

    def discard(self) -> None:
        """Gone without a word: it was never announced."""
        self._discarded = True
        self._end.end("cut")

    @property
    def over(self) -> bool:
        return self._end.over is not None

    @property
    def bytes_each_way(self) -> tuple[int, int]:
        """(from the technician, to the technician), as the two ends of the stream count."""
        return self._end.bytes_each_way

    @property
    def carried(self) -> tuple[int, int]:
        """(to the device, from the device): without what was refused here, and without what was answered here."""
        if self.inspected is None:
            return self._end.bytes_each_way
        return self.inspected.to_device, self.inspected.from_device
