# SPDX-License-Identifier: Apache-2.0
"""Standing still: ordered at once by whoever works for the plant, said only on the gateway's signed receipt."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from portineria.bus.message import Deliver, ToRelay
from portineria.control.access import services as access
from portineria.control.audit import queries as audit
from portineria.control.remote_sessions import freezing, letters, presence, services
from portineria.control.remote_sessions.models import Session, SessionEnded
from portineria.core.errors import NotFound
from portineria.wire.statement import Freeze, Letter, Order, Withdrawal
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, again, report, started
from tests.integration.control.world import World, fresh


def said(world: World, session: Session) -> list[Freeze | Order | Withdrawal]:
    messages = letters.standing_messages(again(session))
    sealed = [letter for message in messages if isinstance(message, Deliver) for letter in message.sealed]
    return [letter for letter in world.gateway.read(sealed) if isinstance(letter, Freeze | Order | Withdrawal)]


def page(world: World, session: Session) -> str:
    return shown(signed_in(fresh(world.owner)), f"/sessions/{session.public_id}/")


def test_it_counts_as_frozen_only_on_the_gateways_signed_receipt_of_the_newest_letter(linked: World) -> None:
    session = accepted(linked, started(linked))
    assert 'id="freeze"' in page(linked, session)
    freezing.freeze(actor=linked.operator, session=session.public_id, reason="smoke at the press")
    freezing.freeze(actor=linked.owner, session=session.public_id, reason="again")  # changes nothing
    first, order = said(linked, session)
    assert first == Freeze(linked.gateway.id, session.public_id, 1, True)
    assert isinstance(order, Order)  # after it: whoever begins the session now begins it frozen
    assert "Freezing…" in page(linked, session)
    assert [row.public_id for row in services.unanswered()] == [session.public_id]

    assert report(linked, "session.frozen", session, number=7).freeze_unproven
    assert report(linked, "session.unfrozen", session, number=1).freeze_unproven
    proven = report(linked, "session.frozen", session, number=1, latency_ms=12)
    assert (proven.freeze_unproven, proven.freeze_latency_ms, proven.state) == (False, 12, "live")
    since = proven.freeze_proven_at
    assert report(linked, "session.frozen", session, number=1).freeze_proven_at == since  # told again after a restart
    assert "12 ms after the order arrived" in page(linked, session)
    assert services.unanswered() == []

    access.extend(actor=linked.owner, grant=session.grant.public_id, minutes=30)
    services.enforce(session.requested_at)
    [still, newer] = said(linked, session)
    assert still == first
    assert isinstance(newer, Order)
    accepted(linked, session)

    freezing.thaw(actor=linked.owner, session=session.public_id)
    assert "Going on…" in page(linked, session)
    assert report(linked, "session.frozen", session, number=1).freeze_unproven
    assert not report(linked, "session.unfrozen", session, number=2, latency_ms=3).freeze_unproven
    assert "Frozen." not in page(linked, session)
    codes = [event.code for event in audit.of_session(linked.organisation, session.public_id)]
    assert codes.count("remote_sessions.session.freezing") == codes.count("remote_sessions.session.thawing") == 1


def test_the_page_says_that_a_program_is_being_written_until_it_is_not(linked: World) -> None:
    session = accepted(linked, started(linked))
    for code, fields in (("session.transferred", {"seconds": 3}), ("stream.closed", {"how": "gateway.restarted"})):
        report(linked, "stream.opened", session, stream="str_a", service="srv_a", address="192.0.2.9", port=102)
        assert report(linked, "session.transferring", session, operation="program-write").transfer_since is not None
        assert "A program or firmware is being written, since" in page(linked, session)
        cut = shown(signed_in(fresh(linked.owner)), f"/sessions/{session.public_id}/cut/")
        assert "the machine may not run any more" in cut
        report(linked, code, session, stream="str_a", **fields)
        assert "being written, since" not in page(linked, session)


def test_who_may_freeze_and_a_cut_needs_no_thaw(linked: World) -> None:
    session = accepted(linked, started(linked))
    for who in (linked.rival, linked.stranger):
        with pytest.raises(NotFound):
            freezing.freeze(actor=who, session=session.public_id, reason="x")
    with pytest.raises(NotFound):  # whose work it is may cut it, and no more
        freezing.freeze(actor=linked.technician, session=session.public_id, reason="x")
    freezing.freeze(actor=linked.owner, session=session.public_id, reason="x")
    with pytest.raises(NotFound):
        freezing.thaw(actor=linked.technician, session=session.public_id)
    told = presence.standing_letters(session.gateway)
    assert sum(isinstance(letter, Freeze) for letter in letters_in(linked, told)) == 1  # to whoever comes back
    services.cut(actor=linked.technician, session=session.public_id, reason="wrong machine")
    [cut] = said(linked, session)
    assert isinstance(cut, Withdrawal)
    with pytest.raises(SessionEnded):
        freezing.thaw(actor=linked.owner, session=session.public_id)
    assert report(linked, "session.ended", session, ending="cut", reason="cut").proven_cut


def letters_in(world: World, messages: Sequence[ToRelay]) -> list[Letter]:
    return world.gateway.read([one for message in messages if isinstance(message, Deliver) for one in message.sealed])
