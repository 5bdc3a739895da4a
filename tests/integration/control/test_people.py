# SPDX-License-Identifier: Apache-2.0
"""People and suppliers: who belongs here, who is locked; and unlocking, wherever locking is."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone

from portineria.control.audit.queries import events
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Person, Role, Supplier
from portineria.control.identity.services import (
    create_organisation,
    create_person,
    create_supplier,
    set_person_enabled,
    set_supplier_enabled,
)
from portineria.control.remote_sessions import services
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.world import World, fresh

pytestmark = pytest.mark.sqlite  # nothing here depends on which database it is

OUT = {"reason": "laptop stolen"}
IN = {"reason": "laptop found"}


def address(world: World, whom: str, act: str) -> str:
    if whom == "supplier":
        return f"/suppliers/{world.supplier}/{act}/"
    return f"/people/{world.organisation}/{world.technician.public_id}/{act}/"


def enabled(world: World, whom: str) -> bool:
    if whom == "supplier":
        return Supplier.objects.get(public_id=world.supplier).enabled
    return fresh(world.technician).enabled


@pytest.mark.parametrize("whom", ["person", "supplier"])
def test_an_administrator_locks_and_unlocks_from_the_list(linked: World, whom: str) -> None:
    session, owner = accepted(linked, started(linked)), signed_in(linked.owner)
    lock, unlock = address(linked, whom, "lock"), address(linked, whom, "unlock")
    before = shown(owner, "/people/")
    assert (lock in before, unlock in before) == (True, False)
    assert owner.post(lock, {"reason": " "}).status_code == 200  # no lock without a reason
    assert enabled(linked, whom)
    done = owner.post(lock, OUT, follow=True)
    assert done.redirect_chain == [("/people/", 302)]
    assert (lock in done.content.decode(), unlock in done.content.decode()) == (False, True)
    services.enforce(timezone.now())
    assert (again(session).state, again(session).ending_class) == ("cutting", "security")
    assert owner.post(unlock, {"reason": ""}).status_code == 200  # nor an unlock
    assert not enabled(linked, whom)
    assert owner.post(unlock, IN).status_code == 302
    assert enabled(linked, whom)
    assert again(session).state == "cutting"  # what was cut stays cut
    [event] = events(linked.owner, code=f"identity.{whom}.enabled")
    assert event.actor == linked.owner.public_id


@pytest.mark.parametrize("whom", ["person", "supplier"])
def test_whoever_was_locked_from_a_session_is_unlocked_there(linked: World, whom: str) -> None:
    session, owner = accepted(linked, started(linked)), signed_in(linked.owner)
    page = f"/sessions/{session.public_id}/"
    assert f"{page}unlock-{whom}/" not in shown(owner, page)
    owner.post(f"{page}lock-{whom}/", OUT)
    assert f"{page}unlock-{whom}/" in shown(owner, page)
    assert f"Unlock this {whom}?" in shown(owner, f"{page}unlock-{whom}/")
    done = owner.post(f"{page}unlock-{whom}/", IN, follow=True)
    assert done.redirect_chain == [(page, 302)]
    assert enabled(linked, whom)
    assert owner.post(f"{page}unlock-{whom}/", IN).status_code == 200  # done already, said in the form


@pytest.mark.parametrize(
    ("who", "status"), [("operator", 403), ("approver", 403), ("technician", 404), ("rival", 404), ("stranger", 404)]
)
def test_nobody_else_locks_or_unlocks(linked: World, who: str, status: int) -> None:
    session = accepted(linked, started(linked))
    set_person_enabled(actor=Operator(), person=linked.rival.public_id, enabled=False, reason="x")
    set_supplier_enabled(actor=Operator(), supplier=linked.supplier, enabled=False, reason="x")
    person = f"/people/{linked.organisation}/{linked.rival.public_id}/"
    if who == "rival":  # is locked in this test; the technician stands for everybody of a supplier
        return
    client = signed_in(getattr(linked, who))
    addresses = [f"{person}{act}/" for act in ("lock", "unlock", "invite")]
    addresses += [address(linked, "supplier", act) for act in ("lock", "unlock")]
    addresses += [f"/sessions/{session.public_id}/unlock-{whom}/" for whom in ("person", "supplier")]
    for place in addresses:
        assert client.get(place).status_code == status, place
        assert client.post(place, IN).status_code == status, place
    assert (fresh(linked.rival).enabled, enabled(linked, "supplier")) == (False, False)


def test_staff_look_and_technicians_and_strangers_see_nothing_of_it(world: World) -> None:
    seen = shown(signed_in(world.approver), "/people/")
    assert "technician@example.com" in seen
    assert "/lock/" not in seen
    assert signed_in(world.technician).get("/people/").status_code == 404
    theirs = shown(signed_in(world.stranger), "/people/")
    assert "technician@example.com" not in theirs
    assert "Presses &amp; Co" not in theirs
    assert "There are no suppliers yet." in theirs


def test_nobody_is_offered_to_lock_or_invite_themselves(world: World) -> None:
    seen = shown(signed_in(world.owner), "/people/")
    assert world.technician.public_id in seen
    assert world.owner.public_id not in seen


def test_people_and_suppliers_are_found_by_any_of_their_words(world: World) -> None:
    owner = signed_in(world.owner)

    def found(search: str) -> set[str]:
        return set(re.findall(r"(\w+)@example\.com", shown(owner, f"/people/?q={search}")))

    assert found("TECHNICIAN") == {"technician"}
    assert found("presses") == {"technician", "rival"}
    assert found("rival+presses") == {"rival"}
    assert found("stranger") == set()
    nobody = shown(owner, "/people/?q=nobody")
    assert "Nobody fits this search." in nobody
    assert "No supplier fits this search." in nobody


def test_long_lists_are_divided_and_each_has_its_own_pages(world: World) -> None:
    for number in range(30):
        create_supplier(actor=world.owner, organisation=world.organisation, name=f"Firm {number:02}")
        create_person(
            actor=world.owner, organisation=world.organisation, name=f"Anybody {number:02}",
            email=f"p{number:02}@example.com", role=Role.OPERATOR,
        )  # fmt: skip
    owner = signed_in(world.owner)
    first = shown(owner, "/people/")
    assert ("p00@" in first, "p29@" in first, "Firm 00" in first, "Firm 29" in first) == (True, False, True, False)
    assert "?page=2" in first
    assert "?suppliers=2" in first
    second = shown(owner, "/people/?suppliers=2")
    assert ("p00@" in second, "Firm 00" in second, "Firm 29" in second) == (True, False, True)
    assert "?suppliers=2&amp;page=2" in second  # turning one list leaves the other where it was


def test_the_list_says_who_is_invited_and_whose_supplier_is_locked(world: World) -> None:
    set_supplier_enabled(actor=Operator(), supplier=world.supplier, enabled=False, reason="x")
    seen = shown(signed_in(world.owner), "/people/")
    assert seen.count("supplier locked") == 1
    assert "invited, no password yet" in seen


def test_somebody_who_works_for_others_too_leaves_this_list_only(world: World) -> None:
    other = create_organisation(actor=Operator(), name="Third plant").public_id
    create_person(
        actor=Operator(), organisation=other, name="x", email=world.technician.email, role=Role.TECHNICIAN,
        consented=True,
    )  # fmt: skip
    done = signed_in(world.owner).post(address(world, "person", "lock"), OUT, follow=True)
    assert "is no member of yours any more" in done.content.decode()
    assert "technician@example.com" not in done.content.decode()
    assert Person.objects.get(pk=world.technician.pk).enabled
