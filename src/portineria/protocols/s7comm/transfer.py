# SPDX-License-Identifier: Apache-2.0
"""Blocks, each by its name: what a job is to the one that it carries."""

from typing import Final

from portineria.protocols.operation import Kind, Operation, Value
from portineria.protocols.transfer import Phase, Step

_PHASES: Final = {
    "request-download": Phase.BEGINS,
    "download-block": Phase.GOES_ON,
    "download-ended": Phase.ENDS,
    "start-upload": Phase.BEGINS,
    "upload": Phase.GOES_ON,
    "end-upload": Phase.ENDS,
}


def step(operation: Operation, _read: tuple[Value, ...], _told: bool) -> Step | None:
    phase = _PHASES.get(operation.function)
    if phase is None:
        return None
    return Step(phase, " ".join(map(str, operation.targets)), operation.kind is Kind.PROGRAM_WRITE, content=None)
