# SPDX-License-Identifier: Apache-2.0
"""The operator of an installation plays false, with the whole database and every key: a witness proves it.

What is forged here is forged well: with the product's own keys, so that everything that the server can check of itself
fits. That is said too: without a witness it cannot be known.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import transaction

from portineria.control.administration import verify_ledger
from portineria.control.audit import cosigning
from portineria.control.audit.models import Checkpoint, Cosignature, Event, Head, PersonalValue, TreeRow, Witnessed
from portineria.control.audit.services import record
from portineria.control.identity.authority import Operator
from portineria.control.identity.register import Seal, export_register, prove_event, seal_to_the_end, signers_here
from portineria.ledger.checkpoint import read_checkpoint
from portineria.ledger.merkle import leaf_hash
from portineria.ledger.witness import Evidence
from portineria.witness.state import WitnessState, initialise
from tests.integration.control.world import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]
NOW = 1_800_000_000


class Case:
    """One register, its witness, and an auditor's computer."""

    def __init__(self, world: World, folder: Path) -> None:
        self.organisation, self._folder = world.organisation, folder
        self.witness: WitnessState = initialise(folder / "w", "witness.example/w1")
        key = Seal().key(world.organisation)
        self.witness.trust(key.name, key, NOW)
        self.root = signers_here(world.organisation).root_sha256.hex()

    def write(self, count: int) -> int:
        for number in range(count):
            with transaction.atomic():
                record("estate.plant.created", organisation=self.organisation, actor="operator", plant=f"pla_{number}")
        seal_to_the_end(self.organisation)
        return Checkpoint.objects.filter(organisation=self.organisation).order_by("-size")[0].size

    def ask_witness(self) -> None:
        from django.utils import timezone

        for _ in range(2):
            asked = cosigning.question(self.organisation, self.witness.key)
            if asked is not None:
                cosigning.heed(asked, self.witness.key, self.witness.answer(asked.data, NOW), timezone.now())

    def export(self) -> Path:
        file = self._folder / f"export-{len(list(self._folder.iterdir()))}.jsonl"
        file.write_bytes(b"".join(export_register(actor=Operator(), organisation=self.organisation)))
        return file

    def known(self) -> Path:
        """The witness's own newest checkpoint."""
        [watched] = self.witness.watched()
        file = self._folder / "note"
        file.write_text(watched.note, "utf-8")
        return file

    def verify(self, file: Path, *more: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "portineria.cli.main", "ledger", "verify", str(file), "--root", self.root]
        return subprocess.run([*command, *map(str, more)], capture_output=True, text=True, check=False, timeout=60)

    def with_witness(self, file: Path, *more: object) -> subprocess.CompletedProcess[str]:
        return self.verify(file, "--witness", self.witness.key, *more)

    def database_fits(self) -> bool:
        return all(not found.fault for found in verify_ledger())

    # -- what the operator does ------------------------------------------------------------------------------------

    def forget_seals(self, after: int) -> None:
        rows = Checkpoint.objects.filter(organisation=self.organisation, size__gt=after)
        Cosignature.objects.filter(checkpoint__in=rows).delete()
        rows.delete()
        TreeRow.objects.filter(organisation=self.organisation).delete()
        Witnessed.objects.all().delete()

    def rewrite(self, seq: int) -> None:
        """Another person asked for it; everything behind is computed and signed anew."""
        self.forget_seals(0)
        prev = bytes(32)
        for event in Event.objects.filter(organisation=self.organisation).order_by("seq"):
            content = json.loads(bytes(event.leaf))
            content["prev"] = prev.hex()
            if event.seq == seq:
                content["actor"] = event.actor = "per_scapegoat"
            event.leaf = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
            event.prev_sha256, event.leaf_sha256 = prev, leaf_hash(bytes(event.leaf))
            event.save()
            prev = bytes(event.leaf_sha256)
        Head.objects.filter(organisation=self.organisation).update(leaf_sha256=prev)
        seal_to_the_end(self.organisation)

    def truncate(self, last: int) -> None:
        self.forget_seals(last)
        gone = Event.objects.filter(organisation=self.organisation, seq__gt=last)
        PersonalValue.objects.filter(event__in=gone).delete()
        gone.delete()
        newest = Event.objects.get(organisation=self.organisation, seq=last)
        Head.objects.filter(organisation=self.organisation).update(seq=last, leaf_sha256=bytes(newest.leaf_sha256))


@pytest.fixture
def case(committed_world: World, tmp_path: Path) -> Case:
    """Two checkpoints, both witnessed."""
    case = Case(committed_world, tmp_path)
    seal_to_the_end(case.organisation)
    case.ask_witness()
    case.write(5)
    case.ask_witness()
    return case


