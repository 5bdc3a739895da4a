# SPDX-License-Identifier: Apache-2.0
"""Rows by a kept text are those of the query that it was made of, with what it joined and counted."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portineria.control.audit.models import Head
from portineria.control.identity.models import Key, Membership, Organisation, Person, Role
from portineria.control.kept_rows import KeptRows


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


def test_a_value_that_the_query_leaves_out_is_refused_when_its_text_is_made() -> None:
    with pytest.raises(AssertionError, match="not where it was expected"):
        KeptRows(lambda _key: Person.objects.get_queryset().filter(pk=1)).all(7)


def test_a_time_of_its_own_is_refused_which_would_stand_still() -> None:
    def brought_until_now(key: Any) -> QuerySet[Person]:
        return Person.objects.get_queryset().filter(pk=key, created_at__lt=timezone.now())

    with pytest.raises(AssertionError, match="changes by itself"):
        KeptRows(brought_until_now).all(7)
