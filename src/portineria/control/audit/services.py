# SPDX-License-Identifier: Apache-2.0
"""Writing the ledger. Always inside the transaction of the change that it records."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from django.db import connection, transaction
from django.utils import timezone

from portineria.control.audit import event_rows, word_index, words
from portineria.control.audit.drafts import Draft, draft
from portineria.control.audit.models import Event, Head, PersonalValue
from portineria.control.audit.news import News, tell
from portineria.core.errors import Conflict
from portineria.core.event import Value
from portineria.ledger import leaf as leaves
from portineria.ledger.merkle import leaf_hash
from portineria.process.figures import Figure, counts

_TOLD = ("session", "machine", "gateway", "person")  # to open pages
INDEXED = ("session", "machine", "gateway", "person", "supplier")
HOUR_S = 3600
_TOGETHER = 500
_following: list[Callable[[str, Mapping[str, Value]], None]] = []
WRITTEN = Figure(
    "portineria_register_events_total", "Events that this process wrote into registers, by their code.", ("code",)
)


class OutsideTransaction(Conflict):
    code = "audit.outside-transaction"


class BrokenChain(Conflict):
    code = "audit.chain.broken"


def record(code: str, /, *, organisation: str, actor: str, about: str = "", **fields: Value) -> Event:
    """Append one event. ``about`` is whose personal fields these are: the actor's own unless said.

    Raise UnknownEvent for a code or a field that the catalogue does not have.
    """
    [event] = append([draft(code, organisation=organisation, actor=actor, about=about, **fields)])
    return event


def append(drafts: Sequence[Draft]) -> list[Event]:
    """Append events, each organisation's in the given order. Raise OutsideTransaction."""
    if not connection.in_atomic_block:
        raise OutsideTransaction(f"{drafts[0].code} is recorded outside the transaction of what it records")
    made: dict[int, Event] = {}
    for organisation, head in _locked_heads({one.organisation for one in drafts}).items():
        own = {place: one for place, one in enumerate(drafts) if one.organisation == organisation}
        made |= zip(own, _append_to(head, list(own.values())), strict=True)
    return [made[place] for place in range(len(drafts))]


def append_behind(newest: Event, drafts: Sequence[Draft]) -> list[Event] | None:
    """Append events of one organisation outside any transaction, behind what was its newest event a moment ago: the
    statement is its own transaction, and locks nothing before. None, and nothing is written, where others appended
    meanwhile, or the database writes in several statements.
    """
    if connection.in_atomic_block or not event_rows.at_once():
        return None
    head = Head(
        organisation=newest.organisation, seq=newest.seq, leaf_sha256=newest.leaf_sha256, hour=hour_of(newest.at)
    )
    rows = _behind(head, drafts)
    return _told(rows) if event_rows.write(rows) else None


def _append_to(head: Head, drafts: Sequence[Draft]) -> list[Event]:
    """``head`` is locked."""
    rows = _behind(head, drafts)
    if not event_rows.write(rows):
        raise BrokenChain(f"event {head.organisation}/{head.seq}: the head of this chain is another one")
    return _told(rows)


def _behind(head: Head, drafts: Sequence[Draft]) -> event_rows.Rows:
    events, begun = list[Event](), list[tuple[int, int]]()
    seq, previous, hour = head.seq, bytes(head.leaf_sha256), head.hour
    for one in drafts:
        event = _numbered(one, seq + 1, previous)
        seq, previous = event.seq, bytes(event.leaf_sha256)
        if hour_of(event.at) != hour:
            hour = hour_of(event.at)
            begun.append((len(events), hour))
        events.append(event)
    found_by = [_words(event, one.public, one.personal) for event, one in zip(events, drafts, strict=True)]
    return event_rows.Rows(head, events, drafts, found_by, begun, hour)


def _told(rows: event_rows.Rows) -> list[Event]:
    """Once they are committed."""
    for event, one in zip(rows.events, rows.drafts, strict=True):
        ids = {name: one.id_of(name) for name in _TOLD}
        news = News(one.organisation, event.seq, one.code, one.actor, **ids)
        transaction.on_commit(partial(_written, news, one.public))
    return list(rows.events)


def _written(news: News, public: Mapping[str, Value]) -> None:
    counts.add(WRITTEN, news.code)
    tell(news)
    for heard in _following:
        heard(news.code, public)


def follow(heard: Callable[[str, Mapping[str, Value]], None] | None) -> None:
    """``heard`` takes the code and the public fields of every event that this process wrote, once it is committed; from
    any thread, and at once. None: nobody does any more.
    """
    _following[:] = [heard] if heard is not None else []


def _locked_heads(organisations: set[str]) -> dict[str, Head]:
    """In the order in which the organisations came to be, as everybody locks several (decision 17)."""
    locked = Head.objects.select_for_update(no_key=True).order_by("pk")
    found = {head.organisation: head for head in locked.filter(organisation__in=organisations)}
    for organisation in sorted(organisations - found.keys()):
        Head.objects.get_or_create(organisation=organisation)
        found[organisation] = locked.get(organisation=organisation)
    return found


def _numbered(one: Draft, seq: int, previous: bytes) -> Event:
    leaf = one.leaf(seq, timezone.now(), previous)
    data = leaves.encode(leaf)
    return Event(
        organisation=leaf.organisation, seq=leaf.seq, at=leaf.at, code=leaf.code, actor=leaf.actor,
        leaf=data, leaf_sha256=leaf_hash(data), prev_sha256=leaf.prev_sha256,
        **{name: one.id_of(name) for name in INDEXED},
    )  # fmt: skip


def hour_of(at: datetime) -> int:
    return int(at.timestamp()) // HOUR_S


def _words(event: Event, public: Mapping[str, Value], personal: Iterable[str]) -> list[str]:
    return words.event_words(
        organisation=event.organisation, code=event.code, actor=event.actor,
        columns=(getattr(event, name) for name in INDEXED), fields=public, personal=personal,
    )  # fmt: skip


def words_of(event: Event) -> list[str]:
    """Of an event as it stands in the database, with its personal values."""
    values = sorted(event.personal_values.all(), key=lambda value: value.pk)
    personal = [value.value for value in values if value.value is not None]
    return _words(event, leaves.decode(bytes(event.leaf))["fields"], personal)


@transaction.atomic
def erase(person: str) -> int:
    """Destroy every personal value about this person, and the words by which it was found. Return how many values.

    The chain verifies as before.
    """
    mine = PersonalValue.objects.filter(about=person)
    rows = list(mine.order_by("event").values_list("event", flat=True).distinct())
    for start in range(0, len(rows), _TOGETHER):
        word_index.remove((event.pk, words_of(event)) for event in _with_values(rows[start : start + _TOGETHER]))
    count, _ = mine.delete()
    for start in range(0, len(rows), _TOGETHER):
        word_index.put((event.pk, words_of(event)) for event in _with_values(rows[start : start + _TOGETHER]))
    return count


def _with_values(rows: Sequence[int]) -> Iterable[Event]:
    return Event.objects.filter(pk__in=rows).prefetch_related("personal_values")
