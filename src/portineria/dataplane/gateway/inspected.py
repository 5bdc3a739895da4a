# SPDX-License-Identifier: Apache-2.0
"""Between a stream and its device: requests are decoded and decided one by one, and only what is admitted goes on.

The stream sees a local socket, the device's socket sees a stream. A refused request is answered here, in its protocol;
bytes that cannot be decoded end the stream, and nothing of them passes. What is held until somebody said yes holds up
whatever comes behind it on the same connection: nothing overtakes.
"""

import asyncio
from collections import deque
from collections.abc import Iterator

import structlog

from portineria.dataplane.aio.stream_end import Local, StreamEnd, read_buffer
from portineria.dataplane.gateway.device import CLOSED_FROZEN
from portineria.dataplane.gateway.functions import Verdict
from portineria.dataplane.gateway.held import Held, StreamHolds
from portineria.dataplane.gateway.journal import Journal
from portineria.dataplane.gateway.pieces import Pieces
from portineria.dataplane.gateway.read_first import Decider, ReadFirst
from portineria.dataplane.gateway.work import StreamWork
from portineria.protocols.inspection import Inspection, Request, Undecodable
from portineria.wire.stream import DATA_BYTES, DATA_OVERHEAD

log = structlog.get_logger()
UNDECODABLE = "protocol.undecodable"
# Decided at once: refusals fill the stream's window too, and a client that never reads them must not have more of them
# made than fit.
SLICE_BYTES = 16384
_SAY_BYTES = DATA_BYTES - DATA_OVERHEAD


