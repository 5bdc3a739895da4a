# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from django.db import IntegrityError, transaction

from portineria.control.audit import leaf, queries
from portineria.control.audit.models import Event, Head, PersonalValue
from portineria.control.audit.services import BrokenChain, OutsideTransaction, erase, record, verify_chain
from portineria.core.event import UnknownEvent

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
    assert leaf.leaf_hash(bytes(event.leaf)) == bytes(event.leaf_sha256)
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


@pytest.mark.django_db
@pytest.mark.parametrize(
    "tamper",
    [
        lambda event: Event.objects.filter(pk=event.pk).update(code="identity.person.erased"),
        lambda event: Event.objects.filter(pk=event.pk).update(leaf=bytes(event.leaf).replace(b"per_a", b"per_x")),
        lambda event: Event.objects.filter(pk=event.pk).update(actor="per_x"),
        lambda event: PersonalValue.objects.filter(event=event, field="email").update(value="x@example.com"),
        lambda event: (PersonalValue.objects.filter(event=event).delete(), Event.objects.filter(pk=event.pk).delete()),
        lambda event: Head.objects.update(seq=7),
    ],
    ids=["code", "leaf", "actor", "personal value", "deleted", "head"],
)
def test_any_alteration_is_found(tamper) -> None:
    write()
    event = write()
    write()
    assert verify_chain(ORG) == 3
    tamper(event)
    with pytest.raises(BrokenChain):
        verify_chain(ORG)


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
