# SPDX-License-Identifier: Apache-2.0
"""Finds in what passes what a recording leaves out: secrets seen in clear, and, unless agreed, contents of programs.

Bytes in, the same number of bytes out, some of them FILL. A message that a decoder reads is given back when it is
whole; until then it is held here, so that its secret is not kept before anybody knows that it is one.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from portineria.protocols.catalogue import ALL
from portineria.protocols.inspection import Answer, Inspection, ProtocolInfo, Request, Undecodable, Withheld
from portineria.recording.clear_text import ClearText
from portineria.recording.kept import FILL, Cut, Kept, filled, parts_of

_RECOGNISED_BY = 8  # bytes of the client
_MOST_MIXED = 1 << 20  # bytes of messages whose parts alternate
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
        return Decoded(info, contents=self._contents, lines=lines)

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

    def __init__(self, info: ProtocolInfo, *, contents: Callable[[], bool], lines: ClearText | None = None) -> None:
        self._inspection: Inspection | None = info.begin()
        self._mend = info.mend
        self._contents, self._lines = contents, lines
        self._held = (bytearray(), bytearray())
        self._read = (deque[Request | Answer](), deque[Request | Answer]())  # messages, of which the bytes are held
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
        self._read[direction].extend(messages)
        return self._whole(direction)

    def _whole(self, direction: int) -> Kept:
        """What was read, as far as it is at the beginning of what is held. Messages whose parts alternate, as those to
        several stations on one connection may, wait until the last of them is whole: only then is it known whose bytes
        stand there, and where one of them has a secret all are cut.
        """
        held, read = self._held[direction], self._read[direction]
        kept, cuts = bytearray(), list[Cut]()
        while read and held.startswith(read[0].data):
            message = read.popleft()
            wanted = self._wanted(message)
            cuts += _cuts(wanted, message.data, len(kept))
            kept += self._filled(message.data, wanted)
            del held[: len(message.data)]
        mixed = sum(len(message.data) for message in read)
        if read and (mixed >= len(held) or mixed > _MOST_MIXED):
            piece = bytes(held[:mixed])
            if any(map(self._wanted, read)):
                cuts.append(Cut(len(kept), len(piece), UNPLACED))
                piece = FILL * len(piece)
            kept += piece
            del held[:mixed]
            read.clear()
        return Kept(bytes(kept), tuple(cuts))

    def _wanted(self, message: Request | Answer) -> tuple[Withheld, ...]:
        return tuple(each for each in message.withheld if not (each.content and self._contents()))

    def _filled(self, data: bytes, wanted: tuple[Withheld, ...]) -> bytes:
        if not wanted:
            return data
        kept = filled(data, tuple(Cut(each.at, each.size, each.rule) for each in wanted)).data
        return kept if self._mend is None else self._mend(kept)

    def rest(self, direction: int) -> Kept:
        kept = self._unread(direction, UNREADABLE if self._inspection is None else UNFINISHED)
        return self._behind_late(direction, kept)

    def _behind_late(self, direction: int, kept: Kept) -> Kept:
        late, self._late[direction] = self._late[direction], Kept(b"")
        moved = (replace(cut, at=cut.at + len(late.data)) for cut in kept.cuts)
        return Kept(late.data + kept.data, (*late.cuts, *moved))

    def _unread(self, direction: int, rule: str, data: bytes = b"") -> Kept:
        """What is held, which no decoder gives back any more, and then ``data``."""
        held, read = bytes(self._held[direction]), self._read[direction]
        secret = any(map(self._wanted, read))
        self._held[direction].clear()
        read.clear()
        if self._lines is None or secret or (rule == UNFINISHED and self._answered):
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


def _cuts(wanted: tuple[Withheld, ...], data: bytes, before: int) -> Iterator[Cut]:
    """The hash of contents stands with their first piece, and is of all of them: a few bytes could be guessed."""
    parts = iter(parts_of(wanted, data))
    for each in wanted:
        digest = ""
        if not each.continues:
            _, part = next(parts)
            digest = hashlib.sha256(part).hexdigest() if each.content else ""
        yield Cut(before + each.at, each.size, each.rule, digest)
