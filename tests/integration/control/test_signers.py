# SPDX-License-Identifier: Apache-2.0
"""A new signer takes over gateway by gateway; the old one goes on for whoever has not heard of it (WIRE 6)."""

from __future__ import annotations

import fcntl
from datetime import timedelta

import pytest
from django.utils import timezone

from portineria.cli.main import parser
from portineria.control.audit.models import Event
from portineria.control.estate import enrolment as admission
from portineria.control.estate import signers
from portineria.control.estate.models import Gateway
from portineria.control.identity import keys
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Installation, Key
from portineria.control.remote_sessions import letters, reports
from portineria.control.remote_sessions.presence import standing_letters
from portineria.control.settings.start import current
from portineria.wire.certificate import check_leaf, load_certificate
from portineria.wire.enrolment import TRUST
from portineria.wire.envelope import read_signed, unseal
from portineria.wire.statement import Acknowledgement, Additions, Letter, Time, letter_info
from tests.integration.control.world import GatewayEnd, World, admitted_gateway

pytestmark = pytest.mark.sqlite  # nothing here depends on which database it is


def row(end: GatewayEnd) -> Gateway:
    return Gateway.objects.select_related("plant__organisation").get(public_id=end.id)


def signer_of(end: GatewayEnd, sealed: bytes) -> str:
    return read_signed(unseal(sealed, end.sealing, info=letter_info(end.id))).signer


def answered(end: GatewayEnd, *signers: str) -> tuple[list[Letter], set[str]]:
    """Ask as a gateway that believes these signers; return the letters and who signed them."""
    answer = reports.receive(end.id, [end.ask(signers=list(signers))])
    sealed = letters.sealed(row(end), *answer.letters).sealed
    return answer.letters, {signer_of(end, letter) for letter in sealed}


def codes(code: str) -> int:
    return Event.objects.filter(organisation=Installation.objects.get(pk=1).public_id, code=code).count()


def test_a_gateway_is_spoken_to_by_the_newest_signer_that_it_says_it_believes(world: World) -> None:
    end = world.gateway
    old = keys.signer("order")
    assert row(end).signers == sorted(keys.signers()), "from its enrolment on"
    new = signers.rotate(actor=Operator(), role="order")
    assert new.id != old.id == signers.signer_for(row(end), "order").id
    first, by = answered(end, *row(end).signers)
    assert by == {old.id}
    assert [type(letter) for letter in first][-1] is Additions
    [additions] = [letter for letter in first if isinstance(letter, Additions)]
    assert end.trust is not None
    issuer = load_certificate(end.trust.issuers["signer"])
    names = {check_leaf(one, kind="signer", issuer=issuer).id for one in additions.signers}
    assert f"order:{new.id}" in names
    assert f"order:{old.id}" not in names, "what was replaced is not spread any more"
    known = [*row(end).signers, new.id]
    second, by = answered(end, *known)
    assert by == {new.id}
    assert not [letter for letter in second if isinstance(letter, Additions)], "it lacks nothing"
    assert row(end).signers == sorted(known)
    _, by = answered(end, *[name for name in known if name != new.id])
    assert by == {old.id}, "a gateway restored from a backup says so itself"


def test_time_comes_before_the_new_signers(world: World) -> None:
    """A gateway that has just started judges their dates by it."""
    signers.rotate(actor=Operator(), role="order")
    found, _ = answered(world.gateway, *row(world.gateway).signers)
    kinds = [type(letter) for letter in found]
    assert kinds.index(Time) < kinds.index(Additions)


def test_a_gateway_that_comes_back_hears_of_it_by_the_signer_it_believes(world: World) -> None:
    old = keys.signer("order").id
    new = signers.rotate(actor=Operator(), role="order")
    [first, *_] = standing_letters(row(world.gateway))
    [sealed] = first.sealed  # type: ignore[union-attr]
    assert signer_of(world.gateway, sealed) == old
    letter, _ = world.gateway.open(sealed)
    assert isinstance(letter, Additions)
    assert new.certificate in letter.signers


def test_acknowledgements_have_a_signer_of_their_own(world: World) -> None:
    end = world.gateway
    order = keys.signer("order").id
    new = signers.rotate(actor=Operator(), role="acknowledgement")
    answered(end, *row(end).signers, new.id)
    answer = reports.receive(end.id, [end.say("gateway.started")])
    [letter] = [one for one in answer.letters if isinstance(one, Acknowledgement)]
    [sealed] = letters.sealed(row(end), letter).sealed
    assert signer_of(end, sealed) == new.id
    assert signers.signer_for(row(end), "order").id == order


