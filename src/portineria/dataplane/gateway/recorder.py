# SPDX-License-Identifier: Apache-2.0
"""Records one session: collects in memory, seals every few seconds, and says in signed events what was sealed.

*Strict*: what cannot be kept does not pass; streams wait. Otherwise it passes, is counted as lost, and that is told.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import portineria
from portineria.core.ids import Kind, new_id
from portineria.dataplane.aio.thread import in_thread
from portineria.dataplane.gateway.chunk_folder import ChunkFolder, NoRoom
from portineria.dataplane.gateway.clock import TrustedClock, boot_ns
from portineria.dataplane.gateway.left_out import WITHHELD, LeftOut
from portineria.dataplane.gateway.recorded import FROM_DEVICE, TO_DEVICE, RecordedDevice
from portineria.dataplane.gateway.spool import Spool
from portineria.recording.capture import Capture, Clocks, Piece
from portineria.recording.cut import Scissors
from portineria.recording.entry import key_of
from portineria.recording.kept import Kept
from portineria.recording.rules import comment_of
from portineria.recording.seal import About, Sealed, Sealer
from portineria.wire.statement import Asset, Order

log = structlog.get_logger()
SEAL_BYTES = 2 << 20  # not packed; a thousand sessions that all record as fast as they can hold so much each
BEHIND_BYTES = 3 * SEAL_BYTES  # that wait for the disk: then nothing more is taken; a chunk takes 8 MiB
TOLD_S = 10.0  # a head in the register is enough so often: each names all before it
AGAIN_S = 1.0
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Means:
    """What all recorders of a gateway share. ``recipients``: of this moment."""

    folder: ChunkFolder
    spool: Spool
    clock: TrustedClock
    key: Ed25519PrivateKey
    recipients: Callable[[], list[str]]
    seal_s: float

    def clocks(self) -> Clocks:
        return Clocks(self.clock.unix_ms * 1_000_000, boot_ns())


class SessionRecorder:
    """``run`` in a task until ``finish`` was called and the end is on the disk."""

    def __init__(self, order: Order, means: Means) -> None:
        self.strict = order.recording == "strict"
        self.contents = order.program_contents == "kept"
        self.recording, self.session = new_id(Kind.RECORDING), order.session
        self._means = means
        about = About(self.recording, order.session, order.organisation, order.gateway, means.spool.boot)
        self._sealer = Sealer(about, means.key)
        self._capture = Capture(order.session, f"Portineria {portineria.__version__}")
        self._taps: dict[str, StreamTap] = {}
        self._streams = 0
        self._left_out = LeftOut()
        self._wake = asyncio.Event()
        self._begun = asyncio.Event()
        self._pending = 0  # bytes being sealed
        self._failing = False
        self._told_at = 0.0
        self._clocked = False  # since the last seal something came, and its time runs
        self._end = ""

    # -- what the session says ---------------------------------------------------------------------------------

    async def ready(self, within_s: float) -> str | None:
        """Why nothing may be opened; None when it may."""
        if not self.strict:
            return None
        try:
            async with asyncio.timeout(within_s):
                await self._begun.wait()
        except TimeoutError:
            return "recording.unavailable"
        return "recording.unavailable" if self._failing or self._end else None

    def tap(self, stream: str, asset: Asset) -> "StreamTap":
        return StreamTap(self, stream, asset)

    def over(self, stream: str, how: str) -> None:
        if (tap := self._taps.get(stream)) is not None:
            tap.over()
            del self._taps[stream]
            self._capture.over(stream, how, self._means.clocks())
            self._look()

    def finish(self, reason: str) -> None:
        """Call when its streams are over."""
        self._end = self._end or reason
        self._wake.set()

    # -- what taps say -----------------------------------------------------------------------------------------

    @property
    def blocked(self) -> bool:
        return self.strict and (self._failing or self._behind)

    @property
    def _behind(self) -> bool:
        return self._capture.size + self._pending > BEHIND_BYTES

    def opened(self, tap: "StreamTap") -> None:
        self._taps[tap.stream] = tap
        self._streams += 1
        self._capture.open(tap.stream, tap.asset.service, tap.asset.address, tap.asset.port, self._means.clocks())
        self._look()

    def data(self, stream: str, direction: int, kept: Kept, comment: str) -> None:
        at = self._means.clocks()
        if not self.strict and self._behind:
            self._capture.lost(stream, direction, len(kept.data), at)
        else:
            if kept.cuts:
                self._capture.cut(stream, direction, kept.cuts, at)
                self._left_out.count(self._taps[stream].asset.service, kept.cuts)
                comment = "; ".join(filter(None, (comment, comment_of(kept.cuts))))
            self._capture.data(stream, direction, [memoryview(kept.data)], at, comment)
        self._look()

    def half(self, stream: str, direction: int) -> None:
        self._capture.half(stream, direction, self._means.clocks())
        self._look()

    def operation(self, stream: str, fields: Mapping[str, object]) -> int:
        if self._behind:  # whoever only asks for what is refused must not fill the memory either
            return 0
        number = self._capture.operation(stream, fields, self._means.clocks())
        self._look()
        return number

    def _look(self) -> None:
        """Wake the one who seals, when it is time or when its time has to be reckoned."""
        if self._capture.size >= SEAL_BYTES or self._capture.crowded or not self._clocked:
            self._clocked = True
            self._wake.set()

    # -- sealing -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        await self._keep(self._capture.take(self._means.clocks()), begins=True)
        while await self._due():
            self._clocked = False
            if not self._capture.empty:
                await self._keep(self._capture.take(self._means.clocks()))
        await self._keep(self._capture.take(self._means.clocks()), end=self._end)

    async def _due(self) -> bool:
        """Wait until there is enough, or it is old enough. False when the end has come."""
        while not self._end and self._capture.size < SEAL_BYTES and not self._capture.crowded:
            began = self._capture.began
            left = None if began is None else self._means.seal_s - (boot_ns() - began.boot_ns) / _NS
            if left is not None and left <= 0:
                return True
            self._wake.clear()
            try:
                async with asyncio.timeout(left):
                    await self._wake.wait()
            except TimeoutError:
                return True
        return not self._end

    async def _keep(self, piece: Piece, *, begins: bool = False, end: str = "") -> None:
        """Strict: until it is on the disk. Otherwise once; the beginning and the end until they are there."""
        self._pending = len(piece.capture)
        while True:
            try:
                sealed = await in_thread(partial(self._write, piece, end))
                break
            except NoRoom as error:
                self._fails(str(error))
            if not (self.strict or begins or end):
                self._capture.give_up(piece, self._means.clocks())
                self._pending = 0
                return
            if begins and self._end and not end:  # a session that is over before it could be recorded
                return
            await asyncio.sleep(AGAIN_S)
            if not self.strict and not begins:
                self._capture.give_up(piece, self._means.clocks())
                piece = self._capture.take(self._means.clocks())
        self._pending = 0
        self._sealer.keep(sealed)
        self._kept(sealed, begins=begins)

    def _write(self, piece: Piece, end: str) -> Sealed:
        """In a thread."""
        sealed = self._sealer.seal(piece, self._means.clocks(), self._means.recipients(), end=end)
        self._means.folder.write(self.recording, sealed.entry.number, sealed.data, must=bool(end))
        return sealed

    def _fails(self, why: str) -> None:
        if not self._failing:
            self._failing = True
            log.warning("recording.failing", recording=self.recording, strict=self.strict, why=why)
            code = "recording.held" if self.strict else "recording.gap"
            self._tell(code, recording=self.recording, reason="recording.full")

    def _kept(self, sealed: Sealed, *, begins: bool) -> None:
        self._failing = False
        entry, head = sealed.entry, sealed.head.hex()
        counts = {"to_device": entry.totals[0], "from_device": entry.totals[1], "lost": entry.totals[2]}
        now = asyncio.get_running_loop().time()
        about = {"recording": self.recording, "number": entry.number, "head": head}
        if begins:
            mode, key = "strict" if self.strict else "full", key_of(self._means.key).hex()
            self._tell("recording.started", **about, mode=mode, key=key, recipients=len(entry.recipients))
            self._begun.set()
        elif entry.end:
            for line in self._left_out.lines():
                self._tell(WITHHELD, recording=self.recording, **line)
            self._tell("recording.finished", **about, **counts, end=entry.end, streams=self._streams)
        elif now >= self._told_at + TOLD_S:
            self._told_at = now
            self._tell("recording.sealed", **about, **counts)
        for tap in list(self._taps.values()):
            tap.unblocked()

    def _tell(self, code: str, **fields: object) -> None:
        self._means.spool.record(code, self.session, **fields)  # type: ignore[arg-type]


class StreamTap:
    """One stream of it. What is to be cut out is, before anything of it is kept."""

    def __init__(self, recorder: SessionRecorder, stream: str, asset: Asset) -> None:
        self._recorder, self.stream, self.asset = recorder, stream, asset
        self._scissors = Scissors(asset.protocol, contents=lambda: recorder.contents)
        self._device: RecordedDevice | None = None
        self._comment = ""

    @property
    def blocked(self) -> bool:
        return self._recorder.blocked

    def open(self, device: RecordedDevice) -> None:
        self._device = device
        self._recorder.opened(self)

    def data(self, direction: int, pieces: list[memoryview], comment: str = "") -> None:
        """What is not a whole message yet waits for the rest of it, as does its comment."""
        self._comment = ", ".join(filter(None, (self._comment, comment)))
        self._keep(direction, self._scissors.take(direction, b"".join(pieces)))

    def _keep(self, direction: int, kept: Kept) -> None:
        if not kept.data:
            return
        comment = ""
        if direction == TO_DEVICE:
            comment, self._comment = self._comment, ""
        self._recorder.data(self.stream, direction, kept, comment)

    def half(self, direction: int) -> None:
        self._keep(direction, self._scissors.rest(direction))
        self._recorder.half(self.stream, direction)

    def over(self) -> None:
        for direction in (TO_DEVICE, FROM_DEVICE):
            self._keep(direction, self._scissors.rest(direction))

    def operation(self, fields: Mapping[str, object]) -> int:
        return self._recorder.operation(self.stream, fields)

    def unblocked(self) -> None:
        if self._device is not None and not self.blocked:
            self._device.unblocked()
