# SPDX-License-Identifier: Apache-2.0
"""Whoever may assess a supplier hears before its standing is over, and its page says so."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from django.utils import timezone

from portineria.control.console import notice_letter
from portineria.control.identity import services as identity
from portineria.control.identity.models import Role, SupplierStanding
from portineria.control.identity.standing_models import over_at
from portineria.control.notification import queries, sending
from portineria.control.notification.models import Channel, Delivery, Kind, Notification
from portineria.control.notification.standings import STANDING_ENDS, collect_standings
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.test_notifications import told
from tests.integration.control.test_supplier_standing import assessed
from tests.integration.control.world import World, fresh

FIRST, SECOND = timedelta(days=30), timedelta(days=7)


def over(w: World) -> datetime:
    """When the standing of the technician's supplier ends; it was entered long before."""
    last: date = timezone.now().date() + timedelta(days=100)
    assessed(w, "B", 100)
    return over_at(last)


@pytest.mark.sqlite
def test_who_may_assess_a_supplier_is_told_a_month_and_a_week_before_and_nobody_else(world: World) -> None:
    end, hour = over(world), timedelta(hours=1)
    assert collect_standings(end - FIRST - hour, mail=True) == 0
    for _twice in range(2):
        collect_standings(end - FIRST + hour, mail=True)
    assert told(world.owner) == [STANDING_ENDS]
    collect_standings(end - SECOND + hour, mail=True)
    collect_standings(end - hour, mail=True)
    assert told(world.owner) == [STANDING_ENDS] * 2
    assert collect_standings(end + hour, mail=True) == 0
    for other in (world.approver, world.operator, world.technician, world.rival, world.stranger):
        assert told(other) == []
    [row, _] = queries.notifications(fresh(world.owner))
    assert (row.kind, row.thing, Delivery.objects.count()) == (Kind.STANDING, world.supplier, 2)
    letter = notice_letter.mail(row, "a@example", "https://console.example").decode()
    assert "The standing of a supplier is over soon" in letter


@pytest.mark.sqlite
def test_what_was_entered_for_less_or_is_locked_out_is_no_news(world: World) -> None:
    at = timezone.now()
    assessed(world, "B", 20)
    assert collect_standings(at + timedelta(minutes=1), mail=True) == 0  # a week before it is
    assert collect_standings(at + timedelta(days=15), mail=True) == 1
    Notification.objects.all().delete()
    identity.set_supplier_enabled(actor=world.owner, supplier=world.supplier, enabled=False, reason="x")
    assert collect_standings(at + timedelta(days=15), mail=True) == 0


@pytest.mark.sqlite
def test_a_mail_that_is_late_is_not_sent_once_somebody_assessed_anew(world: World) -> None:
    end = over(world)
    at = end - SECOND + timedelta(hours=1)
    collect_standings(at, mail=True)
    [delivery] = Delivery.objects.filter(channel=Channel.MAIL)
    row = sending.waiting(delivery.pk)
    assert row is not None
    assert not sending.moot(row, at)
    world.owner.memberships.update(role=Role.OPERATOR)
    row = sending.waiting(delivery.pk)
    assert row is not None
    assert sending.moot(row, at)
    world.owner.memberships.update(role=Role.ADMINISTRATOR)
    assessed(world, "A", 300)
    row = sending.waiting(delivery.pk)
    assert row is not None
    assert sending.moot(row, at)


@pytest.mark.sqlite
def test_the_console_marks_what_is_over_within_a_month(world: World) -> None:
    browser = signed_in(world.owner)
    assessed(world, "B", 40)
    assert "days left" not in shown(browser, f"/suppliers/{world.supplier}/")
    assessed(world, "B", 12)
    SupplierStanding.objects.update(kept_at=timezone.now() - timedelta(days=60))
    assert "12 days left" in shown(browser, f"/suppliers/{world.supplier}/")
    assert "12 days left" in shown(browser, "/people/")
    collect_standings(timezone.now(), mail=False)
    page = shown(browser, "/notifications/")
    assert "The standing of a supplier is over soon" in page
    assert "Presses &amp; Co" in page
    [row] = queries.notifications(fresh(world.owner))
    led = browser.get(f"/notifications/{row.public_id}/open/")
    assert led["Location"] == f"/suppliers/{world.supplier}/"
    assessed(world, "C", 0)
    assert "over today" in shown(browser, f"/suppliers/{world.supplier}/")