def test_orders_name_the_signer_that_the_gateway_believes(world: World) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    from portineria.control.remote_sessions import services
    from portineria.wire.certificate import spki

    old = keys.signer("order").id
    signers.rotate(actor=Operator(), role="order")
    world.link()
    world.grant()
    key = spki(ec.generate_private_key(ec.SECP256R1()).public_key())
    session = services.start_session(actor=world.technician, machine="Press 3", key=key, address="").session
    assert read_signed(bytes(session.order)).signer == old
    sealed = letters.deliver(row(world.gateway), [bytes(session.order)]).sealed[0]
    order, _ = world.gateway.open(sealed)
    assert order.signer_id == old  # type: ignore[union-attr]


def test_the_old_key_is_destroyed_when_the_last_gateway_believes_the_new_one(world: World) -> None:
    here, away = world.gateway, admitted_gateway(world.owner, world.plant)
    old = keys.signer("order").id
    new = signers.rotate(actor=Operator(), role="order")
    for end in (here, away):
        signers.settle(timezone.now())
        assert Key.objects.get(key_id=old).wrapped != b"", "somebody still needs it"
        assert away.id in [gateway.public_id for gateway in signers.gateways_without(new.id)]
        answered(end, *row(end).signers, new.id)
    signers.settle(timezone.now())
    assert bytes(Key.objects.get(key_id=old).wrapped) == b""
    assert signers.gateways_without(new.id) == []
    assert (codes("identity.key.retired"), codes("identity.key.destroyed")) == (1, 1)
    assert signers.signer_for(row(here), "order").id == new.id


def test_a_gateway_that_never_comes_back_stops_nothing_once_it_is_revoked(world: World) -> None:
    away = admitted_gateway(world.owner, world.plant)
    old = keys.signer("order").id
    new = signers.rotate(actor=Operator(), role="order")
    answered(world.gateway, *row(world.gateway).signers, new.id)
    signers.settle(timezone.now())
    assert bytes(Key.objects.get(key_id=old).wrapped) != b""
    admission.revoke_gateway(actor=world.owner, gateway=away.id, reason="scrapped")
    signers.settle(timezone.now())
    assert bytes(Key.objects.get(key_id=old).wrapped) == b""


def test_who_enrols_now_pins_the_new_signer_alone(world: World) -> None:
    """The old one may have been replaced because somebody got hold of it."""
    old = keys.signer("order").id
    new = signers.rotate(actor=Operator(), role="order")
    end = GatewayEnd()
    code, _ = admission.offer_enrolment(actor=world.owner, plant=world.plant)
    answer = end.enrol(code).json()
    end.accept(code, answer)
    assert end.trust is not None
    assert new.id in end.trust.signers
    assert old not in end.trust.signers
    assert signers.signer_for(row(end), "order").id == new.id
    assert TRUST.encode(end.trust)


def test_a_signer_is_renewed_by_itself_long_before_it_expires(world: World) -> None:
    first = keys.signer("order")
    signers.settle(timezone.now() + signers.RENEW_AFTER - timedelta(days=1))
    assert keys.signer("order").id == first.id
    signers.settle(timezone.now() + signers.RENEW_AFTER)
    assert keys.signer("order").id != first.id
    assert signers.RENEW_AFTER < keys.SIGNER_LIFE * 0.67


def test_the_signer_of_tickets_is_not_replaced_under_a_running_relay(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its lock is held as a relay's process holds it."""
    state, before = current().state, keys.signer("ticket").id
    lock = state / "relays" / world.relay / "lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(signers.RelaysRun):
            signers.rotate(actor=Operator(), role="ticket")
        assert keys.signer("ticket").id == before
    new = signers.rotate(actor=Operator(), role="ticket")
    assert new.id != before
    assert bytes(Key.objects.get(key_id=before).wrapped) == b"", "nobody believes it any more"


def test_the_command_line_shows_who_does_not_know_it_yet(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    args = parser().parse_args(["signers", "--state", str(current().state), "--rotate", "order"])
    assert args.run(args) == 0
    shown = capsys.readouterr().out
    assert keys.signer("order").id in shown
    assert f"not known yet to {world.gateway.id} (North, cabinet 4)" in shown
