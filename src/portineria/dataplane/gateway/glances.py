# SPDX-License-Identifier: Apache-2.0
"""What a session does, told while somebody looks on: decoded operations in merged lines, about one message a second.

Nothing here proves anything; that is for the events and the recording. What does not fit is told as a number, and what
cannot be sent now is lost.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from portineria.dataplane.gateway.clock import TrustedClock, boot_s
from portineria.dataplane.gateway.inspected import InspectedDevice
from portineria.dataplane.gateway.journal import Fields, Write
from portineria.wire.report import (
    GLANCE_ANSWERS,
    GLANCE_LINES,
    SHOWN_CHARACTERS,
    Glance,
    LateAnswer,
    Seen,
    SignalValues,
)

EVERY_S = 1.0  # between two glances of one session
LOOKED_AT_S = 60.0  # after one letter at most; whoever goes on looking says so again
READS = 12  # of the lines of one glance: a flood of reads must not hide what changes the machine
_UNANSWERED = 256  # operations whose answer still finds its line
_ITEMS = 8  # of a list of targets or values
_QUIET_KINDS = frozenset({"read", "identify", "diagnostic", "session"})


@dataclass(frozen=True, slots=True)
class Means:
    """What all sessions of a gateway share. ``show`` returns whether it was sent; it takes what signals are as well."""

    boot: bytes
    clock: TrustedClock
    show: Callable[[Glance | SignalValues], bool]


# All that is shown of an operation before its answer: what is alike in it is one line.
Key = tuple[str, str, str, str, str, str, str, str]


@dataclass(slots=True)
class _Line:
    number: int
    at_ms: int
    key: Key
    count: int = 1
    sent: bool = False
    answered: bool = False
    answer: str = ""
    error: str = ""

    def seen(self) -> Seen:
        service, protocol, verdict, kind, function, targets, route, values = self.key
        return Seen(
            self.number, self.at_ms, service, protocol, verdict, kind, function, targets, route, values, self.count,
            self.answered, self.answer, self.error,
        )  # fmt: skip


@dataclass(slots=True)
class _Second:
    """What the next glance says. Bounded whatever comes."""

    lines: dict[Key, _Line] = field(default_factory=dict)
    reads: int = 0
    answers: dict[int, LateAnswer] = field(default_factory=dict)
    beyond: int = 0


class Glances:
    """Of one session. Costs nothing while nobody looks on."""

    def __init__(self, session: str, means: Means) -> None:
        self._session, self._means = session, means
        self._streams: set[StreamGlances] = set()
        self._until = 0.0
        self._end: asyncio.TimerHandle | None = None
        self._next: asyncio.TimerHandle | None = None
        self._second = _Second()
        self._waiting: dict[int, _Line] = {}
        self._numbers = self._told = self._part = 0

    # -- who looks on ------------------------------------------------------------------------------------------

    @property
    def watched(self) -> bool:
        return boot_s() < self._until

    def watch(self, seconds: float) -> None:
        self._until = max(self._until, boot_s() + min(seconds, LOOKED_AT_S))
        for stream in self._streams:
            stream.look(watched=self.watched)
        if self._end is not None:
            self._end.cancel()
        self._end = asyncio.get_running_loop().call_later(max(self._until - boot_s(), 0) + 0.01, self._look_away)

    def _look_away(self) -> None:
        if self.watched:
            self.watch(0)
            return
        for stream in self._streams:
            stream.look(watched=False)
        self._second, self._waiting = _Second(), {}

    def close(self) -> None:
        """What was seen last is still told: a refusal may have been the end."""
        for timer in (self._end, self._next):
            if timer is not None:
                timer.cancel()
        if self.watched:
            self._tell()
        self._until = 0.0

    def of(self, service: str, inspected: InspectedDevice, write: Write | None) -> "StreamGlances":
        """``write``: of the stream's recording, where it has one."""
        added = StreamGlances(self, service, inspected, write)
        self._streams.add(added)
        added.look(watched=self.watched)
        return added

    def discard(self, stream: "StreamGlances") -> None:
        self._streams.discard(stream)

    # -- what is seen ------------------------------------------------------------------------------------------

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    def see(self, service: str, number: int, fields: Fields) -> None:
        """A line as the journal writes it, with the number that answers name."""
        if "answers" in fields:
            self._answer(fields)
        else:
            self._operation(service, number, fields)
        if self._next is None:
            self._next = asyncio.get_running_loop().call_later(EVERY_S, self._tell)

    def _operation(self, service: str, number: int, fields: Fields) -> None:
        second, key = self._second, _key(service, fields)
        line = second.lines.get(key)
        if line is None:
            quiet = fields.get("kind") in _QUIET_KINDS and fields.get("verdict") == "passed"
            if len(second.lines) >= GLANCE_LINES or (quiet and second.reads >= READS):
                second.beyond += 1
                return
            second.reads += quiet
            self._told += 1
            line = second.lines[key] = _Line(self._told, self._means.clock.unix_ms, key)
        else:
            line.count += 1
        if len(self._waiting) >= _UNANSWERED:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[number] = line

    def _answer(self, fields: Fields) -> None:
        numbers, error = fields["answers"], shown([fields.get("error", "")])
        assert isinstance(numbers, list)  # noqa: S101 - as the journal writes it
        each = _list(fields, "values")
        for place, number in enumerate(numbers):
            line = self._waiting.pop(number, None)
            if line is None:
                continue
            own = each[place] if len(each) == len(numbers) else each if place == 0 else ()
            line.answered, line.answer, line.error = True, shown(own if isinstance(own, list) else [own]), error
            if line.sent and (line.number in self._second.answers or len(self._second.answers) < GLANCE_ANSWERS):
                self._second.answers[line.number] = LateAnswer(line.number, line.answer, line.error)

    def _tell(self) -> None:
        second, self._second, self._next = self._second, _Second(), None
        if not (second.lines or second.answers or second.beyond):
            return
        self._part += 1
        lines = [line.seen() for line in second.lines.values()]
        glance = Glance(
            self._means.boot, self._session, self._part, self._means.clock.unix_ms, lines,
            answers=list(second.answers.values()), beyond=second.beyond,
        )  # fmt: skip
        for line in second.lines.values():
            line.sent = True
        if not self._means.show(glance):  # the next one that goes tells how much is missing
            self._second.beyond = second.beyond + sum(line.count for line in second.lines.values())


