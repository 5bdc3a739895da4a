# SPDX-License-Identifier: Apache-2.0
"""A ticket has to cover the work, as long as it runs; and is told when it is over."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from asgiref.sync import sync_to_async as in_thread
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.closing import TicketDoesNotHold
from portineria.control.access.models import AccessRequest, Grant
from portineria.control.access.rules import Conditions
from portineria.control.access.tickets import AGAIN, NobodyKeeps
from portineria.control.audit.models import Event
from portineria.control.identity.models import LeadRow
from portineria.control.identity.services import BadField
from portineria.control.remote_sessions import services as sessions
from portineria.control.sinks import services as sinks
from portineria.control.sinks.models import Sink, TicketNote
from portineria.control.ticketing import Ticketing
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, again, report, started
from tests.integration.control.test_sinks import until
from tests.integration.control.world import World
from tests.integration.process import WAIT_S
from tests.integration.sinks.endpoint import Reply, Request, as_json, closed_port, serving
from tests.integration.sinks.ticket_desks import ServiceNow

OPEN = {"state": "Implement", "cmdb_ci": "Press 3", "company": "Presses & Co"}


def look(after_minutes: float = 0) -> None:
    """One look of whoever asks, so much later than the last answers."""
    asked = AccessRequest.objects.exclude(ticket_asked_at=None)
    asked.update(ticket_asked_at=timezone.now() - timedelta(minutes=after_minutes))

    LeadRow.objects.all().delete()  # of the look before
    async_to_sync(Ticketing("https://console.example").round)()


@pytest.fixture
def linked(committed_world: World) -> World:
    committed_world.link()
    return committed_world


def kept_at(world: World, address: str, **more: str) -> Sink:
    settings = {
        "address": address, "user": "gatehouse", "password": "secret", "prefix": "CHG", "states": "Implement",
        "machine_field": "cmdb_ci", "supplier_field": "company", **more,
    }  # fmt: skip
    return sinks.add_sink(
        actor=world.owner, organisation=world.organisation, name=f"desk {more}", kind="servicenow", settings=settings
    )


def asked_with(world: World, reference: str, in_days: int = 0) -> AccessRequest:
    request = access.make_request(
        actor=world.technician, machine="Press 3", reason="bearing", minutes=60, reference=reference,
        starts_at=timezone.now() + timedelta(days=in_days) if in_days else None,
    )  # fmt: skip
    return AccessRequest.objects.get(pk=request.pk)


def standing(request: AccessRequest) -> str:
    return AccessRequest.objects.get(pk=request.pk).ticket_standing


@pytest.fixture
def desk() -> ServiceNow:
    desk = ServiceNow()
    desk.tickets["CHG-7"] = dict(OPEN)
    return desk


def test_the_work_lives_as_long_as_its_ticket_allows_it(linked: World, desk: ServiceNow) -> None:
    access.change_rule(actor=linked.owner, rule=linked.rule, conditions=Conditions(needs_reference=True))
    with serving(desk) as address:
        kept_at(linked, address)
        request = asked_with(linked, "CHG-7")
        assert standing(request) == "unasked"
        with pytest.raises(TicketDoesNotHold):
            access.approve(actor=linked.approver, request=request.public_id)
        look()
        assert standing(request) == "holds"
        page = shown(signed_in(linked.approver), f"/requests/{request.public_id}/")
        assert "covers this work" in page
        assert "Implement" in page
        access.approve(actor=linked.approver, request=request.public_id)
        session = accepted(linked, started(linked))
        look(after_minutes=AGAIN.total_seconds() / 60 - 0.1)
        assert desk.asked == 1  # not more often than that

        desk.faults = [(503, {}, b"")]
        look(after_minutes=2)
        assert sessions.enforce(timezone.now()) == 0  # away: what it said last counts
        desk.tickets["CHG-7"]["state"] = "Closed"
        look(after_minutes=2)
        assert standing(request) == "state"
        assert sessions.enforce(timezone.now()) == 1
        assert (again(session).state, again(session).end_why) == ("draining", "ticket")

        report(linked, "session.ended", session, ending="drained", streams=0, to_device=10, from_device=20)
        look()
        look()
    ((number, said),) = desk.comments
    assert number == "CHG-7"
    assert f"https://console.example/sessions/{session.public_id}/" in said
    assert "bytes to the machine" in said
    events = Event.objects.filter(organisation=linked.organisation).order_by("seq")
    codes = list(events.values_list("code", flat=True))
    assert codes.count("access.request.ticket") == 2
    assert codes[-1] == "sinks.ticket.told"
    assert desk.wrong == []


def test_a_ticket_of_something_else_opens_nothing(linked: World, desk: ServiceNow) -> None:
    access.change_rule(
        actor=linked.owner, rule=linked.rule, conditions=Conditions(needs_reference=True), needs_approval=False
    )
    with serving(desk) as address:
        kept_at(linked, address)
        at_once = asked_with(linked, "CHG-7")  # nobody has to say yes, and nobody knows yet what the ticket says
        assert at_once.state == "pending"
        look()
        assert Grant.objects.get().request == at_once
        access.change_rule(actor=linked.owner, rule=linked.rule, needs_approval=True)
        request = asked_with(linked, "CHG-7")
        for change, expected in (
            ({"cmdb_ci": "Press 33"}, "machine"),
            ({"company": "Rival presses"}, "supplier"),
            ({"state": "New"}, "state"),
            (None, "missing"),
        ):
            desk.tickets = {} if change is None else {"CHG-7": {**OPEN, **change}}
            look(after_minutes=2)
            assert standing(request) == expected
            with pytest.raises(TicketDoesNotHold):
                access.approve(actor=linked.approver, request=request.public_id)
    page = shown(signed_in(linked.technician), f"/requests/{request.public_id}/")
    assert "there is no such ticket" in page


def test_numbers_that_nobody_keeps(linked: World, desk: ServiceNow) -> None:
    assert asked_with(linked, "anything goes").ticket_standing == ""  # nobody keeps tickets here
    with serving(desk) as address:
        sink = kept_at(linked, address)
        kept_at(linked, closed_port(), prefix="CHG-X")
        assert asked_with(linked, "INC-1", 1).ticket_standing == ""  # and the rule asks for none
        access.change_rule(actor=linked.owner, rule=linked.rule, conditions=Conditions(needs_reference=True))
        for number in ("INC-1", "CHG-7^ORnumber=CHG-8", "CHG 7", "CHG-\u202e7"):
            with pytest.raises((NobodyKeeps, BadField)):
                asked_with(linked, number)
        far = asked_with(linked, "CHG-X1", 2)
        near = asked_with(linked, "CHG-7", 3)
        look()
        assert (standing(near), standing(far)) == ("holds", "unasked")
        assert Sink.objects.get(public_id=far.ticket_system).failures == 1
        odd = asked_with(linked, "CHG-0", 4)
        desk.faults = [(400, {}, b"")]
        look()
        assert (standing(odd), Sink.objects.get(pk=sink.pk).failures) == ("missing", 0)
        sinks.remove(actor=linked.owner, sink=far.ticket_system)
        sinks.pause(actor=linked.owner, sink=sink.public_id)
        asked = desk.asked
        look(after_minutes=2)
        assert (standing(near), standing(far), desk.asked) == ("holds", "", asked)


@pytest.mark.sqlite
def test_a_desk_that_says_when_to_come_again_is_left_alone_until_then(linked: World, desk: ServiceNow) -> None:
    """The other one, which only says that it was too often, is asked again after seconds."""
    other, patient = ServiceNow(), Ticketing("https://console.example")
    other.tickets["INC-7"] = dict(OPEN)
    with serving(desk) as address, serving(other) as elsewhere:
        sink = kept_at(linked, address)
        kept_at(linked, elsewhere, prefix="INC", table="incident")
        late, soon = asked_with(linked, "CHG-7"), asked_with(linked, "INC-7", 1)
        too_often = {"error": {"message": "Rate limit exceeded"}}
        desk.faults, other.faults = [as_json(429, too_often, Retry_After="3600")], [as_json(429, too_often)]
        deadline = time.monotonic() + WAIT_S
        while standing(soon) == "unasked" and time.monotonic() < deadline:
            async_to_sync(patient.round)()
            time.sleep(0.1)
        assert (standing(soon), standing(late), desk.asked, desk.faults) == ("holds", "unasked", 0, [])
        assert Sink.objects.get(pk=sink.pk).failures == 1
        look()  # of somebody who was not told
        assert (standing(late), desk.asked) == ("holds", 1)


def test_a_ticket_that_takes_no_comment_is_told_once_and_the_register_says_so(linked: World, desk: ServiceNow) -> None:
    with serving(desk) as address:
        kept_at(linked, address)
        request = asked_with(linked, "CHG-7")
        access.approve(actor=linked.approver, request=request.public_id)  # the rule asks for no ticket
        session = accepted(linked, started(linked))
        report(linked, "session.ended", session, ending="finished", streams=0, to_device=0, from_device=0)
        desk.tickets.clear()
        look()
        look()
    note = TicketNote.objects.get()
    assert note.over_at is not None
    assert Event.objects.filter(organisation=linked.organisation, code="sinks.ticket.refused").count() == 1


class Odd(ServiceNow):
    """Lets nobody write into a ticket, as where it is closed, and has no answer about one of them."""

    def answer(self, request: Request) -> Reply:
        if request.method == "PATCH":
            return as_json(403, {"error": {"message": "Operation Failed", "detail": "ACL"}, "status": "failure"})
        if "number=CHG-1" in request.query.get("sysparm_query", ""):
            return as_json(500, {})
        return super().answer(request)


@pytest.mark.sqlite
async def test_a_refused_comment_is_no_fault_and_an_unanswered_ticket_holds_up_no_other(linked: World) -> None:
    desk = Odd()
    desk.tickets |= {"CHG-1": dict(OPEN), "CHG-7": dict(OPEN)}
    with serving(desk) as address:
        sink = await in_thread(kept_at)(linked, address)
        request = await in_thread(asked_with)(linked, "CHG-7")
        await in_thread(access.approve)(actor=linked.approver, request=request.public_id)
        session = await in_thread(lambda: accepted(linked, started(linked)))()
        await in_thread(report)(
            linked, "session.ended", session, ending="finished", streams=0, to_device=0, from_device=0
        )
        task = asyncio.get_running_loop().create_task(Ticketing("https://console.example").run())
        try:
            refused = Event.objects.filter(organisation=linked.organisation, code="sinks.ticket.refused")
            await until(refused.exists, "the comment was refused")
            assert (await in_thread(Sink.objects.get)(pk=sink.pk)).failures == 0
            silent = await in_thread(asked_with)(linked, "CHG-1", 1)
            other = await in_thread(asked_with)(linked, "CHG-7", 2)
            await until(lambda: standing(other) == "holds", "the one behind it is asked for")
            await until(lambda: Sink.objects.get(pk=sink.pk).failures > 0, "that it has no answer is seen")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert await in_thread(standing)(silent) == "unasked"
    assert await in_thread(refused.count)() == 1
    assert (await in_thread(TicketNote.objects.get)()).over_at is not None
    assert desk.wrong == []
