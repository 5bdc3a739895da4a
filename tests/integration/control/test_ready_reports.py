# SPDX-License-Identifier: Apache-2.0
"""Lists for an authority: read from the register, complete, in three languages, and checked elsewhere."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from portineria.control import administration
from portineria.control.access import services as access
from portineria.control.audit.models import Event
from portineria.control.console import ready_report
from portineria.control.console.access_list import access_list
from portineria.control.estate.models import Machine
from portineria.control.identity import groups
from portineria.control.identity.access_log import KEPT, AccessesKept
from portineria.control.identity.attempts import record_failed_sign_in
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Organisation, Person, Role
from portineria.control.identity.services import record_for_person
from portineria.control.remote_sessions.models import Session
from portineria.ledger.evidence_archive import pack, unpack
from portineria.ledger.extract import verify_extract
from portineria.ledger.trust import Trust
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.commands import run
from tests.integration.control.delegated import provider
from tests.integration.control.test_sight import session_key
from tests.integration.control.world import World, fresh, person

FORMULA = '=HYPERLINK("http://evil.example")\n\u202e<script>'


def visits(who: Person) -> None:
    record_for_person("identity.person.signed-in", who, method="password totp", address="192.0.2.9")
    record_failed_sign_in(email=who.email.upper(), address="192.0.2.66")
    record_for_person("identity.second-factor.failed", who, kind="totp", address="192.0.2.66")
    record_for_person("identity.person.signed-out", who, address="192.0.2.9")


@pytest.fixture
def visited(world: World) -> World:
    """By an administrator and by a technician, who both come, fail and go."""
    visits(world.owner)
    visits(world.technician)
    return world


def worked(world: World) -> Session:
    from portineria.control.remote_sessions.services import start_session

    world.link()
    world.grant()
    machine = world.machine.public_id
    row = start_session(actor=fresh(world.technician), machine=machine, key=session_key(), address="").session
    return Session.objects.get(pk=row.pk)


def rows_of(content: bytes, name: str) -> list[list[str]]:
    members, faults = unpack(content)
    assert not faults
    return list(csv.reader(io.StringIO(members[f"{name}.csv"].decode("utf-8-sig"))))


def taken(world: World, name: str, search: str = "", language: str = "en") -> bytes:
    form = {"format": "zip", "language": language}
    answer = signed_in(world.owner).post(f"/lists/{name}/take/?{search}", form)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Disposition"].startswith(f'attachment; filename="{name}-')
    return bytes(answer.content)


def test_accesses_of_administrators_are_those_of_the_register_and_proven(visited: World, tmp_path: Path) -> None:
    codes = ["identity.person.signed-in", "identity.person.sign-in-failed", "identity.second-factor.failed",
             "identity.person.signed-out"]  # fmt: skip
    own = Event.objects.filter(organisation=visited.organisation, code__in=codes).order_by("seq")
    content = taken(visited, "accesses")
    head, *rows = rows_of(content, "accesses")
    mine = list(own.filter(actor=visited.owner.public_id))
    assert [(row[7], row[8]) for row in rows] == [(str(event.seq), bytes(event.leaf_sha256).hex()) for event in mine]
    assert [row[3] for row in rows] == ["sign-in", "failed", "failed", "sign-out"]
    assert all(visited.owner.public_id in row[1] for row in rows)
    assert rows[0][4] == "password, app with six digits"
    assert [row[5] for row in rows] == ["192.0.2.9", "192.0.2.66", "192.0.2.66", "192.0.2.9"]
    everybody = rows_of(taken(visited, "accesses", "who=everybody"), "accesses")[1:]
    assert [row[7] for row in everybody] == [str(event.seq) for event in own]
    verdict = verify_extract(content, Trust())
    assert (verdict.faults, verdict.events, verdict.table) == ([], len(mine) + 1, "accesses.csv")
    told = Event.objects.filter(organisation=visited.organisation, code="audit.report.taken").earliest("pk")
    file = tmp_path / "accesses.zip"
    file.write_bytes(content)
    done = run(tmp_path, "ledger", "verify", str(file))
    assert done.returncode == 0, done.stderr
    members, _ = unpack(content)
    changed = members["accesses.csv"].replace(b"failed", b"sign-in", 1)
    assert verify_extract(pack({**members, "accesses.csv": changed}), Trust()).faults
    assert told.actor == visited.owner.public_id
    assert head[0] == "When"
    assert rows_of(taken(visited, "accesses", language="it"), "accesses")[0][0] == "Quando"
    assert rows_of(taken(visited, "accesses", "since=2001-01-01&before=2001-02-01"), "accesses")[1:] == []


def test_who_administers_no_more_is_listed_and_sessions_are_accesses_too(world: World) -> None:
    second = person("second", world.organisation, Role.ADMINISTRATOR)
    visits(second)
    second.memberships.all().delete()
    session = worked(world)
    world.gateway.say("session.ended", session.public_id)
    owner = Organisation.objects.get(public_id=world.organisation)
    now = timezone.now()
    span: dict[str, Any] = {"since": now - KEPT, "before": now + timedelta(hours=1)}
    listed = access_list(fresh(world.owner), owner, **span, everybody=False)
    assert sum(second.public_id in row[1] for row in listed.rows) == 4
    everybody = access_list(fresh(world.owner), owner, **span, everybody=True)
    opened = next(row for row in everybody.rows if "Press 3" in row[6])
    assert (opened[1], opened[3]) == ("Technician", "sign-in")
    first = access_list(fresh(world.owner), owner, **span, everybody=True, most=2)
    assert (len(first.rows), first.more) == (2, len(everybody.rows) - 2)
    assert [row[7] for row in first.rows] == [row[7] for row in everybody.rows[:2]]


def test_every_machine_is_in_the_list_of_what_can_be_reached(world: World) -> None:
    session = worked(world)
    Machine.objects.filter(pk=world.machine.pk).update(tag=FORMULA[:60])
    head, *rows = rows_of(taken(world, "reachable"), "reachable")
    assert len(rows) == Machine.objects.filter(plant__organisation__public_id=world.organisation).count()
    mine = next(row for row in rows if row[0].startswith("Press 3"))
    assert mine[2] == "PLC 192.168.10.5: modbus · Modbus/TCP tcp/502"
    assert mine[3] == "Presses & Co (after a yes of 1, at any hour)"
    assert mine[4].startswith("cabinet 4 · ")
    assert (mine[5], mine[6]) == ("can be decoded", "not recorded")
    assert mine[7].endswith(" · Technician")
    assert session.requested_at.strftime("%M:%S") in mine[7]
    assert next(row for row in rows if row[0] == "Press 4")[7] == "never"
    assert all(cell.isprintable() and not cell.startswith("=") for row in rows for cell in row)
    assert len(head) == len(mine)
    page = shown(signed_in(world.owner), "/lists/reachable/")
    assert "<script>\u202e" not in page
    assert "Presses &amp; Co (after a yes" in page


def test_a_group_is_named_and_who_comes_from_a_provider_is_listed_and_takes_no_half_of_it(world: World) -> None:
    group = groups.create_group(actor=world.owner, organisation=world.organisation, name="Night shift")
    access.create_rule(
        actor=world.owner, organisation=world.organisation, machines=[world.machine.public_id], group=group.public_id
    )
    rows = rows_of(taken(world, "reachable"), "reachable")
    assert "Everybody in Night shift" in next(row for row in rows if row[0].startswith("Press 3"))[3]
    watchful = provider()
    watchful.of(world, [Power.REGISTER, Power.ESTATE])
    inside = watchful.inside(world)
    assert "/lists/reachable/" not in shown(inside, "/lists/")
    assert inside.get("/lists/reachable/").status_code == 404
    owner = Organisation.objects.get(public_id=world.organisation)
    at = timezone.now()
    entered = access_list(
        fresh(world.owner), owner, since=at - timedelta(days=1), before=at + timedelta(minutes=1), everybody=True
    )
    assert any(watchful.analyst(world).name in cell for row in entered.rows for cell in row)


@pytest.mark.sqlite
def test_the_same_list_is_a_page_and_a_pdf_in_three_languages(visited: World) -> None:
    owner = signed_in(visited.owner)
    assert "/lists/accesses/" in shown(owner, "/lists/")
    assert "/lists/" in shown(owner, "/events/")
    assert "192.0.2.66" in shown(owner, "/lists/accesses/")
    papers = set()
    for language in ("en", "it", "ja"):
        answer = owner.post("/lists/accesses/take/", {"format": "pdf", "language": language})
        assert (answer.status_code, answer["Content-Type"], answer.content[:5]) == (200, "application/pdf", b"%PDF-")
        papers.add(answer.content)
    assert len(papers) == 3
    assert owner.post("/lists/accesses/take/", {"format": "pdf", "language": "xx"}).status_code == 404
    assert owner.get("/lists/accesses/?since=never").status_code == 422
    read = Event.objects.filter(organisation=visited.organisation, code="audit.report.read")
    assert read.count() == 1  # what is asked again within minutes says nothing new


def test_a_list_says_nothing_to_others_and_never_ends_early(visited: World) -> None:
    for who in (visited.technician, visited.rival):
        client = signed_in(fresh(who))
        assert [client.get(f"/lists/{name}").status_code for name in ("", "accesses/", "reachable/")] == [404] * 3
        assert client.post("/lists/accesses/take/", {"format": "zip"}).status_code == 404
    stranger = signed_in(fresh(visited.stranger))
    for name in ("accesses", "reachable"):
        assert stranger.get(f"/lists/{name}/?organisation={visited.organisation}").status_code == 422
        page = shown(stranger, f"/lists/{name}/?who=everybody")
        assert "192.0.2.9" not in page
        assert "Press 3" not in page
    report = ready_report.ReadyReport("x", "x", visited.organisation, [], ["a"], [["b"]], more=ready_report.MOST)
    with pytest.raises(ready_report.TooManyRows):
        ready_report.taken_out(visited.owner, report)


@pytest.mark.sqlite
def test_whoever_administered_is_not_erased_before_their_accesses_may_be(world: World) -> None:
    second, third = (person(name, world.organisation, Role.ADMINISTRATOR) for name in ("second", "third"))
    visits(second)
    for who in (second, third):
        administration.set_person_enabled(who.email, enabled=False, reason="left")
    with pytest.raises(AccessesKept):
        administration.erase_person(second.email)
    assert fresh(second).email == "second@example.com"
    Event.objects.filter(actor=second.public_id).update(at=timezone.now() - KEPT - timedelta(days=1))
    assert administration.erase_person(second.email) > 0
    assert administration.erase_person(third.email) > 0  # never signed in
    access.end_rule(actor=world.owner, rule=world.rule, reason="x")
