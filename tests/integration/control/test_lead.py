# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from portineria.control.identity.lead import LEAD_S, Lead
from portineria.control.identity.models import LeadRow


@pytest.mark.django_db
def test_one_leads_and_prolongs_and_the_other_waits() -> None:
    first, second = Lead("worker", "first"), Lead("worker", "second")
    assert (first.take(), first.held) == (True, True)
    assert (second.take(), second.held) == (False, False)
    before = LeadRow.objects.get().until
    assert first.take()
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
