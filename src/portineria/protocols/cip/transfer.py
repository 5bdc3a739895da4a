# SPDX-License-Identifier: Apache-2.0
"""Files of the file object (CIP Volume 1, 5A-42), and programs of a PLC-5 or SLC (1770-6.5.16, chapters 7 and 12).

A file goes in numbered packets, of which the last has a checksum of two bytes behind it. A processor of the older
family says only that all of it begins and that it is completed: it is the program as a whole.
"""

from typing import Final

from portineria.protocols.cip import pccc
from portineria.protocols.operation import Operation, Target, Value
from portineria.protocols.transfer import Phase, Step

_HEAD, _CHECKSUM = 2, 2  # number and type of a packet; behind the last one
_FIRST, _MIDDLE, _LAST, _ABORT, _ONLY = range(5)  # types of packets
_NUMBERS: Final = 256
_FILES: Final = {  # whether it goes into the device, whether it is a packet
    "file-initiate-upload": (False, False),
    "file-upload-transfer": (False, True),
    "file-initiate-download": (True, False),
    "file-download-transfer": (True, True),
}
_PROGRAMS: Final = {
    "pccc-download-all-request": (True, Phase.BEGINS),
    "pccc-write-bytes-physical": (True, Phase.GOES_ON),
    "pccc-typed-file-write": (True, Phase.GOES_ON),
    "pccc-download-completed": (True, Phase.ENDS),
    "pccc-upload-all-request": (False, Phase.BEGINS),
    "pccc-read-bytes-physical": (False, Phase.GOES_ON),
    "pccc-typed-file-read": (False, Phase.GOES_ON),
    "pccc-upload-completed": (False, Phase.ENDS),
}
_PROGRAM: Final = Target("program")


def step(operation: Operation, read: tuple[Value, ...], _told: bool) -> Step | None:
    if (found := _FILES.get(operation.function)) is not None:
        into, packet = found
        data = _octets(operation.values if into else read)
        return _packet(operation, into, data) if packet else _beginning(operation, into, data)
    if (known := _PROGRAMS.get(operation.function)) is None:
        return None
    into, phase = known
    content = b""
    if phase is Phase.GOES_ON:
        data = _octets(operation.values if into else read)
        content = data[pccc.ADDRESSES.get(operation.function, 0) :] if into else pccc.told(data)
    return Step(phase, f"program {into}", into, _PROGRAM, content=content)


def _beginning(operation: Operation, into: bool, data: bytes) -> Step | None:
    """The size of the file comes first, in the request to write it and in the answer to read it."""
    if len(data) < 4:
        return None
    return Step(Phase.BEGINS, _name(operation, into), into, size=int.from_bytes(data[:4], "little"))


def _packet(operation: Operation, into: bool, data: bytes) -> Step | None:
    if len(data) < _HEAD:
        return None
    number, kind, content, phase = data[0], data[1], data[_HEAD:], Phase.GOES_ON
    if kind in (_LAST, _ONLY):
        content, phase = content[: max(len(content) - _CHECKSUM, 0)], Phase.ENDS
    elif kind == _ABORT:
        return Step(Phase.BREAKS_OFF, _name(operation, into), into)
    return Step(phase, _name(operation, into), into, content=content, number=number, numbers=_NUMBERS)


def _name(operation: Operation, into: bool) -> str:
    return f"{' '.join(map(str, operation.targets))} {into}"


def _octets(values: tuple[Value, ...]) -> bytes:
    return values[0] if values and isinstance(values[0], bytes) else b""
