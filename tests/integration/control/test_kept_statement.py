# SPDX-License-Identifier: Apache-2.0
"""A statement whose text is kept answers as the query that it was made of, for any number of keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portineria.control.identity.models import Membership, Organisation, Person, Role
from portineria.control.kept_statement import KeptStatement


def people(keys: Any, owners: Any, since: Any) -> QuerySet[Person, tuple[Any, ...]]:
    member = Membership.objects.filter(person=OuterRef("pk"), organisation__in=owners, role=Role.OPERATOR)
    rows = Person.objects.get_queryset().filter(pk__in=keys, created_at__gt=since)
    return rows.values_list("pk", "name", "created_at", "is_service", Exists(member))


@pytest.mark.django_db
def test_it_answers_as_the_query_does_for_any_number_of_keys() -> None:
    made_at = timezone.now()
    owner = Organisation.objects.create(name="Owner")
    rows = [
        Person.objects.create(name=f"P {number}", email=f"p{number}@x.example", created_at=made_at)
        for number in range(70)
    ]
    for row in rows[::2]:
        Membership.objects.create(person=row, organisation=owner, role=Role.OPERATOR)
    kept, before = KeptStatement(people, timed=True), made_at - timedelta(seconds=1)
    keys = [row.pk for row in rows]
    for number in (0, 1, 2, 3, 5, 64, 65, 70):
        wanted = sorted(people(keys[:number], [owner.pk], before))
        assert len(wanted) == number
        for _ in range(2):
            assert sorted(kept.rows(keys[:number], [owner.pk], at=before)) == wanted
    # Other keys and another time under the same text, and no answer twice for the key that fills it up.
    assert [row[1] for row in kept.rows(keys[67:70], [owner.pk], at=before)] == ["P 67", "P 68", "P 69"]
    assert {row[4] for row in kept.rows(keys[:3], [owner.pk + 1], at=before)} == {False}
    assert list(kept.rows(keys[:3], [owner.pk], at=made_at)) == []
    with CaptureQueriesContext(connection) as asked:
        kept.rows([keys[0]], [owner.pk], at=before)
    assert len(asked) == 1


def test_a_query_that_leaves_a_key_out_is_refused_when_its_text_is_made() -> None:
    with pytest.raises(AssertionError):
        KeptStatement(lambda keys: Person.objects.get_queryset().filter(pk=1).values_list("pk")).rows([7])


def test_a_query_with_a_time_of_its_own_is_refused_which_would_stand_still() -> None:
    def brought_until_now(keys: Any) -> QuerySet[Person, tuple[Any, ...]]:
        return Person.objects.get_queryset().filter(pk__in=keys, created_at__lt=timezone.now()).values_list("pk")

    with pytest.raises(AssertionError, match="changes by itself"):
        KeptStatement(brought_until_now).rows([7])
