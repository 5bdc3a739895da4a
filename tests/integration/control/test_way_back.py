# SPDX-License-Identifier: Apache-2.0
"""A way back for who lost a password or a second factor, and for nobody else: what was there before is dead at once."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.test import Client
from django.utils import timezone

from portineria.control import administration
from portineria.control.audit.models import Event, PersonalValue
from portineria.control.audit.queries import events
from portineria.control.identity.authority import Operator
from portineria.control.identity.connector import authorise, base64url
from portineria.control.identity.first_run import HasPassword, invite, set_password
from portineria.control.identity.models import AuthorisationCode, Person, Role
from portineria.control.identity.queries import has_second_factor
from portineria.control.identity.services import (
    PersonElsewhere,
    create_organisation,
    create_person,
    set_person_enabled,
)
from portineria.control.identity.way_back import LockedOut, OwnWayBack, invite_again
from portineria.control.remote_sessions import services
from portineria.core.errors import Denied, NotFound
from tests.integration.control.browsing import signed_in
from tests.integration.control.commands import run
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.world import PASSWORD, ConnectorEnd, World, fresh

pytestmark = pytest.mark.sqlite  # what its pages ask is asked of PostgreSQL by test_every_address

WHY = {"reason": "telephone lost"}
NEW = "another gatehouse for machines"
LINK = re.compile(r"/accounts/password/reset/key/[\w-]+/")


@pytest.fixture
def settled(linked: World) -> World:
    """The technician has a password, as everybody who works."""
    set_password(actor=Operator(), person=linked.technician.public_id, password=PASSWORD)
    linked.technician = fresh(linked.technician)
    return linked


def place(world: World, person: Person | None = None) -> str:
    return f"/people/{world.organisation}/{(person or world.technician).public_id}/invite/"


def link(world: World) -> str:
    return invite_again(actor=fresh(world.owner), person=world.technician.public_id, reason="lost")


def asks_for_password(path: str) -> bool:
    return b'type="password"' in Client(HTTP_HOST="localhost").get(path, follow=True).content


def sets_password(path: str, password: str = NEW) -> None:
    client = Client(HTTP_HOST="localhost")
    client.post(client.get(path).headers["Location"], {"password1": password, "password2": password})


def signs_in(world: World, password: str) -> Client:
    client = Client(HTTP_HOST="localhost")
    client.post("/accounts/login/", {"login": world.technician.email, "password": password})
    return client


def test_what_was_signed_in_before_is_dead_at_once(settled: World) -> None:
    session, technician = accepted(settled, started(settled)), settled.technician
    browser, connector = signed_in(technician), ConnectorEnd(technician)
    authorise(actor=technician, challenge=base64url(bytes(32)), key=bytes(32), name="laptop", address="")
    assert browser.get("/machines/").status_code == 200
    assert connector.call("GET", "/me").status_code == 200
    unlisted = signed_in(technician)
    # Only the password's mark ends a browser that is in no list.
    UserSession.objects.filter(session_key=unlisted.session.session_key).delete()

    answer = signed_in(settled.owner, proved=True).post(place(settled), WHY)

    assert answer.status_code == 200
    assert LINK.search(answer.content.decode())
    assert "no-store" in answer.headers["Cache-Control"]
    for client in (browser, unlisted):
        assert client.get("/machines/").headers["Location"].startswith("/accounts/login/")
    assert connector.call("GET", "/me").status_code == 401
    assert not AuthorisationCode.objects.filter(person=technician).exists()
    assert not Authenticator.objects.filter(user=technician).exists()
    assert signs_in(settled, PASSWORD).get("/").headers["Location"].startswith("/accounts/login/")
    services.enforce(timezone.now())
    assert (again(session).state, again(session).ending_class) == ("cutting", "security")
    assert again(session).end_why == "second-factor"


def test_the_link_leads_to_a_new_password_and_then_to_a_new_second_factor(settled: World) -> None:
    path = link(settled)
    sets_password(path)
    assert not asks_for_password(path)  # used once
    assert signs_in(settled, NEW).get("/").headers["Location"] == "/accounts/2fa/"
    assert not has_second_factor(fresh(settled.technician))


def test_every_link_of_before_is_dead(settled: World) -> None:
    first = link(settled)
    second = link(settled)
    assert (asks_for_password(first), asks_for_password(second)) == (False, True)
    newcomer = create_person(
        actor=settled.owner, organisation=settled.organisation, name="New", email="new@example.com", role=Role.OPERATOR
    )
    early = invite(actor=settled.owner, person=newcomer.public_id)
    late = invite_again(actor=settled.owner, person=newcomer.public_id, reason="letter lost")
    assert (asks_for_password(early), asks_for_password(late)) == (False, True)


def test_the_link_ends_after_three_days(settled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path, now = link(settled), datetime.now()  # noqa: DTZ005 as Django's own clock of links
    for later, works in ((timedelta(days=2, hours=23), True), (timedelta(days=3, seconds=2), False)):
        monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda _, at=now + later: at)
        assert asks_for_password(path) is works


def test_the_event_says_who_and_why_and_keeps_no_link(settled: World) -> None:
    path = link(settled)
    [event] = events(settled.owner, code="identity.person.invited-again")
    assert (event.actor, event.person) == (settled.owner.public_id, settled.technician.public_id)
    kept = [str(value) for value in PersonalValue.objects.filter(event=event).values_list("value", flat=True)]
    assert sorted(kept) == ["None", "lost"]
    assert not any(path.encode() in bytes(row.leaf) for row in Event.objects.all())


@pytest.mark.parametrize(
    ("who", "status"), [("operator", 403), ("approver", 403), ("technician", 404), ("rival", 404), ("stranger", 404)]
)
def test_nobody_else_gets_a_link(settled: World, who: str, status: int) -> None:
    actor = getattr(settled, who)
    client = signed_in(actor, proved=True)
    for answer in (client.get(place(settled)), client.post(place(settled), WHY)):
        assert answer.status_code == status
        assert not LINK.search(answer.content.decode())
    with pytest.raises(NotFound if status == 404 else Denied):
        invite_again(actor=fresh(actor), person=settled.technician.public_id, reason="x")
    assert fresh(settled.technician).has_usable_password()
    assert has_second_factor(settled.technician)


def test_an_administrator_proves_once_more_who_they_are(settled: World) -> None:
    """Whoever finds the browser open does not get other people's accounts out of it."""
    set_password(actor=Operator(), person=settled.owner.public_id, password=PASSWORD)
    owner = signed_in(fresh(settled.owner))
    for answer in (owner.get(place(settled)), owner.post(place(settled), WHY)):
        assert answer.headers["Location"].startswith("/accounts/reauthenticate/")
    assert fresh(settled.technician).has_usable_password()