def test_an_honest_register_is_proven_and_what_is_not_witnessed_yet_is_said(case: Case) -> None:
    seen = case.witness.watched()[0].size
    file = case.export()  # itself an event
    done = case.with_witness(file, "--known", case.known())
    assert (done.returncode, done.stderr) == (0, "")
    assert f"witness.example/w1 witnessed events 1 to {seen} on" in done.stdout
    assert f"event {seen + 1} is not witnessed by witness.example/w1 yet" in done.stdout
    strict = case.with_witness(file, "--all-witnessed")
    assert (strict.returncode, f"event {seen + 1} is not witnessed" in strict.stderr) == (1, True)
    case.ask_witness()
    proof = file.with_name("proof")
    proof.write_bytes(prove_event(actor=Operator(), organisation=case.organisation, seq=3))
    case.ask_witness()
    proof.write_bytes(prove_event(actor=Operator(), organisation=case.organisation, seq=3))
    assert "has witnessed nothing" in case.with_witness(proof).stderr  # the proof's own event was sealed a moment ago


def test_an_event_rewritten_in_the_middle(case: Case) -> None:
    honest = case.known()
    case.rewrite(4)
    assert case.database_fits()
    file = case.export()
    alone = case.verify(file)
    assert (alone.returncode, "could have signed another history" in alone.stdout) == (0, True)
    refused = case.with_witness(file)
    assert (refused.returncode, "has witnessed nothing of this" in refused.stderr) == (1, True)
    assert "not those of the checkpoint that was kept elsewhere" in case.verify(file, "--known", honest).stderr
    case.ask_witness()
    assert [caught.kind for caught in case.witness.caught()] == [Evidence.UNPROVEN]
    assert case.with_witness(case.export()).returncode == 1


def test_the_same_size_signed_twice_is_a_contradiction_that_the_witness_can_show(case: Case) -> None:
    size = case.witness.watched()[0].size
    case.rewrite(4)
    assert Checkpoint.objects.get(organisation=case.organisation).size == size
    case.ask_witness()
    [caught] = case.witness.caught()
    assert (caught.kind, caught.size) == (Evidence.CONTRADICTION, size)
    signers_here(case.organisation).check(read_checkpoint(caught.note)[0])
    signers_here(case.organisation).check(read_checkpoint(case.witness.watched()[0].note)[0])


def test_a_cosignature_moved_to_a_rewritten_history(case: Case) -> None:
    lines = list(Cosignature.objects.order_by("-checkpoint__size").values_list("line", flat=True))
    case.rewrite(4)
    newest = Checkpoint.objects.get(organisation=case.organisation)
    from django.utils import timezone

    Cosignature.objects.create(checkpoint=newest, witness=str(case.witness.key), line=lines[0], at=timezone.now())
    done = case.with_witness(case.export())
    assert (done.returncode, "does not fit this note" in done.stderr) == (1, True)


def test_an_end_taken_away(case: Case) -> None:
    older = Checkpoint.objects.filter(organisation=case.organisation).order_by("size")[0].size
    seen = case.witness.watched()[0].size
    file = case.export()
    cut = file.read_bytes().splitlines(keepends=True)
    case.truncate(older)
    assert case.database_fits()
    file = case.export()
    assert len(file.read_bytes().splitlines()) < len(cut)
    assert case.with_witness(file).returncode == 0  # the witness saw that much, and more: it has to be asked
    done = case.with_witness(file, "--known", case.known())
    assert done.returncode == 1
    assert f"to {seen} are missing: a checkpoint kept elsewhere names them" in done.stderr
    case.ask_witness()
    row = Witnessed.objects.get(organisation=case.organisation)
    assert f"it cosigned {seen} events" in row.error
    assert Event.objects.filter(code="audit.witness.disagreed").exists()


def test_two_auditors_are_shown_two_histories(case: Case) -> None:
    first = case.export()
    seal_to_the_end(case.organisation)
    case.ask_witness()
    case.rewrite(4)
    second = case.export()
    assert case.with_witness(first).returncode == 0
    assert case.verify(second).returncode == 0
    assert case.with_witness(second).returncode == 1
    assert case.verify(second, "--known", case.known()).returncode == 1


def test_an_old_backup_put_back_that_goes_on(case: Case) -> None:
    older = Checkpoint.objects.filter(organisation=case.organisation).order_by("size")[0].size
    seen = case.witness.watched()[0].size
    case.truncate(older)
    for _ in range(seen - older):
        with transaction.atomic():
            record("estate.zone.created", organisation=case.organisation, actor="operator", plant="pla_x")
    case.write(3)
    assert case.database_fits()
    case.ask_witness()
    assert [caught.kind for caught in case.witness.caught()] == [Evidence.UNPROVEN]
    file = case.export()
    assert case.verify(file).returncode == 0
    assert (
        "not those of the checkpoint that was kept elsewhere" in case.with_witness(file, "--known", case.known()).stderr
    )
    assert case.with_witness(file, "--all-witnessed").returncode == 1


def test_a_witness_that_nobody_knows_proves_nothing(case: Case, tmp_path: Path) -> None:
    file = case.export()
    namesake = initialise(tmp_path / "other", case.witness.name)
    done = case.verify(file, "--witness", namesake.key)
    assert (done.returncode, "has witnessed nothing" in done.stderr) == (1, True)
    assert case.verify(file, "--witness", "nonsense").returncode == 2
