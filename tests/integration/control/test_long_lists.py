# SPDX-License-Identifier: Apache-2.0
"""Machines and gateways of a large plant: leaf by leaf, found and sorted by the server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from portineria.control.access import queries as access
from portineria.control.access import services
from portineria.control.access.models import Grant, Rule
from portineria.control.estate import enrolment
from portineria.control.estate.models import Gateway, Line, Machine, Plant, Service
from portineria.control.identity.models import Person, Supplier
from portineria.policy.sight import Sight
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.world import World, fresh
from tests.integration.control.world_again import Kept, keep_more

pytestmark = pytest.mark.sqlite  # how many questions, whatever answers them
MANY = 2000
LEAF = 50
MOST_QUERIES = 12  # TARGETS, console.pages


def grown(linked: World) -> World:
    """Twenty lines of a hundred machines, all of which the supplier's people may ask for."""
    linked.link()
    plant, gateway = Plant.objects.get(public_id=linked.plant), Gateway.objects.get(public_id=linked.gateway.id)
    lines = Line.objects.bulk_create(Line(plant=plant, name=f"Hall {chr(65 + number)}") for number in range(20))
    machines = Machine.objects.bulk_create(
        Machine(
            plant=plant, gateway=gateway, line=lines[number % 20], name=f"Machine {number:04}",
            tag=f"K-{number:04}", criticality=("low", "high", "normal")[number % 3],
        )
        for number in range(MANY)
    )  # fmt: skip
    Rule.objects.get(public_id=linked.rule).machines.add(*machines)
    return linked


@pytest.fixture(scope="session")
def kept_large(kept: Kept, django_db_blocker: DjangoDbBlocker) -> Kept:
    """Once a process, not for each test."""
    with django_db_blocker.unblock():
        return keep_more(kept, grown, "large")


@pytest.fixture
def large(kept_large: Kept, db: None) -> World:
    return kept_large.put_back()


def names(page: str) -> list[str]:
    return re.findall(r">((?:Machine \d{4})|(?:Press \d))</a>", page.partition('id="machines"')[2])


def bands(page: str) -> list[str]:
    return [re.sub("<[^>]*>", "", band) for band in re.findall(r'<tr class="band"><th[^>]*>(.*?)</th>', page)]


def leaves(person: Person, address: str) -> Iterator[list[str]]:
    browser, number = signed_in(person), 1
    while True:
        page = shown(browser, f"{address}{'&' if '?' in address else '?'}page={number}")
        yield names(page)
        if 'rel="next"' not in page:
            return
        number += 1


@pytest.mark.parametrize("who", ["owner", "technician"])
def test_every_machine_is_on_one_leaf_and_no_leaf_is_long(large: World, who: str) -> None:
    person = getattr(large, who)
    found = list(leaves(person, "/machines/"))
    assert {len(leaf) for leaf in found[:-1]} == {LEAF}
    expected = [seen.machine.name for seen in access.visible_machines(fresh(person))]
    assert [name for leaf in found for name in leaf] == expected
    assert len(expected) == MANY + (2 if who == "owner" else 1)


@pytest.mark.parametrize("who", ["owner", "technician"])
@pytest.mark.parametrize("address", ["/machines/", "/machines/?q=machine+19", "/machines/?sort=-machine", "/gateways/"])
def test_a_leaf_costs_the_same_few_queries_however_many_there_are(large: World, who: str, address: str) -> None:
    large.grant()  # one that can be reached
    browser = signed_in(getattr(large, who))
    if who == "technician" and address == "/gateways/":
        address = "/"
    shown(browser, address)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        shown(browser, address)
    assert len(asked) <= MOST_QUERIES, [query["sql"][:150] for query in asked.captured_queries]


def test_a_leaf_keeps_plants_and_lines_together(large: World) -> None:
    browser = signed_in(large.owner)
    assert bands(shown(browser, "/machines/?page=2")) == ["North › Hall A"]
    assert bands(shown(browser, "/machines/?page=3")) == ["North › Hall A", "North › Hall B"]


@pytest.mark.parametrize(
    ("sort", "first"),
    [("machine", "Machine 0000"), ("-machine", "Press 4"), ("-tag", "Machine 1999"), ("tag", "Press 3"),
     ("criticality", "Machine 0040"), ("answering", "Press 3"), ("nonsense", "Press 3")],
)  # fmt: skip
def test_the_head_of_a_column_sorts_all_of_them_and_not_only_the_leaf(large: World, sort: str, first: str) -> None:
    page = shown(signed_in(large.owner), f"/machines/?sort={sort}")
    assert names(page)[0] == first
    assert bool(bands(page)) == (sort == "nonsense")
    column = sort.removeprefix("-")
    said = {column: "ascending", f"-{column}": "descending"}[sort] if sort != "nonsense" else "none"
    assert page.count(f'aria-sort="{said}"') == (1 if sort != "nonsense" else 4)


def test_clicks_on_a_head_go_up_down_and_back_and_keep_the_search(large: World) -> None:
    browser, address, seen = signed_in(large.owner), "/machines/?q=Hall+D&page=2", []
    for _ in range(3):
        page = shown(browser, address)
        [link] = re.findall(r'<th scope="col" class="sort"[^>]*><a href="(\?[^"]*)">Machine<', page)
        seen.append(link.replace("&amp;", "&"))
        address = "/machines/" + seen[-1]
    assert seen == ["?q=Hall+D&sort=machine", "?q=Hall+D&sort=-machine", "?q=Hall+D"]