class StreamGlances:
    """Stands where an inspected stream writes its journal. A recorded one writes it in any case."""

    def __init__(self, glances: Glances, service: str, inspected: InspectedDevice, write: Write | None) -> None:
        self._glances, self._service, self._inspected, self._write = glances, service, inspected, write
        if write is not None:
            inspected.journal.write_to(self)

    def look(self, *, watched: bool) -> None:
        if self._write is None and watched != self._inspected.journal.writes:
            self._inspected.journal.write_to(self if watched else None)

    def __call__(self, fields: Fields, passes: bool) -> int:
        number = self._glances.number() if self._write is None else self._write(fields, passes)
        if self._glances.watched:
            self._glances.see(self._service, number, fields)
        return number

    def over(self) -> None:
        self._glances.discard(self)


def shown(items: Sequence[object], between: str = ", ") -> str:
    """One line that fits. What no font shows is written as its number: it can neither hide nor turn the line around."""
    text = between.join(str(item)[: SHOWN_CHARACTERS + 1] for item in items[:_ITEMS])
    if len(items) > _ITEMS:
        text += f" +{len(items) - _ITEMS}"
    text = text[: SHOWN_CHARACTERS + 1]
    text = "".join(symbol if symbol.isprintable() else f"\\u{ord(symbol):04x}" for symbol in text)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def _list(fields: Fields, name: str) -> list[object]:
    found = fields.get(name, ())
    return list(found) if isinstance(found, list | tuple) else []


def _key(service: str, fields: Fields) -> Key:
    protocol, verdict, kind = (str(fields.get(name, ""))[:24] for name in ("protocol", "verdict", "kind"))
    return (
        service, protocol, verdict, kind, shown([fields.get("function", "")]), shown(_list(fields, "targets")),
        shown(_list(fields, "route"), " > "), shown(_list(fields, "values")),
    )  # fmt: skip
