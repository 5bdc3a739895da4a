# SPDX-License-Identifier: Apache-2.0
"""Locking somebody out: on the console where they are seen at work, and by whoever has a shell on the server."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from django.test import Client as Browser
from django.utils import timezone

from portineria.control import administration
from portineria.control.access.models import Rule
from portineria.control.audit.queries import events
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Person, Role, Supplier
from portineria.control.identity.services import (
    LastAdministrator,
    create_organisation,
    create_person,
    create_supplier,
)
from portineria.control.remote_sessions import services
from portineria.core.errors import Conflict, NotFound
from tests.integration.control.commands import run
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.world import World, fresh

Client = partial(Browser, HTTP_HOST="localhost")
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@pytest.fixture
def linked(world: World) -> World:
    world.link()
    return world


def signed_in(person: Person) -> Browser:
    client = Client()
    client.force_login(person, backend=BACKEND)
    return client


@pytest.mark.parametrize("whom", ["person", "supplier"])
def test_an_administrator_locks_from_the_session_page_and_it_is_cut_at_once(linked: World, whom: str) -> None:
    session = accepted(linked, started(linked))
    owner, page = signed_in(linked.owner), f"/sessions/{session.public_id}/"
    assert f"{page}lock-{whom}/" in owner.get(page).content.decode()
    assert owner.get(f"{page}lock-{whom}/").status_code == 200
    assert owner.post(f"{page}lock-{whom}/", {"reason": " "}).status_code == 200  # no lock without a reason
    assert fresh(linked.technician).enabled
    done = owner.post(f"{page}lock-{whom}/", {"reason": "laptop stolen"}, follow=True)
    assert done.redirect_chain == [(page, 302)]
    assert f"This {whom} is locked." in done.content.decode()
    assert services.enforce(timezone.now()) == 1
    after = again(session)
    assert (after.state, after.ending_class, after.end_why) == ("cutting", "security", f"{whom}-disabled")
    [event] = events(linked.owner, code=f"identity.{whom}.disabled")
    assert event.actor == linked.owner.public_id


@pytest.mark.parametrize(
    ("who", "status"), [("operator", 403), ("approver", 403), ("technician", 404), ("rival", 404), ("stranger", 404)]
)
def test_nobody_else_locks_or_is_shown_the_way(linked: World, who: str, status: int) -> None:
    session = accepted(linked, started(linked))
    client, page = signed_in(getattr(linked, who)), f"/sessions/{session.public_id}/"
    assert "lock-person" not in client.get(page).content.decode()
    for path in (f"{page}lock-person/", f"{page}lock-supplier/"):
        assert client.get(path).status_code == status
        assert client.post(path, {"reason": "x"}).status_code == status
    assert fresh(linked.technician).enabled
    assert Supplier.objects.get(public_id=linked.supplier).enabled


def test_somebody_who_works_for_others_too_is_kept_out_of_this_organisation_only(linked: World) -> None:
    session = accepted(linked, started(linked))
    other = create_organisation(actor=Operator(), name="Third plant").public_id
    create_person(
        actor=Operator(),
        organisation=other,
        name="x",
        email=linked.technician.email,
        role=Role.TECHNICIAN,
        consented=True,
    )
    answer = signed_in(linked.owner).post(f"/sessions/{session.public_id}/lock-person/", {"reason": "stolen"})
    assert answer.status_code == 302
    person = fresh(linked.technician)
    assert (person.enabled, person.memberships.count()) == (True, 1)
    services.enforce(timezone.now())
    assert (again(session).state, again(session).ending_class) == ("cutting", "security")


def test_the_server_locks_unlocks_and_erases_with_events(linked: World) -> None:
    session, email = accepted(linked, started(linked)), linked.technician.email
    administration.set_person_enabled(email.upper(), enabled=False, reason="laptop stolen")
    services.enforce(timezone.now())
    assert again(session).ending_class == "security"
    with pytest.raises(Conflict):
        administration.set_person_enabled(email, enabled=False, reason="again")
    administration.set_person_enabled(email, enabled=True, reason="found")
    administration.reset_second_factor(email, reason="telephone lost")
    with pytest.raises(Conflict):
        administration.erase_person(email)
    administration.set_person_enabled(email, enabled=False, reason="left")
    assert administration.erase_person(email) > 0
    codes = [event.code for event in events(linked.owner, code="identity.").order_by("-seq")[:5]]
    assert codes == [
        "identity.person.erased", "identity.person.disabled", "identity.second-factor.removed",
        "identity.person.enabled", "identity.person.disabled",
    ]  # fmt: skip
    with pytest.raises(administration.NobodyCalled, match="nobody@example"):
        administration.set_person_enabled("nobody@example.com", enabled=False, reason="x")
    with pytest.raises(LastAdministrator):
        administration.set_person_enabled(linked.owner.email, enabled=False, reason="x")


def test_a_supplier_and_a_rule_are_found_by_the_words_people_use(linked: World) -> None:
    session = accepted(linked, started(linked))
    assert linked.rule in [rule.public_id for rule in administration.rules()]
    administration.end_rule(linked.rule, reason="contract is over")
    assert Rule.objects.get(public_id=linked.rule).ended_at is not None
    services.enforce(timezone.now())
    assert again(session).ending_class == "administrative"
    administration.set_supplier_enabled("Presses & Co", enabled=False, reason="breach")
    services.enforce(timezone.now())
    assert again(session).ending_class == "security"
    with pytest.raises(NotFound):
        administration.end_rule(linked.rule, reason="again")
    other = create_organisation(actor=Operator(), name="Third plant")
    create_supplier(actor=Operator(), organisation=other.public_id, name="Presses & Co")
    with pytest.raises(administration.SeveralSuppliers, match="Third plant"):
        administration.set_supplier_enabled("Presses & Co", enabled=True, reason="x")
    administration.set_supplier_enabled("Presses & Co", organisation="Owner's plant", enabled=True, reason="x")


@pytest.mark.sqlite  # commands with a database of their own
def test_the_commands_say_what_was_done_and_what_was_not(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert run(state, "person", "disable", "owner@example.com", "--reason", "x").returncode == 3
    owner = ("--organisation", "Presses", "--name", "Owner", "--email", "owner@example.com")
    assert run(state, "setup", *owner).returncode == 0
    assert run(state, "person", "disable", "owner@example.com").returncode == 2  # not without a reason
    last = run(state, "person", "disable", "owner@example.com", "--reason", "x")
    assert (last.returncode, "nobody else could let anybody in again" in last.stderr) == (1, True)
    assert run(state, "person", "erase", "owner@example.com").returncode == 2
    reset = run(state, "person", "reset-second-factor", "owner@example.com", "--reason", "lost")
    assert (reset.returncode, "signed out everywhere" in reset.stdout) == (0, True)
    nobody = run(state, "supplier", "disable", "Nobody", "--reason", "x")
    assert (nobody.returncode, "nothing was changed" in nobody.stderr) == (1, True)
    assert run(state, "rule", "list").stdout.split() == ["RULE", "ORGANISATION", "FOR", "MINUTES", "MACHINES"]
    assert run(state, "rule", "end", "rul_aaaaaaaaaaaaaaaa", "--reason", "x").returncode == 1
