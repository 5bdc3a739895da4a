# SPDX-License-Identifier: Apache-2.0
"""Checks one recording by itself: start, end, order, counts, every byte; with an identity also what is inside."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from portineria.core.errors import PortineriaError, ProtocolError
from portineria.recording.chunk import Chunk, NotForUs, Opener, read_chunk
from portineria.recording.content import Contents, CutOut
from portineria.recording.entry import NOTHING_BEFORE, Entry, StreamCount
from portineria.recording.pcapng import BadCapture

FAULTS = 1000  # named at most
CUTS = 10_000  # named at most; all are counted


@dataclass(slots=True)
class Verdict:
    """``faults`` in the order of the chunks. ``lost``: bytes that passed unrecorded, by the gateway's own word.
    ``cut``: how often something was cut out, and how many bytes. ``cuts``: what and why, where it was looked inside.
    """

    chunks: int = 0
    first: Entry | None = None
    last: Entry | None = None
    head: bytes = NOTHING_BEFORE
    streams: dict[str, StreamCount] = field(default_factory=dict)
    opened: int = 0  # chunks whose content was read too
    faults: list[str] = field(default_factory=list)
    cut: tuple[int, int] = (0, 0)
    cuts: list[CutOut] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        """Nothing was changed, left out, cut off or put in, and it has its end."""
        return not self.faults

    @property
    def lost(self) -> int:
        return self.last.totals[2] if self.last else 0

    @property
    def complete(self) -> bool:
        """It fits, and every byte that passed is in it."""
        return self.fits and not self.lost


class Verifier:
    """``take`` the chunks one by one, in the order of their files' names; then ``finish``."""

    def __init__(self, *, key: bytes | None = None, opener: Opener | None = None) -> None:
        self._key, self._opener = key, opener
        self._verdict = Verdict()
        self._number = 0
        self._previous: bytes | None = NOTHING_BEFORE  # None behind a chunk that could not be read
        self._contents = Contents()
        self._ids: tuple[str, ...] | None = None
        self.heads: set[bytes] = set()  # of all chunks so far: the register has some of them
        self._whole = True  # so far: nothing missing, so that sums mean something
        self._sums = [0, 0, 0]
        self._running: set[str] = set()

    def take(self, data: bytes) -> None:
        self._number += 1
        self._verdict.chunks += 1
        try:
            chunk = read_chunk(data)
        except ProtocolError as error:
            self._fault(str(error))
            self._previous, self._whole = None, False
            return
        self._chain(chunk)
        self._counts(chunk.entry)
        places, size = self._verdict.cut
        self._verdict.cut = places + chunk.entry.cuts, size + chunk.entry.cut_bytes
        if self._opener is not None:
            self._inside(chunk, self._opener)
        self._verdict.last, self._verdict.head = chunk.entry, chunk.head
        self.heads.add(chunk.head)

    def _fault(self, what: str) -> None:
        if len(self._verdict.faults) < FAULTS:
            self._verdict.faults.append(f"chunk {self._number}: {what}")

    def _chain(self, chunk: Chunk) -> None:
        entry, verdict = chunk.entry, self._verdict
        if verdict.first is None:
            verdict.first = entry
            self._ids = _ids(entry)
            if self._key is not None and entry.key != self._key:
                self._fault("signed by another key than the gateway's")
        elif _ids(entry) != self._ids:
            self._fault(f"of another recording, session, gateway or key ({entry.recording} of {entry.session})")
        if verdict.last is not None and verdict.last.end:
            self._fault("behind the end of the recording")
        if entry.number != self._number:
            self._fault(f"is number {entry.number}: chunks are missing, given twice or in another order")
            self._number, self._whole = entry.number, False
        if self._previous is not None and entry.previous != self._previous:
            self._fault("does not follow the one before")
        self._previous = chunk.head

    def _counts(self, entry: Entry) -> None:
        streams = self._verdict.streams
        for count in entry.streams:
            before = streams.get(count.stream)
            if before is not None and (before.over or not _grew(before, count)):
                self._fault(f"stream {count.stream} counts backwards or goes on after its end")
            self._sum(before, -1)
            self._sum(count, 1)
            self._running.add(count.stream)
            if count.over:
                self._running.discard(count.stream)
            streams[count.stream] = count
        if self._whole and tuple(self._sums) != entry.totals:
            self._fault(f"the streams sum up to {self._sums}, the entry says {list(entry.totals)}")
        if entry.end not in ("", INTERRUPTED) and self._whole and self._running:
            self._fault(f"an end while {len(self._running)} streams run")

    def _sum(self, count: StreamCount | None, sign: int) -> None:
        if count is not None:
            self._sums[0] += sign * count.to_device
            self._sums[1] += sign * count.from_device
            self._sums[2] += sign * (count.to_lost + count.from_lost)

    def _inside(self, chunk: Chunk, opener: Opener) -> None:
        try:
            index, capture = opener(chunk)
            cuts = self._contents.take(chunk.entry, index, capture)
        except NotForUs:
            raise
        except BadCapture as error:
            self._fault(str(error))
        except PortineriaError as error:
            self._fault(str(error))
        else:
            self._verdict.opened += 1
            self._verdict.cuts += cuts[: CUTS - len(self._verdict.cuts)]

    def finish(self) -> Verdict:
        verdict, last = self._verdict, self._verdict.last
        if not verdict.chunks:
            verdict.faults.append("there is no chunk")
        elif self._previous is not None and last is not None and not last.end:
            verdict.faults.append(f"no end: everything behind chunk {last.number} is missing, or it still runs")
        return verdict


INTERRUPTED = "gateway.restarted"  # the end that the next process wrote: streams that ran then have no last count


def _ids(entry: Entry) -> tuple[str, ...]:
    return entry.recording, entry.session, entry.organisation, entry.gateway, entry.key.hex()


def _grew(before: StreamCount, now: StreamCount) -> bool:
    return (
        now.to_device >= before.to_device
        and now.from_device >= before.from_device
        and now.to_lost >= before.to_lost
        and now.from_lost >= before.from_lost
    )


def verify(chunks: Iterable[bytes], *, key: bytes | None = None, opener: Opener | None = None) -> Verdict:
    verifier = Verifier(key=key, opener=opener)
    for data in chunks:
        verifier.take(data)
    return verifier.finish()