def test_somebody_elses_tags_and_criticality_do_not_show_in_the_order(large: World) -> None:
    """A technician who guesses the address of the owner's columns gets the order that they see anyway."""
    browser = signed_in(large.technician)
    plain = names(shown(browser, "/machines/"))
    for sort in ("tag", "-tag", "criticality", "-criticality"):
        assert names(shown(browser, f"/machines/?sort={sort}")) == plain


@pytest.mark.parametrize(
    ("search", "who", "found"),
    [("machine 1999", "owner", 1), ("hall d", "owner", 100), ("north 0003", "owner", 1), ("k-0001", "owner", 1),
     ("plant", "owner", 0), ("machine 1999", "technician", 1), ("hall d", "technician", 0),
     ("k-0001", "technician", 0), ("north", "technician", 0), ("plant", "technician", MANY + 1),
     ("press 4", "technician", 0), ("%", "owner", 0)],
)  # fmt: skip
def test_a_search_looks_at_what_is_told_and_at_nothing_else(large: World, search: str, who: str, found: int) -> None:
    assert access.machines_in_sight(fresh(getattr(large, who)), search).count() == found


def test_what_can_be_reached_is_found_by_its_place_too(large: World) -> None:
    large.grant()
    [seen] = access.sights_and_reachable(fresh(large.technician), [])[1]
    assert (seen.machine.name, seen.sight) == ("Press 3", Sight.REACHABLE)
    assert [row.name for row in access.machines_in_sight(fresh(large.technician), "north")] == ["Press 3"]


@pytest.mark.parametrize(
    "shut",
    [
        "",
        "revoked",
        "over",
        "later",
        "rule without the machine",
        "another rule's",
        "gateway",
        "services",
    ],
)
def test_the_database_and_policy_agree_on_what_is_open(world: World, shut: str) -> None:
    """A search looks by place only where policy says reachable: a list must not know more than its rows."""
    world.grant()
    grants, at = Grant.objects.all(), timezone.now()
    if shut == "revoked":
        grants.update(revoked_at=at, ended_class="administrative")
    elif shut == "over":
        grants.update(starts_at=at - timedelta(hours=2), ends_at=at - timedelta(seconds=1))
    elif shut == "later":
        grants.update(starts_at=at + timedelta(hours=1), ends_at=at + timedelta(hours=2))
    elif shut == "rule without the machine":
        Rule.objects.get(public_id=world.rule).machines.clear()
    elif shut == "another rule's":  # the machine may be asked for all the same, but this grant is worth nothing
        services.create_rule(
            actor=world.owner, organisation=world.organisation, machines=[world.machine.public_id],
            supplier=world.supplier,
        )  # fmt: skip
        services.end_rule(actor=world.owner, rule=world.rule, reason="over")
    elif shut == "gateway":
        enrolment.revoke_gateway(actor=world.owner, gateway=world.gateway.id, reason="stolen")
    elif shut == "services":
        Service.objects.all().delete()
    person = fresh(world.technician)
    by_policy = [seen.machine.name for seen in access.visible_machines(person) if seen.sight is Sight.REACHABLE]
    assert by_policy == ([] if shut else ["Press 3"])
    assert [row.name for row in access.machines_in_sight(person, "north")] == by_policy
    assert [seen.machine.name for seen in access.sights_and_reachable(person, [])[1]] == by_policy


@pytest.mark.parametrize("gone", ["rule", "supplier", "membership"])
def test_a_grant_alone_shows_nothing(world: World, gone: str) -> None:
    """Those in sight are found by roles and rules; policy agrees for whoever still has a permission as well."""
    world.grant()
    if gone == "rule":
        services.end_rule(actor=world.owner, rule=world.rule, reason="over")
    elif gone == "supplier":
        Supplier.objects.update(disabled_at=timezone.now())
    else:
        world.technician.memberships.all().delete()
    person = fresh(world.technician)
    assert access.sights(person, list(Machine.objects.select_related("plant", "gateway"))) == []
    assert not access.machines_in_sight(person).exists()


def test_gateways_are_divided_into_leaves_and_sorted_too(linked: World) -> None:
    plant = Plant.objects.get(public_id=linked.plant)
    Gateway.objects.bulk_create(
        Gateway(
            plant=plant, name=f"cabinet {number:03}", state="waiting" if number == 70 else "refused",
            tls_key=b"", spki_sha256=bytes([number]) * 32, event_key=b"", sealing_key=b"",
        )
        for number in range(100, 200)
    )  # fmt: skip
    Gateway.objects.filter(name="cabinet 170").update(state="waiting")
    browser = signed_in(linked.owner)
    found = [
        re.findall(r">(cabinet \d+)</a>", shown(browser, f"/gateways/?page={number}")) for number in (1, 2, 3)
    ]  # fmt: skip
    assert [len(leaf) for leaf in found] == [50, 50, 1]
    assert len({name for leaf in found for name in leaf}) == 101
    by_state = re.findall(r">(cabinet \d+)</a>", shown(browser, "/gateways/?sort=state"))
    assert by_state[:2] == ["cabinet 170", "cabinet 4"]  # what waits for somebody, then what is connected
    assert re.findall(r">(cabinet \d+)</a>", shown(browser, "/gateways/?sort=-gateway"))[0] == "cabinet 4"


def test_the_page_of_a_gateway_has_its_machines_in_leaves(large: World) -> None:
    browser, path = signed_in(large.owner), f"/gateways/{large.gateway.id}/"
    first, last = shown(browser, path), shown(browser, f"{path}?machines=41")
    own = re.compile(r">(?:Machine \d{4}|Press \d)</a> <span class=\"mono quiet\">")
    assert (len(own.findall(first)), len(own.findall(last))) == (LEAF, 2)
