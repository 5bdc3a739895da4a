# SPDX-License-Identifier: Apache-2.0
"""Ranges of a service that its owner marks as free of side effects when they are read: "holding 100-119, coil 0"."""

import re
from collections.abc import Iterable

from portineria.control.identity.services import BadField
from portineria.wire.statement import FREE_RANGES, FreeRange

CHARACTERS = 200  # of all of them
_AREAS = ("holding", "coil")  # of Modbus: what can be written, read
_RANGE = re.compile(r"([a-z]{1,24}) (\d{1,5})(?:-(\d{1,5}))?")
_LAST = 0xFFFF


def clean_free_reads(ranges: Iterable[str]) -> str:
    """Apart by commas. Raise BadField."""
    found = [_range(text.strip()) for text in ranges]
    joined = ", ".join(f"{area} {first}" + (f"-{last}" if last > first else "") for area, first, last in found)
    if len(joined) > CHARACTERS or len(found) > FREE_RANGES:
        raise BadField("free_reads", f"at most {FREE_RANGES} ranges, {CHARACTERS} characters in all")
    return joined


def free_reads(joined: str) -> list[FreeRange]:
    return [_range(text) for text in joined.split(", ") if text]


def _range(text: str) -> FreeRange:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise BadField("free_reads", f"{text[:60]!r} is no area with addresses")
    area, first = found[1], int(found[2])
    last = int(found[3] or first)
    if area not in _AREAS or not first <= last <= _LAST:
        raise BadField("free_reads", f"{text[:60]!r}: holding or coil, addresses up to {_LAST}")
    return area, first, last
