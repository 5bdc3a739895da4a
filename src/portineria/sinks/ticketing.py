# SPDX-License-Identifier: Apache-2.0
"""Systems that keep tickets: asked whether one covers some work, told how it went, and given new ones for events."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from portineria.sinks.http import Answer
from portineria.sinks.kind import Away, Refused, Taken
from portineria.sinks.outgoing import Outgoing, printable
from portineria.sinks.setting import Setting, Shape
from portineria.sinks.ticket import Ticket
from portineria.sinks.ticket_text import title, words

TEXT_CHARACTERS = 200  # of a state or a title that somebody there wrote
_MOST_TEXTS, _DEEPEST = 64, 6  # of one field
_NEVER = (400, 413, 422)  # these bytes, however often they come
TAKES_NONE = (403, 404, 405, 409, 410)  # of a comment: a ticket that is closed, locked or gone
_NOBODYS = "PORTINERIA-0"
_TESTED = "sinks.sink.tested"
OPENS = ("nothing", "chosen")
SETTINGS = (
    Setting("prefix", Shape.WORD, needed=False),
    Setting("states", Shape.LIST, needed=False),
    Setting("machine_field", Shape.WORD, needed=False),
    Setting("supplier_field", Shape.WORD, needed=False),
    Setting("opens", Shape.CHOICE, default="nothing", choices=OPENS),
)


class Tickets(Protocol):
    """One system. Every method raises Away where there is no answer that can be relied on."""

    async def find(self, number: str) -> Ticket | None:
        """None where there is none, or none that we may see."""

    async def comment(self, number: str, text: str) -> None:
        """``text`` in lines, ASCII. Raise Refused where this ticket takes none."""

    async def has(self, key: str) -> bool:
        """Whether a ticket was opened for this key."""

    async def open(self, key: str, title: str, text: str) -> None:
        """Raise Refused."""

    async def close(self) -> None: ...


def texts(value: Any, depth: int = 0) -> tuple[str, ...]:
    """Every text within a field, whatever it is made of: a text, a list, an object with a name. Bounded."""
    if isinstance(value, str):
        return (printable(value[:TEXT_CHARACTERS]),)
    if depth >= _DEEPEST or not isinstance(value, list | dict):
        return ()
    within = value.values() if isinstance(value, dict) else value
    return tuple(text for one in list(within)[:_MOST_TEXTS] for text in texts(one, depth + 1))[:_MOST_TEXTS]


def decoded(answer: Answer) -> Any:
    """Raise Away: an answer that is no JSON comes from something in between."""
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Away("its answer is no JSON") from error


def at(content: Any, path: str) -> Any:
    """ "fields.status.name" → what stands there; None where nothing does. In a list, of its first entry."""
    for name in path.split("."):
        if isinstance(content, list):
            content = content[0] if content else None
        content = content.get(name) if isinstance(content, dict) else None
    return content


def text_at(content: Any, path: str) -> str:
    """The first text there; a number as it is written."""
    found = at(content, path)
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else next(iter(texts(found)), "")


def required(answer: Answer, also: tuple[int, ...] = ()) -> Answer:
    """An answer that says yes. Raise Away, Refused; ``also`` for these statuses."""
    if answer.status in _NEVER or answer.status in also:
        raise Refused(f"HTTP {answer.status}")
    if not answer.good:
        raise answer.away()
    return answer


class Opening:
    """Opens a ticket for each event that gets here, where that was chosen; otherwise nothing is said of events.

    What came again because nobody knew whether it had arrived is looked for first: one event has one ticket.
    """

    def __init__(self, tickets: Tickets, settings: Mapping[str, str]) -> None:
        self._tickets, self._opens = tickets, settings["opens"] == "chosen"

    async def send(self, events: Sequence[Outgoing]) -> Taken:
        for place, event in enumerate(events):
            try:
                await self._heed(event)
            except (Away, Refused) as error:
                if not place:
                    raise
                return Taken(place, away=error if isinstance(error, Away) else None)
        return Taken(len(events))

    async def _heed(self, event: Outgoing) -> None:
        if event.code == _TESTED:
            await self._tickets.find(_NOBODYS)  # it answers, and believes who we are
        elif self._opens and not await self._tickets.has(event.key):
            await self._tickets.open(event.key, title(event), words(event))

    async def close(self) -> None:
        await self._tickets.close()
