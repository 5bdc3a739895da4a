# SPDX-License-Identifier: Apache-2.0
"""Locking and lifting in the console, and on the server's command line."""

from __future__ import annotations

import pytest
from django.utils import timezone

from portineria.control import administration_locks
from portineria.control.access.models import Lock
from portineria.control.estate import services as estate
from portineria.control.remote_sessions import services
from portineria.policy.ending import Locked
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.world import World

pytestmark = pytest.mark.sqlite  # what its pages ask is asked of PostgreSQL by test_every_address

WHY = 'smoke <script>alert("x")</script>'


def test_a_machine_is_locked_on_its_page_and_lifted_on_the_page_of_locks(linked: World) -> None:
    session, machine = accepted(linked, started(linked)), linked.machine.public_id
    operator, owner = signed_in(linked.operator), signed_in(linked.owner)
    assert f"/machines/{machine}/lock/" in shown(operator, f"/machines/{machine}/")
    assert operator.post(f"/machines/{machine}/lock/", {"reason": ""}).status_code == 200
    assert not Lock.objects.exists()
    assert operator.post(f"/machines/{machine}/lock/", {"reason": WHY}).status_code == 302
    assert "already" in operator.post(f"/machines/{machine}/lock/", {"reason": WHY}).content.decode()
    services.enforce(timezone.now())
    assert again(session).end_why == "locked-machine"
    lock = Lock.objects.get()
    for address in (f"/machines/{machine}/", "/locks/"):
        page = shown(operator, address)
        assert "Operator" in page
        assert "&lt;script&gt;" in page
        assert "<script>alert" not in page
    assert "/lift/" not in shown(operator, "/locks/")
    assert operator.post(f"/locks/{lock.public_id}/lift/", {"reason": "x"}).status_code == 403
    assert f"/locks/{lock.public_id}/lift/" in shown(owner, "/locks/")
    assert owner.post(f"/locks/{lock.public_id}/lift/", {"reason": "extinguished"}).status_code == 302
    assert "extinguished" in shown(operator, "/locks/")
    assert "note-error" not in shown(operator, f"/machines/{machine}/")
    for who in (linked.technician, linked.rival):
        assert signed_in(who).get("/locks/").status_code == 404
        assert signed_in(who).get(f"/machines/{machine}/lock/").status_code == 404


def test_a_place_is_chosen_and_a_gateway_is_locked_on_its_own_page(linked: World) -> None:
    estate.create_zone(actor=linked.owner, plant=linked.plant, name="Press shop")
    estate.create_line(actor=linked.owner, plant=linked.plant, name="Line 1/2", zone="Press shop")
    browser = signed_in(linked.approver)
    for place in (f"plant:{linked.plant}", f"zone:{linked.plant}/Press shop", f"line:{linked.plant}/Line 1/2"):
        assert place in shown(browser, "/locks/add/")
        assert browser.post("/locks/add/", {"place": place, "reason": "x"}).status_code == 302
    assert browser.post("/locks/add/", {"place": "everything:", "reason": "x"}).status_code == 200
    assert browser.post(f"/gateways/{linked.gateway.id}/lock/", {"reason": "x"}).status_code == 302
    assert sorted(lock.kind for lock in Lock.objects.all()) == ["gateway", "line", "plant", "zone"]


def test_everything_is_locked_by_an_owner_who_proves_who_they_are(linked: World) -> None:
    session = accepted(linked, started(linked))
    assert signed_in(linked.approver).get("/locks/everything/").status_code == 403
    answer = signed_in(linked.owner).post("/locks/everything/", {"reason": "x"})
    assert answer.headers["Location"].startswith("/accounts/2fa/reauthenticate/")
    assert not Lock.objects.exists()
    proved = signed_in(linked.owner, proved=True)
    assert proved.post("/locks/everything/", {"reason": "x"}).status_code == 302
    services.enforce(timezone.now())
    assert again(session).end_why == "locked-everything"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Locked.PERSON, "technician@example.com"),
        (Locked.SUPPLIER, "Presses & Co"),
        (Locked.MACHINE, "North/Press 3"),
        (Locked.PLANT, "North"),
        (Locked.GATEWAY, "cabinet 4"),
        (Locked.EVERYTHING, ""),
    ],
)
def test_the_operator_of_the_server_locks_by_name(linked: World, kind: Locked, name: str) -> None:
    with pytest.raises(administration_locks.NothingCalled):
        administration_locks.lock(kind, "nobody", organisation="nowhere", reason="x")
    row = administration_locks.lock(kind, name, organisation="Owner's plant", reason="x")
    assert (row.kind, row.made_by, row.organisation.public_id) == (kind, None, linked.organisation)
    assert name in (
        administration_locks.place_of(administration_locks.held()[0]),
        "technician@example.com",
        "cabinet 4",
    )
    assert not administration_locks.lift(row.public_id, reason="x").holds
