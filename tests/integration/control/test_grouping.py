# SPDX-License-Identifier: Apache-2.0
"""Events that share a commit: each is durable when its caller goes on, and none is lost, doubled or out of place."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from portineria.control.audit import word_index
from portineria.control.audit.drafts import Draft, draft
from portineria.control.audit.grouping import Group, record_alone
from portineria.control.audit.models import Event, Head, Hour, PersonalValue
from portineria.control.audit.verification import verify_chain

ORG, OTHER = "org_aaaaaaaaaaaaaaaa", "org_bbbbbbbbbbbbbbbb"
THREADS, TURNS = 8, 25


def denied(number: int, organisation: str = ORG) -> Draft:
    return draft("identity.attempt.denied", organisation=organisation, actor="per_a", person="per_a", why=str(number))


def together(work: Callable[[int], None]) -> None:
    """In several threads; what fails in one is printed by pytest, and it is missing in the end."""
    whole: list[int] = []

    def run(number: int) -> None:
        try:
            work(number)
            whole.append(number)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(whole) == list(range(THREADS))


@pytest.mark.django_db(transaction=True)
def test_many_threads_append_and_each_sees_its_own_when_it_goes_on() -> None:
    """Two groups, as two processes have one each: what either follows may not be the newest any more."""
    groups = Group(), Group()

    def work(number: int) -> None:
        for turn in range(TURNS):
            [event] = groups[number % 2].record([denied(number * 1000 + turn)])
            assert Event.objects.get(pk=event.pk).seq == event.seq

    together(work)
    assert verify_chain(ORG) == THREADS * TURNS
    assert Head.objects.get(organisation=ORG).seq == THREADS * TURNS


@pytest.mark.django_db(transaction=True)
def test_whoever_wrote_in_between_is_followed() -> None:
    """A group goes on behind what it wrote last, if nobody else has written since; then in one trip on PostgreSQL."""
    here, there = Group(), Group()
    for number, group in enumerate((here, there, here, here, there), 1):
        [event] = group.record([denied(number)])
        assert event.seq == number
    named = draft(
        "identity.attempt.denied", organisation=ORG, actor="per_a", person="per_a", why="x", address="10.0.0.9"
    )
    with CaptureQueriesContext(connection) as asked:
        first, second = there.record([named, denied(7)])
    assert connection.vendor != "postgresql" or len(asked) == 1
    assert (first.seq, second.seq, first.pk < second.pk) == (6, 7, True)
    [kept] = PersonalValue.objects.all()
    assert (kept.event_id, kept.field, kept.about, kept.value) == (first.pk, "address", "per_a", "10.0.0.9")
    assert min(Hour.objects.values_list("first", flat=True)) == Event.objects.get(seq=1).pk
    assert word_index.find([["_per_a"]], word_index.Narrowed([ORG]), most=2) == [second.pk, first.pk]
    assert verify_chain(ORG) == 7


@pytest.mark.django_db(transaction=True)
def test_events_of_several_organisations_stand_in_each_ledger() -> None:
    def work(number: int) -> None:
        for turn in range(TURNS):
            found = record_alone([denied(turn, OTHER), denied(turn, ORG)])
            assert [event.organisation for event in found] == [OTHER, ORG]

    together(work)
    assert (verify_chain(ORG), verify_chain(OTHER)) == (THREADS * TURNS, THREADS * TURNS)


@pytest.mark.django_db(transaction=True)
def test_those_that_wait_share_the_next_commit() -> None:
    """While the database takes no writes eight gather; then they are written in two commits at most."""
    group, commits = Group(), set[int]()
    arrived = threading.Barrier(THREADS + 1)

    def work(number: int) -> None:
        arrived.wait(30)
        [event] = group.record([denied(number)])
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        commits.add(event.seq)

    with transaction.atomic():
        record_alone([denied(99)])  # holds the ledger
        threads = [threading.Thread(target=closing(work), args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        arrived.wait(30)
        while len(group._waiting) < THREADS - 1:  # one leads, the others wait
            assert any(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join(60)
    assert commits == set(range(2, THREADS + 2))
    assert verify_chain(ORG) == THREADS + 1


def closing(work: Callable[[int], None]) -> Callable[[int], None]:
    def run(number: int) -> None:
        try:
            work(number)
        finally:
            connections.close_all()

    return run


@pytest.mark.django_db(transaction=True)
def test_a_failure_is_told_and_the_next_one_goes_on() -> None:
    record_alone([denied(1)])
    Event.objects.filter(organisation=ORG, seq=1).update(seq=2)
    with pytest.raises(IntegrityError):
        record_alone([denied(2)])
    Event.objects.filter(organisation=ORG, seq=2).update(seq=1)
    [event] = record_alone([denied(3)])
    assert (event.seq, verify_chain(ORG)) == (2, 2)


@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_it_stands_or_falls_with_it() -> None:
    with transaction.atomic():
        record_alone([denied(1)])
        transaction.set_rollback(True)
    assert not Event.objects.exists()
