# SPDX-License-Identifier: Apache-2.0
"""A session writes its own report; both sides add remarks and sign one and the same text."""

from __future__ import annotations

import base64
import re
import zlib
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import IntegrityError, transaction
from django.test import Client

from portineria.control.access import services as access
from portineria.control.access.locks import lock
from portineria.control.audit import queries as audit
from portineria.control.audit.models import Event
from portineria.control.console.report_pdf import report_pdf
from portineria.control.console.report_sections import Section
from portineria.control.estate.services import change_machine
from portineria.control.identity import groups
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Membership, Role, Supplier
from portineria.control.identity.services import create_supplier
from portineria.control.privacy.contents import agree
from portineria.control.privacy.services import set_terms
from portineria.control.remote_sessions.first_work import known_functions
from portineria.control.remote_sessions.models import ReportSignature, ServiceReport, Session
from portineria.control.remote_sessions.recording_mode import keeps_contents, recording_mode
from portineria.control.remote_sessions.service_report import state_of
from portineria.policy.ending import Locked
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import report, started
from tests.integration.control.test_session_export import exported
from tests.integration.control.worked import SHA256, worked
from tests.integration.control.world import World, fresh, person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]
HOSTILE = '<script>alert(1)</script><img src="file:///etc/passwd"/>&<b>\u202e'


def seen(page: str) -> str:
    found = re.search(r'name="text_sha256" value="([0-9a-f]{64})"', page)
    assert found
    return found.group(1)


def remarked(browser: Client, session: Session, remarks: str) -> Any:
    path = f"/sessions/{session.public_id}/report/"
    return browser.post(path, {"remarks": remarks, "text_sha256": seen(shown(browser, path))})


def signed(browser: Client, session: Session, text_sha256: str = "") -> Any:
    path = f"/sessions/{session.public_id}/report/"
    return browser.post(f"{path}sign/", {"text_sha256": text_sha256 or seen(shown(browser, path))})


def told(session: Session) -> list[tuple[str, str]]:
    found = audit.of_session(session.organisation.public_id, session.public_id)
    views = audit.views(found.filter(code__startswith="remote_sessions.report."))[::-1]
    return [(view.code.rpartition(".")[2], str(view.fields["side"])) for view in views]


def test_it_says_who_did_what_from_what_to_what(world: World) -> None:
    session = worked(world)
    for reader in (world.owner, world.technician):
        page = shown(signed_in(reader), f"/sessions/{session.public_id}/report/")
        for part in (
            "Technician", "Presses &amp; Co", "belt change", "Owner", "holding 104", "120", "180", "coil 0", SHA256,
            "3, of them 1 not confirmed by the device", "block db 1", "file out of the device",
            "file logs/a.b", f"{'cd' * 32} (not to its end)", session.public_id, "Left out of the recording",
            "password (ftp.password)", "What could be seen", "metadata only: who",
        ):  # fmt: skip
            assert part in page, part
    assert "/report/" in shown(signed_in(world.technician), f"/sessions/{session.public_id}/")


def test_both_sides_sign_one_text_and_a_changed_remark_takes_both_signatures_away(world: World) -> None:
    session = worked(world)
    owner, technician = signed_in(world.owner), signed_in(world.technician)
    assert remarked(technician, session, "belt replaced").status_code == 302
    assert signed(technician, session).status_code == 302
    assert signed(owner, session).status_code == 302
    state = state_of(world.owner, session.public_id)
    assert [(one.side, one.holds) for one in state.signatures] == [("technician", True), ("owner", True)]
    events = Event.objects.filter(code="remote_sessions.report.signed")
    assert [view.fields["text_sha256"] for view in audit.views(events)] == [state.sha256] * 2
    assert b"belt replaced" in state.text
    assert 'id="sign"' not in shown(owner, f"/sessions/{session.public_id}/report/")

    before = state.sha256
    assert remarked(owner, session, "works").status_code == 302
    assert state_of(world.owner, session.public_id).signatures == []
    assert told(session) == [
        ("changed", "technician"), ("signed", "technician"), ("signed", "owner"), ("changed", "owner"),
        ("withdrawn", "technician"), ("withdrawn", "owner"),
    ]  # fmt: skip
    assert "changed it meanwhile" in signed(technician, session, before).content.decode()
    assert ReportSignature.objects.filter(withdrawn_at=None).count() == 0


