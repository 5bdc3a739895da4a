# SPDX-License-Identifier: Apache-2.0
"""UMAS programs: their parts have only numbers, so that it is the program as a whole."""

from typing import Final

from portineria.protocols.operation import Kind, Operation, Target, Value
from portineria.protocols.transfer import Phase, Step

_PHASES: Final = {
    "umas-begin-program-write": Phase.BEGINS,
    "umas-program-write": Phase.GOES_ON,
    "umas-end-program-write": Phase.ENDS,
    "umas-begin-program-read": Phase.BEGINS,
    "umas-program-read": Phase.GOES_ON,
    "umas-end-program-read": Phase.ENDS,
}
_PROGRAM: Final = Target("program")


def step(operation: Operation, _read: tuple[Value, ...], _told: bool) -> Step | None:
    phase = _PHASES.get(operation.function)
    return None if phase is None else Step(phase, "", operation.kind is Kind.PROGRAM_WRITE, _PROGRAM, content=None)
