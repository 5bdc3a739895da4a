# SPDX-License-Identifier: Apache-2.0
"""What a page costs does not grow with the estate: the same queries for ten times as many rows, found by an index.

How long it takes is measured by tests/bench/database.py; here nothing is timed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portineria.control.access import queries as access
from portineria.control.access.facts import decision
from portineria.control.access.levels import LevelTerms
from portineria.control.access.models import AccessRequest, Grant, Rule
from portineria.control.access.services import agree
from portineria.control.audit.models import Event
from portineria.control.estate.models import Machine
from portineria.control.estate.services import create_plant
from portineria.control.identity.models import Person
from portineria.control.identity.queries import people
from portineria.control.identity.register import seal_to_the_end
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.models import Session
from portineria.control.statistics import refresh_statistics
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.crowd import crowd
from tests.integration.control.sessions import accepted, started
from tests.integration.control.test_approval_levels import grouped, named, wanting
from tests.integration.control.world import World, fresh

FEW, MANY = 50, 500
MOST_QUERIES = 12  # TARGETS, console.pages
LISTS = {
    "owner": ["/", "/machines/", "/machines/?q=mill", "/machines/?sort=-tag", "/approvals/", "/sessions/", "/gateways/",
              "/gateways/{gateway}/", "/people/", "/people/?q=person", "/sessions/{session}/", "/machines/{machine}/",
              "/sessions/{session}/report/",
              "/requests/{given}/", "/requests/{waiting}/", "/lists/reachable/", "/rules/", "/rules/add/",
              "/rules/{rule}/", "/rules/{rule}/change/", "/machines/{machine}/who/", "/people/{owner}/{person}/reach/",
              "/plants/", "/plants/{plant}/", "/events/", "/events/{owner}/{sealed}/", "/account/",
              "/emergencies/give/", "/approvals/substitutes/", "/program-contents/", "/approvals/?page=2"],
    "technician": ["/", "/work/", "/machines/", "/machines/?q=mill", "/requests/", "/sessions/",
                   "/sessions/{session}/", "/sessions/{session}/report/", "/machines/{machine}/",
                   "/machines/{machine}/ask/", "/requests/{given}/", "/requests/{waiting}/"],
}  # fmt: skip


def queries_of(call: Callable[[], object]) -> int:
    call()  # what is made at first use is made
    return queries_once(call)


def queries_once(call: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as asked:
        call()
    return len(asked)


def sealed_event(owner: str, session: str) -> int:
    """One that names a gateway and a session."""
    seal_to_the_end(owner)
    return Event.objects.filter(organisation=owner, session=session).order_by("-seq")[0].seq


def addresses(linked: World) -> list[tuple[str, str]]:
    """Of the lists, with something to be seen on each page: who looks, and at what."""
    create_plant(actor=linked.owner, organisation=linked.organisation, name="Second", time_zone="Asia/Tokyo")
    linked.grant()
    session = accepted(linked, started(linked)).public_id
    given = AccessRequest.objects.get(grant__sessions__public_id=session).public_id
    waiting = AccessRequest.objects.filter(state="pending", person=linked.technician).order_by("pk")[0]
    owner = linked.machine.plant.organisation.public_id
    named = {
        "gateway": linked.gateway.id, "session": session, "given": given, "waiting": waiting.public_id,
        "plant": linked.plant, "rule": linked.rule, "owner": owner, "person": linked.technician.public_id,
        "sealed": sealed_event(owner, session),
    }  # fmt: skip
    # Somebody asks for the machine whose page is looked at.
    AccessRequest.objects.filter(state="pending").exclude(pk=waiting.pk).update(machine=linked.machine)
    return [
        (who, address.format(machine=linked.machine.public_id, **named))
        for who, addresses_ in LISTS.items()
        for address in addresses_
    ]


def browsers_of(linked: World, *others: str) -> dict[str, Client]:
    found = {who: signed_in(getattr(linked, who)) for who in (*LISTS, *others)}
    for browser in found.values():
        shown(browser, "/")  # the browser is known
    return found


def test_every_list_takes_as_many_queries_for_500_as_for_50(linked: World) -> None:
    crowd(linked, FEW)
    pages, browsers = addresses(linked), browsers_of(linked)
    few = {(who, at): queries_once(lambda who=who, at=at: shown(browsers[who], at)) for who, at in pages}  # type: ignore[misc]
    crowd(linked, MANY - FEW)
    for who, at in pages:
        many = queries_once(lambda who=who, at=at: shown(browsers[who], at))  # type: ignore[misc]
        if many > few[who, at]:  # now and then a page notes that somebody is still there
            many = queries_of(lambda who=who, at=at: shown(browsers[who], at))  # type: ignore[misc]
        assert many <= few[who, at], (who, at)
        assert many <= MOST_QUERIES, (who, at, many)


def test_levels_of_approvals_leave_every_page_within_it(linked: World) -> None:
    """One request has its first yes and waits for the owner; all others wait for the approver."""
    crowd(linked, 10)
    pages, others = addresses(linked), ["approver", "operator"]
    group, named_ = grouped(linked, "Maintenance", linked.approver), named(linked.owner, linked.approver)
    wanting(linked, LevelTerms(1, group=group), named_)
    half = AccessRequest.objects.filter(state="pending", person=linked.technician).order_by("-pk")[0]
    agree(actor=linked.approver, request=half.public_id)
    simulated = f"/rules/simulate/?person=technician@example.com&machine={linked.machine.public_id}"
    pages += [
        ("owner", simulated),
        ("owner", f"/requests/{half.public_id}/"),
        ("technician", f"/requests/{half.public_id}/"),
    ]
    pages += [(other, at) for who, at in pages if who == "owner" and "/requests/req_" in at for other in others]
    pages += [(other, at) for at in ("/", "/approvals/", f"/machines/{linked.machine.public_id}/") for other in others]
    browsers = browsers_of(linked, *others)
    over = []
    for who, at in pages:
        count = queries_of(lambda who=who, at=at: shown(browsers[who], at))  # type: ignore[misc]
        if count > MOST_QUERIES:  # now and then a page notes that somebody is still there
            count = queries_once(lambda who=who, at=at: shown(browsers[who], at))  # type: ignore[misc]
        over += [(who, at, count)] if count > MOST_QUERIES else []
    assert over == []


def test_no_list_is_longer_than_its_leaf(linked: World) -> None:
    crowd(linked, MANY)
    browser = signed_in(linked.owner)
    assert shown(browser, "/").count('id="cut-') == 15
    assert shown(browser, "/sessions/").count('id="cut-') == 25
    last = shown(browser, "/sessions/?inside=8")
    assert last.count('id="cut-') == Session.objects.open().count() - 7 * 25
    assert f"</svg>{Session.objects.open().count()}</span>" in last.replace("\n", "")


@pytest.mark.parametrize("who", ["technician", "rival", "owner"])
def test_a_decision_and_a_list_take_as_many_queries_for_500_as_for_50(linked: World, who: str) -> None:
    def decided() -> object:
        machine = Machine.objects.select_related("plant", "gateway").get(pk=linked.machine.pk)
        return decision(getattr(linked, who), machine, timezone.now())

    def listed() -> object:
        return access.visible_machines(fresh(getattr(linked, who)))

    crowd(linked, FEW)
    few = queries_of(decided), queries_of(listed)
    crowd(linked, MANY - FEW)
    assert (queries_of(decided), queries_of(listed)) == few
    assert few[0] <= 4
    assert few[1] <= 8


def steps(rows: QuerySet[Any]) -> list[str]:
    """Of SQLite's plan."""
    return [line.strip() for line in rows.explain().splitlines()]


