# SPDX-License-Identifier: Apache-2.0
"""Rules that are open at times only: what may be asked, what runs, and what happens when a window closes."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from portineria.control.access import queries, services
from portineria.control.access.models import Grant, Rule
from portineria.control.access.windows import OutsideWindows, ZoneGone
from portineria.control.estate.models import Plant
from portineria.control.identity.services import BadField
from portineria.control.remote_sessions import refusals
from portineria.control.remote_sessions import services as sessions
from portineria.policy.sight import Sight
from portineria.wire.statement import Order
from tests.integration.control.declared import applied, faults, proposal
from tests.integration.control.sessions import accepted, again, said_to, started
from tests.integration.control.world import World, begin, fresh

ROME = ZoneInfo("Europe/Rome")
RULE = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\n'


def now() -> datetime:
    """A whole minute, as windows have them."""
    return timezone.now().replace(second=0, microsecond=0)


def once(begins: datetime, ends: datetime) -> str:
    return f"{begins.astimezone(ROME):%Y-%m-%d %H:%M} - {ends.astimezone(ROME):%Y-%m-%d %H:%M}"


def under(world: World, windows: str) -> None:
    services.change_rule(actor=world.owner, rule=world.rule, windows=windows)


def test_a_session_ends_with_the_window_by_the_gateways_own_clock_and_drains(linked: World) -> None:
    linked.grant(120)
    begins, ends = now() - timedelta(hours=1), now() + timedelta(minutes=30)
    under(linked, once(begins, ends))
    session = accepted(linked, started(linked))
    assert session.expires_at == ends
    [order] = said_to(linked, session)
    assert isinstance(order, Order)
    assert order.expires_ms == int(ends.timestamp() * 1000)
    assert sessions.enforce(ends - timedelta(seconds=1)) == 0
    assert sessions.enforce(ends) == 1
    after = again(session)
    assert (after.state, after.ending_class, after.end_why) == ("draining", "administrative", "outside-windows")
    assert after.withdrawal in (None, b"")  # the order ended by itself; a later window takes effect again
    under(linked, once(begins, ends + timedelta(minutes=10)))
    assert sessions.enforce(ends) == 1
    assert (again(session).state, again(session).expires_at) == ("opening", ends + timedelta(minutes=10))


def test_a_window_that_is_taken_away_drains_what_runs_and_nothing_starts(linked: World) -> None:
    session = accepted(linked, started(linked))
    under(linked, once(now() + timedelta(days=1), now() + timedelta(days=2)))
    assert sessions.enforce(timezone.now()) == 1
    assert (again(session).state, again(session).end_why) == ("draining", "outside-windows")
    with pytest.raises(refusals.NotPermitted) as refused:
        started(linked)
    assert refused.value.code == "access.outside-windows"
    seen = queries.visible_machine(fresh(linked.technician), "Press 3")
    assert seen.sight is Sight.ASKABLE
    assert list(queries.machines_in_sight(fresh(linked.technician), "North")) == []  # where it stands is not told
    under(linked, "")
    assert [row.name for row in queries.machines_in_sight(fresh(linked.technician), "North")] == ["Press 3"]


def test_what_a_window_would_never_open_is_not_asked_approved_or_extended(linked: World) -> None:
    request = linked.request(60)
    tomorrow = now() + timedelta(days=1)
    under(linked, once(tomorrow, tomorrow + timedelta(hours=2)))
    with pytest.raises(OutsideWindows) as refused:
        services.approve(actor=linked.owner, request=request)
    assert refused.value.values["opens"] == f"{tomorrow.astimezone(ROME):%Y-%m-%d %H:%M}"
    for starts in (now() + timedelta(hours=3), tomorrow + timedelta(hours=2)):
        with pytest.raises(OutsideWindows, match="UTC"):  # their own clock: they may not know where it stands
            services.make_request(
                actor=linked.technician, machine="Press 3", reason="belt", minutes=60, starts_at=starts
            )
    asked = services.make_request(
        actor=linked.technician, machine="Press 3", reason="belt", minutes=60, starts_at=tomorrow
    )
    assert services.approve(actor=linked.owner, request=asked.public_id).starts_at == tomorrow
    under(linked, once(now() - timedelta(hours=1), now() + timedelta(minutes=90)))
    given = services.approve(actor=linked.owner, request=request)
    begin(given.public_id)
    services.extend(actor=linked.owner, grant=given.public_id, minutes=60)
    with pytest.raises(OutsideWindows):
        services.extend(actor=linked.owner, grant=given.public_id, minutes=60)
    assert Grant.objects.get(pk=given.pk).ends_at < now() + timedelta(minutes=130)


def test_where_two_rules_admit_the_one_that_is_open_then_is_taken(linked: World) -> None:
    later = once(now() + timedelta(days=1), now() + timedelta(days=2))
    services.create_rule(
        actor=linked.owner, organisation=linked.organisation, machines=[linked.machine.public_id],
        supplier=linked.supplier, needs_approval=False, windows=later,
    )  # fmt: skip
    asked = services.make_request(actor=linked.technician, machine="Press 3", reason="belt", minutes=60)
    assert (asked.rule.public_id, asked.state) == (linked.rule, "pending")
    tomorrow = services.make_request(
        actor=linked.technician, machine="Press 3", reason="x", minutes=60, starts_at=now() + timedelta(hours=25)
    )
    assert tomorrow.state == "approved"


def test_windows_need_a_time_zone_that_exists(linked: World) -> None:
    with pytest.raises(BadField):
        under(linked, "2026-12-24 18:00-08:00")
    under(linked, "mon-sun 0:00-24:00")
    assert Rule.objects.get(public_id=linked.rule).windows == "Mon-Sun 00:00-24:00"
    session = accepted(linked, started(linked))
    Plant.objects.filter(public_id=linked.plant).update(time_zone="Europe/Atlantis")
    assert sessions.enforce(timezone.now()) == 1
    assert (again(session).state, again(session).end_why) == ("draining", "time-zone-unknown")
    with pytest.raises(ZoneGone):
        under(linked, "Mon 08:00-12:00")


def test_windows_are_declared(world: World) -> None:
    declared = RULE + 'windows = ["Mon-Fri 8:00-18:00", "2026-12-24 08:00-12:00"]\n'
    text = "Mon-Fri 08:00-18:00; 2026-12-24 08:00-12:00"
    assert proposal(declared).changed == (f"rule {world.rule} for Presses & Co: always → {text}",)
    applied(declared)
    assert Rule.objects.get(public_id=world.rule).windows == text
    assert proposal(declared).empty
    assert proposal(RULE).empty  # what is left out says nothing
    assert proposal(RULE + "windows = []\n").changed[0].endswith(f"{text} → always")
    assert faults(RULE + 'windows = ["2026-12-24 18:00-08:00"]\n') == [
        "rule[0].windows: '2026-12-24 18:00-08:00': ends before it begins"
    ]
