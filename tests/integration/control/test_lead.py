# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from portineria.control.estate.links import relay_up
from portineria.control.estate.models import Link
from portineria.control.identity.lead import LEAD_S, Lead, LeadLost
from portineria.control.identity.models import LeadRow
from tests.integration.control.world import World


@pytest.mark.django_db
def test_one_leads_and_prolongs_and_the_other_waits() -> None:
    first, second = Lead("worker", "first"), Lead("worker", "second")
    assert (first.take(), first.held) == (True, True)
    assert (second.take(), second.held) == (False, False)
    before = LeadRow.objects.get().until
    assert (first.prolong(), second.prolong()) == (True, False)
    assert LeadRow.objects.get().until > before
    assert timezone.now() < LeadRow.objects.get().until < timezone.now() + timedelta(seconds=LEAD_S + 5)


@pytest.mark.django_db
def test_whoever_fell_silent_is_succeeded_and_does_not_come_back() -> None:
    first, second = Lead("worker", "first"), Lead("worker", "second")
    first.take()
    LeadRow.objects.update(until=timezone.now() - timedelta(milliseconds=100))
    assert second.take()
    assert not first.take()
    assert LeadRow.objects.get().holder == "second"


@pytest.mark.django_db
def test_after_a_moment_without_the_lead_it_is_taken_anew_and_not_prolonged() -> None:
    """What relays said in that moment was not heeded: whoever takes the lead asks them again."""
    lead = Lead("worker", "first")
    assert not lead.prolong()
    lead.take()
    LeadRow.objects.update(until=timezone.now() - timedelta(milliseconds=100))
    assert not lead.prolong()
    assert (lead.take(), lead.prolong()) == (True, True)


@pytest.mark.django_db
def test_whoever_gives_up_is_succeeded_at_once() -> None:
    first, second = Lead("worker", "first"), Lead("worker", "second")
    first.take()
    second.give_up()  # not theirs to give
    assert not second.take()
    first.give_up()
    assert (first.held, second.take()) == (False, True)


@pytest.mark.django_db
def test_duties_are_led_each_by_itself() -> None:
    assert Lead("worker", "first").take()
    assert Lead("another", "second").take()


@pytest.mark.django_db(transaction=True)
def test_of_many_that_ask_at_once_one_leads() -> None:
    together, leads = threading.Barrier(8), [Lead("worker", str(number)) for number in range(8)]

    def ask(lead: Lead) -> None:
        try:
            together.wait(20)
            lead.take()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask, args=(lead,)) for lead in leads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(lead.held for lead in leads) == 1


@pytest.mark.django_db
def test_what_was_said_before_the_lead_was_lost_is_not_written_after_it(world: World) -> None:
    """As when a cable is plugged again: the statement that says that the relay is gone arrives behind its return."""
    first, second = Lead("worker", "first"), Lead("worker", "second")
    first.take()
    first.leading(relay_up)(world.relay, [world.gateway.id])
    LeadRow.objects.update(until=timezone.now() - timedelta(milliseconds=100))
    with pytest.raises(LeadLost):
        first.leading(relay_up)(world.relay, [])
    second.take()
    with pytest.raises(LeadLost):
        first.leading(relay_up)(world.relay, [])
    assert Link.objects.get().gateway.public_id == world.gateway.id
    second.leading(relay_up)(world.relay, [])
    assert not Link.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_whoever_succeeds_waits_for_what_is_being_written() -> None:
    first, second = Lead("worker", "first"), Lead("worker", "second")
    first.take()
    taken, written = threading.Event(), []

    def succeed() -> None:
        try:
            while not second.take():
                pass
            written.append("second leads")
        finally:
            connections.close_all()
            taken.set()

    def work() -> None:
        heir.start()
        assert not taken.wait(3)  # the lead is over after two seconds
        written.append("first wrote")

    heir = threading.Thread(target=succeed)
    LeadRow.objects.update(until=timezone.now() + timedelta(seconds=2))
    first.leading(work)()
    assert taken.wait(20)
    heir.join(20)
    assert written == ["first wrote", "second leads"]
