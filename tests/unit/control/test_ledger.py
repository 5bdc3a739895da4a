# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.audit import queries
from portineria.control.audit.models import Event, Head, PersonalValue
from portineria.control.audit.services import (
    INDEXED,
    BrokenChain,
    OutsideTransaction,
    erase,
    record,
)
from portineria.control.audit.verification import verify_chain
from portineria.core.event import UnknownEvent
from portineria.ledger import leaf
from portineria.ledger.merkle import leaf_hash

ORG, OTHER = "org_aaaaaaaaaaaaaaaa", "org_bbbbbbbbbbbbbbbb"


class Auditor:
    event_organisations = frozenset({ORG})


def write(organisation: str = ORG, person: str = "per_a", email: str = "technician@example.com") -> Event:
    return record(
        "identity.person.created",
        organisation=organisation,
        actor="per_owner",
        about=person,
        person=person,
        role="technician",
        name="Technician",
        email=email,
    )


@pytest.mark.django_db
def test_each_organisation_has_a_chain_of_its_own() -> None:
    first, second, other = write(), write(), write(OTHER)
    assert [first.seq, second.seq, other.seq] == [1, 2, 1]
    assert bytes(second.prev_sha256) == bytes(first.leaf_sha256)
    assert bytes(other.prev_sha256) == bytes(32)
    assert (verify_chain(ORG), verify_chain(OTHER)) == (2, 1)


@pytest.mark.django_db
def test_the_leaf_is_the_stored_bytes_and_holds_no_personal_value() -> None:
    event = Event.objects.get(pk=write().pk)
    content = json.loads(bytes(event.leaf))
    assert leaf_hash(bytes(event.leaf)) == bytes(event.leaf_sha256)
    assert content["fields"] == {"person": "per_a", "role": "technician"}
    assert set(content["hashed"]) == {"name", "email"}
    assert b"technician@example.com" not in bytes(event.leaf)


@pytest.mark.django_db
def test_after_erasure_the_chain_verifies_and_the_values_are_gone() -> None:
    write()
    write(person="per_b", email="rival@example.com")
    assert erase("per_a") == 2
    assert verify_chain(ORG) == 2
    first, second = queries.views(queries.events(Auditor()).order_by("seq"))
    assert first.fields["email"] is None
    assert second.fields["email"] == "rival@example.com"
    assert not PersonalValue.objects.filter(about="per_a").exists()


@pytest.mark.django_db
def test_a_pruned_leaf_does_not_yield_to_a_dictionary() -> None:
    event = write()
    digest = json.loads(bytes(event.leaf))["hashed"]["email"]
    erase("per_a")
    guesses = ("technician@example.com", "Technician", "")
    assert digest not in {leaf.personal_hash(salt, guess).hex() for guess in guesses for salt in (b"", bytes(16))}


OTHER_VALUES = {
    "at": datetime(2026, 1, 1, tzinfo=UTC), "code": "identity.person.erased", "actor": "per_x", "organisation": OTHER,
    "seq": 9, **dict.fromkeys(INDEXED, "mac_somethingelse"),
}  # fmt: skip


def change(event: Event, **columns: object) -> None:
    """As somebody does who writes to the table."""
    Event.objects.filter(pk=event.pk).update(**columns)


def rehashed(event: Event, data: bytes) -> None:
    change(event, leaf=data, leaf_sha256=leaf_hash(data))


@pytest.mark.django_db
@pytest.mark.parametrize("column", sorted(OTHER_VALUES))
def test_a_changed_column_is_found_and_named(column: str) -> None:
    write()
    event = write()
    write()
    change(event, **{column: OTHER_VALUES[column]})
    named = "it is missing" if column in ("seq", "organisation") else f"not what was hashed: {column}"
    with pytest.raises(BrokenChain, match=rf"event {ORG}/2: {named}"):
        verify_chain(ORG)


def test_every_column_that_finds_or_shows_an_event_is_compared() -> None:
    columns = {field.name for field in Event._meta.concrete_fields}
    assert columns - OTHER_VALUES.keys() == {"id", "leaf", "leaf_sha256", "prev_sha256"}


def relinked(event: Event) -> None:
    """Its leaf is another's, and the column of the one after was made to fit; what that one hashed was not."""
    data = bytes(event.leaf).replace(b"technician", b"operator")
    rehashed(event, data)
    Event.objects.filter(organisation=ORG, seq=event.seq + 1).update(prev_sha256=leaf_hash(data))


def drop(event: Event) -> None:
    PersonalValue.objects.filter(event=event).delete()
    event.delete()


def duplicate(event: Event) -> None:
    """The newest once more, as if it had happened twice."""
    event.pk, event.seq = None, event.seq + 2
    event.save(force_insert=True)
    Head.objects.filter(organisation=ORG).update(seq=event.seq)


