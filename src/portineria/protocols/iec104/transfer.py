# SPDX-License-Identifier: Apache-2.0
"""Files (101, 7.4.11): announced, then sent in sections of segments, and acknowledged by whoever gets them.

The same types travel both ways; which end has the file is known by who announces it.
"""

from typing import Final

from portineria.protocols.operation import Kind, Operation, Target, Value
from portineria.protocols.transfer import Phase, Step

_NEGATIVE: Final = 0x80  # of FRQ and SRQ: 101, 7.2.6.28 and 29
_DEACTIVATED, _DELETED = 3, 4  # of SCQ: 101, 7.2.6.30
_WHOLE, _BROKEN_OFF = 1, 2  # of LSQ: the file without and with deactivation; sections 3 and 4: 101, 7.2.6.31
_TAKEN, _NOT_TAKEN = 1, 2  # of AFQ: the file; sections 3 and 4: 101, 7.2.6.32
_OF_RECEIVER: Final = frozenset({"call-file", "acknowledge-file"})


def step(operation: Operation, _read: tuple[Value, ...], told: bool) -> Step | None:
    if operation.kind is not Kind.FILE or len(operation.values) < 3:
        return None
    file, second, third = operation.values[:3]
    into = told == (operation.function in _OF_RECEIVER)
    at = f" at {operation.targets[0].first}" if operation.targets and operation.targets[0].first else ""
    target = Target("file", name=f"{file!r}{at}")
    of = f"{target} {into}"
    if operation.function == "segment":
        return Step(Phase.GOES_ON, of, into, target, content=third if isinstance(third, bytes) else b"", more=True)
    if not isinstance(second, int) or not isinstance(third, int):
        return None
    if operation.function == "file-ready":
        return None if third & _NEGATIVE else Step(Phase.BEGINS, of, into, target, size=second or None, more=True)
    if operation.function == "section-ready":
        refused = len(operation.values) > 3 and int(operation.values[3] or 0) & _NEGATIVE
        return None if refused else Step(Phase.SECTION, of, into, target, number=second, more=True)
    return _ending(operation.function, third, of, into)


def _ending(function: str, qualifier: int, of: str, into: bool) -> Step | None:
    """``qualifier``: the low four bits say what of the file is meant, the high ones why not."""
    what = qualifier & 0x0F
    if function == "last-segment" and what == _WHOLE:
        return Step(Phase.GOES_ON, of, into)
    if function == "acknowledge-file" and what == _TAKEN:
        return Step(Phase.ENDS, of, into)
    broken = {"last-segment": _BROKEN_OFF, "acknowledge-file": _NOT_TAKEN, "call-file": _DEACTIVATED}
    if broken.get(function) == what:
        return Step(Phase.BREAKS_OFF, of, into)
    return None if function == "call-file" and what == _DELETED else Step(Phase.BESIDE, of)