def test_what_the_gateway_tells_later_is_not_what_was_signed(world: World) -> None:
    session = worked(world)
    assert signed(signed_in(world.technician), session).status_code == 302
    report(world, "session.worked", session, operations=1, refused=0, functions=0, changes=0, blocks=0, beyond=1)
    assert [one.holds for one in state_of(world.owner, session.public_id).signatures] == [False]
    assert signed(signed_in(world.technician), session).status_code == 302
    assert [one.holds for one in state_of(world.owner, session.public_id).signatures] == [True]


def test_nobody_signs_for_another_side_and_strangers_find_nothing(world: World) -> None:
    session = worked(world)
    path = f"/sessions/{session.public_id}/report/"
    digest = seen(shown(signed_in(world.owner), path))
    for other in (world.rival, world.stranger):
        browser = signed_in(other)
        assert browser.get(path).status_code == 404
        assert browser.get(f"{path}pdf/").status_code == 404
        assert browser.post(path, {"remarks": "x", "text_sha256": digest}).status_code == 404
        assert signed(browser, session, digest).status_code == 404
    assert signed(signed_in(world.operator), session, digest).status_code == 403
    assert told(session) == []
    row = ServiceReport.objects.create(session=session)
    with pytest.raises(IntegrityError), transaction.atomic():
        ReportSignature.objects.create(
            report=row, side="owner", person=world.technician, worked_by=world.technician, text_sha256=bytes(32)
        )
    going_on = started(world)
    assert 'id="sign"' not in shown(signed_in(world.owner), f"/sessions/{going_on.public_id}/report/")
    answer = signed(signed_in(world.owner), going_on, state_of(world.owner, going_on.public_id).sha256)
    assert "has not ended" in answer.content.decode()


def test_what_a_supplier_never_did_on_a_machine_is_marked_once(world: World) -> None:
    def marked(session: Session) -> list[tuple[Any, Any]]:
        found = audit.of_session(session.organisation.public_id, session.public_id)
        views = audit.views(found.filter(code="remote_sessions.work.new"))
        return [(view.fields.get("new_functions"), view.fields.get("new_targets")) for view in views]

    first, again, other = worked(world), worked(world), worked(world, target="holding 200")
    assert marked(first) == [("modbus write-single-register", "modbus holding 104")]
    assert marked(again) == []
    assert known_functions(again) == {"modbus write-single-register"}
    assert marked(other) == [(None, "modbus holding 200")]
    browser, heading = signed_in(world.technician), "New for this supplier on this machine"
    pages = [shown(browser, f"/sessions/{session.public_id}/report/") for session in (first, again, other)]
    assert [heading in page for page in pages] == [True, False, True]
    report(world, "session.worked", first, operations=0, refused=0, functions=0, changes=0, blocks=0, beyond=0)
    assert len(marked(first)) == 1


def test_words_of_others_are_text_on_the_page_and_on_paper(world: World) -> None:
    session = worked(world, target=HOSTILE, after="\u65e5\u672c\u8a9e \U0001f600")
    browser = signed_in(world.owner)
    assert remarked(browser, session, HOSTILE * 40).status_code == 302
    page = shown(browser, f"/sessions/{session.public_id}/report/")
    assert "<script>alert" not in page
    assert 'src="file:' not in page
    for language in ("en", "it", "ja"):
        answer = browser.get(f"/sessions/{session.public_id}/report/pdf/?language={language}")
        assert (answer.status_code, answer["Content-Type"], answer.content[:5]) == (200, "application/pdf", b"%PDF-")
    assert browser.get(f"/sessions/{session.public_id}/report/pdf/?language=xx").status_code == 404