def test_nobody_goes_this_way_by_themselves(settled: World) -> None:
    answer = signed_in(settled.owner, proved=True).post(place(settled, settled.owner), WHY)
    assert "nobody invites themselves again" in answer.content.decode()
    assert has_second_factor(settled.owner)
    with pytest.raises(OwnWayBack):
        invite_again(actor=fresh(settled.owner), person=settled.owner.public_id, reason="x")


def test_whoever_is_locked_is_unlocked_first(settled: World) -> None:
    set_person_enabled(actor=Operator(), person=settled.technician.public_id, enabled=False, reason="left")
    with pytest.raises(LockedOut):
        link(settled)
    answer = signed_in(settled.owner, proved=True).post(place(settled), WHY)
    assert "Unlock first, then invite again." in answer.content.decode()


def test_the_account_of_somebody_of_another_organisation_too_is_not_handed_out(settled: World) -> None:
    other = create_organisation(actor=Operator(), name="Third plant").public_id
    create_person(
        actor=Operator(), organisation=other, name="x", email=settled.technician.email, role=Role.TECHNICIAN,
        consented=True,
    )  # fmt: skip
    with pytest.raises(PersonElsewhere):
        link(settled)
    answer = signed_in(settled.owner, proved=True).post(place(settled), WHY)
    assert "belongs to other organisations too" in answer.content.decode()
    assert fresh(settled.technician).has_usable_password()
    assert has_second_factor(settled.technician)
    _, address = administration.invite_again(settled.technician.email, reason="asked by both")  # the operator may
    assert asks_for_password(address.removeprefix("http://localhost:8443"))


@pytest.mark.sqlite  # commands with a database of their own
def test_the_command_prints_an_address_and_the_first_invitation_stays_the_first(settled: World, tmp_path: Path) -> None:
    with pytest.raises(HasPassword, match="invite-again"):
        invite(actor=settled.owner, person=settled.technician.public_id)
    state = tmp_path / "state"
    owner = ("--organisation", "Presses", "--name", "Owner", "--email", "owner@example.com")
    assert run(state, "setup", *owner).returncode == 0
    done = run(state, "person", "invite-again", "owner@example.com", "--reason", "telephone lost")
    assert (done.returncode, len(LINK.findall(done.stdout))) == (0, 1)
    nobody = run(state, "person", "invite-again", "nobody@example.com", "--reason", "x")
    assert (nobody.returncode, nobody.stdout) == (1, "")
