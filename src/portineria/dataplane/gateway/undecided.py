# SPDX-License-Identifier: Apache-2.0
"""Bytes of a client that nobody has decoded yet, in the order in which they came."""

from collections import deque
from collections.abc import Iterable

# Decided at once: refusals fill the stream's window too, and a client that never reads them must not have more of them
# made than fit.
SLICE_BYTES = 16384
_SMALL = 4096  # pieces below it are copied together: one byte kept as a piece of its own would cost three hundred


class Undecided:
    def __init__(self) -> None:
        self._pieces: deque[memoryview] = deque()
        self._small = bytearray()  # the end of the queue
        self.size = 0

    def add(self, pieces: Iterable[memoryview]) -> None:
        for piece in pieces:
            self.size += len(piece)
            if len(piece) < _SMALL:
                self._small += piece
            else:
                self._gather()
                self._pieces.append(piece)

    def take(self) -> memoryview:
        """The next slice; something has to be there."""
        if not self._pieces:
            self._gather()
        piece = self._pieces.popleft()
        if len(piece) > SLICE_BYTES:
            self._pieces.appendleft(piece[SLICE_BYTES:])
            piece = piece[:SLICE_BYTES]
        self.size -= len(piece)
        return piece

    def clear(self) -> None:
        self._pieces.clear()
        self._small.clear()
        self.size = 0

    def _gather(self) -> None:
        if self._small:
            self._pieces.append(memoryview(bytes(self._small)))
            self._small.clear()
