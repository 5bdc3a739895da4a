# SPDX-License-Identifier: Apache-2.0
"""Levels of approvals on the pages: written in a rule's form, said in words, shown with each request."""

from __future__ import annotations

import html

import pytest

from portineria.control import doctor_rows
from portineria.control.access import bundles
from portineria.control.access import services as access
from portineria.control.access.levels import LevelTerms
from portineria.control.access.models import AccessRequest, Grant, Rule
from portineria.control.identity import groups
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.test_approval_levels import grouped, named, two_levels, wanting
from tests.integration.control.test_rule_pages import FORM
from tests.integration.control.test_substitutes import stand_in
from tests.integration.control.world import World, fresh

pytestmark = pytest.mark.sqlite  # what its pages ask is asked of PostgreSQL by test_every_address and test_large_estate


def said(page: str) -> str:
    return html.unescape(page)


def test_levels_are_written_in_the_form_and_said_in_words(linked: World) -> None:
    w, browser = linked, signed_in(linked.owner)
    group = grouped(w, "Maintenance", w.approver, w.operator)
    levels = {
        "approvals": "1", "group_1": group, "approvals_2": "1", "people_2": "owner@example.com, approver@example.com",
    }  # fmt: skip
    form = FORM | {"supplier": w.supplier} | levels
    words = said(browser.post("/rules/sentence/", form).content.decode())
    assert "level after level: by 1 of group Maintenance, then 1 of owner@example.com / approver@example.com." in words
    made = browser.post("/rules/add/", form).headers["Location"].split("/")[2]
    assert [(row.approvals, row.whom) for row in Rule.objects.get(public_id=made).levels.order_by("number")] == [
        (1, "group"), (1, "people")
    ]  # fmt: skip
    page = said(shown(browser, f"/rules/{made}/"))
    assert "by 1 of group Maintenance, then 1 of Approver / Owner." in page
    assert "Who may approve now: 1 of 1 from group Maintenance; 1 of 2 from Approver / Owner" in page
    assert "Nothing can be approved under this rule" not in page
    assert "in 2 levels" in shown(browser, "/rules/")
    changing = shown(browser, f"/rules/{made}/change/")
    assert f'<option value="{group}" selected>Maintenance</option>' in changing
    assert 'value="approver@example.com, owner@example.com"' in changing
    assert '<details class="field" open><summary>Further levels' in changing
    keep = form | {"machines": "Press 3", "approvals_2": "", "people_2": ""}
    assert browser.post(f"/rules/{made}/change/", keep).status_code == 302
    page = said(shown(browser, f"/rules/{made}/"))
    assert "approval levels: 1 of group Maintenance; 1 of Approver / Owner → 1 of group Maintenance" in page
    assert "It has to be approved by 1 of group Maintenance." in page
    groups.close_group(actor=w.owner, group=group, reason="x")
    page = said(shown(browser, f"/rules/{made}/"))
    assert "level 1 asks for 1 approvals, and only 0 could be given there" in page
    [finding] = doctor_rows._rules()
    assert (finding.check, finding.number) == ("rules.approvers", 1)
    assert made in finding.seen
    assert browser.post(f"/rules/{made}/change/", keep | {"max_minutes": "60"}).status_code == 302  # what it said stays


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"group_1": "yes", "people_1": "owner@example.com"}, "Choose a group, or name people"),
        ({"people_2": "owner@example.com"}, "Say how many of them have to approve."),
        ({"approvals": "0", "approvals_2": "1"}, "Nobody has to approve here, and yet somebody is asked"),
        ({"people_1": "stranger@example.com"}, "Nobody here has this address."),
        ({"people_1": "operator@example.com"}, "level 1 asks for 2 approvals, and only 0 could be given there"),
        ({"approvals": "1", "approvals_2": "1"}, "no two of the same people"),
        ({"approvals": "3"}, "level 1 asks for 3 approvals, and only 2 could be given there"),
    ],
)
def test_levels_that_make_no_sense_are_said_in_the_form(linked: World, changed: dict[str, str], why: str) -> None:
    group = grouped(linked, "Maintenance", linked.approver) if "group_1" in changed else ""
    form = FORM | {"supplier": linked.supplier} | changed | ({"group_1": group} if group else {})
    page = signed_in(linked.owner).post("/rules/add/", form)
    assert page.status_code == 200
    assert why in said(page.content.decode())
    assert not Rule.objects.filter(max_minutes=240).exists()


