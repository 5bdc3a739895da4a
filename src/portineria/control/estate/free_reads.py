# SPDX-License-Identifier: Apache-2.0
"""What of a service its owner marks as free of side effects when it is read: "holding 100-119", "node ns=2;s=Speed".

Addresses as operations name them: registers and coils of Modbus, bytes of S7 areas, nodes of OPC UA.
"""

import re
from collections.abc import Iterable

from portineria.control.identity.services import BadField
from portineria.wire.feature import FREE_RANGES, FreeRange

CHARACTERS = 1000  # of all of them
# What can be written, read: of Modbus; of S7.
_AREAS = r"holding|coil|db (?:0|[1-9]\d{0,4})|flags|inputs|outputs|peripherals|timers|counters"
_RANGE = re.compile(rf"({_AREAS}) (\d{{1,5}})(?:-(\d{{1,5}}))?")
_LAST = 0xFFFF
_NAME = r"[!-+\--~](?:[ -+\--~]{0,98}[!-+\--~])?"  # printable, without a comma, no space at its ends
_NODE = re.compile(rf"node ((?:ns=[1-9]\d{{0,4}};)?(?:i=(?:0|[1-9]\d{{0,9}})|s={_NAME}))")


def clean_free_reads(marked: Iterable[str]) -> str:
    """Apart by commas. Raise BadField."""
    found = [text.strip() for text in marked]
    joined = ", ".join(f"node {_node(text)}" if text.startswith("node ") else _text(*_range(text)) for text in found)
    if len(joined) > CHARACTERS or len(found) > FREE_RANGES:
        raise BadField("free_reads", f"at most {FREE_RANGES} ranges and nodes, {CHARACTERS} characters in all")
    return joined


def free_reads(joined: str) -> list[FreeRange]:
    return [_range(text) for text in joined.split(", ") if text and not text.startswith("node ")]


def free_nodes(joined: str) -> list[str]:
    """As operations name them: Part 6 5.3.1.10."""
    return [_node(text) for text in joined.split(", ") if text.startswith("node ")]


def _node(text: str) -> str:
    found = _NODE.fullmatch(text)
    if found is None:
        raise BadField("free_reads", f"{text[:60]!r} is no node: node ns=2;s=Speed, node ns=2;i=5")
    return found[1]


def _text(area: str, first: int, last: int) -> str:
    return f"{area} {first}" + (f"-{last}" if last > first else "")


def _range(text: str) -> FreeRange:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise BadField("free_reads", f"{text[:60]!r} is no holding or coil, area of S7 or node")
    area, first = found[1], int(found[2])
    last = int(found[3] or first)
    if not first <= last <= _LAST:
        raise BadField("free_reads", f"{text[:60]!r}: addresses up to {_LAST}")
    return area, first, last
