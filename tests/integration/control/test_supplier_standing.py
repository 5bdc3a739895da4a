# SPDX-License-Identifier: Apache-2.0
"""The standing of a supplier: who enters it, which one counts, and who works under a rule that asks for one."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.facts import decision, decisions_by_grant
from portineria.control.access.models import AccessRequest, Grant, Rule
from portineria.control.access.queries import visible_machine
from portineria.control.access.rules import Conditions
from portineria.control.access.simulation import would_open
from portineria.control.audit.models import Event
from portineria.control.identity.models import Membership, Role, Supplier, SupplierStanding
from portineria.control.identity.queries import own_standings, standings
from portineria.control.identity.standing import assess_supplier
from portineria.control.remote_sessions import services
from portineria.control.remote_sessions.models import DirectoryEnd
from portineria.control.remote_sessions.refusals import NotPermitted
from portineria.policy.ending import Reason
from portineria.policy.supplier_standing import Firm, Level
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser
from tests.integration.control.declared import applied, proposal
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.test_agents import AgentEnd
from tests.integration.control.test_directory_ends import answered, just_before
from tests.integration.control.test_scim import Directory
from tests.integration.control.world import World, fresh

WHO = "Plant security office"
SHORT = (Reason.SUPPLIER_STANDING,)


def today() -> date:
    return timezone.now().date()


def days(count: int) -> str:
    return str(today() + timedelta(days=count))


def entered(level: str, **more: Any) -> dict[str, Any]:
    between = {"assessed_on": days(-2), "valid_until": days(0)}
    return {"level": level, "assessed_by": WHO, "reference": "Audit 2026-14", **between, **more}


def assessed(w: World, level: str, count: int = 30) -> None:
    given = {"assessed_on": today(), "valid_until": today() + timedelta(days=count)}
    assess_supplier(
        actor=w.owner, supplier=w.supplier, level=level, assessed_by=WHO, reference="Audit 2026-14", **given
    )


def asked(w: World, level: str) -> None:
    access.change_rule(actor=w.owner, rule=w.rule, conditions=Conditions(least_standing=level))


def over(w: World) -> None:
    Supplier.objects.filter(public_id=w.supplier).update(standing_until=today() - timedelta(days=1))


@pytest.mark.sqlite
def test_the_newest_counts_while_it_is_valid_and_older_ones_stay(world: World) -> None:
    owner = Browser(world.owner)
    at, kept = f"/suppliers/{world.supplier}/standing", f"/suppliers/{world.supplier}/standings"
    assert owner.post(at, entered("A", valid_until=days(300))).json()["counts"]
    given = owner.post(at, entered("C"))
    assert (given.status_code, given.json()["level"], given.json()["counts"]) == (200, "C", True)
    assert [(one["level"], one["counts"]) for one in owner.get(kept).json()["items"]] == [("C", True), ("A", False)]
    now = owner.get(f"/suppliers/{world.supplier}").json()
    assert (now["standing"], now["standing_until"]) == ("C", days(0))
    # Over at the end of its day, by UTC: then there is none, also where an older one would still be valid.
    midnight = datetime.combine(today() + timedelta(days=1), time(), UTC)
    assert Supplier.objects.get(public_id=world.supplier).firm == Firm(Level.C, midnight)
    SupplierStanding.objects.filter(level="C").update(valid_until=days(-1))
    assert [one["counts"] for one in owner.get(kept).json()["items"]] == [False, False]
    assert Event.objects.filter(code="identity.supplier.assessed").count() == 2
    for table, wrong in (
        (SupplierStanding, {"level": "E"}), (Supplier, {"standing": "E"}), (Supplier, {"standing_until": None}),
        (Rule, {"least_standing": "E"}),
    ):  # fmt: skip
        with transaction.atomic(), pytest.raises(IntegrityError):
            table.objects.update(**wrong)


@pytest.mark.sqlite
def test_what_makes_no_sense_or_is_not_theirs_changes_nothing(world: World) -> None:
    at, kept = f"/suppliers/{world.supplier}/standing", f"/suppliers/{world.supplier}/standings"
    past, future, far = days(-1), days(2), days(3651)
    wrong = [{"valid_until": past}, {"valid_until": far}, {"assessed_on": future, "valid_until": future},
             {"level": "E"}, {"assessed_by": " "}, {"reference": "x\u202ey"}]  # fmt: skip
    owner = Browser(world.owner)
    answers = [owner.post(at, entered(**({"level": "A"} | one))).status_code for one in wrong]
    assert answers == [422] * len(wrong)
    assert Browser(world.operator).post(at, entered("A")).status_code == 403
    for nobody in map(Browser, (world.technician, world.rival)):  # the pages: test_every_address.py
        assert nobody.post(at, entered("A")).status_code == 404
        assert (nobody.get(kept).status_code, nobody.get(f"/suppliers/{world.supplier}").status_code) == (404, 404)
    assert not SupplierStanding.objects.exists()
    assert not Supplier.objects.exclude(standing="").exists()


def test_nobody_of_a_supplier_works_under_a_rule_that_its_standing_is_not_enough_for(linked: World) -> None:
    w = linked
    asked(w, "B")
    w.grant()  # asked for and approved all the same: only beginning waits
    at, key = timezone.now(), (w.technician.pk, w.machine.pk)

    def refused() -> None:
        with pytest.raises(NotPermitted) as why:
            started(w)
        assert (why.value.reasons, why.value.code) == (SHORT, "access.supplier-standing")
        assert [judged.denials for _, judged in would_open([(w.technician.pk, w.machine)], at)[key]] == [SHORT]

    refused()  # never assessed
    assessed(w, "C")
    refused()
    assessed(w, "A", 0)
    over(w)
    refused()
    # Whatever names them: to be named alone makes nobody one of the owner's own.
    rule = Rule.objects.filter(public_id=w.rule)
    for named in ({"person": w.technician}, {"supplier": rule.get().supplier}):
        rule.update(**{"supplier": None, "person": None} | named)
        refused()
    assessed(w, "B", 1)
    session = accepted(w, started(w))
    assert decision(w.technician, w.machine, at).ends == session.expires_at
    beyond = timezone.now() + timedelta(days=2)
    [(_, judged)] = would_open([(w.technician.pk, w.machine)], beyond)[key]
    assert judged.denials == SHORT
    assert services.enforce(timezone.now()) == 0
    asked(w, "A")
    assert services.enforce(timezone.now()) == 1
    assert (again(session).state, again(session).end_why) == ("draining", "supplier-standing")


def test_what_is_open_ends_with_the_day_and_goes_on_with_an_assessment_before_that(linked: World) -> None:
    w = linked
    asked(w, "B")
    assessed(w, "B", 0)
    midnight = datetime.combine(today() + timedelta(days=1), time(), UTC)
    grant = Grant.objects.get(public_id=w.grant())
    Grant.objects.update(starts_at=midnight - timedelta(hours=2), ends_at=midnight + timedelta(hours=2), minutes=None)
    rows = Grant.objects.select_related("rule", "machine__plant", "machine__gateway")
    before, after = (decisions_by_grant(rows, midnight + timedelta(seconds=s))[grant.pk] for s in (-1, 0))
    assert (before.denials, before.ends) == ((), midnight)
    assert after.denials == SHORT
    assessed(w, "A")
    assert decisions_by_grant(rows, midnight)[grant.pk].ends == midnight + timedelta(hours=2)


def test_own_people_are_not_judged_and_an_agent_is_by_whoever_answers_for_it(linked: World) -> None:
    w = linked
    agents = [AgentEnd(w, answering).agent for answering in (w.technician, w.operator)]
    at, organisation = timezone.now(), w.machine.plant.organisation_id
    terms: dict[str, Any] = {"organisation": w.organisation, "machines": [w.machine.public_id], "needs_approval": False}
    asking = Conditions(least_standing="D")
    found = {
        person: access.create_rule(actor=w.owner, person=person.public_id, conditions=asking, **terms)
        for person in (w.technician, w.operator, *agents)
    }
    of = {"technician": w.technician, "own": w.operator, "technician's": agents[0], "own agent": agents[1]}

    def short(name: str) -> bool:
        judged = dict(would_open([(of[name].pk, w.machine)], at)[of[name].pk, w.machine.pk])
        known = standings([(of[name].pk, organisation)])[of[name].pk, organisation].firm
        assert own_standings(fresh(of[name]), [organisation])[of[name].pk, organisation].firm == known
        return Reason.SUPPLIER_STANDING in judged[found[of[name]]].denials

    assert {name for name in of if short(name)} == {"technician", "technician's"}
    assessed(w, "D")
    assert not any(short(name) for name in of)
    # A membership of a supplier's is never one of staff, and there is one of each person: nobody is both.
    with transaction.atomic(), pytest.raises(IntegrityError):
        Membership.objects.filter(person=w.technician).update(role="operator")


@pytest.mark.sqlite
def test_whoever_asks_does_so_by_a_rule_that_their_supplier_stands_for(linked: World) -> None:
    w = linked
    asked(w, "")
    best = access.create_rule(
        actor=w.owner, organisation=w.organisation, machines=[w.machine.public_id], supplier=w.supplier,
        conditions=Conditions(least_standing="A"), needs_approval=False,
    )  # fmt: skip
    assert visible_machine(w.technician, "Press 3").needs_approval
    assert AccessRequest.objects.get(public_id=w.request(30)).rule.public_id == w.rule
    assessed(w, "A")
    technician = fresh(w.technician)
    assert not visible_machine(technician, "Press 3").needs_approval
    made = access.make_request(actor=technician, machine="Press 3", reason="x", minutes=60,
                               starts_at=timezone.now() + timedelta(hours=1))  # fmt: skip
    assert (made.rule, made.state) == (best, "approved")


@pytest.mark.sqlite
def test_work_that_is_spared_when_a_directory_closes_its_person_is_judged_by_their_supplier_still(
    linked: World,
) -> None:
    w, directory = linked, Directory(linked)
    asked(w, "B")
    assessed(w, "B")
    session = accepted(w, started(w))
    # They work for others too: the account stays, the membership goes, and with it whose person they were here.
    elsewhere = w.stranger.memberships.get().organisation
    Membership.objects.create(person=w.technician, organisation=elsewhere, role=Role.TECHNICIAN)
    just_before(w, of_people=True)
    directory.active(w.technician, False)
    assert w.technician.memberships.get().organisation == elsewhere
    assert answered(w, DirectoryEnd.objects.get(), end=False).status_code == 200
    assert services.enforce(timezone.now()) == 0
    assessed(w, "C")
    assert services.enforce(timezone.now()) == 1
    assert again(session).end_why.endswith("supplier-standing")


@pytest.mark.sqlite
def test_a_decision_asks_the_database_nothing_more_for_it(linked: World) -> None:
    linked.grant()

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked_:
            assert decision(linked.technician, linked.machine, timezone.now()).permitted
            visible_machine(fresh(linked.technician), "Press 3")
        return len(asked_)

    before = queries()
    asked(linked, "B")
    assessed(linked, "B")
    assert queries() == before


@pytest.mark.sqlite
def test_pages_say_what_is_missing_and_to_the_supplier_no_more_than_that(linked: World) -> None:
    w, technician = linked, signed_in(linked.technician)
    machine, supplier = f"/machines/{w.machine.public_id}/", f"/suppliers/{w.supplier}/"
    asked(w, "B")
    owner = signed_in(w.owner)
    assert "It was never assessed." in shown(owner, supplier)
    sent = {"level": "C", "assessed_by": "<b>Office</b>", "assessed_on": days(0), "valid_until": days(9),
            "assessment": "Audit 2026-14"}  # fmt: skip
    assert owner.post(f"{supplier}assess/", sent)["Location"] == supplier
    assert "&lt;b&gt;Office&lt;/b&gt;" in shown(owner, supplier)
    assert f'href="{supplier}"' in shown(owner, "/people/")
    assert "from today on" in shown_after(owner, f"{supplier}assess/", sent | {"valid_until": days(-1)})
    request = w.request()
    card = shown(signed_in(w.approver), f"/requests/{request}/")
    assert "B or better is asked, and not met: nothing opens" in card
    assert supplier in card
    pages = {
        there: shown(technician, there) for there in (f"{machine}ask/", machine, "/work/", f"/requests/{request}/")
    }
    for there, said in pages.items():
        assert "B or better" in said, there
        assert "Owner&#x27;s plant" in said, there
        assert "Office" not in said, there
        assert supplier not in said, there
    access.approve(actor=w.approver, request=request)
    for there in (machine, "/work/"):
        assert "portineria connect" not in shown(technician, there)
    assert "standing is not as good as the rule asks" in shown(technician, "/work/")
    assessed(w, "A")
    assert "portineria connect" in shown(technician, machine)
    assert "B or better is asked, and met" in shown(technician, f"/requests/{request}/")
    assert shown(owner, supplier).count("replaced") == 1


def shown_after(client: Any, address: str, form: dict[str, str]) -> str:
    answer = client.post(address, form)
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.mark.sqlite
def test_forms_files_and_rest_carry_it_and_a_worse_one_that_ends_many_is_asked_about(linked: World) -> None:
    w, page, change = linked, signed_in(linked.owner), f"/rules/{linked.rule}/change/"
    terms = {"machines": "Press 3", "max_minutes": "480", "approvals": "1", "least_standing": "B"}
    assert page.post(change, terms).status_code == 302
    said = shown(page, f"/rules/{w.rule}/")
    assert "only while its standing is B or better" in said
    assert "least standing of a supplier: — → B" in said
    assert '<option value="B" selected>' in shown(page, change)
    assert "standing B or better" in shown(page, "/rules/")
    end, of_rest = Browser(w.owner), {"machines": [w.machine.public_id]}
    assert end.post(f"/rules/{w.rule}/change", of_rest | {"least_standing": "E"}).status_code == 422
    assert end.post(f"/rules/{w.rule}/change", of_rest | {"least_standing": "C"}).json()["least_standing"] == "C"
    rule = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\n'
    [said] = proposal(rule + 'least_standing = "B"\n').changed
    assert said.endswith("supplier's standing B or better")
    applied(rule + 'least_standing = "B"\n')
    assert proposal(rule).empty
    assert Rule.objects.get(public_id=w.rule).least_standing == "B"
    assessed(w, "B")
    w.grant()
    for _ in range(6):
        accepted(w, started(w))
    worse = entered("C", valid_until=days(9))
    refused = end.post(f"/suppliers/{w.supplier}/standing", worse)
    assert (refused.status_code, len(refused.json()["sessions"])) == (409, 6)
    form = worse | {"assessment": "x"}
    assert "This ends 6 open sessions" in shown_after(page, f"/suppliers/{w.supplier}/assess/", form)
    assert SupplierStanding.objects.count() == 1
    confirmed = worse | {"confirm": refused.json()["sessions"]}
    assert end.post(f"/suppliers/{w.supplier}/standing", confirmed).status_code == 200
    assert services.enforce(timezone.now()) == 6
