# SPDX-License-Identifier: Apache-2.0
"""One live session: its order, its permit, its streams, and its end, which comes once."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from portineria.dataplane.gateway.announcement import Announcements
from portineria.dataplane.gateway.clock import boot_s
from portineria.dataplane.gateway.freezes import Freezes
from portineria.dataplane.gateway.glances import Glances
from portineria.dataplane.gateway.glances import Means as GlanceMeans
from portineria.dataplane.gateway.inspections import Inspections, same_place
from portineria.dataplane.gateway.opening import Opening
from portineria.dataplane.gateway.past import PastStream, PastStreams
from portineria.dataplane.gateway.permit import NEVER, Ending, Permit
from portineria.dataplane.gateway.reach import ReachList
from portineria.dataplane.gateway.recordings import Recordings
from portineria.dataplane.gateway.seen import forget_stream
from portineria.dataplane.gateway.settings import GatewaySettings
from portineria.dataplane.gateway.spool import Spool
from portineria.dataplane.gateway.stream import GatewayStream
from portineria.wire.statement import Asset, Order
from portineria.wire.stream import Notice

_RESETS = {"cut": "cut", "expired": "expired", "silence": "silence", "drained": "drained", "finished": "drained"}


@dataclass(slots=True)
class Totals:
    """What a session did, for its receipt."""

    streams: int = 0
    to_device: int = 0
    from_device: int = 0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every session of this gateway shares. ``room`` says whether one more stream fits in all, ``linked`` whether
    the control plane can be reached now, ``closed`` why nothing may begin here.
    """

    settings: GatewaySettings
    spool: Spool
    reach: ReachList
    recordings: Recordings
    room: Callable[[], bool]
    glances: GlanceMeans
    linked: Callable[[], bool]
    freezes: Freezes
    closed: Callable[[], str | None]


