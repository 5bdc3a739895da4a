# SPDX-License-Identifier: Apache-2.0
"""Files (A.27): opened by name, then read or written by their handle in numbered blocks, of which one is the last."""

from portineria.protocols.dnp3.files import LAST, MODES
from portineria.protocols.operation import Kind, Operation, Value
from portineria.protocols.transfer import Phase, Step

_WRITTEN = MODES[2:]


def step(operation: Operation, read: tuple[Value, ...], _told: bool) -> Step | None:
    if operation.kind is not Kind.FILE or len(operation.targets) != 1:
        return None
    [target] = operation.targets
    if operation.function == "open-file":
        mode = operation.values[0] if operation.values else ""
        opens = read and (mode == "read" or mode in _WRITTEN)
        return Step(Phase.BEGINS, f"file-handle {read[0]!r}", mode in _WRITTEN, target) if opens else None
    if operation.function in ("close-file", "abort-file"):  # whose last block did not come
        return Step(Phase.BREAKS_OFF, str(target))
    if operation.function in ("file-information", "authenticate-file"):
        return Step(Phase.BESIDE, str(target))
    if operation.function not in ("read-file", "write-file"):
        return None
    into = operation.function == "write-file"
    number, content, *last = (*(operation.values if into else read), None, None)[:3]
    if not isinstance(number, int) or not isinstance(content, bytes):
        return None
    phase = Phase.ENDS if last == [LAST] else Phase.GOES_ON
    return Step(phase, str(target), into, target, content=content, number=number)
