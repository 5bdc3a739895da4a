# SPDX-License-Identifier: Apache-2.0
"""Finds in what passes what a recording leaves out: secrets seen in clear, and, unless agreed, contents of programs.

Bytes in, the same number of bytes out, some of them FILL. A message that a decoder reads is given back when it is
whole; until then it is held here, so that its secret is not kept before anybody knows that it is one.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
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
            self._reader = self._of(info, inspected=True)

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
        self._reader = self._of(info, inspected=False) if info is not None else ClearText()
        return self._reader.take(0, beginning)

    def _of(self, info: ProtocolInfo, *, inspected: bool) -> _Reader:
        if not info.withholds:
            return Plain()
        lines = None if inspected else ClearText(greeted=True)
        return Decoded(info.begin(), contents=self._contents, lines=lines)

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
    """By a decoder that is fed what passes. Once it cannot read on, what follows is recorded as it comes.

    ``lines``: where nobody inspects the stream and a client's first bytes alone say what it is. Whoever sends them
    could make everything behind them unreadable: what turns out to be something else is kept, as lines are.
    """

    def __init__(
        self, inspection: Inspection, *, contents: Callable[[], bool], lines: ClearText | None = None
    ) -> None:  # fmt: skip
        self._inspection: Inspection | None = inspection
        self._contents, self._lines = contents, lines
        self._held = (bytearray(), bytearray())
        self._late = [Kept(b""), Kept(b"")]  # given back with what comes next in its direction
        self._answered = False  # by a device that speaks it, which does nothing of a message that does not end

    def take(self, direction: int, data: bytes) -> Kept:
        if self._inspection is None:
            return self._behind_late(direction, self._unread(direction, UNREADABLE, data))
        held = self._held[direction]
        held += data
        try:
            messages = _messages(self._inspection, direction, data)
        except Undecodable:
            self._inspection = None
            self._late[1 - direction] = self._unread(1 - direction, UNREADABLE)  # was said before
            return self._unread(direction, UNREADABLE)
        self._answered |= direction == 1 and bool(messages)
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
        kept = self._unread(direction, UNREADABLE if self._inspection is None else UNFINISHED)
        return self._behind_late(direction, kept)

    def _behind_late(self, direction: int, kept: Kept) -> Kept:
        late, self._late[direction] = self._late[direction], Kept(b"")
        moved = (replace(cut, at=cut.at + len(late.data)) for cut in kept.cuts)
        return Kept(late.data + kept.data, (*late.cuts, *moved))

    def _unread(self, direction: int, rule: str, data: bytes = b"") -> Kept:
        """What is held, which no decoder gives back any more, and then ``data``."""
        held = bytes(self._held[direction])
        self._held[direction].clear()
        if self._lines is None or (rule == UNFINISHED and self._answered):
            cuts = (Cut(0, len(held), rule),) if held else ()
            return Kept(FILL * len(held) + data, cuts)
        return self._lines.take(direction, held + data) if held or data else Kept(b"")


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
