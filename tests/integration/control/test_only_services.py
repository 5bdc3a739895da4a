# SPDX-License-Identifier: Apache-2.0
"""Rules that open single services of a machine: the others are in no order, and nobody is told of them."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.models import Grant, Rule
from portineria.control.access.only_services import NoServiceLeft, clean_services, named
from portineria.control.audit.queries import events, views
from portineria.control.estate import services as estate
from portineria.control.estate.models import Service
from portineria.control.identity.services import BadField
from portineria.control.remote_sessions import services
from portineria.wire.statement import Order
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser
from tests.integration.control.declared import applied, proposal
from tests.integration.control.sessions import accepted, again, said_to, session_key, started
from tests.integration.control.world import ConnectorEnd, World


@pytest.fixture
def served(linked: World) -> World:
    """The machine has three services besides its controller's."""
    device = linked.machine.devices.get()
    for name, protocol, port in (("HMI", "vnc", 5900), ("shell", "ssh", 22), ("old shell", "telnet", 23)):
        estate.add_service(actor=linked.owner, device=device.public_id, name=name, protocol=protocol, port=port)
    return linked


def keep_to(w: World, *words: str) -> None:
    access.change_rule(actor=w.owner, rule=w.rule, only_services=words)


def ordered(w: World, session: object) -> set[int]:
    orders = [letter for letter in said_to(w, session) if isinstance(letter, Order)]  # type: ignore[arg-type]
    return {asset.port for order in orders for asset in order.assets}


def test_what_a_rule_does_not_name_is_neither_ordered_nor_told(served: World) -> None:
    w = served
    keep_to(w, "MODBUS", "hmi", "modbus")
    assert Rule.objects.get(public_id=w.rule).only_services == "hmi\nmodbus"
    assert views(events(w.owner)[:1])[0].fields["only_services"] == "hmi, modbus"
    technician, owner = signed_in(w.technician), signed_in(w.owner)
    page = f"/machines/{w.machine.public_id}/"
    assert "Only these services will be open:" in shown(technician, f"{page}ask/")
    request = w.request()
    card = shown(owner, f"/requests/{request}/")
    assert card.count("left out: the rule names other services") == 2
    assert "<s>old shell</s>" in card
    assert "<dt>Only these services</dt><dd>hmi, modbus</dd>" in shown(technician, f"/requests/{request}/")
    access.approve(actor=w.owner, request=request)
    opened = services.start_session(actor=w.technician, machine="Press 3", key=session_key(), address="")
    assert {service.name for service in opened.services} == {"modbus", "HMI"}
    assert ordered(w, opened.session) == {502, 5900}
    told = ConnectorEnd(w.technician).call("GET", "/machines/Press%203").json()["services"]
    assert {service["name"] for service in told} == {"modbus", "HMI"}
    assert "shell" not in shown(technician, page)
    assert "shell" in shown(owner, page)
    assert "only hmi, modbus" in shown(owner, page)
    assert "Only these services open: hmi, modbus." in shown(owner, f"/rules/{w.rule}/")


def test_a_wider_rule_is_no_wider_for_what_was_given_and_a_narrower_one_is_at_once(served: World) -> None:
    w = served
    keep_to(w, "modbus", "ssh")
    session = accepted(w, started(w))
    assert ordered(w, session) == {502, 22}
    keep_to(w)
    assert services.enforce(timezone.now()) == 0
    assert ordered(w, session) == {502, 22}
    keep_to(w, "ssh", "telnet")
    assert services.enforce(timezone.now()) == 1
    assert ordered(w, again(session)) == {22}
    assert Grant.objects.get().only_services == "modbus\nssh"
    keep_to(w, "telnet")  # nothing is left of what was given: what runs may finish
    accepted(w, again(session))
    assert services.enforce(timezone.now()) == 1
    assert (again(session).state, again(session).end_why) == ("draining", "no-service-left")


@pytest.mark.sqlite
def test_a_yes_to_other_services_than_were_shown_counts_for_nothing(served: World) -> None:
    w = served
    keep_to(w, "modbus")
    request, owner = w.request(), signed_in(w.owner)
    [mark] = re.findall(r'name="profile" value="([^"]*)"', shown(owner, f"/requests/{request}/"))
    program = Browser(w.owner)
    assert program.get(f"/requests/{request}").json()["profile"] == mark
    assert program.get(f"/requests/{request}").json()["only_services"] == ["modbus"]
    keep_to(w, "modbus", "ssh")
    page = owner.post(f"/requests/{request}/approve/", {"profile": mark})
    assert "Nothing was approved: what may be done was changed since you looked." in page.content.decode()
    assert program.post(f"/requests/{request}/approve", {"profile": mark}).status_code == 409
    assert program.post(f"/requests/{request}/approve", {"profile": ""}).status_code == 409
    assert not Grant.objects.exists()
    keep_to(w, "modbus")
    assert owner.post(f"/requests/{request}/approve/", {"profile": mark}).status_code == 302
    assert Grant.objects.get().only_services == "modbus"


@pytest.mark.sqlite
def test_words_are_names_or_protocols_and_no_more_than_twenty(served: World) -> None:
    w = served
    with pytest.raises(NoServiceLeft, match="Press 3"):
        keep_to(w, "modbuss")
    assert Rule.objects.get(public_id=w.rule).only_services == ""
    for words in (["x" * 61], ["a\nb\x00"], [""], [f"w{number}" for number in range(21)]):
        with pytest.raises(BadField):
            keep_to(w, *words)
    assert len(clean_services([f"{number:02}" + "x" * 58 for number in range(20)])) == 1219
    rows = list(Service.objects.filter(device__machine=w.machine).order_by("port"))
    assert named("", rows) == rows
    assert [row.port for row in named("SHELL\nvnc", rows)] == [22, 5900]
    # A part of a name is another name.
    assert named("shel", rows) == []


@pytest.mark.sqlite
def test_forms_programs_and_files_say_it(served: World) -> None:
    w = served
    browser, program = signed_in(w.owner), Browser(w.owner)
    form = {"machines": "Press 3", "max_minutes": "60", "approvals": "1", "only_services": " HMI \n\nssh"}
    assert browser.post(f"/rules/{w.rule}/change/", form).status_code == 302
    assert program.get(f"/rules/{w.rule}").json()["only_services"] == ["HMI", "ssh"]
    assert "HMI\nssh" in shown(browser, f"/rules/{w.rule}/change/")
    assert "only these services: — → HMI, ssh" in shown(browser, f"/rules/{w.rule}/")
    none = browser.post(f"/rules/{w.rule}/change/", form | {"only_services": "nothing"}).content.decode()
    assert "No service of Press 3 has one of these names or protocols." in none
    body = {"machines": [w.machine.public_id], "only_services": ["telnet"]}
    assert program.post(f"/rules/{w.rule}/change", body).json()["only_services"] == ["telnet"]
    rule = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\nonly_services = ["ssh"]\n'
    assert "only services ssh" in " ".join(proposal(rule).changed)
    applied(rule)
    assert proposal(rule).empty
    assert Rule.objects.get(public_id=w.rule).only_services == "ssh"
    assert "all services" in " ".join(proposal(rule.replace('["ssh"]', "[]")).changed)
