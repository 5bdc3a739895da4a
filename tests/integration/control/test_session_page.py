# SPDX-License-Identifier: Apache-2.0
"""The page of a session stays one that can be read, however much happened in it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.remote_sessions.models import Session, Stream
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, report, started
from tests.integration.control.world import World

pytestmark = pytest.mark.sqlite  # what its pages ask is asked of PostgreSQL by test_every_address

MANY = 277
LEAF = 50


@pytest.fixture
def busy(linked: World) -> Session:
    """One connection that runs since the morning, and many that came and went."""
    session, now = accepted(linked, started(linked)), timezone.now()
    Stream.objects.create(session=session, public_id="old", service_id_text="running", opened_at=now)
    Stream.objects.bulk_create(
        Stream(
            session=session, public_id=f"s{number}", service_id_text=f"closed-{number:03}",
            opened_at=now + timedelta(seconds=number), closed_at=now + timedelta(hours=1), how="finished",
        )
        for number in range(MANY)
    )  # fmt: skip
    return session


def connections(page: str) -> list[str]:
    return re.findall(r'<th scope="row">(running|closed-\d{3})<', page)


def test_running_connections_come_first_then_the_newest_fifty_to_a_page(linked: World, busy: Session) -> None:
    browser, path = signed_in(linked.owner), f"/sessions/{busy.public_id}/"
    leaves = [connections(shown(browser, f"{path}?streams={number}")) for number in range(1, 7)]
    newest_first = [f"closed-{number:03}" for number in reversed(range(MANY))]
    assert [row for leaf in leaves for row in leaf] == ["running", *newest_first]
    assert [len(leaf) for leaf in leaves] == [LEAF, LEAF, LEAF, LEAF, LEAF, MANY + 1 - 5 * LEAF]


def test_what_is_asked_again_at_every_event_is_one_leaf_and_the_same_one(linked: World, busy: Session) -> None:
    address = f"/sessions/{busy.public_id}/?streams=2"
    page = shown(signed_in(linked.owner), address)
    assert f'hx-get="{address}"' in page
    assert len(page) < 120_000  # some 512 KB when it had everything


def test_the_course_begins_with_the_newest_and_is_divided_too(linked: World, busy: Session) -> None:
    for number in range(LEAF):
        report(linked, "stream.opened", busy, stream=f"t{number}", service="", address="192.168.10.5", port=502)
    browser, path = signed_in(linked.technician), f"/sessions/{busy.public_id}/"
    first, second = (shown(browser, f"{path}?course={number}") for number in (1, 2))
    assert first.count('<li><span class="at">') == LEAF
    assert first.count("<strong>Connection to a device opened</strong>") == LEAF
    assert "<strong>Session asked for</strong>" in second
    assert second.index("Session asked for") > second.index("Gateway accepted the session")


def test_time_left_and_every_way_out_stand_before_the_tables(linked: World, busy: Session) -> None:
    page = shown(signed_in(linked.owner), f"/sessions/{busy.public_id}/")
    wanted = ('id="revoke"', 'id="lock-person"', 'id="cut"', 'id="facts-title"', "data-countdown", 'id="streams-title"')
    places = [page.index(part) for part in wanted]
    assert places == sorted(places)


@pytest.mark.parametrize("where", ["home", "machine", "gateway", "sessions"])
def test_whoever_is_inside_can_be_locked_and_their_permission_revoked_in_one_click(
    linked: World, busy: Session, where: str
) -> None:
    machine, gateway = f"/machines/{linked.machine.public_id}/", f"/gateways/{linked.gateway.id}/"
    path = {"home": "/", "machine": machine, "gateway": gateway, "sessions": "/sessions/"}[where]
    ways_out = {
        "owner": {f"/sessions/{busy.public_id}/lock-person/", f"/grants/{busy.grant.public_id}/revoke/"},
        "operator": {f"/grants/{busy.grant.public_id}/revoke/"},
        "technician": set[str](),
    }
    for who, expected in ways_out.items():
        if who == "technician" and where == "gateway":
            continue  # for them it does not exist
        page = shown(signed_in(getattr(linked, who)), path)
        assert set(re.findall(r'href="(/sessions/ses_\w+/lock-person/|/grants/grt_\w+/revoke/)"', page)) == expected, (
            who
        )


def test_a_permission_that_ended_or_was_revoked_is_not_offered_for_it(linked: World, busy: Session) -> None:
    access.revoke(actor=linked.owner, grant=busy.grant.public_id, reason="x")
    page = shown(signed_in(linked.owner), f"/sessions/{busy.public_id}/")
    assert 'id="revoke"' not in page
    assert 'id="lock-person"' in page


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "30 seconds and the time to finish (10 minutes)"), ("it", "30 secondi e il tempo di chiusura (10 minuti)"),
     ("ja", "30 秒と猶予時間（10 分）")],
)  # fmt: skip
def test_how_long_things_may_run_without_a_word_from_here_is_said_as_a_time(
    world: World, language: str, words: str
) -> None:
    browser = signed_in(world.owner)
    page = browser.get(f"/machines/{world.machine.public_id}/", headers={"accept-language": language}).content.decode()
    assert words.replace(" ", "") in page.replace(" ", "")
