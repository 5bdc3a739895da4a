# SPDX-License-Identifier: Apache-2.0
"""Writing the ledger. Always inside the transaction of the change that it records."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from django.db import connection, transaction
from django.utils import timezone

from portineria.control.audit import word_index, words
from portineria.control.audit.drafts import Draft, draft
from portineria.control.audit.models import Event, Head, Hour, PersonalValue
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


def _append_to(head: Head, drafts: Sequence[Draft]) -> list[Event]:
    events = []
    for one in drafts:
        event = _numbered(one, head)
        head.seq, head.leaf_sha256 = event.seq, event.leaf_sha256
        events.append(event)
    Event.objects.bulk_create(events)
    _keep_values(zip(events, drafts, strict=True))
    word_index.put(
        (event.pk, _words(event, one.public, one.personal)) for event, one in zip(events, drafts, strict=True)
    )
    for event in events:
        _note_hour(head, event)
    head.save(update_fields=["seq", "leaf_sha256", "hour"])
    for event, one in zip(events, drafts, strict=True):
        ids = {name: one.id_of(name) for name in _TOLD}
        news = News(one.organisation, event.seq, one.code, one.actor, **ids)
        transaction.on_commit(partial(_written, news, one.public))
    return events


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


def _numbered(one: Draft, head: Head) -> Event:
    leaf = one.leaf(head.seq + 1, timezone.now(), bytes(head.leaf_sha256))
    data = leaves.encode(leaf)
    return Event(
        organisation=leaf.organisation, seq=leaf.seq, at=leaf.at, code=leaf.code, actor=leaf.actor,
        leaf=data, leaf_sha256=leaf_hash(data), prev_sha256=leaf.prev_sha256,
        **{name: one.id_of(name) for name in INDEXED},
    )  # fmt: skip


def _keep_values(pairs: Iterable[tuple[Event, Draft]]) -> None:
    PersonalValue.objects.bulk_create(
        PersonalValue(event=event, field=kept.field, about=one.about, salt=kept.salt, value=kept.value)
        for event, one in pairs
        for kept in one.kept
    )


def hour_of(at: datetime) -> int:
    return int(at.timestamp()) // HOUR_S


def _note_hour(head: Head, event: Event) -> None:
    hour = hour_of(event.at)
    if hour != head.hour:
        Hour.objects.create(organisation=head.organisation, hour=hour, first=event.pk)
        head.hour = hour


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
