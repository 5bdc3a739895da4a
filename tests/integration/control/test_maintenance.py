# SPDX-License-Identifier: Apache-2.0
"""Machines and lines in maintenance: who puts them there, what it opens, and what its end does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.maintaining import (
    MaintainedAlready,
    MaintenanceOver,
    begin_maintenance,
    end_maintenance,
    settle_maintenance,
)
from portineria.control.access.models import Maintenance, Rule
from portineria.control.access.rules import Conditions
from portineria.control.audit.queries import events, views
from portineria.control.estate import services as estate
from portineria.control.identity.services import BadField
from portineria.control.remote_sessions import services as sessions
from portineria.control.remote_sessions.refusals import NotPermitted
from portineria.core.errors import NotFound
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Program
from tests.integration.control.declared import applied, proposal
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.world import World

WHY = 'belt <script>alert("x")</script>'


def asking(world: World) -> None:
    access.change_rule(actor=world.owner, rule=world.rule, conditions=Conditions(needs_maintenance=True))


def test_what_asks_for_maintenance_opens_with_it_and_drains_with_its_end(linked: World) -> None:
    asking(linked)
    machine, operator = linked.machine.public_id, signed_in(linked.operator)
    request = linked.request()
    assert "is not in maintenance" in shown(signed_in(linked.approver), f"/requests/{request}/")
    access.approve(actor=linked.owner, request=request)  # it may come later: nobody waits with the yes
    technician = signed_in(linked.technician)
    assert "not in maintenance: the plant" in shown(technician, "/work/")
    with pytest.raises(NotPermitted) as refused:
        started(linked)
    assert refused.value.code == "access.maintenance"
    begin = f"/machines/{machine}/maintenance/"
    assert begin in shown(operator, f"/machines/{machine}/")
    assert operator.post(begin, {"reason": ""}).status_code == 200
    assert operator.post(begin, {"reason": WHY, "ends_at": "2001-01-01T08:00"}).status_code == 200
    assert not Maintenance.objects.exists()
    assert operator.post(begin, {"reason": WHY}).status_code == 302
    page = shown(operator, f"/machines/{machine}/")
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page
    assert "belt" not in shown(technician, f"/machines/{machine}/")  # the plant's words are for the plant
    session = accepted(linked, started(linked))
    assert sessions.enforce(timezone.now()) == 0
    held = Maintenance.objects.get().public_id
    assert f"/maintenance/{held}/end/" in page
    assert operator.post(f"/maintenance/{held}/end/?machine={machine}", {"reason": "done"}).status_code == 302
    assert sessions.enforce(timezone.now()) == 1
    assert (again(session).state, again(session).end_why) == ("draining", "maintenance")
    with pytest.raises(MaintenanceOver):
        end_maintenance(actor=linked.operator, maintenance=held, reason="x")


def test_an_end_of_its_own_ends_the_order_and_is_told_once(linked: World) -> None:
    asking(linked)
    linked.grant(240)
    ends = timezone.now().replace(microsecond=0) + timedelta(hours=1)
    given: dict[str, Any] = {
        "actor": linked.operator,
        "organisation": linked.organisation,
        "machine": linked.machine.public_id,
    }
    row = begin_maintenance(**given, reason="belt", ends_at=ends)
    session = accepted(linked, started(linked))
    assert again(session).expires_at == ends  # the gateway's own clock ends it there
    with pytest.raises(MaintainedAlready):
        begin_maintenance(**given, reason="again")
    settle_maintenance(ends - timedelta(seconds=1))
    assert sessions.enforce(ends - timedelta(seconds=1)) == 0
    assert sessions.enforce(ends) == 1
    assert (again(session).state, again(session).end_why) == ("draining", "maintenance")
    for _ in range(2):
        settle_maintenance(ends)
    told = views(events(linked.owner, code="access.maintenance.ended"))
    assert [(event.actor, event.fields["maintenance"]) for event in told] == [("portineria", row.public_id)]
    begin_maintenance(**given, reason="again")
    for late in (timezone.now(), timezone.now() + timedelta(days=93)):
        with pytest.raises(BadField):
            begin_maintenance(**given | {"machine": linked.rivals_machine.public_id}, reason="x", ends_at=late)


@pytest.mark.sqlite
def test_a_line_takes_all_its_machines_and_nobody_else_says_so(linked: World) -> None:
    estate.create_line(actor=linked.owner, plant=linked.plant, name="Line 1", zone="")
    asking(linked)
    linked.grant()
    line: dict[str, Any] = {"organisation": linked.organisation, "line": f"{linked.plant}/Line 1", "reason": "x"}
    for who in (linked.technician, linked.rival, linked.stranger):
        with pytest.raises(NotFound):
            begin_maintenance(actor=who, **line)
    with pytest.raises(BadField):
        begin_maintenance(actor=linked.operator, **line | {"machine": linked.machine.public_id})
    program = Program(linked)
    made = program.post("/maintenance", line).json()
    assert (made["line"], made["machine"], made["begun_by"]) == (line["line"], None, program.account.public_id)
    with pytest.raises(NotPermitted):
        started(linked)  # it does not stand there yet
    estate.change_machine(actor=linked.owner, machine=linked.machine.public_id, line="Line 1")
    session = accepted(linked, started(linked))
    assert [row["maintenance"] for row in program.get("/maintenance?holding=true").json()["items"]] == [
        made["maintenance"]
    ]
    found = program.get(
        f"/simulation?organisation={linked.organisation}&person={linked.technician.public_id}"
        f"&machine={linked.machine.public_id}"
    ).json()
    assert found["rules"][0]["permitted"], found
    assert program.post(f"/maintenance/{made['maintenance']}/end", {"reason": "x"}).status_code == 200
    assert sessions.enforce(timezone.now()) == 1
    assert again(session).end_why == "maintenance"
    page = shown(signed_in(linked.owner), f"/rules/{linked.rule}/")
    assert "only while the plant&#x27;s people have the machine in maintenance" in page
    for change in ({"line": None}, {"machine": linked.machine}, {"ended_by": None}, {"reason": ""}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Maintenance.objects.update(**change)


@pytest.mark.sqlite
def test_maintenance_is_declared_and_chosen_in_the_form(world: World) -> None:
    rule = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\n'
    [change] = proposal(rule + "needs_maintenance = true\n").changed
    assert change.endswith("only in maintenance")
    applied(rule + "needs_maintenance = true\n")
    assert proposal(rule).empty
    owner, form = signed_in(world.owner), {"machines": "Press 3", "max_minutes": "480", "approvals": "1"}
    assert "needs_maintenance" in shown(owner, f"/rules/{world.rule}/change/")
    assert owner.post(f"/rules/{world.rule}/change/", form).status_code == 302
    assert not Rule.objects.get(public_id=world.rule).needs_maintenance
    assert owner.post(f"/rules/{world.rule}/change/", form | {"needs_maintenance": "on"}).status_code == 302
    assert Rule.objects.get(public_id=world.rule).needs_maintenance
    assert "only in maintenance" in shown(owner, "/rules/")
