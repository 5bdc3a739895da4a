# SPDX-License-Identifier: Apache-2.0
"""What a directory takes from many at once is taken; more than five running sessions wait for somebody's yes or no."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from portineria.control.access import locks
from portineria.control.access import services as access
from portineria.control.audit.models import Event
from portineria.control.identity import groups
from portineria.control.identity import services as identity
from portineria.control.identity.models import Group, Organisation, Person, Role
from portineria.control.notification import collecting
from portineria.control.notification.models import Notification
from portineria.control.remote_sessions import refusals, services
from portineria.control.remote_sessions.directory_ends import BURST, settle_directory_ends
from portineria.control.remote_sessions.models import DirectoryAct, DirectoryEnd, Session, Stay
from portineria.control.remote_sessions.services import enforce
from portineria.core.errors import NotFound
from portineria.policy.ending import Locked
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser
from tests.integration.control.sessions import again, leased, session_key, started
from tests.integration.control.test_scim import CORE, Directory
from tests.integration.control.world import World, fresh, person


def others(w: World, *names: str) -> list[Person]:
    return [person(name, w.organisation, Role.TECHNICIAN, w.supplier) for name in names]


def granted(w: World, who: Person) -> None:
    made = access.make_request(actor=who, machine=w.machine.public_id, reason="x", minutes=60)
    access.approve(actor=w.owner, request=made.public_id)


def works(w: World, who: Person, count: int) -> list[Session]:
    """Sessions of somebody who was given a grant: ordered, which is as open as accepted."""
    return [
        services.start_session(actor=fresh(who), machine="Press 3", key=session_key(), address="").session
        for _ in range(count)
    ]


def group_of(w: World, directory: Directory, *people: Person) -> str:
    """One that the directory keeps, and the only way to the machine. Its address."""
    members = [{"value": one.public_id} for one in people]
    said = {"schemas": [f"{CORE}Group"], "displayName": "Night", "members": members}
    address = f"Groups/{directory.call('POST', 'Groups', said).json()['id']}"
    access.end_rule(actor=w.owner, rule=w.rule, reason="x")
    access.create_rule(
        actor=w.owner, organisation=w.organisation, machines=[w.machine.public_id],
        group=Group.objects.get().public_id,
    )  # fmt: skip
    return address


def just_before(w: World, *, of_people: bool) -> None:
    """The directory took five running sessions their permission: with one more somebody is asked."""
    owner = Organisation.objects.get(public_id=w.organisation)
    DirectoryAct.objects.create(organisation=owner, of_people=of_people, sessions=5)


def answered(w: World, row: DirectoryEnd, *, end: bool, who: Person | None = None, **given: Any) -> Any:
    confirm = given.get("confirm", [one.session.public_id for one in row.stays.select_related("session")])
    return Browser(who or w.owner).post(f"/directory-ends/{row.public_id}/answer", {"end": end, "confirm": confirm})


def states(rows: list[Session]) -> set[str]:
    return {again(row).state for row in rows}


def told(code: str) -> int:
    return Event.objects.filter(code=f"remote_sessions.directory-end.{code}").count()


def test_a_group_that_is_emptied_locks_at_once_and_what_runs_waits_for_a_person(linked: World) -> None:
    w, directory = linked, Directory(linked)
    [second] = others(w, "second")
    address = group_of(w, directory, w.technician, second)
    granted(w, w.technician)
    granted(w, second)
    mine, theirs = works(w, w.technician, 4), works(w, second, 2)
    emptied = directory.call("PUT", address, {"schemas": [f"{CORE}Group"], "displayName": "Night", "members": []})
    assert (emptied.status_code, "members" in emptied.json()) == (200, False)  # the directory has its way
    assert not Group.objects.get().members.exists()
    assert (enforce(timezone.now()), states(mine + theirs)) == (0, {"opening"})
    with pytest.raises((refusals.NotPermitted, NotFound)):
        started(w)
    row = DirectoryEnd.objects.get()
    asked = Event.objects.get(code="remote_sessions.directory-end.asked")
    assert (row.state, row.stays.count(), asked.actor) == ("waiting", 6, directory.program.account.public_id)
    page = shown(signed_in(w.owner), "/directory-ends/")
    assert page.count('href="/sessions/ses_') == 6
    spared, owner = f"/sessions/{theirs[0].public_id}/", signed_in(w.owner)
    assert "unless whoever administers says no" in shown(owner, spared)
    # Said once more, as a directory that heard no answer does: it waits for the same answer, by the same time.
    directory.call("PUT", address, {"schemas": [f"{CORE}Group"], "displayName": "Night", "members": []})
    assert (DirectoryEnd.objects.get().ends_at, row.stays.count(), enforce(timezone.now())) == (row.ends_at, 6, 0)
    # Only who administers answers, for exactly what they saw, and nobody keeps their own.
    assert answered(w, row, end=False, who=w.operator).status_code == 403
    assert answered(w, row, end=False, who=w.stranger).status_code == 404
    assert answered(w, row, end=False, confirm=[mine[0].public_id]).json()["code"] == "directory-end.more"
    assert answered(w, row, end=False).status_code == 200
    assert answered(w, row, end=True).json()["code"] == "directory-end.over"
    # Whoever of the house looks at the sessions sees it there; whoever works there is told nothing of the house.
    assert "Owner said no to ending it" in shown(owner, spared)
    for list_ in ("/", "/sessions/"):
        assert shown(owner, list_).count("spared: a directory took") == 6, list_
    assert not {"directory" in shown(signed_in(second), one) for one in (spared, "/sessions/")} - {False}
    later = row.ends_at + timedelta(minutes=1)
    settle_directory_ends(later)
    assert (enforce(timezone.now()), states(mine + theirs), told("refused"), told("lapsed")) == (0, {"opening"}, 1, 0)
    # Anybody else may still end it: a lock, and the directory that says it again of one of them and not of the other.
    directory.patch(address, {"op": "remove", "path": f'members[value eq "{second.public_id}"]'})
    assert (enforce(timezone.now()), states(mine), states(theirs)) == (2, {"opening"}, {"cutting"})
    locks.lock(actor=w.owner, organisation=w.organisation, kind=Locked.PERSON, thing=w.technician.public_id, reason="x")
    assert (enforce(timezone.now()), states(mine)) == (4, {"cutting"})


def test_a_deleted_group_ends_what_ran_when_nobody_answers(linked: World) -> None:
    w, directory = linked, Directory(linked)
    address = group_of(w, directory, w.technician)
    granted(w, w.technician)
    [row] = works(w, w.technician, 1)
    just_before(w, of_people=False)
    assert directory.call("DELETE", address).status_code == 204
    assert enforce(timezone.now()) == 0
    late = DirectoryEnd.objects.get().ends_at
    assert enforce(late) == 1  # by the decision itself: no timer has to come first
    assert again(row).end_why == "no-group"
    settle_directory_ends(late)
    assert (DirectoryEnd.objects.get().state, told("lapsed")) == ("lapsed", 1)
    assert answered(w, DirectoryEnd.objects.get(), end=False).json()["code"] == "directory-end.over"


def test_one_person_is_out_at_once_and_a_burst_of_them_waits(linked: World) -> None:
    w, directory = linked, Directory(linked)
    second, third = others(w, "second", "third")
    for one in (w.technician, second, third):
        granted(w, one)
    first, rest, last = works(w, w.technician, 6), works(w, second, 1), works(w, third, 1)
    # However much one person has open.
    directory.active(w.technician, False)
    assert (enforce(timezone.now()), states(first), DirectoryEnd.objects.exists()) == (6, {"cutting"}, False)
    assert directory.call("DELETE", f"Users/{second.public_id}").status_code == 204
    assert not fresh(second).enabled
    assert (enforce(timezone.now()), states(rest)) == (0, {"opening"})
    with pytest.raises((refusals.NotPermitted, NotFound)):
        works(w, second, 1)
    assert len(leased(w, *rest)) == 1  # what runs is not starved of its lease meanwhile
    DirectoryAct.objects.update(at=timezone.now() - BURST)
    assert directory.active(third, "False").status_code == 200
    assert (enforce(timezone.now()), states(last)) == (1, {"cutting"})
    collecting.collect(w.organisation, timezone.now(), mail=False)
    told_of = Notification.objects.filter(code="remote_sessions.directory-end.asked").values_list("person", flat=True)
    assert list(told_of) == [w.owner.pk]
    browser, row = signed_in(w.owner), DirectoryEnd.objects.get()
    assert "A directory took out many people" in shown(browser, "/")
    assert "A directory took out many people" not in shown(signed_in(w.operator), "/")
    confirm = " ".join(one.public_id for one in rest)
    form = {"end": "yes", "confirm": confirm, "reason": "so be it"}
    assert browser.post(f"/directory-ends/{row.public_id}/answer/", form).status_code == 302
    assert (enforce(timezone.now()), {again(one).end_why for one in rest}) == (1, {"person-disabled"})
    assert "Owner said yes: they were ended." in shown(browser, "/directory-ends/")
    assert told("confirmed") == 1


@pytest.mark.sqlite
def test_what_an_approver_allowed_to_others_waits_when_they_are_closed(linked: World) -> None:
    w, directory = linked, Directory(linked)
    access.approve(actor=w.approver, request=w.request())
    rows = works(w, w.technician, 6)
    directory.active(w.approver, False)
    assert (fresh(w.approver).enabled, enforce(timezone.now()), states(rows)) == (False, 0, {"opening"})
    with pytest.raises(refusals.NotPermitted):
        started(w)
    assert {stay.reasons for stay in DirectoryEnd.objects.get().stays.all()} == {"no-approval"}
    assert answered(w, DirectoryEnd.objects.get(), end=True).status_code == 200
    assert (enforce(timezone.now()), states(rows)) == (6, {"draining"})


@pytest.mark.sqlite
def test_a_no_spares_nothing_but_what_the_directory_took(linked: World) -> None:
    """Whatever somebody here takes away besides ends it as ever; whom the directory lets in again needs no answer."""
    w, directory = linked, Directory(linked)
    address = group_of(w, directory, w.technician)
    granted(w, w.technician)
    rows = works(w, w.technician, 1)
    just_before(w, of_people=False)
    member = [{"value": w.technician.public_id}]
    directory.patch(address, {"op": "Remove", "path": "members", "value": member})
    directory.patch(address, {"op": "Add", "path": "members", "value": member})
    settle_directory_ends(timezone.now())
    assert (DirectoryEnd.objects.get().state, Stay.objects.filter(over=False).exists()) == ("settled", False)
    directory.patch(address, {"op": "Remove", "path": "members"})
    row = DirectoryEnd.objects.get(state="waiting")
    # Dismissed while somebody is asked about the group: at once.
    directory.active(w.technician, False)
    assert (enforce(timezone.now()), states(rows)) == (1, {"cutting"})
    settle_directory_ends(row.ends_at)
    assert DirectoryEnd.objects.get(pk=row.pk).state in ("lapsed", "settled")


@pytest.mark.sqlite
@pytest.mark.parametrize("besides", ["closed here", "shut again", "rule ended", "erased"])
def test_a_stay_overlooks_what_was_taken_then_and_nothing_since(linked: World, besides: str) -> None:
    w, directory = linked, Directory(linked)
    grouped = besides in ("shut again", "rule ended")
    address = group_of(w, directory, w.technician) if grouped else ""
    granted(w, w.technician)
    rows = works(w, w.technician, 1)
    just_before(w, of_people=not grouped)
    if grouped:
        directory.patch(address, {"op": "Remove", "path": "members"})
    else:
        directory.active(w.technician, False)
    assert enforce(timezone.now()) == 0
    assert answered(w, DirectoryEnd.objects.get(), end=False).status_code == 200
    assert enforce(timezone.now()) == 0
    if besides == "closed here":
        for enabled in (True, False):
            identity.set_person_enabled(actor=w.owner, person=w.technician.public_id, enabled=enabled, reason="x")
    elif besides == "erased":
        identity.erase_person(actor=w.owner, person=w.technician.public_id)
    elif besides == "shut again":
        groups.close_group(actor=w.owner, group=Group.objects.get().public_id, reason="x")
    else:
        access.end_rule(actor=w.owner, rule=rows[0].grant.rule.public_id, reason="x")
    assert (enforce(timezone.now()), bool({"opening"} & states(rows))) == (1, False)
