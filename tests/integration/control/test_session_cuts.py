# SPDX-License-Identifier: Apache-2.0
"""Cutting: ordered at once, said only on the gateway's signed receipt."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.bus.message import CloseLegs
from portineria.control.access import services as access
from portineria.control.audit.verification import verify_chain
from portineria.control.estate import enrolment as admission
from portineria.control.identity import services as identity
from portineria.control.identity import way_back
from portineria.control.remote_sessions import letters, services
from portineria.control.remote_sessions.models import Session
from portineria.core.errors import Conflict, NotFound
from portineria.policy.ending import Ending
from portineria.wire.statement import Withdrawal
from tests.integration.control.sessions import (
    accepted,
    again,
    report,
    said_to,
    started,
)
from tests.integration.control.world import World


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
        "second factor": lambda: way_back.reset_second_factor(actor=owner, person=technician),
    }
    acts[act]()
    assert services.enforce(timezone.now()) == 1
    after = again(session)
    assert (after.state, after.ending_class) == ("cutting", "security")
    assert services.enforce(timezone.now()) == 0
