# SPDX-License-Identifier: Apache-2.0
"""A register leaves the server and is checked where there is neither Django nor a database."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.db import connections

from portineria.control.audit.exporting import NoSuchEvent
from portineria.control.audit.models import Checkpoint, Event
from portineria.control.audit.sealing import unsealed
from portineria.control.audit.services import erase
from portineria.control.identity import keys
from portineria.control.identity.authority import Operator
from portineria.control.identity.register import Seal, export_register, prove_event, seal_to_the_end, signers_here
from portineria.core.errors import NotFound
from portineria.ledger.trust import Trust
from portineria.ledger.verification import Verdict, verify
from tests.integration.control.commands import run
from tests.integration.control.world import World
from tests.unit.ledger.register import sealed

# A computer on which only the base of Portineria is installed.
CHECKER = """
import sys
for name in ("django", "sqlite3", "psycopg", "allauth", "ninja"):
    sys.modules[name] = None
from portineria.cli.main import main
sys.exit(main(["ledger", "verify", *sys.argv[1:]]))
"""


def checked(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHECKER, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def root() -> bytes:
    return signers_here("org_aaaaaaaaaaaaaaaa").root_sha256


def verdict_of(lines: list[bytes]) -> Verdict:
    return verify(lines, Trust(root_sha256=root()))


@pytest.mark.django_db
def test_an_export_verifies_without_the_server_and_names_what_was_changed(world: World, tmp_path: Path) -> None:
    lines = list(export_register(actor=world.owner, organisation=world.organisation))
    file = tmp_path / "register.jsonl"
    file.write_bytes(b"".join(lines))
    done = checked(file, "--root", root().hex(), "--key", Seal().key(world.organisation))
    assert (done.returncode, done.stderr) == (0, "")
    events = Event.objects.filter(organisation=world.organisation).count()
    assert f"events 1 to {events} fit" in done.stdout
    file.write_bytes(b"".join(line.replace(b"pla_", b"plb_", 1) for line in lines))
    broken = checked(file, "--root", root().hex())
    assert broken.returncode == 1
    assert "one of the two was changed" in broken.stderr


@pytest.mark.django_db
def test_the_export_itself_is_the_newest_event_and_says_who_took_it(world: World) -> None:
    lines = list(export_register(actor=world.owner, organisation=world.organisation))
    leaf = json.loads(json.loads(lines[-3])["leaf"])
    assert (leaf["code"], leaf["actor"]) == ("audit.register.exported", world.owner.public_id)
    assert verdict_of(lines).faults == []


@pytest.mark.django_db
def test_whoever_does_not_see_a_register_does_not_find_it(world: World) -> None:
    before = Event.objects.count()
    for act in (
        lambda: export_register(actor=world.technician, organisation=world.organisation),
        lambda: prove_event(actor=world.technician, organisation=world.organisation, seq=1),
        lambda: prove_event(actor=world.owner, organisation=world.organisation, seq=10_000),
    ):
        with pytest.raises(NotFound):
            act()
    assert Event.objects.count() == before


@pytest.mark.django_db
def test_a_part_and_a_proof_verify_by_themselves(world: World) -> None:
    part = list(export_register(actor=world.owner, organisation=world.organisation, first=5))
    assert (verdict_of(part).faults, verdict_of(part).first) == ([], 5)
    proof = prove_event(actor=world.owner, organisation=world.organisation, seq=3)
    assert (verdict_of([proof]).faults, verdict_of([proof]).first) == ([], 3)
    with pytest.raises(NoSuchEvent):
        export_register(actor=world.owner, organisation=world.organisation, first=0)


@pytest.mark.django_db
def test_erased_values_are_missing_and_everything_else_still_verifies(world: World) -> None:
    before = verdict_of(list(export_register(actor=world.owner, organisation=world.organisation)))
    assert erase(world.technician.public_id) > 0
    lines = list(export_register(actor=world.owner, organisation=world.organisation))
    after = verdict_of(lines)
    assert after.faults == []
    assert after.withheld > before.withheld
    assert b"technician@example.com" not in b"".join(lines)


@pytest.mark.django_db
def test_a_new_checkpoint_key_signs_on_and_the_old_seals_still_count(world: World) -> None:
    seal_to_the_end(world.organisation)
    old = Seal().key(world.organisation)
    from django.utils import timezone

    keys.rotate_signer("checkpoint", timezone.now(), by="operator")
    lines = list(export_register(actor=Operator(), organisation=world.organisation))
    verdict = verdict_of(lines)
    assert (verdict.faults, verdict.checkpoints) == ([], 2)
    assert Seal().key(world.organisation) != old
    only_old = verify(lines, Trust(keys=[old]))
    assert any("no key that is known signed" in fault for fault in only_old.faults)


@pytest.mark.django_db(transaction=True)
def test_two_sealers_at_once_sign_one_history(committed_world: World) -> None:
    together = threading.Barrier(4)

    def work() -> None:
        try:
            together.wait(10)
            seal_to_the_end(committed_world.organisation)
        finally:
            connections.close_all()

    sealers = [threading.Thread(target=work) for _ in range(4)]
    for sealer in sealers:
        sealer.start()
    for sealer in sealers:
        sealer.join(30)
    assert committed_world.organisation not in unsealed()
    sizes = list(Checkpoint.objects.filter(organisation=committed_world.organisation).values_list("size", flat=True))
    assert len(sizes) == len(set(sizes))
    lines = list(export_register(actor=Operator(), organisation=committed_world.organisation))
    assert verdict_of(lines).faults == []


@pytest.mark.sqlite  # commands with a database of their own
def test_the_operator_exports_and_proves_from_the_command_line(tmp_path: Path) -> None:
    owner = ("--organisation", "Presses", "--name", "Ada", "--email", "ada@example.com")
    assert run(tmp_path, "setup", *owner).returncode == 0
    file, proof, note = tmp_path / "register.jsonl.gz", tmp_path / "proof.json", tmp_path / "note"
    exported = run(tmp_path, "ledger", "export", "-o", str(file))
    assert exported.returncode == 0, exported.stderr
    proven = run(tmp_path, "ledger", "prove", "2", "-o", str(proof), "--organisation", "Presses")
    assert proven.returncode == 0, proven.stderr
    kept = run(tmp_path, "ledger", "checkpoint")
    note.write_text(kept.stdout, "utf-8")
    for name in (file, proof):
        done = checked(name)
        assert (done.returncode, done.stderr) == (0, ""), name
    later = checked(file, "--known", note)
    assert later.returncode == 1
    assert "missing: a checkpoint kept elsewhere names" in later.stderr
    file.write_bytes(file.read_bytes()[:-20])
    assert "cut off after event" in checked(file).stderr
    unknown = run(tmp_path, "ledger", "export", "-o", str(file), "--organisation", "Lathes")
    assert (unknown.returncode, "one of: Presses" in unknown.stderr) == (2, True)


def test_a_file_that_unpacks_to_nothing_sensible_is_a_fault_and_no_accident(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"".join(sealed(200).export())))
    packed[400:500] = bytes(100)
    (tmp_path / "register.jsonl.gz").write_bytes(packed)
    done = checked(tmp_path / "register.jsonl.gz")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_what_cannot_be_read_is_said_in_words(tmp_path: Path) -> None:
    missing = checked(tmp_path / "none")
    assert missing.returncode == 1
    assert "there is no file" in missing.stderr
    assert "Traceback" not in missing.stderr
    (tmp_path / "note").write_bytes(b"\xff")
    assert checked(tmp_path / "none", "--known", tmp_path / "note").returncode == 2
    assert checked(tmp_path / "none", "--key", "nonsense").returncode == 2
