# SPDX-License-Identifier: Apache-2.0
"""Writing the ledger. Always inside the transaction of the change that it records."""

import secrets
from typing import Any

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from portineria.control.audit.models import Event, Head, PersonalValue
from portineria.control.audit.news import News, tell
from portineria.core.errors import Conflict
from portineria.core.event import DataClass, Value, classify
from portineria.ledger import leaf as leaves
from portineria.ledger.merkle import leaf_hash

_SALT_BYTES = 16  # 128 bits: a pruned leaf cannot be searched for with a dictionary
INDEXED = ("session", "machine", "gateway", "person")


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
    head.seq, head.leaf_sha256 = event.seq, event.leaf_sha256
    head.save(update_fields=["seq", "leaf_sha256"])
    ids = {name: str(public[name]) for name in INDEXED if name in public}
    news = News(organisation=organisation, seq=event.seq, code=code, actor=actor, **ids)
    transaction.on_commit(lambda: tell(news))
    return event


def _locked_head(organisation: str) -> Head:
    Head.objects.get_or_create(organisation=organisation)
    return Head.objects.select_for_update().get(organisation=organisation)


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


def chained_organisations() -> set[str]:
    """Whose events are here, by any trace that there is of them."""
    heads = Head.objects.values_list("organisation", flat=True)
    return {*heads, *Event.objects.values_list("organisation", flat=True).distinct()}


@transaction.atomic
def erase(person: str) -> int:
    """Destroy every personal value about this person. Return how many; the chain verifies as before."""
    count, _ = PersonalValue.objects.filter(about=person).delete()
    return count


def verify_chain(organisation: str) -> int:
    """Return the number of events; raise BrokenChain naming the first one that does not fit.

    May run while others write: what came after it began is not looked at. Finds what was changed, left out, put in
    or moved; not a chain that was computed anew to its end together with its head, nor a personal value taken away,
    which looks like one that was erased.
    """
    newest = Event.objects.filter(organisation=organisation).aggregate(newest=Max("seq"))["newest"] or 0
    head = Head.objects.filter(organisation=organisation).first() or Head(organisation=organisation)
    prev, seq, row = bytes(32), 0, 0
    events = Event.objects.filter(organisation=organisation, seq__lte=head.seq).order_by("seq")
    for event in events.prefetch_related("personal_values").iterator(chunk_size=1000):
        seq += 1
        if fault := _fault(event, seq, prev) or ("it stands before the one before" if event.pk <= row else None):
            raise BrokenChain(f"event {organisation}/{seq}: {fault}")
        prev, row = bytes(event.leaf_sha256), event.pk
    if seq < head.seq:
        raise BrokenChain(f"event {organisation}/{seq + 1}: it is missing, the head of this chain is {head.seq}")
    if newest > head.seq:
        raise BrokenChain(f"event {organisation}/{newest}: the head of this chain is {head.seq}")
    if bytes(head.leaf_sha256) != prev:
        raise BrokenChain(f"event {organisation}/{seq}: it is not the one that the head of this chain names")
    return seq


def _fault(event: Event, seq: int, prev: bytes) -> str | None:
    data = bytes(event.leaf)
    if event.seq != seq:
        return f"it is missing, the next one is {event.seq}"
    if leaf_hash(data) != bytes(event.leaf_sha256):
        return "the leaf is not the one that was hashed"
    try:
        content = leaves.decode(data)
        said, hashed = _said(content), dict(content["hashed"])
    except (ValueError, KeyError, TypeError):  # somebody else's bytes, with a hash that fits them
        return "the leaf is none of ours"
    if content.get("prev") != prev.hex() or bytes(event.prev_sha256) != prev:
        return "it does not follow the one before"
    shown = _columns(event)
    if differing := sorted(name for name, value in said.items() if shown[name] != value):
        return f"not what was hashed: {', '.join(differing)}"
    return _personal_fault(event, hashed)


def _said(content: dict[str, Any]) -> dict[str, Any]:
    """What the leaf says of every column that a page shows, sorts or filters by."""
    said = {name: content[name] for name in ("organisation", "seq", "code", "actor", "at")}
    return said | {name: str(content["fields"].get(name, "")) for name in INDEXED}


def _columns(event: Event) -> dict[str, Any]:
    columns = {name: getattr(event, name) for name in ("organisation", "seq", "code", "actor", *INDEXED)}
    return columns | {"at": leaves.written(event.at)}


def _personal_fault(event: Event, hashed: dict[str, str]) -> str | None:
    for value in event.personal_values.all():
        if value.field not in hashed:
            return f"{value.field} was put beside what was hashed"
        said = value.value
        if said is not None and leaves.personal_hash(bytes(value.salt), said).hex() != hashed[value.field]:
            return f"{value.field} is not the value that was hashed"
    return None
