# SPDX-License-Identifier: Apache-2.0
"""Finds in what passes what a recording leaves out: secrets seen in clear, and, unless agreed, contents of programs.

Bytes in, the same number of bytes out, some of them FILL. A message that a decoder reads is given back when it is
whole; until then it is held here, so that its secret is not kept before anybody knows that it is one.
"""

import hashlib
from collections.abc import Callable
from typing import Protocol

from portineria.protocols.catalogue import ALL
from portineria.protocols.inspection import Answer, Inspection, ProtocolInfo, Request, Undecodable, Withheld
from portineria.recording.clear_text import ClearText
from portineria.recording.kept import FILL, Cut, Kept, filled

_RECOGNISED_BY = 8  # bytes of the client
UNFINISHED, UNREADABLE, UNPLACED = "unfinished", "unreadable", "unplaced"


class _Reader(Protocol):
    def take(self, direction: int, data: bytes) -> Kept: ...
    def rest(self, direction: int) -> Kept: ...


class Scissors:
    """Of one stream. ``protocol``: what it is inspected as, or empty. ``contents``: whether those of programs are kept
    now.
    """

    def __init__(self, protocol: str = "", *, contents: Callable[[], bool] = lambda: False) -> None:
        self._contents = contents
        self._reader: _Reader | None = None
        self._beginning = b""
        info = next((each for each in ALL if each.name == protocol), None)
        if info is not None:
            self._reader = self._of(info)

    def take(self, direction: int, data: bytes) -> Kept:
        """``direction`` 0: to the device."""
        if self._reader is None:
            if direction == 0:
                return self._begin(data)
            # None of the decoded protocols lets the device begin, or is answered before it can be recognised.
            self._reader = ClearText(greeted=True)
        elif direction == 0 and self._beginning:
            data, self._beginning = self._beginning + data, b""
        return self._reader.take(direction, data)

    def _begin(self, data: bytes) -> Kept:
        beginning = self._beginning + data
        if len(beginning) < _RECOGNISED_BY and not beginning.endswith((b"\r", b"\n")):
            self._beginning = beginning
            return Kept(b"")
        self._beginning = b""
        info = next((each for each in ALL if each.recognise(beginning)), None)
        self._reader = self._of(info) if info is not None else ClearText()
        return self._reader.take(0, beginning)

    def _of(self, info: ProtocolInfo) -> _Reader:
        return Decoded(info.begin(), contents=self._contents) if info.withholds else Plain()

    def rest(self, direction: int) -> Kept:
        """Nothing more comes in this direction: what is held goes with it."""
        if direction == 0 and self._beginning:
            held, self._beginning = self._beginning, b""
            return Kept(held)
        return self._reader.rest(direction) if self._reader is not None else Kept(b"")


class Plain:
    """What nobody knows a secret of."""

    def take(self, direction: int, data: bytes) -> Kept:
        return Kept(data)

    def rest(self, direction: int) -> Kept:
        return Kept(b"")


class Decoded:
    """By a decoder that is fed what passes. Once it cannot read on, what follows is recorded as it comes."""

    def __init__(self, inspection: Inspection, *, contents: Callable[[], bool]) -> None:
        self._inspection: Inspection | None = inspection
        self._contents = contents
        self._held = (bytearray(), bytearray())

    def take(self, direction: int, data: bytes) -> Kept:
        if self._inspection is None:
            return Kept(data)
        held = self._held[direction]
        held += data
        try:
            messages = _messages(self._inspection, direction, data)
        except Undecodable:
            self._inspection = None
            return self._all(direction, UNREADABLE)
        kept, cuts = bytearray(), list[Cut]()
        for message in messages:
            piece = bytes(held[: len(message.data)])
            del held[: len(piece)]
            for left_out in self._left_out(message, piece):
                cuts.append(_cut(left_out, piece, len(kept)))
            kept += piece
        return filled(bytes(kept), tuple(cuts))

    def _left_out(self, message: Request | Answer, piece: bytes) -> tuple[Withheld, ...]:
        """A decoder that gives its message otherwise than it came cannot say where in it something stands."""
        wanted = tuple(each for each in message.withheld if not (each.content and self._contents()))
        return (Withheld(UNPLACED, 0, len(piece)),) if wanted and piece != message.data else wanted

    def rest(self, direction: int) -> Kept:
        return self._all(direction, UNFINISHED)

    def _all(self, direction: int, rule: str) -> Kept:
        size = len(self._held[direction])
        self._held[direction].clear()
        return Kept(FILL * size, (Cut(0, size, rule),)) if size else Kept(b"")


def _messages(inspection: Inspection, direction: int, data: bytes) -> list[Request] | list[Answer]:
    if direction:
        return inspection.from_device(data)
    requests = inspection.from_client(data)
    for request in requests:
        inspection.forward(request)
    return requests


def _cut(left_out: Withheld, piece: bytes, before: int) -> Cut:
    content = piece[left_out.at : left_out.at + left_out.size]
    digest = hashlib.sha256(content).hexdigest() if left_out.content else ""
    return Cut(before + left_out.at, len(content), left_out.rule, digest)