class InspectedDevice:
    """``begin`` once. ``decide`` is asked about every request; ``journal`` is told, and counts it for ``work``.
    ``holds``: whoever asks about what is to be held; without it that is refused.
    """

    def __init__(
        self, device: Local, inspection: Inspection, decide: Decider, *, work: StreamWork | None = None,
        holds: StreamHolds | None = None, first: ReadFirst | None = None,
    ) -> None:  # fmt: skip
        self._device, self._inspection, self._decide = device, inspection, decide
        self._holds, self._first = holds or StreamHolds(), first or ReadFirst()
        self.work, self.journal = work, Journal(work)
        self._stream: StreamEnd
        self._undecided, self._behind = Pieces(), deque[Request]()  # as bytes, and decoded
        self._paused = self._eof = self._over = self._frozen = self._device_ended = False
        self.to_device = self.from_device = self.refused = 0

    def begin(self, stream: StreamEnd) -> None:
        self._stream = stream

    # -- as the local socket of the stream -----------------------------------------------------------------------

    @property
    def unsent(self) -> int:
        """What the device has not taken, and what is not decided. Of a refused request nothing is left to send."""
        return self._device.unsent + self._waits

    @property
    def _waits(self) -> int:
        """Bytes of requests that are not decided."""
        held = self._holds.bytes + self._first.bytes
        return held + self._undecided.size + sum(len(request.data) for request in self._behind)

    def write(self, pieces: list[memoryview]) -> None:
        self._undecided.add(pieces)
        if not self._paused:
            self._go_on()

    def write_eof(self) -> None:
        """What was not finished is never sent, nor what is held or waits frozen: its client may be gone."""
        self._eof = True
        if (held := self._holds.leave()) is not None:
            self._act([(held.request, held.verdict, False)])
        if self._frozen and self._waits:
            asyncio.get_running_loop().call_soon(self._stream.end, CLOSED_FROZEN)
            return
        if not self._paused:
            self._go_on()

    def _go_on(self) -> None:
        self._decide_each()
        while self._undecided.size and not self._paused and not self._stands:
            try:
                self._behind.extend(self._inspection.from_client(self._undecided.take(SLICE_BYTES)))
                self._decide_each()
            except Undecodable as error:
                self._end(error, "client")
        if self._waits:
            return
        self._holds.since = None
        if self._eof and not self._over:
            self._eof = False
            self._device.write_eof()

    @property
    def _stands(self) -> bool:
        """Nothing is decided now."""
        return self._holds.held is not None or self._first.waits is not None or self._frozen or self._over

    def _decide_each(self) -> None:
        """Until one is held."""
        decided: list[tuple[Request, Verdict, bool]] = []
        while self._behind and not self._stands:
            request = self._behind.popleft()
            verdict = self._first.judged(request, self._decide)
            passes: bool | None = not verdict.refused
            if passes and verdict.held:
                content = self._inspection.content(request)
                passes = self._holds.ask(request, content, verdict, self._alive, self._decided)
            if passes and self._first.wants(request):
                self._act(decided)  # what came before is under way, or is known not to disturb
                decided = []
                if self._over:
                    return
                if self._first.ask(request, verdict, self._inspection, self._read_first):
                    self.to_device += self._first.send(self._device, self.journal)
                    return
            if passes is not None:
                decided.append((request, verdict, passes))
        self._act(decided)

    def _read_first(self) -> None:
        """What was to be written waited for it: now it is decided by what holds now, as the next one."""
        if not self._frozen and not self._over and (waited := self._first.finish()) is not None:
            self._behind.appendleft(waited)
            self._resume()

    def _act(self, decided: list[tuple[Request, Verdict, bool]]) -> None:
        to_device, to_client = list[memoryview](), list[bytes]()
        for request, verdict, passes in decided:
            self.journal.asked(request, refused=not passes, noted=bool(verdict.noted))
            if not passes:
                self.refused += 1
                refusal = self._inspection.refuse(request)
                to_client.append(refusal.to_client)
                passed = refusal.to_device
            else:
                passed = self._inspection.forward(request)
            if passed:
                to_device.append(memoryview(passed))
                self.to_device += len(passed)
            if to_device and self.journal.writes:  # each in a packet of its own, which names what it asks
                self._device.write(to_device)
                to_device = []
        if to_device:
            self._device.write(to_device)
        self._say(self._inspection.owed() + b"".join(to_client))

    def freeze(self, stands: bool) -> None:
        """Requests wait undecided, so that what is decided later is decided by what holds then."""
        self._frozen = stands
        if not stands:
            self._read_first()
            self._resume()

    # -- held ------------------------------------------------------------------------------------------------------

    def _alive(self) -> bool:
        """Without a leg nobody knows whether the client waits; what is frozen or behind a device's last is not sent."""
        over = self._over or self._eof or self._device_ended or self._frozen
        return not over and self._stream.attached

    def _decided(self, held: Held, passes: bool) -> None:
        if self._holds.held is not held:
            return
        self._holds.held = None
        self._act([(held.request, held.verdict, passes)])
        self._resume()

    # -- flow ------------------------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        self._paused = True
        self._device.pause_reading()

    def resume_reading(self) -> None:
        self._paused = False
        self._device.resume_reading()
        self._resume()

    def _resume(self) -> None:
        if not self._paused and (self._waits or self._eof):
            self._go_on()
        self.local_took()

    def close(self) -> None:
        self._device.close()

    def abort(self) -> None:
        self._over = True
        self._holds.leave()
        self._first.leave()
        self._behind.clear()
        self._undecided.clear()
        self._device.abort()

    # -- as the stream of the device's socket ----------------------------------------------------------------------

    def local_data(self, buffer: bytearray, count: int) -> None:
        self.from_device += count
        try:
            answers = self._inspection.from_device(memoryview(buffer)[DATA_OVERHEAD : DATA_OVERHEAD + count])
        except Undecodable as error:
            self._end(error, "device")
            return
        for answer in answers:
            self._first.hears(answer)
            self.journal.answered(answer)
        self._read_first()
        self._say(b"".join(answer.data for answer in answers))

    def local_eof(self) -> None:
        self._device_ended = True
        self._stream.local_eof()

    def local_lost(self, reason: str) -> None:
        self._stream.local_lost(reason)

    def local_took(self) -> None:
        self._stream.local_took()

    def _say(self, data: bytes) -> None:
        """To the client."""
        for buffer, count in _buffers(data):
            if not self._over:
                self._stream.local_data(buffer, count)

    def _end(self, error: Undecodable, side: str) -> None:
        log.warning("protocol.undecodable", side=side, code=error.code, why=str(error)[:200])
        self._stream.end(UNDECODABLE)


def _buffers(data: bytes) -> Iterator[tuple[bytearray, int]]:
    """As a socket would have read them."""
    for at in range(0, len(data), _SAY_BYTES):
        piece, buffer = data[at : at + _SAY_BYTES], read_buffer()
        buffer[DATA_OVERHEAD : DATA_OVERHEAD + len(piece)] = piece
        yield buffer, len(piece)
