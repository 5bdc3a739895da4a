# SPDX-License-Identifier: Apache-2.0
"""The life of a session, seen by the control plane: what is ordered, what is reported, what may be said."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.bus.message import CloseLegs, Deliver, ToRelay
from portineria.control.access import services as access
from portineria.control.access.models import Grant
from portineria.control.audit.queries import events
from portineria.control.audit.services import verify_chain
from portineria.control.estate import enrolment as admission
from portineria.control.estate import services as estate
from portineria.control.estate.models import Gateway, Link
from portineria.control.identity import keys
from portineria.control.identity import services as identity
from portineria.control.identity.connector import base64url, unbase64
from portineria.control.remote_sessions import letters, queries, services
from portineria.control.remote_sessions.models import Session, Stream
from portineria.control.remote_sessions.reports import receive
from portineria.core.errors import Conflict, Denied, NotFound
from portineria.policy.ending import Ending
from portineria.wire.certificate import check_leaf, load_certificate, spki, spki_sha256
from portineria.wire.statement import Leases, Order, Withdrawal, open_ticket, sha256
from tests.integration.control.world import ConnectorEnd, World, fresh


@pytest.fixture
def linked(world: World) -> World:
    world.link()
    return world


def session_key() -> bytes:
    return spki(ec.generate_private_key(ec.SECP256R1()).public_key())


def started(world: World, minutes: int = 60) -> Session:
    grant = Grant.objects.filter(person=world.technician).first()
    if grant is None:
        world.grant(minutes)
    return services.start_session(
        actor=world.technician, machine="Press 3", key=session_key(), address="192.0.2.7"
    ).session


def said_to(world: World, session: Session) -> list[Order | Withdrawal]:
    """What the gateway would read now about this session."""
    messages: list[ToRelay] = letters.standing_messages(again(session))
    sealed = [letter for message in messages if isinstance(message, Deliver) for letter in message.sealed]
    return [letter for letter in world.gateway.read(sealed) if isinstance(letter, Order | Withdrawal)]


def again(session: Session) -> Session:
    return Session.objects.select_related("gateway", "machine", "organisation", "person").get(pk=session.pk)


def report(world: World, code: str, session: Session, **fields: str | int | bool) -> Session:
    receive(world.gateway.id, [world.gateway.say(code, session.public_id, **fields)])
    return again(session)


def accepted(world: World, session: Session) -> Session:
    return report(world, "order.accepted", session, order_seq=again(session).order_seq)


def leased(world: World, *sessions: Session) -> set[str]:
    answer = receive(world.gateway.id, [world.gateway.ask(*(session.public_id for session in sessions))])
    [found] = [letter for letter in answer.letters if isinstance(letter, Leases)]
    return {lease.session for lease in found.leases}


def soon(**later: float) -> datetime:
    return timezone.now() + timedelta(**later)


# -- opening ----------------------------------------------------------------------------------------------------


def test_a_connector_gets_everything_it_has_to_insist_on(linked: World) -> None:
    grant, key = linked.grant(), session_key()
    answer = ConnectorEnd(linked.technician).call("POST", "/sessions", {"machine": "Press 3", "key": base64url(key)})
    assert answer.status_code == 200, answer.content
    got = answer.json()
    session = Session.objects.get(public_id=got["session"])
    assert session.grant.public_id == grant
    issuer = load_certificate(unbase64(got["trust"]["issuers"]["session"], "x"))
    leaf = check_leaf(unbase64(got["certificate"], "x"), kind="session", issuer=issuer)
    assert (leaf.id, leaf.spki_sha256) == (got["session"], sha256(key))
    assert unbase64(got["gateway_spki_sha256"], "x") == linked.gateway.spki_sha256
    assert [(s["protocol"], s["port"]) for s in got["services"]] == [("modbus", 502)]
    assert (got["drain_s"], got["hold_s"], got["state"]) == (600, 60, "opening")
    ticket = open_ticket(unbase64(got["tickets"][0], "x"), keys.signer("ticket").key.public_key())
    assert (ticket.session, ticket.gateway, ticket.relay) == (got["session"], linked.gateway.id, linked.relay)
    assert ticket.relay == got["relays"][0]["relay"]
    assert ticket.not_after_ms <= soon(minutes=5).timestamp() * 1000


def test_the_gateway_reads_an_order_for_exactly_this_key_until_the_grant_ends(linked: World) -> None:
    session = started(linked)
    [order] = said_to(linked, session)
    assert isinstance(order, Order)
    assert [(a.address, a.port) for a in order.assets] == [("192.168.10.5", 502)]
    assert order.session_spki_sha256 == bytes(session.key_sha256)
    assert order.expires_ms == int(Grant.objects.get().ends_at.timestamp() * 1000)
    assert order.order_seq == 1
    [message] = letters.standing_messages(again(session))
    assert isinstance(message, Deliver)
    _, exact = linked.gateway.open(message.sealed[0])
    assert sha256(exact) == bytes(session.order_sha256)


def test_without_a_link_nothing_starts_and_the_message_says_why(world: World) -> None:
    world.grant()
    end = ConnectorEnd(world.technician)
    answer = end.call("POST", "/sessions", {"machine": "Press 3", "key": base64url(session_key())})
    assert (answer.status_code, answer.json()["code"]) == (503, "gateway.away")
    assert answer.headers["Retry-After"]
    assert not Session.objects.exists()


def test_a_denial_names_the_reason_and_is_recorded_after_the_rollback(linked: World) -> None:
    grant = linked.grant()
    access.revoke(actor=linked.owner, grant=grant, reason="changed my mind")
    end = ConnectorEnd(linked.technician)
    answer = end.call("POST", "/sessions", {"machine": "Press 3", "key": base64url(session_key())})
    assert (answer.status_code, answer.json()["code"]) == (403, "access.revoked")
    [denied] = events(linked.owner, code="identity.attempt.denied")
    assert denied.actor == linked.technician.public_id


@pytest.mark.parametrize("key", [b"", b"garbage", spki(ec.generate_private_key(ec.SECP384R1()).public_key())])
def test_only_a_p256_key_makes_a_session(linked: World, key: bytes) -> None:
    linked.grant()
    end = ConnectorEnd(linked.technician)
    answer = end.call("POST", "/sessions", {"machine": "Press 3", "key": base64url(key)})
    assert (answer.status_code, answer.json()["code"]) == (422, "field.key")


def test_a_key_serves_one_session_and_a_grant_a_few(linked: World) -> None:
    linked.grant()
    key = session_key()
    services.start_session(actor=linked.technician, machine="Press 3", key=key, address="")
    with pytest.raises(Conflict):
        services.start_session(actor=linked.technician, machine="Press 3", key=key, address="")
    for _ in range(services.SESSIONS_PER_GRANT - 1):
        started(linked)
    with pytest.raises(services.TooManySessions):
        started(linked)


def test_it_is_live_only_when_the_gateway_accepted_the_newest_order(linked: World) -> None:
    session = started(linked)
    assert report(linked, "order.accepted", session, order_seq=0).state == "opening"
    assert accepted(linked, session).state == "live"


def test_a_refused_order_ends_the_session_with_the_gateways_reason(linked: World) -> None:
    ended = report(linked, "order.refused", started(linked), order_seq=1, reason="time.unknown")
    assert (ended.state, ended.ending, ended.end_why) == ("ended", "refused", "time.unknown")


def test_an_extension_that_the_gateway_refuses_lets_the_session_run_out(linked: World) -> None:
    session = accepted(linked, started(linked))
    ended_grant(session)
    services.enforce(timezone.now())
    access.extend(actor=fresh(linked.owner), grant=session.grant.public_id, minutes=30)
    services.enforce(timezone.now())
    assert report(linked, "order.refused", session, order_seq=1, reason="order.replayed").state == "opening"
    after = report(linked, "order.refused", session, order_seq=2, reason="order.ended")
    assert (after.state, after.end_why) == ("draining", "order.ended")
    assert services.unanswered() == []


# -- leases -----------------------------------------------------------------------------------------------------


def test_leases_are_given_for_what_policy_permits_at_that_moment_only(linked: World) -> None:
    session = accepted(linked, started(linked))
    assert leased(linked, session) == {session.public_id}
    identity.set_person_enabled(actor=linked.owner, person=linked.technician.public_id, enabled=False, reason="x")
    assert leased(linked, session) == set()  # even before anything was enforced


@pytest.mark.parametrize("how", ["cut", "drain", "revoke", "expire", "unknown"])
def test_no_lease_for_what_is_withdrawn_or_over(linked: World, how: str) -> None:
    session = accepted(linked, started(linked))
    if how == "cut":
        services.cut(actor=linked.owner, session=session.public_id, reason="x")
    elif how == "drain":
        services.drain(actor=linked.owner, session=session.public_id)
    elif how == "revoke":
        access.revoke(actor=linked.owner, grant=session.grant.public_id, reason="x")
    elif how == "expire":
        past = timezone.now() - timedelta(hours=2)
        Grant.objects.update(starts_at=past, ends_at=past + timedelta(hours=1))
    else:
        session.public_id = "ses_aaaaaaaaaaaaaaaa"
    assert leased(linked, session) == set()


# -- cutting ----------------------------------------------------------------------------------------------------


def test_it_is_called_cut_only_on_the_gateways_signed_receipt(linked: World) -> None:
    session = accepted(linked, started(linked))
    services.cut(actor=linked.owner, session=session.public_id, reason="smoke at the press")
    cutting = again(session)
    assert (cutting.state, cutting.proven_cut) == ("cutting", False)
    assert CloseLegs(session.public_id) in letters.standing_messages(cutting)
    [order] = said_to(linked, session)
    assert isinstance(order, Withdrawal)
    assert (order.ending, order.order_seq) == ("cut", 2)
    ended = report(linked, "session.ended", session, ending="cut", reason="cut", latency_ms=12)
    assert (ended.state, ended.ending, ended.proven_cut, ended.latency_ms) == ("ended", "cut", True, 12)
    assert ended.receipt is not None
    assert ended.receipt.code == "session.ended"
    assert letters.standing_messages(ended) == []
    assert verify_chain(linked.organisation) > 0


def test_the_database_holds_no_proven_end_without_a_receipt(linked: World) -> None:
    session = started(linked)
    for change in (
        {"state": "ended", "ended_at": timezone.now(), "ending": "cut"},
        {"state": "ended"},
        {"state": "cutting"},
        {"state": "blown up"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Session.objects.filter(pk=session.pk).update(**change)


def test_a_cut_during_opening_is_answered_by_the_gateway_either_way(linked: World) -> None:
    first, second = started(linked), started(linked)
    for session in (first, second):
        services.cut(actor=linked.technician, session=session.public_id, reason="wrong machine")
    assert report(linked, "order.refused", first, order_seq=1, reason="order.withdrawn").proven_cut
    assert report(linked, "order.accepted", second, order_seq=1).state == "cutting"
    assert report(linked, "session.ended", second, ending="cut", reason="cut").proven_cut


def test_who_may_cut_and_who_does_not_even_see_it(linked: World) -> None:
    session = accepted(linked, started(linked))
    for who in (linked.rival, linked.stranger):
        with pytest.raises(NotFound):
            services.cut(actor=who, session=session.public_id, reason="x")
    services.cut(actor=linked.operator, session=session.public_id, reason="x")
    assert again(session).ended_by == linked.operator


def test_a_second_cut_changes_nothing_and_one_after_the_end_is_a_conflict(linked: World) -> None:
    session = accepted(linked, started(linked))
    services.cut(actor=linked.owner, session=session.public_id, reason="x")
    before = again(session)
    services.cut(actor=linked.operator, session=session.public_id, reason="y")
    assert again(session).order_seq == before.order_seq
    report(linked, "session.ended", session, ending="cut", reason="cut")
    with pytest.raises(Conflict):
        services.cut(actor=linked.owner, session=session.public_id, reason="z")


def test_a_cut_overrides_a_drain(linked: World) -> None:
    session = accepted(linked, started(linked))
    services.drain(actor=linked.owner, session=session.public_id)
    [drain] = said_to(linked, session)
    services.cut(actor=linked.owner, session=session.public_id, reason="now")
    [cut] = said_to(linked, session)
    assert isinstance(drain, Withdrawal)
    assert isinstance(cut, Withdrawal)
    assert (drain.ending, drain.drain_s, cut.ending) == ("drain", 600, "cut")
    assert cut.order_seq == drain.order_seq + 1


@pytest.mark.parametrize("act", ["person", "supplier", "membership", "gateway", "grant", "second factor"])
def test_security_cuts_at_once(linked: World, act: str) -> None:
    session, owner = accepted(linked, started(linked)), linked.owner
    technician = linked.technician.public_id
    acts = {
        "person": lambda: identity.set_person_enabled(actor=owner, person=technician, enabled=False, reason="x"),
        "supplier": lambda: identity.set_supplier_enabled(
            actor=owner, supplier=linked.supplier, enabled=False, reason="x"
        ),
        "membership": lambda: identity.end_membership(
            actor=owner, person=technician, organisation=linked.organisation, reason="x"
        ),
        "gateway": lambda: admission.revoke_gateway(actor=owner, gateway=linked.gateway.id, reason="x"),
        "grant": lambda: access.revoke(actor=owner, grant=session.grant.public_id, reason="x", ending=Ending.SECURITY),
        "second factor": lambda: identity.reset_second_factor(actor=owner, person=technician),
    }
    acts[act]()
    assert services.enforce(timezone.now()) == 1
    after = again(session)
    assert (after.state, after.ending_class) == ("cutting", "security")
    assert services.enforce(timezone.now()) == 0


# -- draining ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["grant", "rule ended", "rule narrowed", "services removed"])
def test_administration_drains(linked: World, act: str) -> None:
    session, owner = accepted(linked, started(linked)), linked.owner
    if act == "grant":
        access.revoke(actor=owner, grant=session.grant.public_id, reason="x")
    elif act == "rule ended":
        access.end_rule(actor=owner, rule=linked.rule, reason="x")
    elif act == "rule narrowed":
        access.change_rule(actor=owner, rule=linked.rule, machines=[linked.rivals_machine.public_id])
    else:
        service = linked.machine.devices.get().services.get()
        estate.remove_service(actor=owner, service=service.public_id)
    assert services.enforce(timezone.now()) == 1
    after = again(session)
    assert (after.state, after.ending_class) == ("draining", "administrative")
    assert after.drain_until is not None
    [withdrawal] = said_to(linked, session)
    assert isinstance(withdrawal, Withdrawal)
    assert (withdrawal.ending, withdrawal.drain_s) == ("drain", 600)
    assert services.enforce(timezone.now()) == 0
    assert report(linked, "session.ended", session, ending="drained", reason="revoked").ending == "drained"


def test_a_machine_may_have_no_drain_time_at_all(linked: World) -> None:
    estate.change_machine(actor=linked.owner, machine=linked.machine.public_id, drain_s=0)
    session = accepted(linked, started(linked))
    access.revoke(actor=linked.owner, grant=session.grant.public_id, reason="x")
    services.enforce(timezone.now())
    [withdrawal] = said_to(linked, session)
    assert isinstance(withdrawal, Withdrawal)
    assert (withdrawal.ending, withdrawal.drain_s) == ("drain", 0)


def ended_grant(session: Session) -> None:
    past = timezone.now() - timedelta(seconds=5)
    Grant.objects.filter(pk=session.grant_id).update(starts_at=past - timedelta(hours=1), ends_at=past)
    Session.objects.filter(pk=session.pk).update(requested_at=past - timedelta(minutes=50), expires_at=past)


def test_a_grant_that_ends_drains_without_a_withdrawal_and_can_be_extended_meanwhile(linked: World) -> None:
    session = accepted(linked, started(linked))
    ended_grant(session)
    services.enforce(timezone.now())
    draining = again(session)
    assert (draining.state, draining.end_why, bytes(draining.withdrawal)) == ("draining", "expired", b"")
    access.extend(actor=fresh(linked.owner), grant=session.grant.public_id, minutes=30)
    services.enforce(timezone.now())
    extended = again(session)
    assert (extended.state, extended.order_seq) == ("opening", 2)
    [order] = said_to(linked, session)
    assert isinstance(order, Order)
    assert order.expires_ms > timezone.now().timestamp() * 1000
    assert accepted(linked, session).state == "live"


def test_an_extension_gives_a_new_order_and_a_certificate_that_lasts_as_long(linked: World) -> None:
    session = accepted(linked, started(linked))
    access.extend(actor=linked.owner, grant=session.grant.public_id, minutes=120)
    assert services.enforce(timezone.now()) == 1
    [order] = said_to(linked, session)
    assert isinstance(order, Order)
    assert order.order_seq == 2
    view = ConnectorEnd(linked.technician).call("GET", f"/sessions/{session.public_id}").json()
    leaf = load_certificate(unbase64(view["certificate"], "x"))
    assert leaf.not_valid_after_utc > again(session).expires_at
    assert spki_sha256(leaf.public_key()) == bytes(session.key_sha256)  # type: ignore[arg-type]
    assert unbase64(view["order_sha256"], "x") == bytes(again(session).order_sha256)
    assert services.enforce(timezone.now()) == 0


def test_a_drain_that_was_never_reported_over_is_cut(linked: World) -> None:
    session = accepted(linked, started(linked))
    services.drain(actor=linked.owner, session=session.public_id)
    assert services.enforce(soon(seconds=600)) == 0
    assert services.enforce(soon(seconds=620)) == 1
    assert (again(session).state, again(session).end_why) == ("cutting", "drain-overdue")


def test_the_connector_that_is_done_lets_its_streams_finish(linked: World) -> None:
    session = accepted(linked, started(linked))
    answer = ConnectorEnd(linked.technician).call("POST", f"/sessions/{session.public_id}/end")
    assert (answer.status_code, answer.json()["state"]) == (200, "draining")
    assert report(linked, "session.ended", session, ending="finished", reason="finished").ending == "finished"


def test_a_drain_of_the_gateways_own_is_shown_and_forgotten_when_it_is_back(linked: World) -> None:
    session = accepted(linked, started(linked))
    assert report(linked, "session.draining", session, seconds=600, reason="silence").state == "draining"
    assert leased(linked, session) == {session.public_id}
    back = report(linked, "stream.opened", session, stream="str_a", service="", address="192.168.10.5", port=502)
    assert (back.state, back.drain_until) == ("live", None)


def test_a_revoked_gateway_can_sign_for_nothing_and_that_is_said(linked: World) -> None:
    session = accepted(linked, started(linked))
    admission.revoke_gateway(actor=linked.owner, gateway=linked.gateway.id, reason="stolen")
    services.enforce(timezone.now())
    over = soon(hours=1, seconds=600 + 60 + 20)
    assert services.enforce(over) == 1
    after = again(session)
    assert (after.state, after.ending, after.proven_cut) == ("ended", "unproven", False)


# -- tickets, streams, sight ------------------------------------------------------------------------------------


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
    after = report(linked, "stream.closed", session, stream="str_a", to_device=12, from_device=260, how="finished")
    assert (after.to_device, after.from_device) == (12, 260)
    one, other = queries.streams(linked.owner, session.public_id)
    assert (one.how, one.service, other.closed_at) == ("finished", service, None)
    assert queries.streams(linked.rival, session.public_id) == []
    names = [view.code for view in queries.session_events(linked.technician, session.public_id)]
    assert names.count("stream.opened") == 2
    assert names[0] == "remote_sessions.session.requested"


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
    with pytest.raises(services.GatewayAway):
        started(linked)