def hot(owner: Person, technician: Person, machine: Machine) -> list[tuple[QuerySet[Any], str]]:
    """What is asked often, and the index that answers it."""
    at = timezone.now()
    return [
        (remote_sessions.open_sessions(owner).filter(machine=machine), "sessions_of_machine"),
        (remote_sessions.sessions(owner).filter(machine=machine, person=technician), "sessions_of_"),
        (remote_sessions.open_sessions(technician), "sessions_of_person"),
        (access.pending_requests(owner).filter(machine=machine), "access_request_machine"),
        (access.requests(technician), "access_request_person"),
        (Rule.objects.admitting(technician), "access_rule_supplier"),
        (Grant.objects.filter(person=technician, machine=machine, ends_at__gt=at), "access_grant_"),
    ]


@pytest.mark.sqlite
def test_what_is_asked_often_is_found_by_an_index(linked: World) -> None:
    crowd(linked, MANY)
    other = Person.objects.exclude(pk=linked.technician.pk).filter(requests__isnull=False)[0]
    Rule.objects.bulk_create(
        Rule(organisation=row.organisation, supplier=row) for row in Rule.objects.all()[0].organisation.suppliers.all()
    )
    refresh_statistics()
    machine = Machine.objects.get(pk=linked.machine.pk)
    for rows, index in hot(fresh(linked.owner), fresh(other), machine):
        plan = steps(rows)
        assert any(index in step for step in plan), (index, plan)
        table = rows.model._meta.db_table
        assert not [step for step in plan if f"SCAN {table}" in step], plan


@pytest.mark.sqlite
def test_an_owner_of_thousands_of_rules_is_known_as_one(linked: World) -> None:
    """Otherwise all of them would be read for those of some machines."""
    one = Rule.objects.get(public_id=linked.rule)
    Rule.objects.bulk_create(
        Rule(organisation_id=one.organisation_id, supplier_id=one.supplier_id) for _ in range(3000)
    )
    refresh_statistics()
    with connection.cursor() as cursor:
        cursor.execute("SELECT stat FROM sqlite_stat1 WHERE idx LIKE 'access_rule_organisation_id%'")
        [[said]] = cursor.fetchall()
    assert int(said.split()[1]) > 1200, said  # rules of one organisation


@pytest.mark.sqlite
def test_a_leaf_counts_off_keys_and_not_whole_rows(linked: World) -> None:
    """An offset makes the database walk over everything before it: there it walks in the index alone."""
    crowd(linked, MANY)
    refresh_statistics()
    ended = remote_sessions.sessions(fresh(linked.owner)).filter(state="ended")
    plan = json.dumps(steps(ended[50:100].values("pk")))
    assert "USING COVERING INDEX sessions_by_state" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.sqlite
def test_whoever_looks_for_one_of_many_people_does_not_join_them_all(linked: World) -> None:
    crowd(linked, MANY)
    plan = json.dumps(steps(people(fresh(linked.owner)).values("public_id", "name")[:51]))
    assert "LEFT-JOIN" not in plan
    assert "DISTINCT" not in plan
