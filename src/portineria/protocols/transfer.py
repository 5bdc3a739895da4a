# SPDX-License-Identifier: Apache-2.0
"""Programs and files travel in many messages: what one operation is to one of them."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from portineria.protocols.operation import Operation, Target, Value


class Phase(Enum):
    BEGINS = auto()
    SECTION = auto()  # a section of it begins; the same one once more takes the place of what came of it
    GOES_ON = auto()
    MOVES = auto()  # what follows is of another place
    ENDS = auto()  # with what it carries; both ends said so
    BREAKS_OFF = auto()
    BESIDE = auto()  # is about it, and neither carries nor changes anything


@dataclass(frozen=True, slots=True)
class Step:
    """``of``: which one, among those under way to the same station. ``into``: the device; None: its parts will say.

    ``target``: as people call it, where it begins. ``size``: bytes that it is announced to have; of MOVES the place.
    ``content``: None where it is what the message withholds as content. ``number``: of a part or section; parts are
    counted from 0, and behind ``numbers`` of them from 0 again. ``more``: it has not all come yet.
    """

    phase: Phase
    of: str
    into: bool | None = None
    target: Target | None = None
    size: int | None = None
    content: bytes | None = b""
    number: int | None = None
    numbers: int = 1 << 32
    more: bool = False


# Of an operation that the device did, with what it read; ``told``: the device said it, asked or not.
StepOf = Callable[[Operation, tuple[Value, ...], bool], Step | None]
