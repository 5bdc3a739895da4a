# SPDX-License-Identifier: Apache-2.0
"""Files (Part 5 annex C): opened, then read or written by a handle, and closed.

Closed is finished: a client that knows its size asks for no more than that, so that no short answer has to be the last.

Each file may have node ids of its own for these methods (Part 4 5.11.2), so that no list names all of them. Of a method
without a name it is taken from what it is handed and gives back, on the same object and with the same handle.
"""

from portineria.protocols.opcua.services import CALL
from portineria.protocols.operation import Kind, Operation, Target, Value
from portineria.protocols.transfer import Phase, Step

_CODE = str(CALL)
_WRITES, _ERASES, _MOST_MODE = 0x02, 0x04, 0x0F  # of read, write, erase, append: Part 5 annex C.2.2
_UNNAMED = "call"
_KINDS = (Kind.FILE, Kind.CONTROL, Kind.PROGRAM_WRITE)


def step(operation: Operation, read: tuple[Value, ...], _told: bool) -> Step | None:
    if operation.code != _CODE or operation.kind not in _KINDS or len(operation.targets) != 2:
        return None
    function, given, node = operation.function, operation.values, operation.targets[0].name
    if not given or type(given[0]) is not int:
        return None
    if function == "file-apply":
        return Step(Phase.ENDS, f"{node} {given[0]}")
    if not all(type(each) in (int, bytes) for each in (*given, *read)):
        return None
    if function == "file-get-position":
        return Step(Phase.BESIDE, node)
    if len(given) == len(read) == 1 and type(read[0]) is int:
        return _opening(function, given[0], f"{node} {read[0]}", Target("file", name=node))
    return _with_handle(function, given, read, f"{node} {given[0]}", Target("file", name=node))


def _opening(function: str, mode: int, of: str, target: Target) -> Step | None:
    """Opened to be written it may be empty from then on, whatever comes: that much is told of it in any case."""
    if function == "file-open":
        return Step(Phase.BEGINS, of, True if mode & (_WRITES | _ERASES) else None, target)
    opens = function == "file-open-with-masks" or (function == _UNNAMED and 0 < mode <= _MOST_MODE)
    return Step(Phase.BEGINS, of, target=target) if opens else None


def _with_handle(
    function: str, given: tuple[Value, ...], read: tuple[Value, ...], of: str, target: Target
) -> Step | None:
    if len(given) == 1 and not read and _is(function, "file-close"):
        return Step(Phase.ENDS, of)
    if len(given) != 2:
        return None
    second = given[1]
    if isinstance(second, bytes):
        writes = not read and _is(function, "file-write")
        return Step(Phase.GOES_ON, of, True, target, content=second) if writes else None
    if len(read) == 1 and isinstance(read[0], bytes) and isinstance(second, int) and _is(function, "file-read"):
        return Step(Phase.GOES_ON, of, False, target, content=read[0])
    moves = not read and isinstance(second, int) and _is(function, "file-set-position")
    return Step(Phase.MOVES, of, size=second) if moves and isinstance(second, int) else None


def _is(function: str, name: str) -> bool:
    return function in (name, _UNNAMED)
