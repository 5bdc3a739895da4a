# SPDX-License-Identifier: Apache-2.0
"""What a kept text finds is what the query finds that it was made of, whatever it is asked with."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portineria.control.access.models import Rule
from portineria.control.audit.models import Head
from portineria.control.identity.models import Key, Membership, Organisation, Person, Role
from portineria.control.kept_query import KeptRows, KeptValues


def memberships(name: str, role: str, since: datetime) -> QuerySet[Membership]:
    others = Membership.objects.filter(organisation=OuterRef("organisation"), role=Role.ADMINISTRATOR)
    rows = Membership.objects.filter(person__name=name, role=role, person__created_at__gt=since)
    return rows.select_related("person", "organisation", "supplier").annotate(led=Exists(others)).order_by("pk")


@pytest.mark.django_db
def test_they_are_those_of_the_query_with_what_it_joined_and_counted() -> None:
    made_at = timezone.now()
    owners = [Organisation.objects.create(name=name) for name in ("First", "Second")]
    people = [
        Person.objects.create(name=name, email=f"{number}@x.example", created_at=made_at)
        for number, name in enumerate(("Same", "Same", "Other %s"))
    ]
    for person in people:
        Membership.objects.create(person=person, organisation=owners[0], role=Role.OPERATOR)
    Membership.objects.create(person=people[2], organisation=owners[1], role=Role.ADMINISTRATOR)
    kept, before = KeptRows(memberships), made_at - timedelta(seconds=1)
    for name, role, since in (
        ("Same", Role.OPERATOR.value, before),
        ("Other %s", Role.OPERATOR.value, before),
        ("Other %s", Role.ADMINISTRATOR.value, before),
        ("Same", Role.OPERATOR.value, made_at),
        ("Nobody", Role.OPERATOR.value, before),
    ):
        wanted = list(memberships(name, role, since))
        with CaptureQueriesContext(connection) as asked:
            found = kept.all(name, role, since)
            told = [(row, row.person.name, row.organisation.name, row.supplier) for row in found]
        assert len(asked) == 1
        assert told == [(row, row.person.name, row.organisation.name, None) for row in wanted]
        assert [row.__dict__["led"] for row in found] == [row.__dict__["led"] for row in wanted]
        assert [row.person.created_at for row in found] == [made_at for _ in wanted]
    assert len(kept.all("Same", Role.OPERATOR.value, before)) == 2


@pytest.mark.django_db
def test_a_row_can_be_found_by_bytes_and_written_back() -> None:
    mine = Key.objects.create(role="test", key_id="key_a", wrapped=b"\x00\xff", certificate=b"c")
    Key.objects.create(role="test2", key_id="key_b", wrapped=b"", certificate=b"")
    kept = KeptRows(lambda wrapped, key: Key.objects.filter(wrapped=wrapped, pk=key).exclude(certificate=b""))
    found = kept.first(b"\x00\xff", mine.pk)
    assert found == mine
    assert kept.first(b"\x00", mine.pk) is None
    found.role = "changed"
    found.save(update_fields=["role"])
    mine.refresh_from_db()
    assert (mine.role, bytes(mine.wrapped)) == ("changed", b"\x00\xff")
    # As the query: no row has a number that no column holds.
    assert kept.all(b"\x00\xff", 1 << 64) == []
    assert kept.all(b"\x00\xff", -(1 << 64)) == []


@pytest.mark.django_db
def test_a_row_can_be_found_by_a_number_that_is_no_key() -> None:
    head = Head.objects.create(organisation="org_kept", seq=7)
    kept = KeptRows(lambda organisation, seq: Head.objects.filter(organisation=organisation, seq=seq))
    assert kept.all("org_kept", 7) == [head]
    assert kept.all("org_kept", 8) == []
    assert kept.all("org_kept", 1 << 64) == []


@pytest.mark.django_db
def test_lists_of_any_length_are_asked_for() -> None:
    owners = [Organisation.objects.create(name=f"Owner {number}") for number in range(70)]
    keys = [row.pk for row in owners]

    def named_or_known(some: Any, others: Any, name: str) -> QuerySet[Organisation]:
        return Organisation.objects.filter(Q(pk__in=some) | Q(name=name), pk__in=others).order_by("pk")

    kept = KeptRows(named_or_known)
    for some, others in itertools.product((0, 1, 2, 3, 5, 64, 65, 70), (0, 1, 3, 70)):
        for _ in range(2):
            found = kept.all(keys[:some], keys[:others], "Owner 2")
            assert found == list(named_or_known(keys[:some], keys[:others], "Owner 2"))
    assert kept.all(keys[:2], keys[1:3], "Nobody") == [owners[1]]
    with CaptureQueriesContext(connection) as asked:
        assert kept.all([], [], "Owner 2") == []
    assert not asked.captured_queries  # as Django: no row has none of no keys


def people(keys: Any, owners: Any, since: Any) -> QuerySet[Person, tuple[Any, ...]]:
    member = Membership.objects.filter(person=OuterRef("pk"), organisation__in=owners, role=Role.OPERATOR)
    rows = Person.objects.get_queryset().filter(pk__in=keys, created_at__gt=since)
    return rows.values_list("pk", "name", "created_at", "is_service", Exists(member))


@pytest.mark.django_db
def test_values_are_those_of_the_query_for_any_number_of_keys() -> None:
    made_at = timezone.now()
    owner = Organisation.objects.create(name="Owner")
    rows = [
        Person.objects.create(name=f"P {number}", email=f"p{number}@x.example", created_at=made_at)
        for number in range(70)
    ]
    for row in rows[::2]:
        Membership.objects.create(person=row, organisation=owner, role=Role.OPERATOR)
    kept, before = KeptValues(people), made_at - timedelta(seconds=1)
    keys = [row.pk for row in rows]
    for number in (0, 1, 2, 3, 5, 64, 65, 70):
        wanted = sorted(people(keys[:number], [owner.pk], before))
        assert len(wanted) == number
        for _ in range(2):
            assert sorted(kept.all(keys[:number], [owner.pk], before)) == wanted
    # Other keys and another time under the same text, and no answer twice for the key that fills it up.
    assert [row[1] for row in kept.all(keys[67:70], [owner.pk], before)] == ["P 67", "P 68", "P 69"]
    assert {row[4] for row in kept.all(keys[:3], [owner.pk + 1], before)} == {False}
    assert list(kept.all(keys[:3], [owner.pk], made_at)) == []
    with CaptureQueriesContext(connection) as asked:
        kept.all([keys[0]], [owner.pk], before)
    assert len(asked) == 1


@pytest.mark.django_db(transaction=True)
def test_a_lock_outside_a_transaction_is_refused_also_by_a_text_that_is_kept() -> None:
    kept = KeptRows(lambda pk: Organisation.objects.select_for_update(no_key=True).filter(pk=pk))
    owner = Organisation.objects.create(name="Owner")
    with transaction.atomic():
        assert kept.first(owner.pk) == owner
    if connection.features.has_select_for_update:
        with pytest.raises(transaction.TransactionManagementError):
            kept.first(owner.pk)
    else:  # SQLite locks with BEGIN
        assert kept.first(owner.pk) == owner


@pytest.mark.django_db
def test_a_column_too_small_for_any_mark_is_refused_and_not_empty_for_ever() -> None:
    kept = KeptRows(lambda count: Rule.objects.filter(approvals=count))
    if connection.vendor == "postgresql":
        with pytest.raises(EmptyResultSet):
            kept.all(1)
    else:  # where every column holds 64 bits
        assert kept.all(1) == []


def test_a_value_that_the_query_leaves_out_is_refused_when_its_text_is_made() -> None:
    with pytest.raises(AssertionError, match="not where it was expected"):
        KeptRows(lambda _key: Person.objects.get_queryset().filter(pk=1)).all(7)


def test_a_time_of_its_own_is_refused_which_would_stand_still() -> None:
    def brought_until_now(key: Any) -> QuerySet[Person]:
        return Person.objects.get_queryset().filter(pk=key, created_at__lt=timezone.now())

    with pytest.raises(AssertionError, match="changes by itself"):
        KeptRows(brought_until_now).all(7)
