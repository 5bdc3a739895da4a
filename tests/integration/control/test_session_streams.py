# SPDX-License-Identifier: Apache-2.0
"""Tickets, streams and who sees what of a session."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async

from portineria.control.access import services as access
from portineria.control.audit import news
from portineria.control.audit.models import Event
from portineria.control.estate.models import Gateway, Link
from portineria.control.identity import services as identity
from portineria.control.remote_sessions import queries, refusals, services
from portineria.control.remote_sessions.models import Session, Stream
from portineria.control.remote_sessions.reports import receive
from portineria.core.errors import Denied
from portineria.wire.report import StreamTraffic
from tests.integration.control.sessions import (
    accepted,
    again,
    report,
    started,
)
from tests.integration.control.world import ConnectorEnd, World, admitted_gateway


def test_tickets_are_renewed_while_it_is_permitted_or_drains(linked: World) -> None:
    session, end = accepted(linked, started(linked)), ConnectorEnd(linked.technician)
    path = f"/sessions/{session.public_id}/tickets"
    assert len(end.call("POST", path).json()["tickets"]) == 1
    services.drain(actor=linked.owner, session=session.public_id)
    assert end.call("POST", path).status_code == 200
    services.cut(actor=linked.owner, session=session.public_id, reason="x")
    assert (end.call("POST", path).status_code, end.call("POST", path).json()["code"]) == (409, "session.ended")


def test_nobody_else_gets_tickets_not_even_the_owner(linked: World) -> None:
    session = accepted(linked, started(linked))
    answer = ConnectorEnd(linked.owner).call("POST", f"/sessions/{session.public_id}/tickets")
    assert answer.status_code == 404


def test_no_tickets_for_a_session_that_lost_its_permission_before_anybody_enforced_it(linked: World) -> None:
    session, end = accepted(linked, started(linked)), ConnectorEnd(linked.technician)
    access.revoke(actor=linked.owner, grant=session.grant.public_id, reason="x")
    assert end.call("POST", f"/sessions/{session.public_id}/tickets").status_code == 403


def test_streams_are_counted_as_the_gateway_reports_them(linked: World) -> None:
    session = accepted(linked, started(linked))
    service = linked.machine.devices.get().services.get()
    for name in ("str_a", "str_b"):
        report(
            linked, "stream.opened", session,
            stream=name, service=service.public_id, address="192.168.10.5", port=502, transport="tcp",
        )  # fmt: skip
    after = report(
        linked, "stream.closed", session,
        stream="str_a", to_device=12, from_device=260, how="finished", recognised="ssh" + "x" * 40,
    )  # fmt: skip
    assert (after.to_device, after.from_device) == (12, 260)
    running, closed = queries.streams(linked.owner, session.public_id)
    assert (closed.how, closed.service, running.closed_at) == ("finished", service, None)
    assert (closed.recognised, running.recognised) == ("ssh" + "x" * 21, "")  # nothing of a gateway is too long
    assert not queries.streams(linked.rival, session.public_id).exists()
    names = [event.code for event in queries.session_events(linked.technician, session.public_id)]
    assert names.count("stream.opened") == 2
    assert names[-1] == "remote_sessions.session.requested"


def test_running_streams_are_counted_without_an_event_and_the_end_has_the_last_word(linked: World) -> None:
    session = accepted(linked, started(linked))
    for name in ("str_a", "str_b"):
        report(linked, "stream.opened", session, stream=name, service="", address="192.168.10.5", port=502)
    before = Event.objects.count()

    def told(*counts: tuple[str, int, int], of: str = session.public_id) -> Session:
        receive(linked.gateway.id, [linked.gateway.ask(traffic=[StreamTraffic(of, *count) for count in counts])])
        return again(session)

    after = told(("str_a", 10, 200), ("str_b", 1, 2), ("str_unknown", 9, 9))
    assert (after.to_device, after.from_device) == (11, 202)
    after = told(("str_a", 4, 250))  # an older question that comes later takes nothing back
    assert (after.to_device, after.from_device) == (11, 252)
    assert (told(("str_a", 99, 999), of="ses_aaaaaaaaaaaaaaaa").to_device, Event.objects.count()) == (11, before)
    after = report(linked, "stream.closed", session, stream="str_a", to_device=9, from_device=260, how="finished")
    assert (after.to_device, after.from_device) == (10, 262)
    after = told(("str_a", 5000, 5000), ("str_b", 3, 1 << 64 - 1))
    assert (after.to_device, after.from_device) == (12, (1 << 63) - 1)
    streams = queries.streams(linked.technician, session.public_id)
    [running, closed] = streams
    assert (closed.to_device, closed.counted_at is None) == (9, False)
    assert queries.counted_at(streams) == running.counted_at


def test_a_gateway_counts_nothing_for_the_sessions_of_another(linked: World) -> None:
    session = accepted(linked, started(linked))
    report(linked, "stream.opened", session, stream="str_a", service="", address="192.168.10.5", port=502)
    other = admitted_gateway(linked.owner, linked.plant)
    receive(other.id, [other.ask(traffic=[StreamTraffic(session.public_id, "str_a", 5, 5)])])
    assert again(session).to_device == 0


async def test_open_pages_hear_that_figures_moved_and_only_then(committed_world: World) -> None:
    linked = committed_world
    await sync_to_async(linked.link)()

    def counted(to_device: int) -> None:
        one = StreamTraffic(session.public_id, "str_a", to_device, 0)
        receive(linked.gateway.id, [linked.gateway.ask(traffic=[one])])

    session = await sync_to_async(lambda: accepted(linked, started(linked)))()
    await sync_to_async(report)(linked, "stream.opened", session, stream="str_a", service="", port=502)
    with news.subscription(organisations=frozenset({linked.organisation})) as mine:
        for to_device in (5, 5, 6):
            await sync_to_async(counted)(to_device)
        await sync_to_async(report)(linked, "stream.closed", session, stream="str_a", to_device=6, how="finished")
        heard: list[str] = []
        async with asyncio.timeout(20):
            async for item in mine:
                heard.append(item.code)
                if item.code == "stream.closed":
                    break
    assert heard == ["remote_sessions.traffic", "remote_sessions.traffic", "stream.closed"]


def test_absurd_numbers_of_a_gateway_do_not_stop_its_chain(linked: World) -> None:
    session = accepted(linked, started(linked))
    huge = {"to_device": (1 << 63) + 5, "from_device": -7}
    report(linked, "stream.opened", session, stream="s" * 500, address="not an address" * 9, port=-1)
    report(linked, "stream.closed", session, stream="s" * 500, how="x" * 300, **huge)
    ended = report(linked, "session.ended", session, ending="e" * 99, latency_ms=1 << 62)
    assert ended.state == "ended"
    assert Stream.objects.get().from_device == 0
    assert Gateway.objects.get(public_id=linked.gateway.id).seq == linked.gateway.seq


def test_a_technician_in_a_session_sees_no_other_and_the_operator_may_not_disable_people(linked: World) -> None:
    started(linked)
    assert queries.open_sessions(linked.technician).count() == 1
    assert queries.open_sessions(linked.owner).count() == 1
    assert queries.open_sessions(linked.rival).count() == 0
    with pytest.raises(Denied):
        identity.set_person_enabled(
            actor=linked.operator, person=linked.technician.public_id, enabled=False, reason="x"
        )
    Link.objects.all().delete()
    with pytest.raises(refusals.GatewayAway):
        started(linked)
