# SPDX-License-Identifier: Apache-2.0
"""A session as a picture in time: a lane for itself, for each service, and for what was refused or held.

Drawn of rows that its page shows as tables anyway, so it says no more than they do. Places are parts of the whole
width in percent, as texts: a template would write a number with the comma of the reader's language.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from portineria.control.console import texts
from portineria.control.console.event_queries import EventRow
from portineria.control.remote_sessions.models import Session, Stream

_SHORTEST = timedelta(minutes=1)  # of the whole width
_SERVICES = 8  # lanes; what is spoken beside these shares one
_TICKS = 4  # parts between the times that are written
_STEPS = [timedelta(seconds=s) for s in (10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 24 * 3600)]
_FROM_TO = {
    "session.frozen": ("session.unfrozen", "frozen"),
    "session.draining": ("session.resumed", "finishing"),
    "session.transferring": ("session.transferred", "transfer"),
}
_MARKS = {
    "operation.refused": "refused", "stream.refused": "refused", "operation.hold-refused": "refused",
    "operation.held": "held", "operation.released": "passed", "operation.would-refuse": "passed",
}  # fmt: skip  # what gateways did; a yes or a no to a held one is said by what follows


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    width: str
    kind: str
    said: str

    @property
    def around(self) -> bool:
        """It is drawn around what goes on, and is higher."""
        return self.kind in ("frozen", "finishing", "transfer")


@dataclass(frozen=True, slots=True)
class Mark:
    x: str
    kind: str
    said: str


@dataclass(slots=True)
class Lane:
    name: str
    bars: list[Bar] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Timeline:
    began: datetime
    until: datetime
    lanes: list[Lane]
    ticks: list[tuple[str, str, datetime]]  # where, and which end of its text stands there
    kinds: frozenset[str]  # of bars and marks: what the key has to explain

    @property
    def seconds(self) -> bool:
        """Its ticks are not at whole minutes."""
        return self.until - self.began < _TICKS * timedelta(minutes=1)


def timeline_of(
    session: Session, streams: Iterable[Stream], course: Sequence[EventRow], *, newest: bool = True
) -> Timeline | None:
    """``course``: the newest first; ``newest``: nothing that is left out came after it. None for what never began."""
    if session.live_at is None:
        return None
    scale = _Scale(session.live_at, session.ended_at or timezone.now())
    own = Lane(_("Session"), [scale.bar(session.live_at, session.ended_at, "inside", _("Session"))])
    own.bars += _stretches(scale, course, None if newest or not course else course[0].at)
    lanes = [own, *_services(scale, streams, session.ended_at)]
    marks = [
        scale.mark(row.at, _MARKS[row.view.code], texts.event(row.view.code))
        for row in reversed(course) if row.view.code in _MARKS
    ]  # fmt: skip
    if marks:
        lanes.append(Lane(_("Operations"), marks=marks))
    bars = {bar.kind for lane in lanes for bar in lane.bars}
    kinds = frozenset(bars | {mark.kind for mark in marks})
    return Timeline(scale.began, scale.until, lanes, scale.ticks(), kinds)


def _stretches(scale: "_Scale", course: Sequence[EventRow], known_until: datetime | None) -> list[Bar]:
    """From one event to the one that ends it; what nobody ended lasts, as far as is known."""
    found: list[Bar] = []
    since: dict[str, datetime] = {}
    for row in reversed(course):
        code = row.view.code
        if code in _FROM_TO:
            since.setdefault(code, row.at)
        for begins, (ends, kind) in _FROM_TO.items():
            if code == ends and begins in since:
                found.append(scale.bar(since.pop(begins), row.at, kind, texts.event(begins)))
    return found + [scale.bar(at, known_until, _FROM_TO[code][1], texts.event(code)) for code, at in since.items()]


def _services(scale: "_Scale", streams: Iterable[Stream], ended: datetime | None) -> list[Lane]:
    """By their first connection; services of two devices may have one name."""
    lanes: dict[str, Lane] = {}
    rest = Lane(_("other services"))
    for row in sorted(streams, key=lambda row: (row.opened_at, row.pk)):
        name = f"{row.service.name} · {row.service.device.name}" if row.service else row.service_id_text
        if name not in lanes and len(lanes) < _SERVICES:
            lanes[name] = Lane(name)
        lane = lanes.get(name, rest)
        until = row.closed_at or ended
        lane.bars.append(scale.bar(row.opened_at, until, "closed" if until else "open", name))
    return [*lanes.values(), *([rest] if rest.bars else [])]


class _Scale:
    def __init__(self, began: datetime, until: datetime) -> None:
        self.began, self.until = began, max(until, began + _SHORTEST)

    def _part(self, at: datetime) -> float:
        """0 to 1; clocks of gateways may be off by more than a session lasts."""
        return min(1.0, max(0.0, (at - self.began) / (self.until - self.began)))

    def bar(self, since: datetime, until: datetime | None, kind: str, said: str) -> Bar:
        first, last = self._part(since), self._part(until or self.until)
        return Bar(_percent(first), _percent(max(last - first, 0.004)), kind, said)

    def mark(self, at: datetime, kind: str, said: str) -> Mark:
        return Mark(_percent(self._part(at)), kind, said)

    def ticks(self) -> list[tuple[str, str, datetime]]:
        """At round distances from the beginning."""
        wanted = (self.until - self.began) / _TICKS
        step = next((step for step in _STEPS if step >= wanted), wanted)
        count = int((self.until - self.began) / step)
        found = []
        for at in (self.began + step * turn for turn in range(count + 1)):
            part = self._part(at)
            found.append((_percent(part), "start" if part < 0.1 else "end" if part > 0.9 else "middle", at))
        return found


def _percent(part: float) -> str:
    return f"{part * 100:.2f}%"
