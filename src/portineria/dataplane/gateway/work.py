# SPDX-License-Identifier: Apache-2.0
"""What a session did to its machine, as a few events for the register: enough for a report without the recording.

Each function with its counts, each target that was changed with its first old and last new value, each program block
with its hash. All of it is bounded; what found no line of its own is told as one number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from portineria.dataplane.gateway.functions import TEXT_CHARACTERS, Fields, fields_of, printable
from portineria.dataplane.gateway.last_read import LastRead, Values
from portineria.dataplane.gateway.spool import Spool
from portineria.dataplane.gateway.transfers import Block, Transfers, step_of
from portineria.policy.function_profile import Denial
from portineria.protocols.inspection import Answer, Request
from portineria.protocols.operation import Kind, Operation, Value
from portineria.recording.kept import contents_of

DONE, CHANGED, TRANSFERRED, WORKED = "work.done", "work.changed", "work.transferred", "session.worked"
MOST_FUNCTIONS, MOST_CHANGES, MOST_BLOCKS = 64, 64, 32
UNANSWERED = 1024  # of one stream; of more the oldest count as never answered
_VALUES_SHOWN = 16
# What leaves the machine as it was is counted and not listed.
_HARMLESS = {Kind.IDENTIFY, Kind.READ, Kind.PROGRAM_READ, Kind.SESSION, Kind.DIAGNOSTIC}
_WITH_VALUES = {Kind.WRITE, Kind.CONTROL}  # those of others may be passwords
# What is seen of a program or file; a method that only looks like one of a file is told as the control that it is.
_CARRIED = {Kind.PROGRAM_READ, Kind.PROGRAM_WRITE, Kind.FILE}
_NOT_OF_A_FUNCTION = {"targets", "route", "reason", "code"}
Before = list[Values | None]  # of each operation of a request


@dataclass(slots=True)
class Function:
    fields: Fields
    count: int = 0
    refused: int = 0
    noted: int = 0  # passed, and a profile on trial would have refused it
    unconfirmed: int = 0  # answered with an error, or not at all


@dataclass(slots=True)
class Change:
    fields: Fields
    before: str
    after: str = ""
    count: int = 0
    unconfirmed: int = 0


@dataclass(slots=True)
class Work:
    """Of one session, over all its streams."""

    last_read: LastRead = field(default_factory=LastRead)
    functions: dict[tuple[str, str, str, Kind], Function] = field(default_factory=dict)
    changes: dict[tuple[str, Operation], Change] = field(default_factory=dict)
    blocks: list[tuple[str, Block]] = field(default_factory=list)
    operations: int = 0
    refused: int = 0
    beyond: int = 0  # changes and blocks that stand in no line of their own
    others: Function = field(default_factory=lambda: Function({}))  # of all functions that have no line
    inspected: bool = False

    def of(self, service: str) -> "StreamWork":
        self.inspected = True
        return StreamWork(self, service)

    def function(self, service: str, operation: Operation) -> Function:
        key = service, operation.protocol, operation.function, operation.kind
        found = self.functions.get(key)
        if found is None:
            if len(self.functions) >= MOST_FUNCTIONS:
                return self.others
            denial = fields_of(Denial(operation, ()))
            fields = {name: value for name, value in denial.items() if name not in _NOT_OF_A_FUNCTION}
            found = self.functions[key] = Function({"service": service, **fields})
        return found

    def changed(self, service: str, operation: Operation, before: Values | None, *, confirmed: bool) -> None:
        key = service, Operation(
            operation.protocol, operation.function, operation.code, operation.kind, operation.targets, (),
            operation.route,
        )  # fmt: skip
        change = self.changes.get(key)
        if change is None:
            if len(self.changes) >= MOST_CHANGES:
                self.beyond += 1
                return
            told = fields_of(Denial(operation, ()))
            del told["reason"]
            change = self.changes[key] = Change({"service": service, **told}, text_of(before or ()))
        change.count += 1
        change.unconfirmed += not confirmed
        if operation.kind in _WITH_VALUES and (confirmed or not change.after):
            change.after = text_of(operation.values)

    def transferred(self, service: str, blocks: Sequence[Block]) -> None:
        for block in blocks:
            if len(self.blocks) < MOST_BLOCKS:
                self.blocks.append((service, block))
            else:
                self.beyond += 1

    def tell(self, spool: Spool, session: str) -> None:
        """Into the register, the totals last; then begin anew."""
        if not self.inspected:
            return
        for code, fields in self.lines():
            spool.record(code, session, **fields)
        spool.record(
            WORKED, session, operations=self.operations, refused=self.refused, functions=len(self.functions),
            changes=len(self.changes), blocks=len(self.blocks),
            beyond=self.beyond + self.others.count + self.others.refused,
        )  # fmt: skip
        self.functions, self.changes, self.blocks, self.others = {}, {}, [], Function({})
        self.operations = self.refused = self.beyond = 0
        self.inspected = False

    def lines(self) -> Iterator[tuple[str, Fields]]:
        for function in self.functions.values():
            counts = {
                "count": function.count, "refused": function.refused, "noted": function.noted,
                "unconfirmed": function.unconfirmed,
            }  # fmt: skip
            yield DONE, function.fields | counts
        for change in self.changes.values():
            fields = change.fields | {"count": change.count, "unconfirmed": change.unconfirmed}
            known = {"before": change.before, "after": change.after}
            yield CHANGED, fields | {name: text for name, text in known.items() if text}
        for service, block in self.blocks:
            told = fields_of(Denial(block.operation, ()))
            kept = {name: told[name] for name in ("protocol", "operation", "targets", "route")}
            yield TRANSFERRED, {
                "service": service, **kept, "content_sha256": block.sha256.hex(), "bytes": block.size,
                "whole": block.whole, "into_device": block.into,
            }  # fmt: skip


class StreamWork:
    """One stream of it. ``asked`` for every request that was decided, ``answered`` for every answer; ``close`` once."""

    def __init__(self, work: Work, service: str) -> None:
        self._work, self._service = work, service
        self._open: dict[Request, Before] = {}
        self._transfers = Transfers()

    def asked(self, request: Request, *, refused: bool, noted: bool) -> Before:
        """Return what is known of the old values, operation by operation."""
        work, before = self._work, Before()
        for operation in request.operations:
            function = work.function(self._service, operation)
            work.operations += 1
            if refused:
                function.refused += 1
                work.refused += 1
                before.append(None)
                continue
            function.count += 1
            function.noted += noted
            written = operation.kind in _WITH_VALUES
            before.append(work.last_read.before(self._service, operation) if written else None)
        if refused:
            return before
        if not request.expects_answer:
            self._happened(request, before, confirmed=True, answer=None)
        else:
            if len(self._open) >= UNANSWERED:
                oldest = next(iter(self._open))
                self._happened(oldest, self._open.pop(oldest), confirmed=False, answer=None)
            self._open[request] = before
        return before

    def knows(self, operation: Operation) -> bool:
        """Whether what this write changes was read and not written since."""
        return self._work.last_read.before(self._service, operation) is not None

    def read_first(self, operation: Operation, values: tuple[Values, ...]) -> None:
        """What the gateway read by itself: nobody's work."""
        if values:
            self._work.last_read.read(self._service, operation, values)

    def answered(self, answer: Answer) -> None:
        for operation in answer.operations:
            if (step := step_of(operation, (), told=True)) is not None:
                self._work.transferred(self._service, self._transfers.step(operation, step, contents_of(answer)))
        if answer.to is not None and (before := self._open.pop(answer.to, None)) is not None:
            self._happened(answer.to, before, confirmed=not answer.error, answer=answer)

    def close(self) -> None:
        for request, before in self._open.items():
            self._happened(request, before, confirmed=False, answer=None)
        self._open.clear()
        self._work.transferred(self._service, self._transfers.close())

    def _happened(self, request: Request, before: Before, *, confirmed: bool, answer: Answer | None) -> None:
        """An error of a bundle does not say for certain of which part it is: then none of them is confirmed."""
        work, told = self._work, answer.values if answer else ()
        values = told if len(told) == len(request.operations) else ((),) * len(request.operations)
        for operation, old, read in zip(request.operations, before, values, strict=True):
            if not confirmed:
                work.function(self._service, operation).unconfirmed += 1
            step = step_of(operation, read)
            if step is not None and confirmed:
                parts = [*contents_of(request), *(contents_of(answer) if answer else ())]
                work.transferred(self._service, self._transfers.step(operation, step, parts))
            if step is not None and operation.kind in _CARRIED:
                continue  # the line of what was carried says it
            if operation.kind is Kind.READ and read:
                if shares := _shares(operation, read, answer):
                    work.last_read.read(self._service, operation, shares)
            elif operation.kind not in _HARMLESS:
                work.last_read.written(self._service, operation)
                work.changed(self._service, operation, old, confirmed=confirmed)


def _shares(operation: Operation, read: Values, answer: Answer | None) -> list[Values]:
    """What was read of each target; empty where the decoder does not tell them apart."""
    if len(operation.targets) == 1:
        return [read]
    counts = answer.shares if answer else ()
    if len(counts) != len(operation.targets) or sum(counts) != len(read):
        return []
    shares, at = list[Values](), 0
    for count in counts:
        shares.append(read[at : at + count])
        at += count
    return shares


def text_of(values: Sequence[Value]) -> str:
    """As an event says them: what a client wrote, or a device answered, is anybody's words."""
    shown = [_text(value) for value in values[:_VALUES_SHOWN]]
    return printable(", ".join(shown) + ("…" if len(values) > _VALUES_SHOWN else ""))


def _text(value: Value) -> str:
    if isinstance(value, bytes):
        return f"0x{value[:TEXT_CHARACTERS].hex()}"
    return value[: TEXT_CHARACTERS + 1] if isinstance(value, str) else str(value)