class Session:
    """``on_ended`` is called once, with the ending, its reason, and when the letter that ended it arrived (or None)."""

    def __init__(
        self, order: Order, order_sha256: bytes, permit: Permit, around: Surroundings,
        on_ended: Callable[["Session", Ending, str, float | None], None],
    ) -> None:  # fmt: skip
        self.order, self.order_sha256, self.permit = order, order_sha256, permit
        self._around, self._on_ended = around, on_ended
        self.order_hashes = {order_sha256}  # of every order so far: what runs may resume under any of them
        self.streams: dict[str, GatewayStream] = {}
        self.past, self.totals = PastStreams(), Totals()
        self.announcements = Announcements(order.session, around.spool, self.streams)
        self.recorder = around.recordings.begin(order)
        self.inspections = Inspections(order, around.spool, around.linked, quiet_s=around.settings.transfer_quiet_s)
        self.inspections.transfer.over = self.review
        self.glances = Glances(order.session, around.glances)
        self._connecting, self.waiting = set[asyncio.Task[object]](), set[Opening]()
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._lease_lost = self.ended = False
        self._stops_at, self.frozen = permit.stops_at, around.freezes.begun(order.session)

    # -- what the control plane says ---------------------------------------------------------------------------

    def supersede(self, order: Order, order_sha256: bytes, permit: Permit) -> None:
        """A newer order. Streams to services it no longer names drain; its function profiles hold at once."""
        self.permit.renew(permit)
        self.order, self.order_sha256, self.permit = order, order_sha256, permit
        self.order_hashes.add(order_sha256)
        self.recorder = self._around.recordings.adopt(self.recorder, order)
        self.inspections.take(order)
        for stream in list(self.streams.values()):
            if (asset := same_place(stream.asset, order)) is not None:
                stream.stops_at = NEVER
                if asset.protocol not in ("", stream.asset.protocol):
                    stream.end("functions.changed")  # nobody can begin to read in the middle
            elif stream.stops_at == NEVER:
                stream.stops_at = boot_s() + order.drain_s
                stream.notify(Notice("service.not-granted", order.drain_s))
        self.review()

    def lease(self, order_sha256: bytes, sent: float, lease_s: float) -> None:
        self.permit.lease(order_sha256, sent, lease_s)
        self.review()

    def drain(self, order_seq: int, drain_s: float, reason: str) -> None:
        self.permit.withdraw(boot_s(), order_seq, drain_s, reason, busy=self.busy)
        self.review()

    def freeze(self, stands: bool) -> None:
        """Nothing more goes to the devices, and nothing ends. Deadlines go on; what devices say goes on."""
        self.frozen = stands
        for stream in self.streams.values():
            stream.freeze(stands)

    def when_calm(self, act: Callable[[], None], *, at_once: bool) -> None:
        """A program or firmware that is being written is not broken off within the drain time."""
        self.inspections.transfer.when_over(act, 0 if at_once else self.order.drain_s)

    def cut(self, reason: str, arrived: float) -> None:
        self._finish("cut", reason, arrived)

    # -- deadlines ---------------------------------------------------------------------------------------------

    def stops_at(self) -> float:
        return self._stops_at

    def review(self) -> None:
        """Do what is due, and come back at the next moment. Cheap; call it after every change and now and then."""
        if self.ended:
            return
        now = boot_s()
        self._stops_at = self.permit.stops_at
        self._note_lease(now)
        if (over := self.permit.ended(now, busy=self.busy)) is not None:
            self._finish(over.ending, over.reason)
            return
        for stream in list(self.streams.values()):
            if stream.stops_at <= now:
                stream.end("drained")
        self.announcements.drain(self.permit.draining(now), now, busy=self.busy)
        self._changed.set()
        self._changed = asyncio.Event()
        self._come_back(now)

    def _come_back(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        moments = [self.permit.next_moment(now), *(stream.stops_at for stream in self.streams.values())]
        if (moment := min(moments)) != NEVER:
            # The loop's clock stands still in suspend; the gateway's regular review finds what that made late.
            self._timer = asyncio.get_running_loop().call_later(max(moment - now, 0) + 0.001, self.review)

    def _note_lease(self, now: float) -> None:
        lost = self.permit.leased and self.permit.lease_until <= now
        if lost and not self._lease_lost:
            since_ms = round((now - self.permit.lease_until) * 1000)
            self._around.spool.record(
                "lease.lost", self.order.session, on_silence=self.order.on_silence, since_ms=since_ms
            )
        self._lease_lost = lost

    # -- streams -----------------------------------------------------------------------------------------------

    def resumes(self, order_sha256: bytes) -> bool:
        """Whether streams go on. Any order this session ever had will do: what runs outlives an extension."""
        return not self.ended and order_sha256 in self.order_hashes and boot_s() < self._stops_at

    def add(self, stream: str, asset: Asset, sock: socket.socket) -> GatewayStream:
        added = GatewayStream(
            stream, asset, sock, hold_s=self.order.hold_s, session_stops_at=self.stops_at, overdue=self.review,
            over=self._stream_over, inspect=self.inspections.of(stream, asset),
            tap=self.recorder.tap(stream, asset) if self.recorder is not None else None, glances=self.glances,
        )  # fmt: skip
        added.freeze(self.frozen)
        self.totals.streams += 1
        self.streams[stream] = added
        return added

    def discard(self, stream: GatewayStream) -> None:
        """It could not be recorded, so it never was: not a byte passed."""
        if self.streams.pop(stream.stream, None) is not None:
            self.totals.streams -= 1
            stream.discard()

    @contextlib.contextmanager
    def opening(self) -> Iterator[None]:
        """While a device is being connected the session is busy: a drain waits for it, a cut cancels it."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - called from a leg's task
        self._connecting.add(task)
        try:
            yield
        finally:
            self._connecting.discard(task)
            self.review()

    @property
    def busy(self) -> bool:
        """Between two connections of a program that is being written as well."""
        return self.load > 0 or self.inspections.transfer.running

    @property
    def load(self) -> int:
        return len(self.streams) + len(self._connecting)

    async def changed(self) -> None:
        """Until an order, a lease or a deadline came, or the end."""
        await self._changed.wait()

    def _stream_over(self, stream: GatewayStream, how: str) -> None:
        to_device, from_device = stream.carried
        self.totals.to_device += to_device
        self.totals.from_device += from_device
        self.streams.pop(stream.stream, None)
        if self.recorder is not None:
            self.recorder.over(stream.stream, how)
        self.past.add(stream.stream, PastStream(how, *stream.bytes_each_way), hold_s=self.order.hold_s)
        seen = self.inspections.over(stream.inspected, stream.beginning)
        self._around.spool.record(
            "stream.closed", self.order.session, stream=stream.stream, to_device=to_device, from_device=from_device,
            how=how, also=forget_stream(stream.stream), **seen,
        )  # fmt: skip
        if not self.ended:
            asyncio.get_running_loop().call_soon(self.review)

    def stop(self) -> None:
        for stream in list(self.streams.values()):
            stream.end("gateway.stopped")
        self.inspections.tell_work()
        if self._timer is not None:
            self._timer.cancel()

    # -- the end -----------------------------------------------------------------------------------------------

    def _finish(self, ending: Ending, reason: str, arrived: float | None = None) -> None:
        if self.ended:
            return
        self.ended, self._stops_at = True, -NEVER
        self.inspections.holds.close()
        if self._timer is not None:
            self._timer.cancel()
        streams = list(self.streams.values())
        for stream in streams:  # the devices first: everything else can wait
            stream.silence()
        for stream in streams:
            stream.end(_RESETS[ending])
        for task in list(self._connecting):
            task.cancel()
        for opening in list(self.waiting):
            opening.refuse("order.unknown")
        if self.recorder is not None:
            self.recorder.finish("session.ended")
        self.glances.close()
        self.inspections.transfer.close()
        self._around.freezes.over(self.order.session)
        self._changed.set()
        self._on_ended(self, ending, reason, arrived)
        self.inspections.tell_work()  # behind the receipt: a cut is proven before anything else is told


def end_unreachable(session: Session, reach: ReachList) -> None:
    """The plant narrowed its reach list: what it no longer allows ends now."""
    for stream in list(session.streams.values()):
        if reach.refuses(stream.asset.address, stream.asset.port) is not None:
            stream.end("cut")
