# SPDX-License-Identifier: Apache-2.0
"""The first bytes of a stream that passes unread, kept until its end: then they say what it was (decision 0041)."""

from collections.abc import Iterable

from portineria.protocols.recognition import BEGINNING, recognise


class Beginning:
    """Of both directions at most BEGINNING bytes. ``missing``: whether there is anything left to keep."""

    __slots__ = ("_from_device", "_to_device", "missing")

    def __init__(self) -> None:
        self._to_device, self._from_device = bytearray(), bytearray()
        self.missing = True

    def to_device(self, pieces: Iterable[memoryview]) -> None:
        for piece in pieces:
            self._to_device += piece[: BEGINNING - len(self._to_device)]
        self._look()

    def from_device(self, piece: memoryview) -> None:
        self._from_device += piece[: BEGINNING - len(self._from_device)]
        self._look()

    def _look(self) -> None:
        self.missing = len(self._to_device) < BEGINNING or len(self._from_device) < BEGINNING

    def recognised(self) -> str:
        """Empty where nothing passed."""
        if not self._to_device and not self._from_device:
            return ""
        return recognise(bytes(self._to_device), bytes(self._from_device))
