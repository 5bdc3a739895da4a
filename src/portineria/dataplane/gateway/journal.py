# SPDX-License-Identifier: Apache-2.0
"""What an inspected stream asked and was answered, as lines in the index of its recording."""

from collections.abc import Callable, Mapping

from portineria.protocols.inspection import Answer, Request
from portineria.protocols.operation import Operation, Value

VALUES = 128  # of one line; all of them are in the packets beside it
UNANSWERED = 1024  # requests whose answer still finds them; of more the oldest are forgotten
Fields = Mapping[str, object]


class Journal:
    """``write(fields, passes)`` writes a line and returns its number; ``passes``: it is what the next bytes ask."""

    def __init__(self, write: Callable[[Fields, bool], int]) -> None:
        self._write = write
        self._asked: dict[Request, list[int]] = {}

    def asked(self, request: Request, *, refused: bool, noted: bool) -> None:
        verdict = "refused" if refused else "noted" if noted else "passed"
        lines = [self._write(fields_of(one) | {"verdict": verdict}, not refused) for one in request.operations]
        if request.expects_answer and not refused:
            if len(self._asked) >= UNANSWERED:
                del self._asked[next(iter(self._asked))]
            self._asked[request] = lines

    def answered(self, answer: Answer) -> None:
        """Reports that nobody asked for stand for themselves."""
        for operation in answer.operations:
            self._write(fields_of(operation) | {"verdict": "reported"}, False)
        if answer.to is None:
            return
        fields: dict[str, object] = {"answers": self._asked.pop(answer.to, [])}
        if answer.error:
            fields["error"] = answer.error
        if answer.values:
            fields["values"] = [_shown(values) for values in answer.values]
        self._write(fields, False)


def fields_of(operation: Operation) -> dict[str, object]:
    fields: dict[str, object] = {
        "protocol": operation.protocol, "function": operation.function, "code": operation.code,
        "kind": operation.kind.value, "targets": [str(target) for target in operation.targets[:VALUES]],
    }  # fmt: skip
    if operation.route:
        fields["route"] = list(operation.route)
    if operation.values:
        fields["values"] = _shown(operation.values)
    return fields


def _shown(values: tuple[Value, ...]) -> list[Value]:
    return [f"0x{value.hex()}" if isinstance(value, bytes) else value for value in values[:VALUES]]
