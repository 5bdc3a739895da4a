# SPDX-License-Identifier: Apache-2.0
"""What is between one master and one outstation: fragments under way, and numbers of both sides (decision 0040)."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from portineria.protocols.dnp3 import application, link
from portineria.protocols.dnp3 import functions as known
from portineria.protocols.dnp3.application import SEQUENCE, UNSOLICITED, Asked, Told
from portineria.protocols.dnp3.link import CONFIRMED, BadDnp3, Frame
from portineria.protocols.dnp3.transport import Assembly, Fragment, again, cut
from portineria.protocols.inspection import Request

_MOST_UNACKNOWLEDGED = 256  # ours: of an outstation that acknowledges nothing the oldest are forgotten


class Last(NamedTuple):
    """Of the request that the outstation has got last: its SEQ as the master gave it, as it went on, and its octets."""

    asked: int
    sent: int
    data: bytes


class Awaited(NamedTuple):
    """With its SEQ as the master gave it, and as it went on."""

    request: Request
    asked: int
    sent: int


class Place(NamedTuple):
    """One fragment of the master that is not decided."""

    fragment: Fragment
    request: Asked


@dataclass(slots=True, eq=False)
class Association:
    """``left_out`` and ``put_in``: segments that the outstation did not get, and those that the master got from us.

    ``awaited`` by the SEQ that the answer will have: at most sixteen. ``confirms``: SEQ of an answer as the master saw
    it -> as the outstation gave it. ``acknowledged``: of each frame that the outstation is to acknowledge, whether the
    master heard so from us already.
    """

    asks: Assembly = field(default_factory=Assembly)
    tells: Assembly = field(default_factory=Assembly)
    left_out: int = 0
    put_in: int = 0
    next_segment: int = 0  # towards the master
    flipped: bool = False
    counted: bool | None = None  # FCB of the master's latest frame that had one
    last: Last | None = None
    refused_since: bool = False
    awaited: dict[int, Awaited] = field(default_factory=dict)
    confirms: dict[int, int] = field(default_factory=dict)
    turned: bool = False  # FCB, an odd number of times within the fragment that is begun
    acknowledged: deque[bool] = field(default_factory=lambda: deque(maxlen=_MOST_UNACKNOWLEDGED))
    goes_on: tuple[int, Awaited] | None = None  # SEQ of the next fragment of an answer that has several
    indications: int = 0

    def forward(self, place: Place, request: Request) -> bytes:
        """What goes to the outstation."""
        fragment, asked = place
        control = asked.control
        if asked.code == known.CONFIRM:
            if not control & UNSOLICITED:
                control = control & ~SEQUENCE | self.confirms.get(control & SEQUENCE, control & SEQUENCE)
        else:
            sequence = self._sequence(control & SEQUENCE, fragment.data)
            if known.answered(asked.code):
                self.awaited[sequence] = Awaited(request, control & SEQUENCE, sequence)
            control = control & ~SEQUENCE | sequence
        confirmed = [each.control & 15 == CONFIRMED for each in fragment.frames]
        self.acknowledged.extend(place < len(confirmed) for place, each in enumerate(confirmed, start=1) if each)
        return again(fragment, control, -self.left_out, self.flipped)

    def _sequence(self, asked: int, data: bytes) -> int:
        """The master's own, unless the outstation would take the request for the one before, sent again.

        It compares SEQ and octets (4.2.2.4.5), and has not heard of what was refused between the two.
        """
        sent, last = asked, self.last
        if last and asked == last.asked and data == last.data and not self.refused_since:
            sent = last.sent
        elif last and asked == last.sent and (self.refused_since or last.asked != last.sent):
            sent = (asked + 1) & SEQUENCE
        self.last, self.refused_since = Last(asked, sent, data), False
        return sent

    def refuse(self, place: Place, *, counts: bool) -> bytes:
        """What the master gets instead. ``counts``: the frame has an FCB that the outstation will not see."""
        fragment, asked = place
        first = fragment.frames[0]
        self.left_out += len(fragment.frames)
        answer = b""
        if fragment.frames[-1].control & 15 == CONFIRMED:
            self.flipped ^= counts
            answer = link.frame(link.ACK, first.source, first.destination)
        if asked.code == known.CONFIRM:
            return answer
        self.refused_since = True
        if not known.answered(asked.code) or first.destination >= link.BROADCAST:
            return answer
        no = application.negative(asked, self.indications)
        control = link.PRIMARY | link.UNCONFIRMED
        frames = cut(no, control, first.source, first.destination, self.next_segment)
        self.put_in += len(frames)
        self.next_segment += len(frames)
        return answer + b"".join(frames)

    def count(self, frame: Frame) -> bool:
        """Take notice of the FCB of a frame of the master. Return whether it is another than before: 9.2.4.1.3.4."""
        bit = bool(frame.control & link.COUNT_BIT)
        differs = bit is not self.counted
        self.counted = bit
        return differs

    def begun(self, frame: Frame, *, counts: bool) -> bytes:
        """What the master has to hear so that it says the rest of its fragment: 9.2.5."""
        if frame.control & 15 != CONFIRMED:
            return b""
        self.turned ^= counts
        return link.frame(link.ACK, frame.source, frame.destination)

    def drop(self) -> None:
        """What was begun will not come: the outstation never saw its FCB."""
        self.flipped, self.turned = self.flipped ^ self.turned, False

    def whole(self, *, counts: bool) -> bool:
        """A fragment is complete: whether its FCB stands otherwise than before it."""
        turned, self.turned = self.turned ^ counts, False
        return turned

    def answered(self, fragment: Fragment, told: Told, awaited: Awaited | None) -> bytes:
        """What goes to the master, with the numbers that it expects."""
        control = told.control
        if awaited is not None and told.code != known.UNSOLICITED:
            sequence = (control - awaited.sent + awaited.asked) & SEQUENCE
            self.confirms[sequence] = control & SEQUENCE
            control = control & ~SEQUENCE | sequence
        self.indications = told.indications[0] & ~application.BROADCAST_HEARD
        shift = self.put_in
        self.next_segment = fragment.frames[-1].data[0] + shift + 1
        return again(fragment, control, shift, flip=False)

    def match(self, told: Told, elsewhere: Awaited | None) -> Awaited | None:
        """Which request an answer belongs to; ``elsewhere`` where none here does.

        Raise BadDnp3 where an answer of several fragments has a gap.
        """
        sequence = told.control & SEQUENCE
        if told.control & application.FIRST:
            found = self.awaited.get(sequence) or elsewhere
        else:
            if self.goes_on is None or self.goes_on[0] != sequence:
                raise BadDnp3(f"fragment {sequence}, which continues nothing (4.2.2.4.5)")
            found = self.goes_on[1]
        more = found is not None and not told.control & application.FINAL
        self.goes_on = ((sequence + 1) & SEQUENCE, found) if more and found else None
        return found
