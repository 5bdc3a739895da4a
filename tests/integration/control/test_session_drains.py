# SPDX-License-Identifier: Apache-2.0
"""Draining: nothing new starts, what runs may finish."""

from __future__ import annotations

import pytest
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.estate import enrolment as admission
from portineria.control.estate import services as estate
from portineria.control.identity.connector import unbase64
from portineria.control.remote_sessions import services
from portineria.core.errors import Denied, NotFound
from portineria.wire.certificate import load_certificate, spki_sha256
from portineria.wire.statement import Order, Withdrawal
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import (
    accepted,
    again,
    ended_grant,
    leased,
    report,
    said_to,
    soon,
    started,
)
from tests.integration.control.world import ConnectorEnd, World, admitted_gateway, fresh


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


@pytest.mark.parametrize("act", ["one service removed", "address changed", "another gateway", "port exchanged"])
def test_what_a_session_reaches_is_changed_under_it_and_it_drains(linked: World, act: str) -> None:
    owner, device = linked.owner, linked.machine.devices.get()
    other = estate.add_service(actor=owner, device=device.public_id, name="web", protocol="http", port=80)
    session = accepted(linked, started(linked))
    assert services.enforce(timezone.now()) == 0
    if act == "one service removed":
        estate.remove_service(actor=owner, service=other.public_id)
    elif act == "address changed":
        estate.change_device(actor=owner, device=device.public_id, address="192.168.10.77")
    elif act == "another gateway":
        gateway = admitted_gateway(owner, linked.plant).id
        estate.change_machine(actor=owner, machine=linked.machine.public_id, gateway=gateway)
    else:
        estate.remove_service(actor=owner, service=other.public_id)
        estate.add_service(actor=owner, device=device.public_id, name="web", protocol="http", port=8080)
    assert services.enforce(timezone.now()) == 1
    after = again(session)
    assert (after.state, after.ending_class, after.end_why) == ("draining", "administrative", "machine-changed")
    [withdrawal] = said_to(linked, session)
    assert isinstance(withdrawal, Withdrawal)
    assert (withdrawal.ending, withdrawal.drain_s) == ("drain", 600)
    assert services.enforce(timezone.now()) == 0


def test_what_is_added_or_only_named_otherwise_ends_nothing(linked: World) -> None:
    owner, device = linked.owner, linked.machine.devices.get()
    session = accepted(linked, started(linked))
    estate.add_service(actor=owner, device=device.public_id, name="web", protocol="http", port=80)
    estate.change_machine(actor=owner, machine=linked.machine.public_id, tag="P3", criticality="high")
    estate.change_plant(actor=owner, plant=linked.plant, time_zone="Asia/Tokyo")
    assert services.enforce(timezone.now()) == 0
    assert again(session).state == "live"


def test_a_stranger_changes_no_device_and_an_operator_may_not(linked: World) -> None:
    device = linked.machine.devices.get().public_id
    with pytest.raises(NotFound):
        estate.change_device(actor=linked.stranger, device=device, address="192.168.10.77")
    with pytest.raises(Denied):
        estate.change_device(actor=linked.operator, device=device, address="192.168.10.77")
    with pytest.raises(NotFound):
        estate.change_plant(actor=linked.stranger, plant=linked.plant, time_zone="UTC")
    with pytest.raises(Denied):
        estate.change_plant(actor=linked.operator, plant=linked.plant, time_zone="UTC")


def test_a_machine_may_have_no_drain_time_at_all(linked: World) -> None:
    estate.change_machine(actor=linked.owner, machine=linked.machine.public_id, drain_s=0)
    session = accepted(linked, started(linked))
    access.revoke(actor=linked.owner, grant=session.grant.public_id, reason="x")
    services.enforce(timezone.now())
    [withdrawal] = said_to(linked, session)
    assert isinstance(withdrawal, Withdrawal)
    assert (withdrawal.ending, withdrawal.drain_s) == ("drain", 0)


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
    back = report(linked, "session.resumed", session, reason="lease.lost")
    assert (back.state, back.drain_until, back.end_why) == ("live", None, "")
    assert services.enforce(soon(seconds=700)) == 0