def said_on(paper: bytes) -> bytes:
    """What its pages draw."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", paper, re.DOTALL)
    drawn = b"".join(zlib.decompress(base64.a85decode(b"<~" + each.strip(), adobe=True)) for each in streams)
    return drawn.replace(b") Tj (", b"")


def test_paper_shows_markup_and_what_no_font_has_as_they_were_written() -> None:
    """A cell and a table that are longer than a page go on on the next one."""
    rows = [["holding 104", "<b>x</b>", "a\u202eb", "漢字"]] * 60
    sections = [Section("T", [("Remarks", "line\n" * 120)]), Section("C", head=["a", "b", "c", "d"], rows=rows)]
    paper = report_pdf("ses_1", sections)
    assert paper == report_pdf("ses_1", sections)
    assert paper.count(b"/Type /Page\n") >= 4
    drawn = said_on(paper)
    assert drawn.count(b"<b>x</b>") == 60
    assert drawn.count(rb"a\\u202eb") == 60
    assert drawn.count(b"(line)") == 120


def test_whoever_works_for_suppliers_of_two_organisations_works_here_for_the_one_of_here(world: World) -> None:
    w = world
    # Elsewhere first: what took any of their suppliers would take that one.
    elsewhere = w.stranger.memberships.get().organisation
    theirs = create_supplier(actor=w.stranger, organisation=elsewhere.public_id, name="Zeta Robots")
    Membership.objects.filter(person=w.technician).delete()
    ours = Supplier.objects.get(public_id=w.supplier)
    for firm in (theirs, ours):
        Membership.objects.create(
            person=w.technician, organisation=firm.organisation, role=Role.TECHNICIAN, supplier=firm
        )
        set_terms(
            actor=Operator(), organisation=firm.organisation.public_id, records_staff=False,
            records_suppliers=firm == theirs, recordings_days=30,
        )  # fmt: skip
    w.technician = fresh(w.technician)
    for actor in (w.stranger, w.technician):
        agree(actor=actor, supplier=theirs.public_id, keeps=True)
    change_machine(actor=w.owner, machine=w.machine.public_id, recording="full")
    # The rule names a group: whose people they are, it does not say.
    group = groups.create_group(actor=w.owner, organisation=w.organisation, name="Night").public_id
    mate = person("mate", w.organisation, Role.TECHNICIAN, w.supplier)
    for who in (w.technician, mate):
        groups.put_in(actor=w.owner, group=group, person=who.public_id)
    access.end_rule(actor=w.owner, rule=w.rule, reason="x")
    machines = [w.machine.public_id]
    access.create_rule(actor=w.owner, organisation=w.organisation, machines=machines, group=group)
    lock(actor=w.stranger, organisation=elsewhere.public_id, kind=Locked.SUPPLIER, thing=theirs.public_id, reason="x")
    first = worked(w)
    assert (recording_mode(first), keeps_contents(first)) == ("none", False)
    w.technician = mate
    worked(w)  # of the same supplier: nothing new
    assert [row["supplier"] for row in work_new(w)] == [w.supplier]
    owner = signed_in(w.owner)
    pages = [shown(owner, f"/sessions/{first.public_id}/{page}") for page in ("report/", "lock-supplier/")]
    assert [("Presses &amp; Co" in text, "Zeta" in text) for text in pages] == [(True, False)] * 2
    assert {row["Supplier"] for row in async_to_sync(exported)(w.owner)[1]} == {"Presses & Co"}
    assert 'id="lock-supplier"' in shown(owner, f"/sessions/{first.public_id}/")


def work_new(w: World) -> list[dict[str, Any]]:
    found = audit.events(w.owner).filter(code="remote_sessions.work.new")
    return [view.fields for view in audit.views(found)]
