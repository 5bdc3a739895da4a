# SPDX-License-Identifier: Apache-2.0
"""Writing the ledger. Always inside the transaction of the change that it records."""

import secrets

from django.db import connection, transaction
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


@transaction.atomic
def erase(person: str) -> int:
    """Destroy every personal value about this person. Return how many; the chain verifies as before."""
    count, _ = PersonalValue.objects.filter(about=person).delete()
    return count