def test_a_permitted_session_is_never_cut_for_a_drain_that_the_gateway_began(linked: World) -> None:
    session = accepted(linked, started(linked, 400))
    report(linked, "session.draining", session, seconds=600, reason="lease.lost")
    assert services.enforce(soon(seconds=620)) == 0  # whatever became of the news that it was lifted
    assert (again(session).state, leased(linked, session)) == ("draining", {session.public_id})
    services.enforce(soon(minutes=401))
    after = again(session)  # from here on its own end counts
    assert (after.state, after.end_why, after.ending_class) == ("draining", "expired", "administrative")
    assert services.enforce(soon(minutes=401, seconds=620)) == 1
    assert again(session).end_why == "drain-overdue"


def test_a_gateway_that_started_anew_has_forgotten_its_own_drain(linked: World) -> None:
    session = accepted(linked, started(linked))
    report(linked, "session.draining", session, seconds=600, reason="lease.lost")
    assert accepted(linked, session).state == "live"


@pytest.mark.parametrize("how", ["ordered", "expired", "extension refused"])
def test_a_gateway_lifts_only_what_it_began(linked: World, how: str) -> None:
    session = accepted(linked, started(linked))
    if how == "ordered":
        services.drain(actor=linked.owner, session=session.public_id)
    else:
        ended_grant(session)
        services.enforce(timezone.now())
    if how == "extension refused":
        access.extend(actor=fresh(linked.owner), grant=session.grant.public_id, minutes=30)
        services.enforce(timezone.now())
        report(linked, "order.refused", session, order_seq=2, reason="order.ended")
    report(linked, "session.draining", session, seconds=600, reason="lease.lost")
    assert report(linked, "session.resumed", session, reason="lease.lost").state == "draining"
    assert services.enforce(soon(seconds=620)) == 1


def test_a_revocation_while_the_gateway_drains_by_itself_is_ordered(linked: World) -> None:
    session = accepted(linked, started(linked))
    report(linked, "session.draining", session, seconds=600, reason="lease.lost")
    access.revoke(actor=linked.owner, grant=session.grant.public_id, reason="x")
    assert services.enforce(timezone.now()) == 1
    [withdrawal] = said_to(linked, session)
    assert isinstance(withdrawal, Withdrawal)
    assert withdrawal.ending == "drain"


def test_a_revoked_gateway_can_sign_for_nothing_and_that_is_said(linked: World) -> None:
    session = accepted(linked, started(linked))
    admission.revoke_gateway(actor=linked.owner, gateway=linked.gateway.id, reason="stolen")
    services.enforce(timezone.now())
    over = soon(hours=1, seconds=600 + 60 + 20)
    assert services.enforce(over) == 1
    after = again(session)
    assert (after.state, after.ending, after.proven_cut) == ("ended", "unproven", False)


@pytest.mark.parametrize(
    ("who", "shown_as"),
    [("nobody: its rule ended", "ended, nothing was running"), ("the technician", "finished")],
)
def test_a_session_that_ended_idle_is_the_technicians_doing_only_where_it_was(
    linked: World, who: str, shown_as: str
) -> None:
    """The gateway signs the same in both cases: nothing ran when the end was ordered."""
    session = accepted(linked, started(linked))
    if who == "the technician":
        services.finish(actor=linked.technician, session=session.public_id)
        why = "finished"
    else:
        access.end_rule(actor=linked.owner, rule=linked.rule, reason="contract over")
        services.enforce(timezone.now())
        why = "no-rule"
    [withdrawal] = said_to(linked, session)
    assert isinstance(withdrawal, Withdrawal)
    assert withdrawal.reason == why
    report(linked, "session.ended", session, ending="finished", reason=why)
    client = signed_in(linked.owner)
    for address in ("/sessions/", f"/sessions/{session.public_id}/"):
        page = shown(client, address)
        assert f"{shown_as}</span>" in page, address
        assert ("the technician finished" in page) == (who == "the technician"), address
        assert ("no rule admits this any more" in page) == (who != "the technician"), address
    assert "nothing was running any more" in shown(client, f"/sessions/{session.public_id}/")


def test_an_order_that_nobody_can_read_drains_its_session_and_spares_the_page_and_the_others(linked: World) -> None:
    unread, other = accepted(linked, started(linked)), accepted(linked, started(linked))
    unread.order = bytes(900)
    unread.save(update_fields=["order"])
    access.revoke(actor=linked.owner, grant=other.grant.public_id, reason="x")
    assert "recorded" in shown(signed_in(linked.owner), f"/sessions/{unread.public_id}/").lower()
    assert services.enforce(timezone.now()) == 2
    assert (again(unread).state, again(other).state) == ("draining", "draining")
    assert again(unread).end_why
