# SPDX-License-Identifier: Apache-2.0
"""Reasons that whoever asks chooses from: the owner's words, of one plant or of all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from portineria.control.access import services as access
from portineria.control.access.locks import lock
from portineria.control.access.maintaining import begin_maintenance
from portineria.control.access.models import AccessRequest, Rule
from portineria.control.access.reason import ListedReason
from portineria.control.access.reasons import ReasonsAsked, lists, reasons_at, set_reasons
from portineria.control.access.rules import Conditions
from portineria.control.audit.queries import events, views
from portineria.control.identity.models import Organisation
from portineria.control.identity.services import BadField
from portineria.core.errors import Denied, NotFound
from portineria.policy.ending import Locked
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser
from tests.integration.control.declared import applied, proposal
from tests.integration.control.world import ConnectorEnd, World

HOSTILE = "</option><script>alert(1)</script>"


def listed(world: World, *reasons: str, plant: str = "") -> None:
    set_reasons(actor=world.owner, organisation=world.organisation, reasons=reasons, plant=plant)


def insisting(world: World) -> None:
    access.change_rule(actor=world.owner, rule=world.rule, conditions=Conditions(needs_listed_reason=True))


def test_a_request_names_one_of_the_list_besides_words_of_its_own_where_the_rule_insists(world: World) -> None:
    with pytest.raises(BadField):
        insisting(world)  # there is nothing to choose from
    listed(world, "Fault", " Planned \n maintenance ", HOSTILE)
    insisting(world)
    wanted: dict[str, Any] = {"machine": world.machine.public_id, "reason": "belt", "minutes": 60}
    for wrong in ("", "Fun", "fault"):
        with pytest.raises(BadField) as refused:
            access.make_request(actor=world.technician, listed_reason=wrong, **wanted)
        assert "Planned maintenance" in str(refused.value.values["reasons"])
    page, there = signed_in(world.technician), f"/machines/{world.machine.public_id}/ask/"
    form = shown(page, there)
    assert '<option value="Planned maintenance">' in form
    assert HOSTILE not in form
    assert page.post(there, {"reason": "belt", "minutes": "60"}).status_code == 200
    said = {"reason": "belt", "minutes": "60", "listed_reason": "Planned maintenance"}
    assert page.post(there, said).status_code == 302
    row = AccessRequest.objects.get()
    assert (row.reason, row.listed_reason) == ("belt", "Planned maintenance")
    listed(world, "Fault")  # what was asked keeps its words
    assert "Planned maintenance" in shown(signed_in(world.approver), f"/requests/{row.public_id}/")
    [told] = [event.fields for event in views(events(world.owner)[:20]) if event.code == "access.request.made"]
    assert told["listed_reason"] == "Planned maintenance"
    access.cancel(actor=world.technician, request=row.public_id)
    end = ConnectorEnd(world.technician)
    assert end.call("GET", f"/machines/{world.machine.public_id}").json()["reasons"] == ["Fault"]
    assert end.call("POST", "/requests", wanted).json()["code"] == "field.listed_reason"
    assert end.call("POST", "/requests", wanted | {"listed_reason": "Fault"}).json()["listed_reason"] == "Fault"


def test_a_plant_s_own_list_counts_there_and_the_organisation_s_elsewhere(world: World) -> None:
    listed(world, "Fault", "Audit")
    listed(world, "Melt shop stop", plant=world.plant)
    assert reasons_at(world.machine) == ["Melt shop stop"]
    listed(world, plant=world.plant)
    assert reasons_at(world.machine) == ["Fault", "Audit"]
    insisting(world)
    with pytest.raises(ReasonsAsked):
        listed(world)
    page, form = signed_in(world.owner), {"everywhere": "Fault\n\nInspection\nFault", world.plant: "Stop"}
    assert page.post("/reasons/", form).status_code == 302
    owner = Organisation.objects.get(public_id=world.organisation)
    assert lists(owner) == {"": ["Fault", "Inspection"], world.plant: ["Stop"]}
    assert page.post("/reasons/", form | {"everywhere": "", world.plant: "Go"}).status_code == 200
    assert lists(owner)[world.plant] == ["Stop"]  # all lists, or none
    assert signed_in(world.approver).get("/reasons/").status_code == 403
    assert signed_in(world.technician).get("/reasons/").status_code == 404


def asking(world: World, reason: str) -> None:
    access.make_request(actor=world.technician, machine=world.machine.public_id, reason=reason, minutes=60)


def test_a_reason_is_what_whoever_approves_sees_of_it(world: World) -> None:
    page, asked = signed_in(world.technician), {"reason": "", "minutes": "60"}
    for wrong in ("\u202egnorw", "\u200b", "a\x07b", " "):
        said = page.post(f"/machines/{world.machine.public_id}/ask/", asked | {"reason": wrong})
        assert said.status_code == 200
        with pytest.raises(BadField):
            asking(world, wrong)
    said = page.post(f"/machines/{world.machine.public_id}/ask/", asked | {"reason": "\u202egnorw\u200b\u202e"})
    told = said.content.decode()
    assert "none of them invisible" in told
    assert "that nobody sees: U+202E RIGHT-TO-LEFT OVERRIDE, U+200B ZERO WIDTH SPACE." in told
    assert told.count("\u202e") == 2  # in the field, as it was typed, and nowhere else
    assert "that nobody sees" not in page.post(f"/machines/{world.machine.public_id}/ask/", asked).content.decode()
    asking(world, "<script>\r\n\t点検、漏れ")


@pytest.mark.parametrize("wrong", ["\u202egnorw", "\u200b", "a\x07b"])
def test_whoever_decides_or_locks_hides_nothing_in_their_words_either(world: World, wrong: str) -> None:
    request, machine = world.request(), world.machine.public_id
    here: dict[str, Any] = {"actor": world.owner, "organisation": world.organisation, "reason": wrong}
    acts: list[Callable[[], object]] = [
        partial(access.agree, actor=world.owner, request=request, reason=wrong),
        partial(access.refuse, actor=world.owner, request=request, reason=wrong),
        partial(lock, kind=Locked.MACHINE, thing=machine, **here),
        partial(begin_maintenance, machine=machine, **here),
    ]
    for act in acts:
        with pytest.raises(BadField) as refused:
            act()
        assert refused.value.code == "field.reason"
    assert access.agree(actor=world.owner, request=request, reason=" ") is not None


def test_who_writes_lists_and_what(world: World) -> None:
    of: dict[str, Any] = {"organisation": world.organisation, "reasons": ["Fault"]}
    for who, refused in ((world.approver, Denied), (world.technician, NotFound), (world.stranger, NotFound)):
        with pytest.raises(refused):
            set_reasons(actor=who, **of)
    for plant in ("pla_aaaaaaaaaaaaaaaa", "x"):
        with pytest.raises(NotFound):
            set_reasons(actor=world.owner, plant=plant, **of)
    for wrong in ([""], ["x" * 61], ["\u202egnorw"], [str(number) for number in range(31)]):
        with pytest.raises(BadField):
            listed(world, *wrong)
    assert not ListedReason.objects.exists()
    listed(world, *(f"{number:02} " + "x" * 57 for number in range(30)))  # the longest that there can be
    with pytest.raises(IntegrityError), transaction.atomic():
        ListedReason.objects.update(text="the same")


def test_rest_and_declared_files_carry_them(world: World) -> None:
    end = Browser(world.owner)
    made = end.post("/reasons", {"organisation": world.organisation, "reasons": ["Fault"]}).json()
    assert made == {"organisation": world.organisation, "reasons": ["Fault"], "plants": {}}
    assert end.get("/reasons").json()["items"] == [made]
    terms = {"machines": [world.machine.public_id], "needs_listed_reason": True}
    assert end.post(f"/rules/{world.rule}/change", terms).json()["needs_listed_reason"] is True
    asked = {"machine": world.machine.public_id, "reason": "x", "minutes": 5, "listed_reason": "Fault"}
    assert Browser(world.technician).post("/requests", asked).json()["listed_reason"] == "Fault"
    rule = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\n'
    assert proposal(rule).empty
    [said] = proposal(rule + "needs_listed_reason = false\n").changed
    assert said.endswith("without a listed reason")
    applied(rule + "needs_listed_reason = false\n")
    assert not Rule.objects.get(public_id=world.rule).needs_listed_reason
