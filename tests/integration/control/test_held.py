# SPDX-License-Identifier: Apache-2.0
"""Requests that a gateway holds: who is asked, who may answer, and what the gateway then hears."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.bus.message import Deliver
from portineria.control.access import services as access
from portineria.control.access.profiles import set_profile
from portineria.control.audit.models import Event
from portineria.control.estate.models import Gateway, Service
from portineria.control.remote_sessions import queries, services
from portineria.control.remote_sessions.held import OwnOperation, answer_held
from portineria.control.remote_sessions.held_reports import WAITING
from portineria.control.remote_sessions.models import HeldOperation, HeldOver, Session
from portineria.control.remote_sessions.presence import standing_letters
from portineria.control.remote_sessions.reports import receive
from portineria.control.remote_sessions.scope import CannotHold
from portineria.core.errors import Denied, NotFound
from portineria.policy.function_profile import OBSERVING
from portineria.policy.profile_text import parse_clause
from portineria.wire.statement import HoldAnswer
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, report, said_to, session_key, started
from tests.integration.control.world import World, fresh

STOP: dict[str, str | int] = {
    "stream": "str_aaaaaaaaaaaaaaaa", "profile": "service", "protocol": "s7comm", "function": "plc-stop",
    "code": "0x29", "operation": "stop", "targets": "<b>block</b> P_PROGRAM", "route": "", "reason": "hold", "count": 1,
    "values": "180", "besides": "", "request_sha256": "ab" * 32, "hold_ms": 20_000, "answer_s": 120,
}  # fmt: skip


def held_in(world: World, session: Session, number: int = 1, **other: str | int) -> HeldOperation:
    report(world, "operation.held", session, **{**STOP, "question": f"{number:064x}", **other})
    return HeldOperation.objects.get(session=session, question=number.to_bytes(32, "big"))


@pytest.fixture
def live(linked: World) -> Session:
    return accepted(linked, started(linked))


def said_again(world: World) -> list[HoldAnswer]:
    """What the gateway hears when it comes back."""
    gateway = Gateway.objects.select_related("plant__organisation").get(public_id=world.gateway.id)
    sealed = [one for message in standing_letters(gateway) if isinstance(message, Deliver) for one in message.sealed]
    return [letter for letter in world.gateway.read(sealed) if isinstance(letter, HoldAnswer)]


def test_whoever_approves_reads_what_is_asked_and_the_gateway_hears_a_signed_answer(
    linked: World, live: Session
) -> None:
    row = held_in(linked, live)
    browser = signed_in(fresh(linked.owner))
    for address in ("/", "/approvals/", f"/sessions/{live.public_id}/"):
        text = shown(browser, address)
        assert "&lt;b&gt;block&lt;/b&gt; P_PROGRAM" in text, address
        assert f"yes-{row.public_id}" in text
        assert "The tool waits" in text
    answer = browser.post(f"/held/{row.public_id}/answer/", {"allowed": "yes"})
    assert answer.headers["Location"] == f"/sessions/{live.public_id}/"
    [letter] = said_again(linked)
    assert (letter.session, letter.question, letter.allowed) == (live.public_id, bytes(row.question), True)
    assert letter.request_sha256 == bytes.fromhex("ab" * 32)
    assert 110_000 < letter.not_after_ms - timezone.now().timestamp() * 1000 <= 120_000
    event = Event.objects.get(code="remote_sessions.operation.allowed")
    assert event.actor == linked.owner.public_id

    report(linked, "operation.armed", live, question=f"{1:064x}", request_sha256="ab" * 32, seconds=120)
    assert said_again(linked) == []
    assert "Armed: exactly this passes once" in shown(browser, f"/sessions/{live.public_id}/")
    report(linked, "operation.released", live, question=f"{1:064x}", how="hold.armed", waited_ms=9000)
    report(linked, "operation.hold-expired", live, question=f"{1:064x}", reason="hold.unused")
    assert HeldOperation.objects.get(pk=row.pk).outcome == "released"
    course = shown(browser, f"/sessions/{live.public_id}/")
    assert "Held operation let through" in course
    assert "when it was repeated" in course


def test_nobody_answers_for_their_own_session_not_even_the_database_lets_them(linked: World, live: Session) -> None:
    row = held_in(linked, live)
    with pytest.raises(OwnOperation):
        answer_held(actor=linked.technician, held=row.public_id, allowed=True)
    Session.objects.filter(pk=live.pk).update(person=linked.owner)
    HeldOperation.objects.filter(pk=row.pk).update(person=linked.owner)
    with pytest.raises(OwnOperation):
        answer_held(actor=linked.owner, held=row.public_id, allowed=True)
    assert not queries.held_for(fresh(linked.owner), timezone.now()).exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        HeldOperation.objects.filter(pk=row.pk).update(decided_by=linked.owner, allowed=True, decided_at=timezone.now())
    with pytest.raises(IntegrityError), transaction.atomic():
        HeldOperation.objects.filter(pk=row.pk).update(allowed=True)
    assert said_again(linked) == []


def test_only_whoever_approves_answers_and_others_do_not_even_see_it(linked: World, live: Session) -> None:
    row = held_in(linked, live)
    with pytest.raises(Denied):
        answer_held(actor=linked.operator, held=row.public_id, allowed=True)
    for person in (linked.stranger, linked.rival):
        with pytest.raises(NotFound):
            answer_held(actor=person, held=row.public_id, allowed=False)
    for person, waits in ((linked.owner, True), (linked.operator, False)):
        assert ("1 request waits for you" in shown(signed_in(fresh(person)), "/people/")) is waits
    text = shown(signed_in(fresh(linked.technician)), f"/sessions/{live.public_id}/")
    assert "Whoever approves for this machine is asked." in text
    assert f"yes-{row.public_id}" not in text


def test_one_answer_counts_and_none_that_is_late(linked: World, live: Session) -> None:
    row, late, over = (held_in(linked, live, number) for number in (1, 2, 3))
    answer_held(actor=linked.owner, held=row.public_id, allowed=False)
    HeldOperation.objects.filter(pk=late.pk).update(answer_until=timezone.now())
    report(linked, "operation.hold-expired", live, question=f"{3:064x}", reason="hold.unanswered")
    for one in (row, late, over):
        with pytest.raises(HeldOver):
            answer_held(actor=linked.owner, held=one.public_id, allowed=True)
    assert [letter.allowed for letter in said_again(linked)] == [False]
    last = held_in(linked, live, 4)
    services.cut(actor=linked.owner, session=live.public_id, reason="x")
    with pytest.raises(HeldOver):
        answer_held(actor=linked.owner, held=last.public_id, allowed=True)
    HeldOperation.objects.update(
        decided_at=timezone.now() - timedelta(minutes=3), allowed=True, decided_by=linked.owner
    )
    assert said_again(linked) == []


def test_a_hostile_gateway_asks_no_more_than_somebody_can_read(linked: World, live: Session) -> None:
    for number in range(WAITING + 4):
        report(linked, "operation.held", live, **{**STOP, "question": f"{number + 1:064x}", "answer_s": 10**9})
    report(linked, "operation.held", live, **{**STOP, "question": "no number"})
    assert queries.held_for(fresh(linked.owner), timezone.now()).count() == WAITING
    assert HeldOperation.objects.filter(answer_until__gt=timezone.now() + timedelta(seconds=121)).count() == 0


def test_a_gateway_that_cannot_hold_gets_no_such_session_and_what_runs_drains(linked: World) -> None:
    set_profile(
        actor=linked.owner, organisation=linked.organisation, name="service", clauses=OBSERVING,
        hold=[parse_clause("stop, program-write")],
    )  # fmt: skip
    before = accepted(linked, started(linked))
    receive(linked.gateway.id, [linked.gateway.ask(inspects=["modbus"])])
    access.change_rule(actor=linked.owner, rule=linked.rule, profile="service", only_decoded=True)
    services.enforce(timezone.now())
    assert Session.objects.get(pk=before.pk).end_why == "not-inspectable"
    with pytest.raises(CannotHold):
        services.start_session(actor=linked.technician, machine="Press 3", key=session_key(), address="192.0.2.7")
    receive(linked.gateway.id, [linked.gateway.ask(inspects=["modbus"], holds=True)])
    Service.objects.update(client_timeout_s=30)
    [order] = said_to(linked, started(linked))
    assert [asset.client_timeout_ms for asset in order.assets] == [30_000]  # type: ignore[union-attr]
