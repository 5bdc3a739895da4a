# SPDX-License-Identifier: Apache-2.0
"""All recordings of this gateway: which order may be recorded, for whom, and what a restart left open."""

import asyncio
from dataclasses import replace

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import portineria
from portineria.core.errors import Invalid
from portineria.core.ids import Kind, is_id
from portineria.dataplane.aio.task import Tasks
from portineria.dataplane.aio.thread import in_thread
from portineria.dataplane.gateway.chunk_folder import ChunkFolder, NoRoom
from portineria.dataplane.gateway.clock import TrustedClock
from portineria.dataplane.gateway.pins import Pins
from portineria.dataplane.gateway.recorder import Means, SessionRecorder
from portineria.dataplane.gateway.settings import GatewaySettings
from portineria.dataplane.gateway.spool import Spool
from portineria.dataplane.gateway.state import State
from portineria.recording.capture import Capture
from portineria.recording.chunk import Chunk, parse_recipient
from portineria.recording.entry import RECIPIENTS
from portineria.recording.seal import About, Sealed, Sealer
from portineria.recording.verification import INTERRUPTED
from portineria.wire.statement import Order

log = structlog.get_logger()
CLOSE_S = 5.0  # for the last chunks, when this process ends


class Recordings:
    def __init__(self, means: Means, pins: Pins) -> None:
        self._means, self._pins, self.folder = means, pins, means.folder
        self._tasks = Tasks()
        self.recorders: dict[str, SessionRecorder] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._fault = ""

    async def open(self) -> None:
        """Says the end of what the process before this one left open. Without a folder nothing strict begins."""
        try:
            await in_thread(self._means.folder.open)
            for recording in await in_thread(self._means.folder.recordings):
                await self._interrupted(recording)
        except (OSError, NoRoom) as error:
            self._fault = str(error)
            log.error("recordings.closed", why=self._fault)

    async def _interrupted(self, recording: str) -> None:
        newest = await in_thread(lambda: self._means.folder.newest(recording))
        if newest is None or newest.entry.end:
            return
        entry, means = newest.entry, self._means
        sealed = _end_of(newest, means)
        await in_thread(lambda: means.folder.write(recording, sealed.entry.number, sealed.data, must=True))
        means.spool.record(
            "recording.finished", entry.session, recording=recording, number=sealed.entry.number,
            head=sealed.head.hex(), to_device=entry.totals[0], from_device=entry.totals[1], lost=entry.totals[2],
            end=INTERRUPTED, streams=0,
        )  # fmt: skip

    # -- orders ------------------------------------------------------------------------------------------------

    def refuses(self, order: Order) -> str | None:
        """The code of why this session cannot be recorded as ordered; None when it can, or need not."""
        if order.recording == "none":
            return None
        if not is_id(order.session, Kind.SESSION):
            return "recording.session"
        try:
            for recipient in order.recording_recipients:
                parse_recipient(recipient)
        except Invalid as error:
            return error.code
        everybody = {*self._pins.recipients, *order.recording_recipients}
        if not 0 < len(everybody) <= RECIPIENTS:
            return "recording.recipients"
        if order.recording == "strict" and (self._fault or self._means.folder.full):
            return "recording.unavailable"
        return None

    def begin(self, order: Order) -> SessionRecorder | None:
        """For an order that was not refused."""
        if order.recording == "none":
            return None
        self._learn(order)
        recorder = self.recorders[order.session] = SessionRecorder(order, self._means)
        task = self._tasks.spawn(recorder.run(), f"recording of {order.session}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: self._done(recorder))
        return recorder

    def adopt(self, recorder: SessionRecorder | None, order: Order) -> SessionRecorder | None:
        """A newer order of a session: it may begin a recording or add recipients, never end one. Whether contents of
        programs are kept is as it says from now on.
        """
        if recorder is None:
            return self.begin(order)
        recorder.contents = order.program_contents == "kept"
        self._learn(order)
        return recorder

    def _learn(self, order: Order) -> None:
        if new := self._pins.add_recipients(order.recording_recipients):
            self._means.spool.record("gateway.trust.changed", added=len(new), what=" ".join(new))

    def _done(self, recorder: SessionRecorder) -> None:
        if self.recorders.get(recorder.session) is recorder:
            del self.recorders[recorder.session]

    def running(self, recording: str) -> bool:
        return any(recorder.recording == recording for recorder in self.recorders.values())

    async def close(self) -> None:
        """What is in memory goes to the disk, if it takes it soon."""
        for recorder in self.recorders.values():
            recorder.finish("gateway.stopped")
        if self._running and (await asyncio.wait(self._running, timeout=CLOSE_S))[1]:
            log.error("recordings.not-finished", recordings=len(self._running))
        await self._tasks.close()


def recordings_of(
    settings: GatewaySettings, state: State, spool: Spool, clock: TrustedClock, key: Ed25519PrivateKey, pins: Pins
) -> Recordings:
    folder = ChunkFolder(state.recordings, limit_bytes=settings.recording_limit_bytes)
    means = Means(folder, spool, clock, key, lambda: pins.recipients, settings.recording_seal_s)
    return Recordings(means, pins)


def _end_of(newest: Chunk, means: Means) -> Sealed:
    entry, now = newest.entry, means.clocks()
    about = About(entry.recording, entry.session, entry.organisation, entry.gateway, means.spool.boot)
    empty = Capture(entry.session, f"Portineria {portineria.__version__}").take(now)
    sealer = Sealer(about, means.key, (entry, newest.head))
    return sealer.seal(replace(empty, totals=entry.totals), now, entry.recipients, end=INTERRUPTED)
