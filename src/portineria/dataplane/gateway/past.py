# SPDX-License-Identifier: Apache-2.0
"""Streams that are over, kept for a moment: their last words may have been lost together with the leg (WIRE 13)."""

import hashlib
from dataclasses import dataclass

from portineria.dataplane.aio.stream_end import DEAD_S, PING_S
from portineria.dataplane.gateway.clock import boot_s
from portineria.wire.stream import BadStream, End, Open, Refuse, encode_ack, encode_control

NOTICED_S = DEAD_S + PING_S  # so late may the other end see that its leg is dead; then its hold time begins
# Of one session, about 400 bytes each. Ten connections a second, ended just before the leg, through 60 s of hold time
# and 20 s until it was noticed, are 800.
PAST_STREAMS = 1024
USED_NAMES = 16384  # of one session: four hours of a panel that connects once a second
_DIGEST = 16


@dataclass(frozen=True, slots=True)
class PastStream:
    """``how`` it ended; "finished" when everything had arrived in both directions, else the code of a reason."""

    how: str
    to_device: int = 0
    from_device: int = 0

    def answer(self, received: int) -> bytes:
        """What to say to an end that wants to resume it and has received up to there; raise BadStream for a lie."""
        if self.how != "finished":
            return encode_control(Refuse(self.how))
        if received != self.from_device:  # it acknowledged all of it, or the stream would not have finished
            raise BadStream(f"resume from {received} of {self.from_device}, all acknowledged")
        opened, end = Open(self.to_device), End(self.to_device, self.from_device)
        return encode_control(opened) + encode_ack(self.to_device + 1) + encode_control(end)


class PastStreams:
    """Bounded in number and time; the oldest go first."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, PastStream]] = {}

    def add(self, stream: str, past: PastStream, *, hold_s: float) -> None:
        now = boot_s()
        while self._kept and (len(self._kept) >= PAST_STREAMS or next(iter(self._kept.values()))[0] <= now):
            del self._kept[next(iter(self._kept))]
        self._kept.pop(stream, None)  # said again it is the newest
        self._kept[stream] = (now + NOTICED_S + hold_s, past)

    def find(self, stream: str) -> PastStream | None:
        found = self._kept.get(stream)
        return found[1] if found is not None and boot_s() < found[0] else None

    def __len__(self) -> int:
        return len(self._kept)


class UsedNames:
    """A stream's name is used once: events must not mean two connections. The oldest names are forgotten first.

    Their digests stand in a row, 16 bytes each: a set of names took 100. To search all of them takes 0.1 ms.
    """

    def __init__(self) -> None:
        self._digests = bytearray()

    def add(self, stream: str) -> None:
        if stream in self:
            return
        if len(self._digests) >= USED_NAMES * _DIGEST:
            del self._digests[:_DIGEST]
        self._digests += _digest(stream)

    def __contains__(self, stream: str) -> bool:
        return _digest(stream) in self._digests


def _digest(stream: str) -> bytes:
    return hashlib.sha256(stream.encode()).digest()[:_DIGEST]
