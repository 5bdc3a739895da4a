# SPDX-License-Identifier: Apache-2.0
"""Rules that name a plant, a zone, a line or a label: whatever stands there at this moment, and nothing else."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import queries, services
from portineria.control.access.models import Rule, RulePlace
from portineria.control.access.simulation import would_open
from portineria.control.audit.queries import events, views
from portineria.control.declaration.document import Faulty
from portineria.control.estate import services as estate
from portineria.control.estate.labels import set_labels, words_of
from portineria.control.estate.models import Machine
from portineria.control.identity.services import BadField
from portineria.core.errors import Denied, NotFound
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser
from tests.integration.control.declared import PRESS, applied, proposal
from tests.integration.control.world import World, fresh, machine_with_service

PLACES = ["plant North", "zone North/Press shop", "line North/Line 1", "label paint"]


@pytest.fixture
def placed(linked: World) -> World:
    """One machine more, behind the same gateway, which no rule names; and places where it does not stand."""
    machine_with_service(linked.owner, linked.plant, linked.gateway.id, "Oven 1")
    estate.create_zone(actor=linked.owner, plant=linked.plant, name="Press shop")
    estate.create_line(actor=linked.owner, plant=linked.plant, name="Line 1", zone="Press shop")
    set_labels(actor=linked.owner, machine=linked.rivals_machine.public_id, labels=["paint"])
    return linked


def oven() -> Machine:
    return Machine.objects.select_related("plant", "line", "gateway").get(name="Oven 1")


def join(w: World, place: str, there: bool = True) -> None:
    kind = place.partition(" ")[0]
    if kind == "label":
        set_labels(actor=w.owner, machine=oven().public_id, labels=["paint", "hot"] if there else ["hot"])
    elif kind != "plant":
        estate.change_machine(actor=w.owner, machine=oven().public_id, line="Line 1" if there else "")


def told(w: World) -> tuple[bool, bool, bool, bool]:
    """Whether the technician may ask, and whether the three questions about rules know of it."""
    seen = {sight.machine.name for sight in queries.visible_machines(fresh(w.technician)) if sight.max_minutes}
    naming = queries.rules_naming(w.owner, oven()).filter(public_id=w.rule).exists()
    would = would_open([(w.technician.pk, oven())], timezone.now())[w.technician.pk, oven().pk]
    reach = shown(signed_in(w.owner), f"/people/{w.organisation}/{w.technician.public_id}/reach/")
    return "Oven 1" in seen, naming, bool(would), "Oven 1" in reach


@pytest.mark.parametrize("place", PLACES)
def test_what_joins_a_place_is_named_from_then_on_and_what_leaves_it_no_longer(placed: World, place: str) -> None:
    w = placed
    if place == "plant North":
        assert told(w) == (False, False, False, False)
    services.change_rule(actor=w.owner, rule=w.rule, places=[place])
    if place != "plant North":
        assert told(w) == (False, False, False, False)
        join(w, place)
    assert told(w) == (True, True, True, True)
    made = services.make_request(actor=w.technician, machine="Oven 1", reason="x", minutes=30)
    grant = services.approve(actor=w.owner, request=made.public_id)
    assert grant.rule.public_id == w.rule
    [reached] = queries.sights_and_reachable(fresh(w.technician), [])[1]
    assert reached.machine.name == "Oven 1"
    # Whoever has nothing to do with that rule hears nothing of it.
    assert [seen.machine.name for seen in queries.visible_machines(fresh(w.rival))] == ["Press 4"]
    if place == "plant North":
        services.change_rule(actor=w.owner, rule=w.rule, places=[])
    else:
        join(w, place, there=False)
    assert told(w) == (False, False, False, False)
    assert queries.sights_and_reachable(fresh(w.technician), [])[1] == []


@pytest.mark.sqlite
def test_a_rule_may_name_places_alone_and_says_so_everywhere(placed: World) -> None:
    w = placed
    services.change_rule(actor=w.owner, rule=w.rule, machines=[], places=PLACES[1:])
    assert not queries.visible_machines(fresh(w.technician))[1:]  # Press 4, by its label
    with pytest.raises(NotFound):
        services.change_rule(actor=w.owner, rule=w.rule, places=[])
    assert RulePlace.objects.count() == 3  # what was refused changed nothing
    newest = Rule.objects.get(public_id=w.rule).versions.order_by("-number")[0]
    assert newest.terms["places"] == ", ".join(PLACES[1:])
    assert views(events(w.owner)[:1])[0].fields["places"] == ", ".join(PLACES[1:])
    browser = signed_in(w.owner)
    for address in ("/rules/", f"/rules/{w.rule}/", f"/rules/{w.rule}/change/"):
        page = shown(browser, address)
        assert "all machines of line Line 1 (North)" in page
        assert "all machines labelled paint" in page
    assert "Press 4" in shown(browser, f"/rules/{w.rule}/")
    assert w.rule in shown(browser, "/rules/?q=paint")
    form = {"machines": "", "max_minutes": "60", "approvals": "1", "places": ["label paint"]}
    assert browser.post(f"/rules/{w.rule}/change/", form).status_code == 302
    assert [str(place) for place in Rule.objects.get(public_id=w.rule).places.all()] == ["label paint"]
    assert "Select a valid choice" in browser.post(
        f"/rules/{w.rule}/change/", form | {"places": ["label paint", "plant Elsewhere"]}
    ).content.decode()  # fmt: skip


def test_a_label_of_one_organisation_names_nothing_of_another(placed: World) -> None:
    w = placed
    other = w.stranger.memberships.get().organisation
    theirs = estate.create_plant(actor=w.stranger, organisation=other.public_id, name="Elsewhere", time_zone="UTC")
    for place in ("plant Elsewhere", "line North/Line 9", "label ", "North", "x" * 500):
        with pytest.raises(BadField):
            services.change_rule(actor=w.owner, rule=w.rule, places=[place])
    with pytest.raises(BadField):
        services.create_rule(
            actor=w.stranger, organisation=other.public_id, person=w.stranger.public_id, machines=[],
            places=["label paint"],
        )  # fmt: skip
    services.create_rule(
        actor=w.stranger, organisation=other.public_id, person=w.stranger.public_id, machines=[],
        places=[f"plant {theirs.name}"],
    )  # fmt: skip
    assert {seen.machine.name for seen in queries.visible_machines(fresh(w.stranger))} == set()
    with pytest.raises(BadField):
        services.change_rule(actor=w.owner, rule=w.rule, places=[f"label x{number}" for number in range(21)])
    row = RulePlace.objects.get(plant=theirs)
    for change in ({"plant": None}, {"label": w.rivals_machine.labels.get()}):
        with pytest.raises(IntegrityError), transaction.atomic():
            RulePlace.objects.filter(pk=row.pk).update(**change)


@pytest.mark.sqlite
def test_labels_are_short_words_that_administrators_set(placed: World) -> None:
    w, oven_id = placed, oven().public_id
    set_labels(actor=w.owner, machine=oven_id, labels=["ＰＡＩＮＴ", "Hot-1", "hot-1", "塗装"])
    assert words_of(oven()) == ["hot-1", "paint", "塗装"]
    said = views(events(w.owner)[:1])[0].fields
    assert (said["machine"], said["labels"], said.get("previous_labels", "")) == (oven_id, "hot-1 paint 塗装", "")
    before = events(w.owner).count()
    set_labels(actor=w.owner, machine=oven_id, labels=["paint", "塗装", "hot-1"])
    assert events(w.owner).count() == before
    for bad in ("", "two words", "<b>", "a" * 33, "\u202epaint", "-x", "a\x00"):
        with pytest.raises(BadField):
            set_labels(actor=w.owner, machine=oven_id, labels=[bad])
    with pytest.raises(BadField):
        set_labels(actor=w.owner, machine=oven_id, labels=[f"x{number}" for number in range(17)])
    for who, why in ((w.operator, Denied), (w.technician, NotFound), (w.stranger, NotFound)):
        with pytest.raises(why):
            set_labels(actor=who, machine=oven_id, labels=["paint"])
    browser = signed_in(w.owner)
    assert "hot-1 paint 塗装" in shown(browser, f"/machines/{oven_id}/labels/")
    assert browser.post(f"/machines/{oven_id}/labels/", {"labels": "paint, cold"}).status_code == 302
    assert words_of(oven()) == ["cold", "paint"]
    assert "cold" in shown(browser, f"/machines/{oven_id}/")
    assert "A label is one word" in browser.post(f"/machines/{oven_id}/labels/", {"labels": "<b>"}).content.decode()
    assert signed_in(w.operator).get(f"/machines/{oven_id}/labels/").status_code == 403


@pytest.mark.sqlite
def test_programs_set_labels_and_places(placed: World) -> None:
    w = placed
    program = Browser(w.owner)
    page = f"/machines/{oven().public_id}"
    assert program.post(f"{page}/labels", {"labels": ["Hot"]}).json()["labels"] == ["hot"]
    assert program.post(f"{page}/labels", {"labels": ["<b>"]}).status_code == 422
    assert program.get(page).json()["labels"] == ["hot"]
    made = program.post("/rules", {
        "organisation": w.organisation, "supplier": w.supplier, "places": ["label hot", "line North/Line 1"],
    }).json()  # fmt: skip
    assert made["places"] == ["label hot", "line North/Line 1"]
    assert made["machines"] == 0
    named = program.get(f"/rules/{made['rule']}/machines").json()
    assert [machine["name"] for machine in named["items"]] == ["Oven 1"]
    assert program.post(f"/rules/{made['rule']}/change", {"places": ["label none"]}).status_code == 422
    assert program.post(f"/rules/{made['rule']}/change", {}).status_code == 404


@pytest.mark.sqlite
def test_a_file_declares_labels_and_places(placed: World) -> None:
    declared = (
        PRESS
        + 'labels = ["Heavy"]\n[[rule]]\nsupplier = "Presses & Co"\nplaces = ["label heavy", "line North/Line 1"]\n'
    )
    added = proposal(declared)
    assert "machine North/Press 3: labels none → heavy" in " ".join(added.changed)
    assert "rule for Presses & Co: label heavy, line North/Line 1" in " ".join(added.added)
    applied(declared)
    assert proposal(declared).empty
    [made] = [rule for rule in Rule.objects.all() if rule.places.exists()]
    assert sorted(str(place) for place in made.places.all()) == ["label heavy", "line North/Line 1"]
    less = declared.replace(', "line North/Line 1"', "")
    assert f"{made.public_id} for Presses & Co: no longer all of line North/Line 1" in " ".join(proposal(less).changed)
    for wrong, why in (
        ('[[rule]]\nsupplier = "Presses & Co"\n', "names no machine and no place"),
        ('[[rule]]\nsupplier = "Presses & Co"\nplaces = ["label none"]\n', "there is no label none"),
        (PRESS + 'labels = ["two words"]\n', "labels"),
    ):
        with pytest.raises(Faulty, match=why):
            proposal(wrong)
