# SPDX-License-Identifier: Apache-2.0
"""What of a message is part of a program or of a file, or may be a password: transfers of the file object, and of PCCC
programs, system files, and what no document describes.
"""

from collections.abc import Iterator
from typing import Final

from portineria.protocols.cip import pccc
from portineria.protocols.cip.hidden import PASSWORD, rule_of
from portineria.protocols.cip.message import Call, leaves
from portineria.protocols.inspection import Withheld
from portineria.protocols.operation import Operation, Value

PROGRAM = "cip.program"
_TRANSFER: Final = 2  # number of the transfer, type of the packet: CIP Volume 1, 5A-42
_WRITES: Final = {
    "file-download-transfer": _TRANSFER,
    "pccc-physical-write": 0,  # all of it, also the address: where it ends depends on the processor
    "pccc-plc-3-physical-write": 0,
    "pccc-file-write": 0,
    "pccc-write-bytes-physical": pccc.ADDRESSES["pccc-write-bytes-physical"],
    "pccc-typed-file-write": 0,
}
_PCCC_READS: Final = frozenset(
    {
        "pccc-physical-read",
        "pccc-plc-3-physical-read",
        "pccc-file-read",
        "pccc-upload",
        "pccc-read-bytes-physical",
        "pccc-typed-file-read",
    }
)
Values = tuple[Value, ...]
_Part = tuple[str, int, bytes]  # rule, bytes at its beginning that stay, data


def asked(call: Call, whole: bytes) -> tuple[Withheld, ...]:
    """Of a request that is ``whole``."""
    found = list[_Part]()
    for each in leaves(call):
        if each.hidden and each.operation:
            found.append((rule_of(each.operation), 0, each.hidden))
        elif each.operation and each.operation.function in _WRITES:
            found += _part(PROGRAM, _WRITES[each.operation.function], each.operation.values)
    return tuple(_placed(found, whole))


def told(operations: tuple[Operation, ...], values: tuple[Values, ...], whole: bytes) -> tuple[Withheld, ...]:
    """``values``: of the answer, one tuple for each operation; empty where nothing was read."""
    found = list[_Part]()
    for operation, read in zip(operations, values, strict=False):
        data = read[0] if read and isinstance(read[0], bytes) else b""
        if operation.function == "file-upload-transfer":
            found += _part(PROGRAM, _TRANSFER, read)
        elif (rule := rule_of(operation)) or operation.function in _PCCC_READS:
            stays = 0 if rule == PASSWORD else len(data) - len(pccc.told(data))
            found += _part(rule or PROGRAM, stays, read)
    return tuple(_placed(found, whole))


def shown(operations: tuple[Operation, ...], values: tuple[Values, ...]) -> tuple[Values, ...]:
    """``values`` without what may be a password."""
    hidden = [bool(rule_of(operation)) for operation in operations]
    if not any(hidden):
        return values
    return tuple(
        (len(read[0]),) if hides and read and isinstance(read[0], bytes) else read
        for hides, read in zip(hidden, values, strict=False)
    )


def _part(rule: str, skipped: int, values: Values) -> list[_Part]:
    data = values[0] if values else b""
    return [(rule, skipped, data)] if isinstance(data, bytes) and len(data) > skipped else []


def _placed(parts: list[_Part], whole: bytes) -> Iterator[Withheld]:
    """In the order of the parts of a bundle. Each lies behind its own path and before nothing but a route, so that of
    equal bytes the last are meant; what cannot be placed takes all that follows with it.
    """
    least = 0
    for number, (rule, skipped, data) in enumerate(parts, start=1):
        at = whole.rfind(data, least) if number == len(parts) else whole.find(data, least)
        if at < 0:
            yield Withheld(rule, least, len(whole) - least, content=rule == PROGRAM)
            return
        least = at + len(data)
        yield Withheld(rule, at + skipped, len(data) - skipped, content=rule == PROGRAM)
