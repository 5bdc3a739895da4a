# SPDX-License-Identifier: Apache-2.0
"""Rules in the console: made and changed in plain words, their history, and what they would allow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from portineria.control.access import services
from portineria.control.access.models import Grant, Rule
from portineria.control.access.rules import Conditions
from portineria.control.identity import services as identity
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.world import World

pytestmark = pytest.mark.sqlite  # what its pages ask is asked of PostgreSQL by test_every_address

FORM = {
    "machines": "North/Press 3\nPress 4", "profile": "observe", "windows": "lun-ven 8:00-18:00", "max_minutes": "240",
    "approvals": "2", "needs_reference": "on", "watcher": "operator@example.com, owner@example.com",
}  # fmt: skip


def test_a_rule_is_made_in_a_form_and_said_in_words(linked: World) -> None:
    browser = signed_in(linked.owner)
    assert "observe" in shown(browser, "/rules/add/")
    said = browser.post("/rules/sentence/", FORM | {"supplier": linked.supplier}).content.decode()
    assert "People of Presses &amp; Co may ask for Press 3, Press 4, for up to 4 hours." in said
    assert "2 different people have to approve." in said
    assert "Only Mon-Fri 08:00-18:00, by the clock of the plant." in said
    assert "operator@example.com / owner@example.com watches." in said
    assert not Rule.objects.filter(max_minutes=240).exists()
    answer = browser.post("/rules/add/", FORM | {"supplier": linked.supplier})
    made = Rule.objects.get(max_minutes=240)
    assert answer.headers["Location"] == f"/rules/{made.public_id}/"
    assert (made.windows, made.approvals, made.needs_reference) == ("Mon-Fri 08:00-18:00", 2, True)
    assert [row.person for row in made.watchers.all()] == [linked.owner]
    assert (made.watcher, made.profile and made.profile.name) == (linked.operator, "observe")
    assert sorted(machine.name for machine in made.machines.all()) == ["Press 3", "Press 4"]
    for address in ("/rules/", f"/rules/{made.public_id}/", f"/machines/{linked.machine.public_id}/"):
        assert "Mon-Fri 08:00-18:00" in shown(browser, address)
    assert "lun-ven 08:00-18:00" in browser.get("/rules/", headers={"accept-language": "it"}).content.decode().lower()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"machines": "Press 9"}, "There is no machine Press 9."),
        ({"machines": "\n"}, "Please name at least one machine or place."),
        ({"windows": "2026-12-24 18:00-08:00"}, "This is not a window: 2026-12-24 18:00-08:00."),
        ({"windows": "<script>alert(1)</script>"}, "This is not a window: &lt;script&gt;"),
        ({"person": "technician@example.com"}, "one of these"),
        ({"supplier": "", "person": "stranger@example.com"}, "Nobody here has this address."),
        ({"supplier": ""}, "Choose a supplier or a group, or name one person"),
        ({"approvals": "6"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_a_rule_is_said_in_the_form(linked: World, changed: dict[str, str], said: str) -> None:
    page = signed_in(linked.owner).post("/rules/add/", FORM | {"supplier": linked.supplier} | changed)
    assert page.status_code == 200
    assert said in page.content.decode()
    assert Rule.objects.count() == 2


def test_a_rule_is_changed_and_shows_what_it_said_before(linked: World) -> None:
    browser = signed_in(linked.owner)
    assert "North/Press 3" in shown(browser, f"/rules/{linked.rule}/change/")
    assert browser.post(f"/rules/{linked.rule}/change/", FORM | {"machines": "Press 3"}).status_code == 302
    page = shown(browser, f"/rules/{linked.rule}/")
    assert "may ask for Press 3, for up to 4 hours." in shown(browser, f"/rules/{linked.rule}/change/")
    assert "Version 2" in page
    assert "approvals: 1 → 2" in page
    assert "when: — → Mon-Fri 08:00-18:00" in page
    assert "function profile: — → observe 1" in page
    assert "who watches: — → Operator" in page
    assert browser.post(f"/rules/{linked.rule}/end/", {"reason": "over"}).status_code == 302
    assert browser.get(f"/rules/{linked.rule}/").status_code == 404


def test_who_may_see_and_change_rules(linked: World) -> None:
    operator = signed_in(linked.operator)
    assert "/change/" not in shown(operator, f"/rules/{linked.rule}/")
    for address in ("/rules/add/", f"/rules/{linked.rule}/change/", f"/rules/{linked.rule}/end/"):
        assert operator.post(address, FORM | {"supplier": linked.supplier, "reason": "x"}).status_code == 403
    assert operator.post("/rules/sentence/", FORM).status_code == 403
    for who in (linked.technician, linked.stranger):
        assert signed_in(who).get(f"/rules/{linked.rule}/").status_code == 404
    for address in ("/rules/", "/rules/add/", "/rules/simulate/"):
        assert signed_in(linked.technician).get(address).status_code == 404


def test_the_simulator_says_every_reason_and_gives_nothing(linked: World) -> None:
    services.change_rule(actor=linked.owner, rule=linked.rule, windows="Mon 08:00-09:00")
    identity.set_supplier_enabled(actor=linked.owner, supplier=linked.supplier, enabled=False, reason="x")
    browser = signed_in(linked.operator)
    address = "/rules/simulate/?person=technician@example.com&machine=North/Press+3&at="
    closed = shown(browser, f"{address}2026-12-01T08:30")  # a Tuesday
    assert "the supplier is locked, outside the windows of the rule" in closed
    assert "there is no grant" in closed
    identity.set_supplier_enabled(actor=linked.owner, supplier=linked.supplier, enabled=True, reason="x")
    assert "may ask" in shown(browser, f"{address}2026-11-30T08:30")
    services.change_rule(
        actor=linked.owner, rule=linked.rule,
        conditions=Conditions(factor_minutes=15, needs_device=True, watcher=linked.operator.public_id),
    )  # fmt: skip
    assert "may ask" in shown(browser, f"{address}2026-11-30T08:30&factor_minutes=15")
    for proved, reason in (
        ("factor_minutes=16", "the second factor was proved too long ago"),
        ("device=none", "not from a computer that the owner knows"),
        ("device=revoked", "the computer is no longer trusted"),
        ("watched=no", "whoever has to watch does not look on"),
    ):
        assert reason in shown(browser, f"{address}2026-11-30T08:30&{proved}")
    Rule.objects.update(paused_until=datetime(2026, 12, 1, tzinfo=UTC))
    assert "a change of the rule waits for a second yes" in shown(browser, f"{address}2026-11-30T08:30")
    assert "no rule names them" in shown(browser, address.replace("technician", "rival"))
    assert "Nobody here" in shown(browser, address.replace("technician", "stranger"))
    assert not Grant.objects.exists()


def test_a_grant_of_another_day_is_simulated_too(linked: World) -> None:
    rome = ZoneInfo("Europe/Rome")
    starts = timezone.now() + timedelta(days=3)
    request = services.make_request(
        actor=linked.technician, machine="Press 3", reason="x", minutes=120, starts_at=starts
    )
    services.approve(actor=linked.owner, request=request.public_id)
    then = (starts + timedelta(minutes=60)).astimezone(rome).strftime("%Y-%m-%dT%H:%M")
    browser = signed_in(linked.owner)
    address = "/rules/simulate/?person=technician@example.com&machine=Press+3&at="
    assert "may connect" in shown(browser, address + then)
    assert "may connect" not in shown(browser, address)


def test_who_could_reach_it_and_what_they_could_reach_with_every_reason(linked: World) -> None:
    browser = signed_in(linked.operator)
    reach = f"/people/{linked.organisation}/{linked.technician.public_id}/reach/"
    page = shown(browser, f"/machines/{linked.machine.public_id}/who/")
    assert "Technician" in page
    assert "Rival" not in page
    assert "may ask" in page
    linked.grant()
    assert "may connect" in shown(browser, f"/machines/{linked.machine.public_id}/who/")
    assert "Press 3" in shown(browser, reach)
    assert "Press 4" not in shown(browser, reach)
    identity.set_supplier_enabled(actor=linked.owner, supplier=linked.supplier, enabled=False, reason="x")
    for address in (f"/machines/{linked.machine.public_id}/who/", reach):
        assert "the supplier is locked" in shown(browser, address)
        assert "may connect" not in shown(browser, address)
    assert signed_in(linked.technician).get(reach).status_code == 404


def test_machines_of_a_rule_are_found_however_many_lines_and_strokes_there_are(linked: World) -> None:
    browser = signed_in(linked.owner)
    for text in ("/" * 60_000, "\n".join("/" * 40 + str(number) for number in range(1999))):
        answer = browser.post("/rules/add/", FORM | {"supplier": linked.supplier, "machines": text})
        assert "There is no machine" in answer.content.decode()
