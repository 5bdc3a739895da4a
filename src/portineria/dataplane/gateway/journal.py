# SPDX-License-Identifier: Apache-2.0
"""What an inspected stream asked and was answered: for what is told of the session's work, and as lines, where it
is recorded or somebody looks on.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256

from portineria.dataplane.gateway.work import Before, StreamWork
from portineria.protocols.inspection import Answer, Request
from portineria.protocols.operation import Operation, Value
from portineria.recording.kept import contents_of, parts_of
from portineria.recording.rules import said

VALUES = 128  # of one line; all of them are in the packets beside it
UNANSWERED = 1024  # requests whose answer still finds them; of more the oldest are forgotten
Fields = Mapping[str, object]
Write = Callable[[Fields, bool], int]


class Journal:
    """Of one stream. ``write_to`` whoever takes lines; ``work``: what is counted of the stream."""

    def __init__(self, work: StreamWork | None = None) -> None:
        self._write: Write | None = None
        self._work = work
        self._asked: dict[Request, list[int]] = {}

    def write_to(self, write: Write | None) -> None:
        """``write(fields, passes)`` writes a line and returns its number; ``passes``: it is what the next bytes ask."""
        self._write = write
        if write is None:
            self._asked.clear()

    @property
    def writes(self) -> bool:
        return self._write is not None

    def asked(self, request: Request, *, refused: bool, noted: bool) -> None:
        known: Before = [None] * len(request.operations)
        if self._work is not None:
            known = self._work.asked(request, refused=refused, noted=noted)
        if self._write is None:
            return
        verdict = "refused" if refused else "noted" if noted else "passed"
        lines, contents, secrets = [], _contents(request), _secrets(request)
        for operation, before in zip(request.operations, known, strict=True):
            fields = fields_of(operation) | {"verdict": verdict}
            if secrets or (contents and "values" in fields):
                fields["values"] = [*secrets, *contents]
            if before:
                fields["before"] = _shown(before)
            lines.append(self._write(fields, not refused))
        if request.expects_answer and not refused:
            if len(self._asked) >= UNANSWERED:
                del self._asked[next(iter(self._asked))]
            self._asked[request] = lines

    def own(self, request: Request) -> None:
        """What the gateway asks by itself: nobody's work."""
        if self._write is not None:
            self._asked[request] = [
                self._write(fields_of(each) | {"verdict": "own"}, True) for each in request.operations
            ]

    def answered(self, answer: Answer) -> None:
        """Reports that nobody asked for stand for themselves."""
        if self._work is not None:
            self._work.answered(answer)
        if self._write is None:
            return
        for operation in answer.operations:
            reported = fields_of(operation) | {"verdict": "reported"}
            if "values" in reported and (told := [*_secrets(answer), *_contents(answer)]):
                reported["values"] = told
            self._write(reported, False)
        if answer.to is None:
            return
        fields: dict[str, object] = {"answers": self._asked.pop(answer.to, [])}
        if answer.error:
            fields["error"] = answer.error
        if left_out := [*_secrets(answer), *_contents(answer)]:
            fields["values"] = [left_out]
        elif answer.values:
            fields["values"] = [_shown(values) for values in answer.values]
        self._write(fields, False)


def _contents(message: Request | Answer) -> list[str]:
    """Of programs, whose bytes are nobody's to read here: size and hash of each part, as a recording has them."""
    return [f"{len(part)} bytes, sha256 {sha256(part).hexdigest()}" for part in contents_of(message)]


def _secrets(message: Request | Answer) -> list[str]:
    """That they are in it, and nothing of them."""
    parts = parts_of(message.withheld, message.data)
    return [said(each.rule, len(part)) for each, part in parts if not each.content]


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
