# SPDX-License-Identifier: Apache-2.0
"""What of a fragment is a secret, part of a file (A.27) or typed at a terminal (A.43, A.44), and where in its frames
that stands: between checks.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from portineria.protocols.dnp3 import files, objects
from portineria.protocols.dnp3.application import REQUEST_HEADER, RESPONSE_HEADER, Asked, Told
from portineria.protocols.dnp3.functions import AUTHENTICATE_FILE
from portineria.protocols.dnp3.headers import Header, Unknown
from portineria.protocols.dnp3.link import BLOCK, HEADER, Frame
from portineria.protocols.inspection import Withheld

PASSWORD, KEY, CONTENT, TERMINAL = "dnp3.password", "dnp3.file-key", "dnp3.file", "dnp3.terminal"
# A.27.2: offset and size of the name, of the password, then the key that opens files, then both texts.
_NAME_AT, _PASSWORD_AT, _KEY_AT, _TEXTS_AT = 0, 4, 8, 12
_KEY_OF_COMMAND_AT = 12  # A.27.3: behind offset and size of the name, time and permissions
_OBJECT_HEADER = 3  # group, variation, qualifier: 4.2.2.7.1
_CONTENT_AT = 8  # A.27.5: behind handle and number of the block


class _Place(NamedTuple):
    """``first`` to ``last``, the latter not included, from the beginning of a fragment."""

    rule: str
    first: int
    last: int


def asked(request: Asked, frames: Sequence[Frame]) -> tuple[Withheld, ...]:
    if request.headers is None and request.code == AUTHENTICATE_FILE:
        return _in_frames([_Place(PASSWORD, REQUEST_HEADER, REQUEST_HEADER + len(request.body))], frames)
    if request.headers is not None:
        return _in_frames(_places(request.headers, REQUEST_HEADER), frames)
    return _in_frames(_read_so_far(request.unread, request.body, REQUEST_HEADER), frames)


def told(answer: Told, frames: Sequence[Frame]) -> tuple[Withheld, ...]:
    if answer.unread is None:
        return _in_frames(_places(answer.headers, RESPONSE_HEADER), frames)
    return _in_frames(_read_so_far(answer.unread, answer.body, RESPONSE_HEADER), frames)


def _read_so_far(end: Unknown | None, body: bytes, before: int) -> Iterator[_Place]:
    """Where a terminal's object cannot be read, all that follows its header is taken for what was typed."""
    if end is None:
        return
    yield from _places(end.before, before)
    if body[end.at] in objects.TERMINALS and end.at + _OBJECT_HEADER < len(body):
        yield _Place(TERMINAL, before + end.at + _OBJECT_HEADER, before + len(body))


def _places(headers: Iterable[Header], before: int) -> Iterator[_Place]:
    """``before``: octets of the fragment in front of its object headers."""
    for header in headers:
        at, end = header.data
        if header.group in objects.TERMINALS and at < end:
            yield _Place(TERMINAL, before + at, before + end)
        if header.group != objects.FILE or not header.blobs:
            continue
        prefix = (end - at - sum(map(len, header.blobs))) // len(header.blobs)
        for blob in header.blobs:
            at += prefix
            for rule, first, last in _of(header.variation, blob):
                yield _Place(rule, before + at + first, before + at + last)
            at += len(blob)


def _of(variation: int, blob: bytes) -> Iterator[_Place]:
    """Of one object, from its beginning."""
    if variation == files.AUTHENTICATION:
        yield from _authentication(blob)
    elif variation == files.COMMAND and any(blob[_KEY_OF_COMMAND_AT : _KEY_OF_COMMAND_AT + 4]):
        yield _Place(KEY, _KEY_OF_COMMAND_AT, min(_KEY_OF_COMMAND_AT + 4, len(blob)))
    elif variation == files.TRANSPORT and len(blob) > _CONTENT_AT:
        yield _Place(CONTENT, _CONTENT_AT, len(blob))


def _authentication(blob: bytes) -> Iterator[_Place]:
    """All texts but a name that stands before the password, as every maker writes it; who asked is no secret."""
    if len(blob) < _TEXTS_AT:
        yield _Place(PASSWORD, 0, len(blob))
        return
    name, size, password = (int.from_bytes(blob[at : at + 2], "little") for at in (_NAME_AT, 2, _PASSWORD_AT))
    if any(blob[_KEY_AT:_TEXTS_AT]):
        yield _Place(KEY, _KEY_AT, _TEXTS_AT)
    first = _TEXTS_AT + size if name == _TEXTS_AT and name + size <= password else _TEXTS_AT
    if first < len(blob):
        yield _Place(PASSWORD, first, len(blob))


def _in_frames(places: Iterable[_Place], frames: Sequence[Frame]) -> tuple[Withheld, ...]:
    return tuple(piece for place in places for piece in _pieces(place, frames))


def _pieces(place: _Place, frames: Sequence[Frame]) -> Iterator[Withheld]:
    """In each frame an octet of the transport function stands before those of the fragment, a check behind each
    sixteen of both (8.2.1, 9.2.4.2).
    """
    begun, frame_at, fragment_at = False, 0, 0
    for frame in frames:
        size = len(frame.data) - 1
        octet = max(place.first - fragment_at, 0) + 1
        end = min(place.last - fragment_at, size) + 1
        while octet < end:
            block, stop = octet // BLOCK, min(end, (octet // BLOCK + 1) * BLOCK)
            at = frame_at + HEADER + octet + 2 * block
            yield Withheld(place.rule, at, stop - octet, content=place.rule == CONTENT, continues=begun)
            begun, octet = True, stop
        frame_at += len(frame.raw)
        fragment_at += size
