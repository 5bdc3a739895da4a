# SPDX-License-Identifier: Apache-2.0
"""Writing the ledger. Always inside the transaction of the change that it records."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from portineria.control.audit import word_index, words
from portineria.control.audit.models import Event, Head, Hour, PersonalValue
from portineria.control.audit.news import News, tell
from portineria.core.errors import Conflict
from portineria.core.event import DataClass, Value, classify
from portineria.ledger import leaf as leaves
from portineria.ledger.merkle import leaf_hash

_TOLD = ("session", "machine", "gateway", "person")  # to open pages
_SALT_BYTES = 16  # 128 bits: a pruned leaf cannot be searched for with a dictionary
INDEXED = ("session", "machine", "gateway", "person", "supplier")
HOUR_S = 3600
_TOGETHER = 500


class OutsideTransaction(Conflict):
    code = "audit.outside-transaction"


class BrokenChain(Conflict):
    code = "audit.chain.broken"


def record(code: str, /, *, organisation: str, actor: str, about: str = "", **fields: Value) -> Event:
    """Append one event. ``about`` is whose personal fields these are: the actor's own unless said.

    Raise UnknownEvent for a code or a field that the catalogue does not have.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction(f"{code} is recorded outside the transaction of what it records")
    given = {name: leaves.shortened(value) for name, value in fields.items() if value != ""}
    classes = classify(code, given)
    head = _locked_head(organisation)
    public = {name: value for name, value in given.items() if classes[name] is DataClass.PUBLIC}
    salts = {name: secrets.token_bytes(_SALT_BYTES) for name in given if name not in public}
    leaf = leaves.Leaf(
        organisation=organisation,
        seq=head.seq + 1,
        at=timezone.now(),
        code=code,
        actor=actor,
        prev_sha256=bytes(head.leaf_sha256),
        fields=public,
        hashed={name: leaves.personal_hash(salt, str(given[name])) for name, salt in salts.items()},
    )
    event = _stored(leaf)
    _keep_values(event, given, classes, salts, about or str(given.get("person") or actor))
    personal = [str(given[name]) for name in given if classes[name] is DataClass.PERSONAL]
    word_index.put([(event.pk, _words(event, public, personal))])
    _note_hour(head, event)
    head.seq, head.leaf_sha256 = event.seq, event.leaf_sha256
    head.save(update_fields=["seq", "leaf_sha256", "hour"])
    ids = {name: str(public[name]) for name in _TOLD if name in public}
    news = News(organisation=organisation, seq=event.seq, code=code, actor=actor, **ids)
    transaction.on_commit(lambda: tell(news))
    return event


def _locked_head(organisation: str) -> Head:
    Head.objects.get_or_create(organisation=organisation)
    return Head.objects.select_for_update(no_key=True).get(organisation=organisation)


def _stored(leaf: leaves.Leaf) -> Event:
    data = leaves.encode(leaf)
    return Event.objects.create(
        organisation=leaf.organisation,
        seq=leaf.seq,
        at=leaf.at,
        code=leaf.code,
        actor=leaf.actor,
        leaf=data,
        leaf_sha256=leaf_hash(data),
        prev_sha256=leaf.prev_sha256,
        **{name: str(leaf.fields[name]) for name in INDEXED if name in leaf.fields},
    )


def _keep_values(
    event: Event, given: dict[str, Value], classes: dict[str, DataClass], salts: dict[str, bytes], about: str
) -> None:
    PersonalValue.objects.bulk_create(
        PersonalValue(
            event=event,
            field=name,
            about=about,
            salt=salt,
            value=str(given[name]) if classes[name] is DataClass.PERSONAL else None,
        )
        for name, salt in salts.items()
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
