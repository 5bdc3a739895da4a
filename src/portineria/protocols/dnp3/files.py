# SPDX-License-Identifier: Apache-2.0
"""File control objects (A.27): names, blocks and what was answered; user names and passwords are never kept."""

from portineria.protocols.dnp3 import objects
from portineria.protocols.dnp3.headers import Header
from portineria.protocols.operation import MAX_TEXT, Target, Value

AUTHENTICATION, COMMAND, STATUS, TRANSPORT, TRANSPORT_STATUS, DESCRIPTOR, SPECIFICATION = range(2, 9)
MODES = ("delete", "read", "write", "append")  # A.27.3
STATUSES = {  # A.27.4 and 6
    1: "permission denied",
    2: "invalid mode",
    3: "not found",
    4: "locked by another",
    5: "too many open",
    6: "invalid handle",
    7: "block size",
    8: "communication lost",
    9: "cannot abort",
    16: "not opened",
    17: "handle expired",
    18: "overrun",
    19: "fatal",
    20: "out of sequence",
}
LAST = "last"  # of a block, behind which the file has none: A.27.5
_LAST_BIT = 0x80000000
_NAMED = (COMMAND, DESCRIPTOR)  # begin with offset and size of the name
_STATUS_AT = {STATUS: 12, TRANSPORT_STATUS: 8}


def targets(header: Header) -> list[Target]:
    found = []
    for blob in header.blobs:
        if header.variation in (STATUS, TRANSPORT, TRANSPORT_STATUS):
            found.append(Target("file-handle", int.from_bytes(blob[:4], "little")))
        elif header.variation in (COMMAND, DESCRIPTOR, SPECIFICATION):
            found.append(Target("file", name=_name(header.variation, blob)))
        else:
            found.append(Target("file"))
    return found


def _name(variation: int, blob: bytes) -> str:
    if variation in _NAMED:
        at = int.from_bytes(blob[0:2], "little")
        blob = blob[at : at + int.from_bytes(blob[2:4], "little")]
    return blob.decode("utf-8", "replace")[:MAX_TEXT]


def values(header: Header) -> list[Value]:
    """How a file is opened; what is written or read: number of the block, its octets, whether it is the last one.
    Other objects as they are.
    """
    if header.group in objects.TERMINALS:
        return [len(blob) for blob in header.blobs]
    if header.group != objects.FILE:
        return [] if header.group == objects.AUTHENTICATION else list(header.blobs)
    found: list[Value] = []
    for blob in header.blobs:
        if header.variation == COMMAND and len(blob) >= 24:
            mode = int.from_bytes(blob[20:22], "little")
            found.append(MODES[mode] if mode < len(MODES) else mode)
        elif header.variation == TRANSPORT and len(blob) > 8:
            number = int.from_bytes(blob[4:8], "little")
            found += [number & ~_LAST_BIT, blob[8:], *([LAST] if number & _LAST_BIT else [])]
    return found


def opened(header: Header) -> tuple[Value, ...]:
    """Handle and size of a file that an outstation opened: A.27.4."""
    blob = header.blobs[0] if len(header.blobs) == 1 else b""
    if (header.group, header.variation) != (objects.FILE, STATUS) or len(blob) < 8:
        return ()
    return int.from_bytes(blob[:4], "little"), int.from_bytes(blob[4:8], "little")


def error(header: Header) -> str:
    at = _STATUS_AT.get(header.variation)
    for blob in header.blobs:
        if at is not None and len(blob) > at and blob[at]:
            return f"file status {blob[at]}: {STATUSES.get(blob[at], 'undefined')}"
    return ""
