# SPDX-License-Identifier: Apache-2.0
"""Bytes that wait to go on, in the order in which they came."""

import itertools
from collections import deque
from collections.abc import Iterable

_SMALL = 4096  # pieces below it are copied together: one byte kept as a piece of its own would cost three hundred


class Pieces:
    """``size``: of all together."""

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

    def first(self, count: int) -> list[memoryview]:
        """At most so many pieces, without taking them; none when nothing waits."""
        self._gather()
        return list(itertools.islice(self._pieces, count))

    def take(self, most: int) -> memoryview:
        """At most so many bytes; something has to wait."""
        [piece] = self.first(1)
        self.drop(len(piece[:most]))
        return piece[:most]

    def drop(self, count: int) -> None:
        """So many bytes have gone on."""
        self.size -= count
        while count:
            first = self._pieces[0]
            if len(first) <= count:
                count -= len(first)
                self._pieces.popleft()
            else:
                self._pieces[0] = first[count:]
                count = 0
        while self._pieces and not self._pieces[0]:
            self._pieces.popleft()

    def clear(self) -> None:
        self._pieces.clear()
        self._small.clear()
        self.size = 0

    def _gather(self) -> None:
        if self._small:
            self._pieces.append(memoryview(bytes(self._small)))
            self._small.clear()
