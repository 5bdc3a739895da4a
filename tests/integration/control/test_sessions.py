# SPDX-License-Identifier: Apache-2.0
"""How a session begins, seen by the control plane: what is ordered, what may be said."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone

from portineria.bus.message import Deliver
from portineria.control.access import services as access
from portineria.control.access.models import Grant
from portineria.control.audit.queries import events
from portineria.control.identity import keys
from portineria.control.identity.connector import base64url, unbase64
from portineria.control.remote_sessions import letters, refusals, services
from portineria.control.remote_sessions.models import Session
from portineria.wire.certificate import check_leaf, load_certificate, spki
from portineria.wire.statement import Order, open_ticket, sha256
from tests.integration.control.sessions import (
    accepted,
    again,
    ended_grant,
    report,
    said_to,
    session_key,
    soon,
    started,
)
from tests.integration.control.world import ConnectorEnd, World, fresh


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
    first = services.start_session(actor=linked.technician, machine="Press 3", key=key, address="")
    again = services.start_session(actor=linked.technician, machine="Press 3", key=key, address="")
    assert again.session == first.session  # the answer was lost on its way; the connector asked again
    assert Session.objects.count() == 1
    assert len(events(linked.owner, code="remote_sessions.session.requested")) == 1
    opened = open_ticket(again.tickets[0], keys.signer("ticket").key.public_key())
    assert opened.session == first.session.public_id
    for _ in range(services.SESSIONS_PER_GRANT - 1):
        started(linked)
    with pytest.raises(refusals.TooManySessions):
        started(linked)


def test_the_key_of_a_session_that_ends_begins_nothing(linked: World) -> None:
    linked.grant()
    key = session_key()
    first = services.start_session(actor=linked.technician, machine="Press 3", key=key, address="").session
    services.finish(actor=linked.technician, session=first.public_id)
    answer = ConnectorEnd(linked.technician).call("POST", "/sessions", {"machine": "Press 3", "key": base64url(key)})
    assert (answer.status_code, answer.json()["code"]) == (409, "session.key-used")


def test_the_list_says_whether_the_gateway_signed_for_the_end(linked: World) -> None:
    signed, unsigned = accepted(linked, started(linked)), started(linked)
    report(linked, "session.ended", signed, ending="finished", reason="finished")
    Session.objects.filter(pk=unsigned.pk).update(state="ended", ending="unproven", ended_at=timezone.now())
    rows = ConnectorEnd(linked.technician).call("GET", "/sessions").json()
    assert {row["session"]: row["signed"] for row in rows} == {signed.public_id: True, unsigned.public_id: False}


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
