# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.audit.models import Checkpoint, Event, Head, TreeRow
from portineria.control.audit.sealing import Shrunk, seal, unsealed
from portineria.control.audit.services import BrokenChain, record
from portineria.control.audit.tree import newest_checkpoint, tree_of
from portineria.control.audit.verification import verify_chain
from portineria.ledger.checkpoint import Checkpoint as Sealed
from portineria.ledger.checkpoint import read_checkpoint
from portineria.ledger.merkle import check_consistency, check_inclusion
from portineria.ledger.note import Note, check_signed, sign, verifier_key

pytestmark = pytest.mark.django_db

ORG, OTHER = "org_aaaaaaaaaaaaaaaa", "org_bbbbbbbbbbbbbbbb"
KEY = Ed25519PrivateKey.from_private_bytes(bytes([1] * 32))


class Signer:
    def origin(self, organisation: str) -> str:
        return f"test/{organisation}"

    def signed(self, checkpoint: Sealed) -> str:
        text = checkpoint.text()
        return str(Note(text, (sign(text, checkpoint.origin, KEY),)))


def write(count: int, organisation: str = ORG) -> None:
    for number in range(count):
        record("estate.plant.created", organisation=organisation, actor="per_owner", plant=f"pla_{number}")


def sealed() -> Checkpoint:
    found = newest_checkpoint(ORG)
    assert found is not None
    return found


def test_what_was_written_is_sealed_with_a_signature_and_its_root() -> None:
    write(3)
    write(1, OTHER)
    assert unsealed() == [ORG, OTHER]
    assert seal(ORG, Signer()) == 0
    assert unsealed() == [OTHER]
    note, said = read_checkpoint(sealed().note)
    check_signed(note, [verifier_key(f"test/{ORG}", KEY)])
    assert (said.origin, said.size, said.root) == (f"test/{ORG}", 3, tree_of(ORG, 3).root())
    assert verify_chain(ORG, lambda note: check_signed(note, [verifier_key(f"test/{ORG}", KEY)])) == 3


def test_nothing_new_makes_no_checkpoint() -> None:
    write(2)
    seal(ORG, Signer())
    seal(ORG, Signer())
    seal(OTHER, Signer())
    assert Checkpoint.objects.count() == 1


def test_a_long_register_is_sealed_in_parts_and_every_part_is_proven() -> None:
    write(520)
    for size in (1, 255, 256, 519):  # as a sealer that came in between would have left it
        Head.objects.filter(organisation=ORG).update(seq=size)
        Event.objects.filter(organisation=ORG, seq__gt=size).update(organisation=OTHER)
        seal(ORG, Signer())
        Event.objects.filter(organisation=OTHER).update(organisation=ORG)
    Head.objects.filter(organisation=ORG).update(seq=520)
    seal(ORG, Signer())
    assert list(TreeRow.objects.values_list("level", "index")) == [(1, 0), (1, 1)]
    roots = {row.size: bytes(row.root) for row in Checkpoint.objects.all()}
    assert list(roots) == [1, 255, 256, 519, 520]
    tree = tree_of(ORG, 520)
    assert tree.root() == roots[520]
    for size, root in roots.items():
        check_consistency(size, root, 520, roots[520], tree_of(ORG, 520).consistency(size))
    for event in Event.objects.filter(seq__in=(1, 256, 257, 520)):
        check_inclusion(bytes(event.leaf_sha256), event.seq - 1, 520, tree.inclusion(event.seq - 1), roots[520])


def altered(**columns: object) -> None:
    Event.objects.filter(organisation=ORG, seq=2).update(**columns)


@pytest.mark.parametrize("columns", [{"leaf": b"{}"}, {"leaf_sha256": bytes(32)}, {"prev_sha256": bytes([9] * 32)}])
def test_what_was_changed_before_its_seal_is_not_signed(columns: dict[str, object]) -> None:
    write(3)
    altered(**columns)
    with pytest.raises(BrokenChain, match=f"event {ORG}/2"):
        seal(ORG, Signer())
    assert not Checkpoint.objects.exists()


def test_a_missing_event_is_not_signed_over() -> None:
    write(3)
    Event.objects.filter(organisation=ORG, seq=2).delete()
    with pytest.raises(BrokenChain, match=f"event {ORG}/2"):
        seal(ORG, Signer())


def test_fewer_events_than_were_signed_are_an_alarm() -> None:
    write(3)
    seal(ORG, Signer())
    Event.objects.filter(organisation=ORG, seq=3).delete()
    Head.objects.filter(organisation=ORG).update(seq=2)
    assert unsealed() == [ORG]
    with pytest.raises(Shrunk, match="has 2 events, and 3 were signed"):
        seal(ORG, Signer())


def test_a_checkpoint_that_was_changed_is_not_built_upon() -> None:
    write(3)
    seal(ORG, Signer())
    Checkpoint.objects.update(root=bytes(32))
    write(1)
    with pytest.raises(BrokenChain, match="at 3 was changed"):
        seal(ORG, Signer())


@pytest.mark.parametrize("size", [2, 3])
def test_a_chain_computed_anew_does_not_fit_its_checkpoints(size: int) -> None:
    write(size)
    seal(ORG, Signer())
    Event.objects.filter(organisation=ORG).delete()
    Head.objects.all().delete()
    record("estate.plant.created", organisation=ORG, actor="per_owner", plant="pla_forged")
    write(size - 1)
    with pytest.raises(BrokenChain, match=f"event {ORG}/{size}: this or an earlier event is not"):
        verify_chain(ORG)


def test_an_end_taken_away_with_its_head_does_not_fit_its_checkpoint() -> None:
    write(3)
    seal(ORG, Signer())
    Event.objects.filter(organisation=ORG, seq=3).delete()
    before = Event.objects.get(organisation=ORG, seq=2)
    Head.objects.update(seq=2, leaf_sha256=before.leaf_sha256)
    with pytest.raises(BrokenChain, match=f"event {ORG}/3: it is missing, 3 events were signed"):
        verify_chain(ORG)


def test_a_checkpoint_that_nobody_of_ours_signed_is_found() -> None:
    write(1)
    seal(ORG, Signer())
    other = verifier_key(f"test/{ORG}", Ed25519PrivateKey.from_private_bytes(bytes([2] * 32)))
    with pytest.raises(BrokenChain, match="none of ours"):
        verify_chain(ORG, lambda note: check_signed(note, [other]))


def test_one_size_has_one_checkpoint() -> None:
    """The database keeps two sealers from signing two histories."""
    write(1)
    seal(ORG, Signer())
    with pytest.raises(IntegrityError), transaction.atomic():
        Checkpoint.objects.create(organisation=ORG, size=1, root=bytes(32), peaks=b"", note="", at=timezone.now())
