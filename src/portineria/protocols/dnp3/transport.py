# SPDX-License-Identifier: Apache-2.0
"""Transport function (8): segments of one fragment each way, put together and cut again."""

from typing import NamedTuple

from portineria.protocols.dnp3 import link
from portineria.protocols.dnp3.link import CONFIRMED, BadDnp3, Frame

FINAL, FIRST, SEQUENCE = 0x80, 0x40, 0x3F  # 8.2.1
MODULUS = 64
MOST_SEGMENTS = 64  # ours: a fragment of 15,936 octets; 2,048 are usual
MOST_IN_SEGMENT = link.MOST_DATA - 1


class Fragment(NamedTuple):
    """All that the application layer sends at once. ``frames``: by which it came."""

    frames: tuple[Frame, ...]
    data: bytes

    @property
    def raw(self) -> bytes:
        return b"".join(each.raw for each in self.frames)


class Assembly:
    """One direction between one master and one outstation."""

    __slots__ = ("_frames",)

    def __init__(self) -> None:
        self._frames: list[Frame] = []

    def has(self, frame: Frame) -> bool:
        """Whether it is the latest segment of what is begun, sent again."""
        return bool(self._frames) and self._frames[-1].data == frame.data

    def take(self, frame: Frame) -> Fragment | None:
        """Return the fragment that ``frame`` completes. What was begun before a first segment is dropped: 8.2.2."""
        octet = frame.data[0]
        if octet & FIRST:
            self._frames.clear()
        elif not self._frames:
            raise BadDnp3("a segment that continues nothing (8.2.2)")
        elif (expected := (self._frames[-1].data[0] + 1) & SEQUENCE) != octet & SEQUENCE:
            raise BadDnp3(f"segment {octet & SEQUENCE}, expected {expected} (8.2.1.3)")
        self._frames.append(frame)
        if len(self._frames) > MOST_SEGMENTS:
            raise BadDnp3(f"a fragment of more than {MOST_SEGMENTS} segments")
        if not octet & FINAL:
            return None
        whole = Fragment(tuple(self._frames), b"".join(each.data[1:] for each in self._frames))
        self._frames.clear()
        return whole


def again(fragment: Fragment, control: int | None, shift: int, flip: bool) -> bytes:
    """The frames of ``fragment``, with another application control, segments counted ``shift`` on, FCB inverted."""
    if control in (None, fragment.data[0]) and not shift and not flip:
        return fragment.raw
    found = []
    for place, each in enumerate(fragment.frames):
        data = bytearray(each.data)
        data[0] = data[0] & ~SEQUENCE | (data[0] + shift) & SEQUENCE
        if control is not None and place == 0:
            data[1] = control
        inverted = link.COUNT_BIT if flip and each.control & 15 == CONFIRMED else 0
        found.append(link.frame(each.control ^ inverted, each.destination, each.source, bytes(data)))
    return b"".join(found)


def cut(data: bytes, control: int, destination: int, source: int, sequence: int) -> list[bytes]:
    """``data`` in frames, the first segment of which has this number."""
    pieces = [data[at : at + MOST_IN_SEGMENT] for at in range(0, len(data), MOST_IN_SEGMENT)]
    found = []
    for place, piece in enumerate(pieces):
        octet = (sequence + place) & SEQUENCE | (FIRST if not place else 0) | (FINAL if piece is pieces[-1] else 0)
        found.append(link.frame(control, destination, source, bytes((octet,)) + piece))
    return found
