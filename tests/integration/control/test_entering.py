# SPDX-License-Identifier: Apache-2.0
"""What is entered by hand, on pages and through the API: whole, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from portineria.control.access import queries as access
from portineria.control.estate import entering
from portineria.control.estate.entering import MOST_AT_ONCE, Spoken
from portineria.control.estate.models import Device, Machine, Plant, Service
from portineria.control.identity.models import Person, Supplier
from portineria.core.errors import Invalid, NotFound
from portineria.policy.sight import Sight
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser
from tests.integration.control.world import World

pytestmark = pytest.mark.sqlite  # the same rows as those of a declared file, which both databases take
FORM = {"name": "Oven 9", "address": "192.168.10.99", "speaks": ["modbus", "opcua"], "line": "Line 9", "tag": "OV-0009"}


def test_a_machine_is_entered_with_its_line_device_and_services_and_tried_out(world: World) -> None:
    browser = signed_in(world.owner)
    assert world.gateway.id in shown(browser, f"/machines/add/?gateway={world.gateway.id}")
    nothing = browser.post("/machines/add/", {**FORM, "gateway": world.gateway.id, "speaks": []})
    assert "Please tick what is spoken there" in nothing.content.decode()
    answer = browser.post("/machines/add/", {**FORM, "gateway": world.gateway.id, "try_it": "on"}, follow=True)
    assert "You may reach this machine now" in answer.content.decode()
    made = Machine.objects.get(name="Oven 9")
    assert (made.line.name if made.line else "", made.tag, made.gateway.public_id) == (
        "Line 9",
        "OV-0009",
        world.gateway.id,
    )
    rows = Service.objects.filter(device__machine=made).order_by("port")
    assert [(row.protocol, row.port, str(row.device.address)) for row in rows] == [
        ("modbus", 502, "192.168.10.99"), ("opcua", 4840, "192.168.10.99"),
    ]  # fmt: skip
    assert access.visible_machine(world.owner, made.public_id).sight is Sight.REACHABLE
    [rule] = access.rules_naming(world.owner, made)
    assert (rule.person, rule.max_minutes, rule.needs_approval) == (world.owner, 60, False)


def test_what_cannot_be_entered_leaves_nothing(world: World) -> None:
    before = (Machine.objects.count(), Device.objects.count(), Plant.objects.get(public_id=world.plant).lines.count())
    wrong: list[dict[str, Any]] = [{"address": "0.0.0.0"}, {"speaks": []}, {"name": "x" * 300}]
    wrong.append({"speaks": [Spoken("tcp")]})
    for change in (*wrong, {"speaks": [Spoken("tcp", 1000 + n, f"{n}") for n in range(MOST_AT_ONCE + 1)]}):
        given = {"name": "Oven 9", "address": "192.168.10.99", "speaks": [Spoken("ssh")], "line": "Line 9"} | change
        with pytest.raises(Invalid):
            entering.enter_machine(actor=world.owner, gateway=world.gateway.id, **given)
    for actor in (world.technician, world.rival, world.stranger):
        with pytest.raises(NotFound):
            entering.enter_machine(
                actor=actor, gateway=world.gateway.id, name="x", address="192.168.10.99", speaks=[Spoken("ssh")]
            )
    plant = Plant.objects.get(public_id=world.plant)
    assert (Machine.objects.count(), Device.objects.count(), plant.lines.count()) == before


def test_a_machine_has_somebody_who_answers_for_it_and_a_deputy(world: World) -> None:
    page = f"/machines/{world.machine.public_id}/answering/"
    ids = {"answering": world.owner.public_id, "deputy": world.approver.public_id}
    signed_in(world.owner).post(page, ids)
    assert "Approver" in shown(signed_in(world.technician), f"/machines/{world.machine.public_id}/")
    seen = Browser(world.owner).get(f"/machines/{world.machine.public_id}").json()
    assert (seen["owner"], seen["deputy"]) == ("Owner", "Approver")
    same = signed_in(world.owner).post(page, {**ids, "deputy": ids["answering"]})
    assert "Choose somebody else" in same.content.decode()
    end = Browser(world.owner)
    assert end.post(f"/machines/{world.machine.public_id}/answering", {"deputy": ""}).json()["deputy"] is None
    # Nobody of a supplier is offered, nor taken.
    assert world.technician.public_id not in shown(signed_in(world.owner), page)
    told = end.post(f"/machines/{world.machine.public_id}/answering", {"deputy": world.technician.public_id})
    assert told.status_code == 404


def test_services_come_and_go_at_the_device_that_has_the_address(world: World) -> None:
    end, machine = Browser(world.owner), world.machine.public_id
    address = str(world.machine.devices.order_by("pk")[0].address)
    devices = world.machine.devices.count()
    made = end.post(f"/machines/{machine}/services", {"protocol": "vnc", "address": address})
    [vnc] = [row for row in made.json()["services"] if row["port"] == 5900]
    assert (vnc["protocol"], vnc["name"], vnc["address"]) == ("vnc", "vnc", address)
    assert world.machine.devices.count() == devices
    signed_in(world.owner).post(
        f"/machines/{machine}/services/add/", {"protocol": "tcp", "port": "9600", "address": "192.168.10.98"}
    )
    assert Service.objects.get(port=9600).device.address == "192.168.10.98"
    page = shown(signed_in(world.owner), f"/services/{vnc['service']}/remove/")
    assert "Sessions that use it may finish" in page
    signed_in(world.owner).post(f"/services/{vnc['service']}/remove/")
    assert not Service.objects.filter(public_id=vnc["service"]).exists()


def test_a_person_is_entered_with_a_new_supplier_and_an_invitation(world: World) -> None:
    form = {
        "organisation": world.organisation, "name": "Technician of ovens", "email": "ovens@ovens.example",
        "role": "technician", "new_supplier": "Ovens",
    }  # fmt: skip
    both = signed_in(world.owner, proved=True).post("/people/add/", {**form, "supplier": world.supplier})
    assert "Either one of the list or a new one." in both.content.decode()
    asked = signed_in(world.owner).get("/people/add/")
    assert asked.headers["Location"].startswith("/accounts/2fa/reauthenticate/")
    answer = signed_in(world.owner, proved=True).post("/people/add/", form)
    assert "/accounts/password/reset/key/" in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    made = Person.objects.get(email="ovens@ovens.example")
    assert made.memberships.get().supplier == Supplier.objects.get(name="Ovens")
    twice = signed_in(world.owner, proved=True).post(
        "/people/add/", {**form, "new_supplier": "Ovens", "email": "b@b.example"}
    )
    assert twice.status_code == 200
    assert not Person.objects.filter(email="b@b.example").exists()
    assert signed_in(world.technician).get("/people/add/").status_code == 404
    assert signed_in(world.operator).get("/people/add/").status_code == 403