def swap(event: Event) -> None:
    """With the one after: their numbers say the other order, each leaf fits its hash."""
    after = Event.objects.get(organisation=ORG, seq=event.seq + 1)
    change(event, seq=99)
    change(after, seq=event.seq)
    change(event, seq=event.seq + 1)


def place_below(event: Event) -> None:
    """Pages sort by the place in the table."""
    PersonalValue.objects.filter(event=event).delete()
    low = Event.objects.order_by("pk")[0].pk - 1
    change(event, id=low)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("tamper", "number", "fault"),
    [
        (lambda event: change(event, leaf=bytes(event.leaf).replace(b"per_a", b"per_x")), 2, "the leaf is not the one"),
        (lambda event: rehashed(event, b"not ours"), 2, "the leaf is none of ours"),
        (lambda event: rehashed(event, b"[]"), 2, "the leaf is none of ours"),
        (lambda event: rehashed(event, bytes(event.leaf).replace(b"technician", b"operator")), 3, "it does not follow"),
        (relinked, 3, "it does not follow"),
        (lambda event: change(event, prev_sha256=bytes(31) + b"1"), 2, "it does not follow"),
        (lambda event: PersonalValue.objects.filter(event=event, field="email").update(value="x@y.z"), 2, "email"),
        (lambda event: PersonalValue.objects.create(event=event, field="role", salt=b"", value=None), 2, "role"),
        (drop, 2, "it is missing"),
        (lambda event: drop(Event.objects.get(organisation=ORG, seq=3)), 3, "it is missing"),
        (swap, 2, "it does not follow"),
        (duplicate, 4, "it does not follow"),
        (place_below, 2, "it stands before"),
        (lambda event: Head.objects.update(seq=7), 4, "it is missing"),
        (lambda event: Head.objects.update(seq=2), 3, "the head of this chain is 2"),
        (lambda event: Head.objects.all().delete(), 3, "the head of this chain is 0"),
        (lambda event: Head.objects.update(leaf_sha256=bytes(32)), 3, "not the one that the head"),
    ],
    ids=[
        "leaf", "another's leaf", "another's JSON", "rehashed", "relinked", "link", "personal value", "value put in",
        "removed",
        "truncated", "reordered", "duplicated", "moved in the table", "head ahead", "head behind", "head removed",
        "head's hash",
    ],
)  # fmt: skip
def test_any_alteration_is_found_and_the_first_event_named(tamper, number: int, fault: str) -> None:
    write()
    event = write()
    write()
    assert verify_chain(ORG) == 3
    tamper(event)
    with pytest.raises(BrokenChain, match=rf"event {ORG}/{number}: .*{fault}"):
        verify_chain(ORG)


@pytest.mark.django_db
def test_events_are_read_in_the_order_of_the_register_though_a_clock_was_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write()
    monkeypatch.setattr(timezone, "now", lambda: datetime(2020, 1, 1, tzinfo=UTC))
    write()
    assert [event.seq for event in queries.events(Auditor())] == [2, 1]
    assert verify_chain(ORG) == 2


@pytest.mark.django_db
def test_the_database_refuses_a_second_event_of_the_same_number() -> None:
    event = write()
    event.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        event.save(force_insert=True)


@pytest.mark.django_db
def test_unknown_fields_are_refused_and_leave_nothing() -> None:
    with pytest.raises(UnknownEvent):
        record("access.request.cancelled", organisation=ORG, actor="per_a", token="secret")
    assert not Event.objects.filter(organisation=ORG).exists()


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_a_transaction_is_refused() -> None:
    with pytest.raises(OutsideTransaction):
        write()


@pytest.mark.django_db
def test_secret_fields_are_known_by_their_hash_only() -> None:
    event = record(
        "estate.enrolment.offered", organisation=ORG, actor="per_a", plant="pla_a", lookup="L", code="S3CRET"
    )
    assert b"S3CRET" not in bytes(event.leaf)
    assert PersonalValue.objects.get(event=event, field="code").value is None
    assert verify_chain(ORG) == 1


@pytest.mark.django_db
def test_hostile_text_is_shortened_and_made_printable() -> None:
    event = record(
        "estate.plant.created", organisation=ORG, actor="per_a", plant="pla_a", name="a\x1b[2J\n" + "x" * 2000
    )
    name = json.loads(bytes(event.leaf))["fields"]["name"]
    assert name.isprintable()
    assert len(name) == leaf.VALUE_CHARACTERS


@pytest.mark.django_db
def test_readers_see_only_their_organisations() -> None:
    write()
    write(OTHER)
    assert {event.organisation for event in queries.events(Auditor())} == {ORG}
