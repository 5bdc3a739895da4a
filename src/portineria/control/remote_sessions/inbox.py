# SPDX-License-Identifier: Apache-2.0
"""What one gateway has said and nobody has dealt with yet."""

from collections import deque

from portineria.bus.message import FromGateway, LinkDown, LinkUp, ToControl
from portineria.core.errors import ProtocolError
from portineria.wire.report import GLANCE_SEQ, SIGNALS_SEQ, read_context

_QUESTIONS = 64  # per gateway; it asks again
_SIGNALS = 4  # reports of one gateway, one a second: older ones say less and less
_GLANCES = 64  # per gateway: of as many watched sessions, one a second
# Per gateway, twice what it keeps under way (256, ``reporter.UNDERWAY``). What does not fit is not acknowledged, so the
# gateway says it again.
_EVENTS = 512
_EVENT_BYTES = 8 << 20  # 512 of at most 8.5 KiB are 4.3 MiB
_TOGETHER = 64  # events that share a transaction
_OUTSIDE = (0, GLANCE_SEQ, SIGNALS_SEQ)  # of the chain of events
_WAITING_LINKS = 1024  # a link that comes and goes more often than that while one message is dealt with is an attack


class Inbox:
    """Events that wait become one batch, whatever they came in: they share a transaction. Signals come first,
    since they grow old; glances last.
    """

    def __init__(self) -> None:
        self._questions: deque[ToControl] = deque()
        self._rest: deque[ToControl] = deque()
        self._glances: deque[ToControl] = deque(maxlen=_GLANCES)
        self._signals: deque[ToControl] = deque(maxlen=_SIGNALS)
        self._events = self._event_bytes = 0

    def put(self, message: LinkUp | LinkDown | FromGateway) -> bool:
        """Return False when it is dropped: there is too much already, and it will be said again."""
        if not isinstance(message, FromGateway):
            return _put(self._rest, message, _WAITING_LINKS)
        seqs = [_seq(report) for report in message.sealed]
        questions = [report for seq, report in zip(seqs, message.sealed, strict=True) if seq == 0]
        glances = [report for seq, report in zip(seqs, message.sealed, strict=True) if seq == GLANCE_SEQ]
        signals = [report for seq, report in zip(seqs, message.sealed, strict=True) if seq == SIGNALS_SEQ]
        events = [report for seq, report in zip(seqs, message.sealed, strict=True) if seq not in _OUTSIDE]
        if signals:
            self._signals.append(FromGateway(message.relay, message.gateway, signals))
        if glances:  # the oldest goes first: what nobody had time for is the past
            self._glances.append(FromGateway(message.relay, message.gateway, glances))
        kept = True
        if questions:
            kept = _put(self._questions, FromGateway(message.relay, message.gateway, questions), _QUESTIONS)
        return self._put_events(message, events) and kept

    def _put_events(self, message: FromGateway, events: list[bytes]) -> bool:
        size = sum(map(len, events))
        if self._events + len(events) > _EVENTS or self._event_bytes + size > _EVENT_BYTES:
            return False
        self._events += len(events)
        self._event_bytes += size
        last = self._rest[-1] if self._rest else None
        if isinstance(last, FromGateway) and last.relay == message.relay and len(last.sealed) < _TOGETHER:
            room = _TOGETHER - len(last.sealed)
            self._rest[-1] = FromGateway(last.relay, last.gateway, [*last.sealed, *events[:room]])
            events = events[room:]
        if events:
            self._rest.append(FromGateway(message.relay, message.gateway, events))
        return True

    def take(self) -> ToControl | None:
        if self._signals:
            return self._signals.popleft()
        if self._questions:
            return self._questions.popleft()
        if not self._rest:
            return self._glances.popleft() if self._glances else None
        taken = self._rest.popleft()
        if isinstance(taken, FromGateway):
            self._events -= len(taken.sealed)
            self._event_bytes -= sum(map(len, taken.sealed))
        return taken


def _put(waiting: deque[ToControl], message: ToControl, most: int) -> bool:
    if len(waiting) >= most:
        return False
    waiting.append(message)
    return True


def _seq(report: bytes) -> int:
    """Questions and glances stand outside the chain of events. What cannot be read is refused with the events."""
    try:
        return read_context(report)[0].seq
    except ProtocolError:
        return 1
