# SPDX-License-Identifier: Apache-2.0
"""One file that proves a session: whoever sees the session gets it, and whoever alters it is found."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.test import Client

from portineria.control.access import services as access
from portineria.control.audit.models import Event
from portineria.control.estate.introduction import root_fingerprint
from portineria.control.identity import register
from portineria.control.remote_sessions.models import Session
from portineria.ledger.evidence_archive import pack, unpack
from portineria.ledger.evidence_verification import verify_bundle
from portineria.ledger.trust import Trust
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import started
from tests.integration.control.test_approval_levels import named, wanting
from tests.integration.control.test_recordings import brought, recorded
from tests.integration.control.worked import worked
from tests.integration.control.world import ConnectorEnd, World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


def taken(browser: Client, session: Session) -> bytes:
    answer = browser.post(f"/sessions/{session.public_id}/evidence/")
    assert answer.status_code == 200, answer.content[:300]
    assert answer["Content-Type"] == "application/zip"
    return bytes(answer.content)


def trust(world: World) -> Trust:
    return Trust(root_sha256=register.signers_here(world.organisation).root_sha256)


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_yes_says_for_which_level_it_was(world: World) -> None:
    w = world
    wanting(w, named(w.approver), named(w.owner))
    request = w.request()
    for person in (w.approver, w.owner):
        access.agree(actor=person, request=request)
    session, browser = worked(w), signed_in(w.owner)
    found = members(taken(browser, session))
    said = json.loads(found["session.json"])["approvals"]
    assert [(one["level"], one["of_levels"]) for one in said] == [(1, 2), (2, 2)]
    assert b'"1/2"' in found["register.jsonl"].replace(b"\\", b"")
    for language, words in (("en", "for level 1 of 2"), ("it", "per il livello 1 di 2"), ("ja", "第1段階（全2段階）")):
        assert words in found[f"report.{language}.html"].decode()
    for page in (f"/sessions/{session.public_id}/report/", f"/requests/{request}/"):
        assert "for level 2 of 2" in shown(browser, page)


def test_the_owner_and_the_technician_get_what_verifies_anywhere(world: World, tmp_path: Path) -> None:
    access.approve(actor=world.owner, request=world.request(), reason="Shift lead knows")
    session = worked(world)
    brought(world, recorded(world, session))
    data = taken(signed_in(world.owner), session)
    verdict = verify_bundle(data, trust(world))
    assert verdict.faults == []
    assert (verdict.session, verdict.reports, verdict.withheld) == (session.public_id, 10, 0)
    assert verdict.recordings == 1
    found = members(data)
    codes = found["register.jsonl"].decode()
    for code in ("access.request.made", "access.request.approved", "access.grant.given", "access.rule.created",
                 "remote_sessions.session.requested", "session.ended", "work.changed",
                 "remote_sessions.evidence.taken"):  # fmt: skip
        assert codes.count(f'\\"code\\":\\"{code}\\"') == 1, code
    assert [one["proof_level"] for one in json.loads(found["session.json"])["services"]] == ["metadata"]
    for part in (
        "belt change",
        "What could be seen",
        "metadata only: who",
        "Left out of the recording",
        "password (ftp.password)",
    ):
        assert part in found["report.en.html"].decode()
    assert [b"Rapportino" in found["report.it.html"], "作業報告書".encode() in found["report.ja.html"]] == [True, True]

    own = taken(signed_in(world.technician), session)
    verdict = verify_bundle(own, trust(world))
    assert (verdict.faults, verdict.withheld) == ([], 1)
    assert b"192.168.10.5" not in own
    assert "order.bin" not in members(own)
    # What was said about other people, here the approver's words, stays a hash; what was done there does not.
    register = members(own)["register.jsonl"]
    assert (b"Shift lead knows" in found["register.jsonl"], b"Shift lead knows" in register) == (True, False)
    assert b"belt change" in register
    assert register.count(b'"180"') == found["register.jsonl"].count(b'"180"') > 0
    assert Event.objects.filter(code="remote_sessions.evidence.taken", session=session.public_id).count() == 2

    file = tmp_path / "own.zip"
    file.write_bytes(own)
    command = [sys.executable, "-m", "portineria.cli.main", "evidence", "verify", str(file)]
    done = subprocess.run([*command, "--root", root_fingerprint()], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "all 7 members are as they were signed" in done.stdout
    wrong = subprocess.run([*command, "--root", "00" * 32], capture_output=True, text=True, check=False)
    assert wrong.returncode == 1


def test_every_member_that_is_changed_taken_out_or_put_in_is_named(world: World) -> None:
    data = taken(signed_in(world.owner), worked(world))
    whole, faults = unpack(data)
    assert (faults, pack(whole)) == ([], data)
    for name, content in whole.items():
        at = len(content) // 2
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        for altered in (whole | {name: changed}, {other: whole[other] for other in whole if other != name}):
            found = verify_bundle(pack(altered), trust(world)).faults
            assert any(name in fault for fault in found), (name, found)
    for extra in ("notes.txt", "manifest.json.bak", "report.fr.html"):
        assert any(extra in fault for fault in verify_bundle(pack(whole | {extra: b"x"}), trust(world)).faults)
    moved = dict(reversed(whole.items()))
    assert verify_bundle(pack(moved), trust(world)).faults


def test_no_byte_of_the_file_can_be_another_one(world: World) -> None:
    data = taken(signed_in(world.owner), worked(world))
    for at in [*range(0, len(data), 997), *range(len(data) - 600, len(data), 31)]:
        altered = data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :]
        assert not verify_bundle(altered, trust(world)).fits, at
    for cut in range(0, len(data), 4999):
        assert not verify_bundle(data[:cut], trust(world)).fits
    assert not verify_bundle(data + b"\0", trust(world)).fits


def test_whoever_signs_the_manifest_anew_needs_the_registers_key(world: World) -> None:
    """Somebody leaves an event out and makes hashes, counts and manifest fit again."""
    data = taken(signed_in(world.owner), worked(world))
    whole, _ = unpack(data)
    lines = whole["register.jsonl"].splitlines(keepends=True)
    whole["register.jsonl"] = b"".join(line for line in lines if b"work.changed" not in line)
    found = verify_bundle(pack(whole), trust(world)).faults
    assert "register.jsonl was changed" in found
    assert any("0 events work.changed, the gateway's summary says 1" in fault for fault in found)


def test_nobody_else_gets_it_and_nobody_before_the_end(world: World) -> None:
    world.link()
    going_on = started(world)
    assert signed_in(world.owner).post(f"/sessions/{going_on.public_id}/evidence/").status_code == 409
    session = worked(world)
    for other in (world.rival, world.stranger):
        assert signed_in(other).post(f"/sessions/{session.public_id}/evidence/").status_code == 404
        assert ConnectorEnd(other).call("GET", f"/sessions/{session.public_id}/evidence").status_code == 404
    assert Event.objects.filter(code="remote_sessions.evidence.taken").count() == 0
    assert signed_in(world.owner).get(f"/sessions/{session.public_id}/evidence/").status_code == 405
    answer = ConnectorEnd(world.technician).call("GET", f"/sessions/{session.public_id}/evidence")
    assert verify_bundle(answer.content, trust(world)).fits
    assert 'id="evidence"' in shown(signed_in(world.technician), f"/sessions/{session.public_id}/")