def test_a_request_says_where_it_stands_and_only_whoever_is_asked_can_say_yes(linked: World) -> None:
    w = linked
    two_levels(w)
    request = w.request()
    address, owner, approver = f"/requests/{request}/", signed_in(w.owner), signed_in(w.approver)
    early = said(shown(owner, address))
    assert "level 1 of 2: 0 of 1 approvals</strong>, of: group Maintenance" in early
    assert "level 2 of 2: 0 of 1 approvals, of: Owner" in early
    assert "Waiting for a yes of: <bdi>Approver</bdi>" in early
    assert "Others are asked for their yes now" in early
    assert "/approve/" not in early
    assert "/refuse/" in early
    refused = owner.post(f"{address}approve/", {"reason": "seen"})
    assert refused.status_code == 403
    assert "others are asked for their yes now" in said(refused.content.decode())
    assert request not in shown(owner, "/approvals/").split("others-title")[0]
    mine = said(shown(signed_in(w.technician), address))
    assert "level 1 of 2: 0 of 1 approvals" in mine
    assert "Maintenance" not in mine
    assert "Waiting for a yes of" not in mine
    assert approver.post(f"{address}approve/", {"reason": "seen"}).status_code == 302
    assert "Your yes is kept." in said(shown(approver, address))
    late = said(shown(owner, address))
    assert "level 2 of 2: 0 of 1 approvals</strong>, of: Owner" in late
    assert "/approve/" in late
    assert owner.post(f"{address}approve/", {"reason": "seen"}).status_code == 302
    assert Grant.objects.count() == 1


def test_a_request_that_nobody_can_say_yes_to_says_so(linked: World) -> None:
    w = linked
    group = grouped(w, "Maintenance", w.approver)
    wanting(w, LevelTerms(group=group), named(w.owner))
    request = w.request()
    groups.take_out(actor=w.owner, group=group, person=w.approver.public_id)
    assert "Nobody can say yes now" in shown(signed_in(w.owner), f"/requests/{request}/")


def test_what_was_asked_together_is_approved_where_ones_yes_is_asked(linked: World) -> None:
    w = linked
    access.create_rule(
        actor=w.owner, organisation=w.organisation, machines=[w.rivals_machine.public_id], supplier=w.supplier
    )
    two_levels(w)
    made = bundles.make_requests(
        actor=w.technician, machines=[w.machine.public_id, w.rivals_machine.public_id], reason="belt", minutes=30
    )
    owner = signed_in(w.owner)
    other = next(row for row in made if row.machine_id == w.rivals_machine.pk)
    page = shown(owner, f"/requests/{other.public_id}/")
    assert "approve-all" not in page  # only one of them is theirs
    assert "approve-all" not in shown(signed_in(w.rival), "/requests/")
    both = shown(signed_in(w.approver), f"/requests/{other.public_id}/")
    assert both.count('name="seen"') == 2
    assert AccessRequest.objects.filter(state="pending").count() == 2


def test_the_simulator_says_whose_yes_would_be_asked(linked: World) -> None:
    w = linked
    address = f"/rules/simulate/?person=technician@example.com&machine={w.machine.public_id}"
    assert "would need 1 of 2 from whoever approves" in shown(signed_in(w.owner), address)
    two_levels(w)
    page = said(shown(signed_in(w.owner), address))
    assert "would need 1 of 1 from group Maintenance; 1 of 1 from Owner" in page


def test_every_page_counts_what_waits_for_ones_own_yes(linked: World) -> None:
    w = linked
    two_levels(w)
    request, people = w.request(), (w.owner, w.approver, w.operator)

    def counted() -> list[bool]:
        return ["1 request waits for you" in shown(signed_in(fresh(one)), "/people/") for one in people]

    assert counted() == [False, True, False]
    stand_in(w, w.approver, w.operator)
    assert counted() == [False, True, True]
    access.agree(actor=w.approver, request=request)
    assert counted() == [True, False, False]
