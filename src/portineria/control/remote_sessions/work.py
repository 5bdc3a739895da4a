# SPDX-License-Identifier: Apache-2.0
"""What was done in a session, from what its gateway told the register; no recording is opened for it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from portineria.control.audit import queries as audit
from portineria.control.audit.queries import EventView
from portineria.control.remote_sessions.models import Session

DONE, CHANGED, TRANSFERRED, WORKED, REFUSED, WITHHELD = (
    "work.done", "work.changed", "work.transferred", "session.worked", "operation.refused", "recording.withheld",
)  # fmt: skip
_TOLD = (DONE, CHANGED, TRANSFERRED, WORKED, REFUSED, WITHHELD)
_MOST = 2000  # events; a gateway tells at most 161 each time a session or it itself ends
_MOST_REFUSALS = 64


@dataclass(frozen=True, slots=True)
class Done:
    service: str
    protocol: str
    function: str
    operation: str
    count: int
    refused: int
    unconfirmed: int


@dataclass(frozen=True, slots=True)
class Changed:
    """``before`` and ``after`` are empty where nobody knows, or they were erased."""

    service: str
    protocol: str
    function: str
    operation: str
    targets: str
    route: str
    before: str
    after: str
    count: int
    unconfirmed: int


@dataclass(frozen=True, slots=True)
class Transferred:
    """``block``: or a file."""

    service: str
    operation: str
    block: str
    sha256: str
    size: int
    whole: bool
    into_device: bool | None = None  # None: its gateway does not say yet


@dataclass(frozen=True, slots=True)
class Refused:
    service: str
    function: str
    targets: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Of the recording, by one rule."""

    service: str
    rule: str
    count: int
    size: int


@dataclass(slots=True)
class Work:
    """``told``: the gateway has summed up; before that, and where nothing is inspected, there is nothing to tell."""

    told: bool = False
    operations: int = 0
    beyond: int = 0
    done: list[Done] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    transferred: list[Transferred] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def kinds(self) -> list[tuple[str, int]]:
        """How often something of each kind was done, the most frequent first."""
        counts: dict[str, int] = {}
        for line in self.done:
            counts[line.operation] = counts.get(line.operation, 0) + line.count
        return sorted(((kind, count) for kind, count in counts.items() if count), key=lambda pair: -pair[1])


def work_in(session: Session) -> Work:
    """Of one that the caller has established as visible."""
    found = audit.of_session(session.organisation.public_id, session.public_id).filter(code__in=_TOLD)
    return read(reversed(audit.views(found[:_MOST])))


def read(views: Iterable[EventView]) -> Work:
    """Oldest first."""
    work, refusals = Work(), dict[tuple[str, str, str, str], int]()
    for view in views:
        says = _Fields(view.fields)
        if view.code == WORKED:
            work.told = True
            work.operations += says.number("operations")
            work.beyond += says.number("beyond")
        elif view.code == DONE:
            work.done.append(_done(says))
        elif view.code == CHANGED:
            work.changed.append(_changed(says))
        elif view.code == TRANSFERRED:
            work.transferred.append(_transferred(says))
        elif view.code == WITHHELD:
            rule = says.text("cut_rule")
            work.left_out.append(LeftOut(says.text("service"), rule, says.number("count"), says.number("bytes")))
        elif view.code == REFUSED:
            key = says.text("service"), says.text("function"), says.text("targets"), says.text("reason")
            if key in refusals or len(refusals) < _MOST_REFUSALS:
                refusals[key] = refusals.get(key, 0) + says.number("count")
    work.refused = [Refused(*key, count) for key, count in refusals.items()]
    return work


class _Fields:
    """A gateway may say a word where a number belongs; what was erased is empty."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        return "" if value is None else str(value)

    def number(self, name: str) -> int:
        value = self._fields.get(name)
        return value if isinstance(value, int) and value >= 0 else 0


def _done(says: _Fields) -> Done:
    return Done(
        says.text("service"), says.text("protocol"), says.text("function"), says.text("operation"),
        says.number("count"), says.number("refused"), says.number("unconfirmed"),
    )  # fmt: skip


def _changed(says: _Fields) -> Changed:
    return Changed(
        says.text("service"), says.text("protocol"), says.text("function"), says.text("operation"),
        says.text("targets"), says.text("route"), says.text("before"), says.text("after"), says.number("count"),
        says.number("unconfirmed"),
    )  # fmt: skip


def _transferred(says: _Fields) -> Transferred:
    return Transferred(
        says.text("service"), says.text("operation"), says.text("targets"), says.text("content_sha256"),
        says.number("bytes"), whole=says.text("whole") == "True",
        into_device={"True": True, "False": False}.get(says.text("into_device")),
    )  # fmt: skip
