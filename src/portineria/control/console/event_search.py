# SPDX-License-Identifier: Apache-2.0
"""From what somebody typed to one page of the register, and to the event that says they looked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from portineria.control.audit import queries as audit
from portineria.control.audit import words
from portineria.control.audit.models import Event
from portineria.control.audit.queries import MANY, Leaf, Sought
from portineria.control.console import event_names
from portineria.control.console.event_forms import EventFilter
from portineria.control.console.texts.events import codes_of
from portineria.control.identity.models import Person
from portineria.control.identity.reading import note_reading
from portineria.core.errors import NotFound

PER_LEAF = 50
_GATHERED = 500  # rows in one question
_FIRST = ("older", "newer")  # parameters: the event next to which the page begins


@dataclass(frozen=True, slots=True)
class Found:
    leaf: Leaf
    first: bool  # the newest page
    too_many: list[str] = field(default_factory=list)  # words that stand for more names than were looked for

    @property
    def count(self) -> int | None:
        return self.leaf.count

    @property
    def many(self) -> bool:
        return self.count is not None and self.count > MANY

    @property
    def older(self) -> str:
        return _cursor(self.leaf.events[-1]) if self.leaf.older and self.leaf.events else ""

    @property
    def newer(self) -> str:
        return _cursor(self.leaf.events[0]) if self.leaf.newer and self.leaf.events else ""


def _cursor(event: Event) -> str:
    """Its own register's number; that of its row would tell how much others write."""
    return f"{event.organisation}.{event.seq}"


def search(actor: Person, form: EventFilter, asked: Mapping[str, str]) -> Found:
    """One page. A filter that makes no sense finds nothing rather than everything. Raise NotFound for a false place."""
    if not form.is_valid():
        return Found(Leaf([]), first=True)
    mentioned = event_names.Mentioned(actor, words.query_words(form.cleaned_data["text"]))
    _note(actor, form, mentioned)
    sought = _sought(actor, form, mentioned)
    if sought is None:
        return Found(Leaf([]), first=True)
    older, newer = (_event(actor, asked.get(name, "")) for name in _FIRST)
    found = audit.search(actor, sought, most=PER_LEAF, before=older, after=None if older else newer)
    first = older is None and (newer is None or not found.newer)
    return Found(found, first, mentioned.too_many)


def gathered(actor: Person, form: EventFilter, organisation: str, most: int) -> list[Event]:
    """What fits in one register, the oldest first; of more than ``most`` the newest."""
    if not form.is_valid():
        return []
    mentioned = event_names.Mentioned(actor, words.query_words(form.cleaned_data["text"]))
    _note(actor, form, mentioned)
    sought = _sought(actor, form, mentioned)
    found: list[Event] = []
    before: Event | None = None
    while sought is not None and len(found) < most:
        leaf = audit.search(actor, sought, most=_GATHERED, before=before)
        found += [event for event in leaf.events if event.organisation == organisation]
        if not leaf.older:
            break
        before = leaf.events[-1]
    return found[most - 1 :: -1] if len(found) >= most else found[::-1]


def _event(actor: Person, cursor: str) -> Event | None:
    organisation, _, seq = cursor.partition(".")
    if not cursor:
        return None
    if not (seq.isascii() and seq.isdecimal() and len(seq) < 19):
        raise NotFound("no place in the register")
    return audit.event(actor, organisation, int(seq))


def _sought(actor: Person, form: EventFilter, mentioned: event_names.Mentioned) -> Sought | None:
    """None for a text in which there is no word."""
    given = form.cleaned_data
    terms = [
        frozenset(map(words.of_column, given[kind])) for kind in ("person", "machine", "gateway") if given[kind]
    ]  # fmt: skip
    if given["supplier"]:
        theirs = [*given["supplier"], *event_names.people_of(actor, given["supplier"])]
        terms.append(frozenset(map(words.of_column, theirs)))
    if given["session"]:
        terms.append(frozenset([words.of_column(given["session"])]))
    if given["code"]:
        terms.append(frozenset(map(words.of_code, codes_of(given["code"]))))
    wanted = words.query_words(given["text"])
    if given["text"] and not wanted:
        return None
    terms += [mentioned.term(word) for word in wanted]
    return Sought(tuple(terms), given["since"], given["before"])


_MOST_IDS = 20  # ids in one field of an event


def _note(actor: Person, form: EventFilter, mentioned: event_names.Mentioned) -> None:
    given = form.cleaned_data
    ids = {f"of_{kind}": " ".join(list(given[kind])[:_MOST_IDS]) for kind in event_names.KINDS if given[kind]}
    since, before = form.days
    days = {"from_day": since, "until_day": before}
    people = set(given["person"] or ()) or mentioned.people()
    note_reading(
        "audit.register.read", actor=actor, organisations=actor.event_organisations,
        about=next(iter(people)) if len(people) == 1 else "",
        of_kind=given["code"], of_session=given["session"], text=given["text"], **ids,
        **{name: day.isoformat() for name, day in days.items() if day},
    )  # fmt: skip
