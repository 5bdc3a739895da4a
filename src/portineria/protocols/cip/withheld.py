# SPDX-License-Identifier: Apache-2.0
"""What of a message is part of a program or of a file: transfers of the file object, and PCCC's own beside the tags."""

from collections.abc import Iterable, Iterator
from typing import Final

from portineria.protocols.cip import pccc
from portineria.protocols.inspection import Withheld
from portineria.protocols.operation import Operation, Value

_TRANSFER: Final = 2  # number of the transfer, type of the packet: CIP Volume 1, 5A-42
_WRITES: Final = {
    "file-download-transfer": _TRANSFER,
    "pccc-physical-write": 0,  # all of it, also the address: where it ends depends on the processor
    "pccc-file-write": 0,
    "pccc-write-bytes-physical": pccc.ADDRESSES["pccc-write-bytes-physical"],
    "pccc-typed-file-write": 0,
}
_PCCC_READS: Final = frozenset(
    {"pccc-physical-read", "pccc-file-read", "pccc-upload", "pccc-read-bytes-physical", "pccc-typed-file-read"}
)
FUNCTIONS: Final = frozenset({*_WRITES, *_PCCC_READS, "file-upload-transfer"})


def asked(operations: tuple[Operation, ...], whole: bytes) -> tuple[Withheld, ...]:
    """Of a request that is ``whole``."""
    found = ((_WRITES[each.function], each.values) for each in operations if each.function in _WRITES)
    return tuple(_placed(found, whole))


def told(
    operations: tuple[Operation, ...], values: tuple[tuple[Value, ...], ...], whole: bytes
) -> tuple[Withheld, ...]:
    """``values``: of the answer, one tuple for each operation; empty where nothing was read."""
    found = list[tuple[int, tuple[Value, ...]]]()
    for operation, read in zip(operations, values, strict=False):
        if operation.function == "file-upload-transfer":
            found.append((_TRANSFER, read))
        elif operation.function in _PCCC_READS and read and isinstance(read[0], bytes) and read[0]:
            found.append((len(read[0]) - len(pccc.told(read[0])), read))
    return tuple(_placed(found, whole))


def _placed(found: Iterable[tuple[int, tuple[Value, ...]]], whole: bytes) -> Iterator[Withheld]:
    """In the order of the parts of a bundle. Each lies behind its own path and before nothing but a route, so that of
    equal bytes the last are meant; what cannot be placed takes all that follows with it.
    """
    least, parts = 0, list(found)
    for number, (skipped, values) in enumerate(parts, start=1):
        data = values[0] if values else b""
        if not isinstance(data, bytes) or len(data) <= skipped:
            continue
        at = whole.rfind(data, least) if number == len(parts) else whole.find(data, least)
        if at < 0:
            yield Withheld("cip.program", least, len(whole) - least, content=True)
            return
        least = at + len(data)
        yield Withheld("cip.program", at + skipped, len(data) - skipped, content=True)
