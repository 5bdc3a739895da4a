# SPDX-License-Identifier: Apache-2.0
"""A gateway that asks gets its organisation's newest checkpoint with a proof; one that keeps more is an alarm."""

from __future__ import annotations

import pytest
from cryptography import x509
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portineria.control.audit.models import Event
from portineria.control.audit.tree import newest_checkpoint
from portineria.control.estate import services as estate
from portineria.control.estate import signers
from portineria.control.estate.models import Gateway
from portineria.control.estate.trust import additions_for
from portineria.control.identity import keys
from portineria.control.identity.authority import Operator
from portineria.control.identity.register import seal_to_the_end
from portineria.control.remote_sessions import reports
from portineria.ledger.checkpoint import Checkpoint, read_checkpoint
from portineria.ledger.keeping import Contradicted, check_follows
from portineria.ledger.note import check_signed
from portineria.ledger.trust import checkpoint_keys
from portineria.wire.certificate import installation_of
from portineria.wire.statement import Additions, RegisterCheckpoint
from tests.integration.control.world import World

AHEAD = "estate.gateway.register-ahead"


def row(world: World) -> Gateway:
    return Gateway.objects.select_related("plant__organisation").get(public_id=world.gateway.id)


def asked(world: World, size: int | None, believed: list[str] | None = None) -> RegisterCheckpoint | None:
    answer = reports.receive(world.gateway.id, [world.gateway.ask(register_size=size, signers=believed)])
    return next((letter for letter in answer.letters if isinstance(letter, RegisterCheckpoint)), None)


def read(world: World, letter: RegisterCheckpoint | None) -> Checkpoint:
    """As the gateway does, with what it pinned at its enrolment."""
    assert letter is not None
    assert world.gateway.trust is not None
    note, checkpoint = read_checkpoint(letter.note)
    trust = world.gateway.trust
    issuer = x509.load_der_x509_certificate(trust.issuers["signer"])
    check_signed(note, checkpoint_keys(checkpoint.origin, trust.signers.values(), issuer))
    installation = installation_of(x509.load_der_x509_certificate(trust.root))
    assert checkpoint.origin == f"portineria/{installation}/{world.organisation}"
    return checkpoint


def grow(world: World) -> None:
    for number in range(3):
        name = f"Zone {Event.objects.count()}-{number}"
        estate.create_zone(actor=world.owner, plant=world.plant, name=name)
    seal_to_the_end(world.organisation)


def test_each_answer_continues_the_one_before(world: World) -> None:
    seal_to_the_end(world.organisation)
    kept = read(world, asked(world, 0))
    for _ in range(4):
        grow(world)
        letter = asked(world, kept.size)
        assert letter is not None
        new = read(world, letter)
        assert (new.size > kept.size, letter.old_size) == (True, kept.size)
        check_follows(kept, new, letter.proof)
        kept = new
    assert row(world).register_size is not None


def test_who_asks_for_none_gets_none_and_nothing_sealed_is_no_answer(world: World) -> None:
    assert asked(world, 0) is None
    seal_to_the_end(world.organisation)
    assert asked(world, None) is None


def test_a_gateway_that_keeps_more_is_an_event_once_and_hears_the_truth(world: World) -> None:
    seal_to_the_end(world.organisation)
    sealed = newest_checkpoint(world.organisation)
    assert sealed is not None
    for size in (5000, 5000, 5001):
        assert read(world, asked(world, size)).size == sealed.size
    found = Event.objects.filter(organisation=world.organisation, code=AHEAD, gateway=world.gateway.id)
    assert found.count() == 2
    assert b'"size":5000' in bytes(found.order_by("seq")[0].leaf)


def test_hashes_that_are_gone_are_no_proof_and_no_fault(world: World) -> None:
    seal_to_the_end(world.organisation)
    kept = read(world, asked(world, 0))
    grow(world)
    Event.objects.filter(organisation=world.organisation, seq=kept.size - 1).update(leaf_sha256=bytes(32))
    letter = asked(world, kept.size)
    assert letter is not None
    with pytest.raises(Contradicted):
        check_follows(kept, read(world, letter), letter.proof)


def test_only_who_asked_for_a_checkpoint_hears_of_signers_of_them(world: World) -> None:
    new = signers.rotate(actor=Operator(), role="checkpoint")
    believed = list(row(world).signers)
    assert new.certificate not in additions_for(row(world)).signers
    answer = reports.receive(world.gateway.id, [world.gateway.ask(signers=believed)])
    assert not [letter for letter in answer.letters if isinstance(letter, Additions)], "it lacks nothing it may know"
    seal_to_the_end(world.organisation)
    answer = reports.receive(world.gateway.id, [world.gateway.ask(signers=believed, register_size=0)])
    kinds = [type(letter) for letter in answer.letters]
    assert kinds.index(Additions) < kinds.index(RegisterCheckpoint)
    assert new.certificate in additions_for(row(world)).signers
    assert new.id in keys.signers()


def test_a_proof_reads_few_rows(world: World) -> None:
    seal_to_the_end(world.organisation)
    kept = read(world, asked(world, 0)).size
    grow(world)
    with CaptureQueriesContext(
        connection,
    ) as plain:
        asked(world, None)
    with CaptureQueriesContext(connection) as proven:
        asked(world, kept)
    assert len(proven) - len(plain) <= 6
