# SPDX-License-Identifier: Apache-2.0
"""What is recorded of bytes that passed: as many, some of them FILL, and which those were."""

from collections.abc import Sequence
from dataclasses import dataclass

from portineria.protocols.inspection import Answer, Request, Withheld

FILL = b"*"  # of every byte that was cut out: text stays text, and what frames a message is never cut


@dataclass(frozen=True, slots=True)
class Cut:
    """``at``: in the bytes that it is given with. ``sha256``: of contents; a secret has none, it could be guessed."""

    at: int
    size: int
    rule: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """Of one direction."""

    data: bytes
    cuts: tuple[Cut, ...] = ()


def parts_of(withheld: Sequence[Withheld], data: bytes) -> list[tuple[Withheld, bytes]]:
    """Each of those that continue none, with its bytes and those of all that continue it."""
    found = list[tuple[Withheld, bytes]]()
    for each in withheld:
        piece = data[each.at : each.at + each.size]
        if each.continues and found:
            found[-1] = found[-1][0], found[-1][1] + piece
        else:
            found.append((each, piece))
    return found


def contents_of(message: Request | Answer) -> list[bytes]:
    """Each content of a program or file that it carries, whole."""
    return [part for each, part in parts_of(message.withheld, message.data) if each.content]


def filled(data: bytes, cuts: tuple[Cut, ...]) -> Kept:
    kept = bytearray(data)
    for cut in cuts:
        kept[cut.at : cut.at + cut.size] = FILL * cut.size
    return Kept(bytes(kept), cuts)
