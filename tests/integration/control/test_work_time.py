# SPDX-License-Identifier: Apache-2.0
"""What is given without a stated start counts from the first session: once, and never beyond what its rule allows."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import extending
from portineria.control.access import services as access
from portineria.control.access.models import Grant
from portineria.control.access.work_time import BEGIN_WITHIN, NotBegun
from portineria.control.audit.queries import events, views
from portineria.control.remote_sessions.models import Session
from portineria.control.remote_sessions.refusals import NotPermitted
from portineria.control.remote_sessions.services import enforce
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import again, started
from tests.integration.control.test_approval import outcomes
from tests.integration.control.world import ConnectorEnd, World, fresh

ROME, SECOND = ZoneInfo("Europe/Rome"), timedelta(seconds=1)
TO_BEGIN = "60 minutes from the first opening, to begin by"


def given(world: World) -> Grant:
    return Grant.objects.get(public_id=world.grant(60))


def moved(grant: Grant, **ago: float) -> None:
    """As if the yes had been given so long ago."""
    Grant.objects.filter(pk=grant.pk).update(
        starts_at=grant.starts_at - timedelta(**ago), ends_at=grant.ends_at - timedelta(**ago)
    )


def told(world: World, code: str) -> list[dict[str, object]]:
    return [dict(one.fields) for one in views(events(world.owner, code=code))]


def test_the_time_runs_from_the_first_session_and_only_once(linked: World) -> None:
    grant = given(linked)
    assert grant.ends_at - grant.starts_at == BEGIN_WITHIN
    moved(grant, hours=7)  # a yes that was good for an hour only would be over
    first = started(linked)
    row = Grant.objects.get()
    assert row.opened_at == first.requested_at
    assert row.ends_at == first.expires_at == first.requested_at + timedelta(hours=1)
    moved(row, minutes=20)
    Grant.objects.update(opened_at=row.opened_at - timedelta(minutes=20))
    second = started(linked)
    assert second.expires_at == row.ends_at - timedelta(minutes=20)
    [said], [begun] = told(linked, "access.grant.given"), told(linked, "access.grant.begun")
    assert (said["minutes"], said["begin_by"]) == (60, grant.ends_at.isoformat(timespec="seconds"))
    assert "ends_at" not in said
    assert begun["ends_at"] == row.ends_at.isoformat(timespec="seconds")


def test_what_nobody_began_in_time_opens_nothing(linked: World) -> None:
    grant = given(linked)
    moved(grant, hours=8)
    with pytest.raises(NotPermitted):
        started(linked)
    assert "Nobody began in time" in shown(signed_in(linked.owner), f"/requests/{grant.request.public_id}/")
    assert not events(linked.owner, code="access.grant.begun").exists()


def test_it_ends_with_the_window_of_its_rule_and_has_to_begin_in_it(linked: World) -> None:
    now = timezone.now().replace(second=0, microsecond=0)
    closes = now + timedelta(minutes=30)
    access.change_rule(actor=linked.owner, rule=linked.rule, windows=in_rome(now - timedelta(hours=1), closes))
    grant = given(linked)
    assert grant.ends_at == closes
    assert started(linked).expires_at == closes
    assert Grant.objects.get().ends_at > closes  # an hour of work was given, of which the window leaves a part


FORM = "%Y-%m-%d %H:%M"


def in_rome(begins: datetime, ends: datetime) -> str:
    return f"{begins.astimezone(ROME):{FORM}} - {ends.astimezone(ROME):{FORM}}"


def test_a_rule_that_was_shortened_meanwhile_shortens_it(linked: World) -> None:
    given(linked)
    access.change_rule(actor=linked.owner, rule=linked.rule, max_minutes=10)
    session = started(linked)
    assert session.expires_at == session.requested_at + timedelta(minutes=10) == Grant.objects.get().ends_at
    enforce(timezone.now())
    assert again(session).state == "opening"


def test_a_yes_to_less_and_the_owners_revocation_hold_before_work_begins(linked: World) -> None:
    request = linked.request(60)
    access.agree(actor=linked.owner, request=request, minutes=20)
    access.revoke(actor=linked.owner, grant=Grant.objects.get().public_id, reason="not today")
    with pytest.raises(NotPermitted):
        started(linked)
    assert Grant.objects.get().minutes == 20


def test_before_work_begins_there_is_nothing_to_prolong(linked: World) -> None:
    grant = given(linked).public_id
    with pytest.raises(NotBegun):
        access.extend(actor=linked.owner, grant=grant, minutes=10)
    with pytest.raises(NotBegun):
        extending.ask_for_more(actor=linked.technician, grant=grant, minutes=10, reason="longer")
    started(linked)
    access.extend(actor=linked.owner, grant=grant, minutes=10)


def test_of_two_who_open_at_once_one_begins(committed_world: World) -> None:
    world = committed_world
    world.link()
    given(world)
    assert outcomes(lambda: started(world), lambda: started(world)) == ["done", "done"]
    [begun] = told(world, "access.grant.begun")
    ends = Grant.objects.get().ends_at
    assert {session.expires_at for session in Session.objects.all()} == {ends}
    assert begun["ends_at"] == ends.isoformat(timespec="seconds")


def test_everybody_reads_from_when_it_counts(linked: World) -> None:
    request = linked.request(60)
    page = f"/requests/{request}/"
    assert "if approved now, to begin by:" in shown(signed_in(linked.owner), page)
    access.approve(actor=linked.owner, request=request)
    technician = signed_in(linked.technician)
    for who, path in (
        (signed_in(linked.owner), page), (technician, page), (technician, f"/machines/{linked.machine.public_id}/"),
        (technician, "/work/"), (technician, "/"), (technician, "/machines/"),
        (signed_in(linked.owner), f"/machines/{linked.machine.public_id}/"),
    ):  # fmt: skip
        assert TO_BEGIN in shown(who, path), path
    assert "Ask for more time" not in shown(technician, page)
    end = ConnectorEnd(linked.technician)
    [machine] = end.call("GET", "/machines").json()
    begin_by = Grant.objects.get().ends_at
    assert (machine["ends_at"], machine["lasts_minutes"]) == (None, 60)
    assert datetime.fromisoformat(machine["begin_by"]) - begin_by < SECOND
    answer = end.call("GET", f"/requests/{request}").json()
    assert (answer["ends_at"], answer["begin_by"] is not None) == (None, True)
    started(linked)
    assert TO_BEGIN not in shown(technician, page)
    assert "Ask for more time" in shown(technician, page)
    [machine] = end.call("GET", "/machines").json()
    assert (machine["ends_at"] is not None, machine["begin_by"]) == (True, None)


def test_the_database_knows_no_opening_of_what_is_not_counted(world: World) -> None:
    access.approve(actor=fresh(world.owner), request=world.request(60, in_days=1))
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.update(opened_at=timezone.now())
