# SPDX-License-Identifier: Apache-2.0
"""A session as a picture in time: what its tables say, drawn to scale."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from portineria.control.console.session_timeline import timeline_of
from portineria.control.estate.models import Device, Service
from portineria.control.remote_sessions.models import Session, Stream
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, report, started
from tests.integration.control.world import World

pytestmark = pytest.mark.sqlite  # it asks the database for nothing of its own

BEGAN = timezone.now().replace(microsecond=0)


def after(minutes: float) -> Session:
    return Session(live_at=BEGAN, ended_at=BEGAN + timedelta(minutes=minutes))


def stream(name: str, first: float, last: float | None) -> Stream:
    closed = None if last is None else BEGAN + timedelta(minutes=last)
    return Stream(service_id_text=name, opened_at=BEGAN + timedelta(minutes=first), closed_at=closed)


def test_connections_stand_where_they_were_open() -> None:
    found = timeline_of(after(80), [stream("hmi", 60, None), stream("plc", 20, 60), stream("plc", -5, 20)], [])
    assert found is not None
    assert {lane.name: [(bar.x, bar.width, bar.kind) for bar in lane.bars] for lane in found.lanes} == {
        "Session": [("0.00%", "100.00%", "inside")],
        "plc": [("0.00%", "25.00%", "closed"), ("25.00%", "50.00%", "closed")],
        "hmi": [("75.00%", "25.00%", "closed")],
    }
    ticks = [(x, end, (at - BEGAN).seconds // 60) for x, end, at in found.ticks]
    assert ticks == [("0.00%", "start", 0), ("37.50%", "middle", 30), ("75.00%", "middle", 60)]
    assert not found.seconds


def test_services_of_two_devices_with_one_name_have_a_lane_each() -> None:
    rows = [stream("", minute, minute + 1) for minute in (0, 10, 20)]
    for row, device in zip(rows, ("PLC", "panel", "PLC"), strict=True):
        row.service = Service(name="web", device=Device(name=device))
    found = timeline_of(after(80), rows, [])
    assert found is not None
    assert [(lane.name, len(lane.bars)) for lane in found.lanes[1:]] == [("web · PLC", 2), ("web · panel", 1)]


def test_a_moment_is_drawn_all_the_same_and_many_services_share_a_lane() -> None:
    found = timeline_of(after(0), [stream(f"s{number}", 0, 0) for number in range(12)], [])
    assert found is not None
    assert [lane.name for lane in found.lanes] == ["Session", *(f"s{number}" for number in range(8)), "other services"]
    assert {bar.width for lane in found.lanes for bar in lane.bars} == {"0.40%"}
    assert found.seconds
    assert timeline_of(Session(), [], []) is None


def test_the_page_draws_what_was_refused_and_when_it_stood_still(linked: World) -> None:
    Service.objects.update(name="<b>plc")
    asked = started(linked)
    browser, address = signed_in(linked.owner), f"/sessions/{asked.public_id}/"
    assert 'id="timeline"' not in shown(browser, address)
    session, service = accepted(linked, asked), Service.objects.filter(device__machine=linked.machine)[0]
    report(linked, "stream.opened", session, stream="s1", service=service.public_id, address="192.0.2.1", port=502)
    report(linked, "operation.refused", session, stream="s1", service=service.public_id, protocol="modbus")
    report(linked, "session.frozen", session, number=1, latency_ms=3)
    linked.owner.language = "it"
    linked.owner.save()
    page = shown(browser, address)
    picture = page[page.index('id="timeline"') : page.index('id="course-title"')]
    assert "&lt;b&gt;plc" in picture
    assert "<b>" not in picture
    assert (picture.count("mark-refused"), picture.count("mark-held")) == (2, 0)  # drawn, and in the key
    assert re.search(r'bar-frozen" x="\d+\.\d\d%" y="2" width="\d+\.\d\d%"', picture)
    report(linked, "operation.would-refuse", session, stream="s1", service=service.public_id, protocol="modbus")
    assert shown(browser, address).count("mark-passed") == 2
    for number in range(50):
        report(linked, "stream.refused", session, stream=f"t{number}", service=service.public_id)
    report(
        linked, "session.unfrozen", session, number=2, latency_ms=3
    )  # on the first leaf; the freeze is on the second
    [width] = re.findall(r'bar-frozen" x="[\d.]+%" y="2" width="([\d.]+)%"', shown(browser, f"{address}?course=2"))
    assert float(width) < 50  # not as if it stood still to this day
    report(linked, "session.ended", session, ending="cut", order_seq=1)
