# SPDX-License-Identifier: Apache-2.0
"""From a place in a message's body to the places in the chunks that carried it. Part 6 6.7.2."""

from collections.abc import Iterable
from typing import NamedTuple

from portineria.protocols.inspection import Withheld

_HEAD = 24  # of each chunk: Part 6 6.7.2


class Place(NamedTuple):
    """``content``: as in Withheld."""

    rule: str
    at: int
    size: int
    content: bool = False


def placed(found: Iterable[Place], chunks: list[bytes]) -> tuple[Withheld, ...]:
    """In the chunks that carried the body, one after the other. ``found`` in the order of its places."""
    left_out = list[Withheld]()
    for rule, at, size, content in found:
        before = carried_before = 0
        for chunk in chunks:
            carried = len(chunk) - _HEAD
            first, end = max(at - carried_before, 0), min(at + size - carried_before, carried)
            if first < end:
                left_out.append(Withheld(rule, before + _HEAD + first, end - first, content))
            before, carried_before = before + len(chunk), carried_before + carried
    return tuple(left_out)
