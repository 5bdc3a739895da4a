# SPDX-License-Identifier: Apache-2.0
"""A change that would end more than five open sessions lists them, and is made with a second yes to exactly these."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.utils import timezone

from portineria.control.access.models import Grant, Rule
from portineria.control.access.rules import Conditions
from portineria.control.access.services import change_rule
from portineria.control.access.training import TrainingVersion
from portineria.control.access.trainings import confirm_training, publish_training
from portineria.control.audit.models import Event
from portineria.control.declaration.operation import ChangedMeanwhile, carry_out, hold
from portineria.control.estate.labels import set_labels
from portineria.control.estate.services import add_service
from portineria.control.identity import services as identity
from portineria.control.identity.models import Group, Membership, Supplier
from portineria.control.identity.provider_models import GroupRole, IdentityProvider
from portineria.control.remote_sessions import refusals
from portineria.control.remote_sessions.second_yes import PAUSE
from portineria.control.remote_sessions.services import cut, enforce
from tests.integration.control.browsing import signed_in
from tests.integration.control.calling import Browser
from tests.integration.control.declared import proposal
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.test_groups import made
from tests.integration.control.world import World


def busy(w: World, count: int) -> list[Any]:
    return [accepted(w, started(w)) for _ in range(count)]


def state(w: World) -> tuple[Any, ...]:
    rule = Rule.objects.get(public_id=w.rule)
    return rule.ended_at, rule.windows, rule.versions.count(), Supplier.objects.get(public_id=w.supplier).enabled


def test_programs_and_browsers_are_refused_with_the_list_and_come_again(linked: World) -> None:
    w, browser = linked, Browser(linked.owner)
    sessions, before = busy(w, 6), state(w)
    refused = browser.post(f"/rules/{w.rule}/end", {"reason": "x"})
    assert (refused.status_code, refused.json()["code"]) == (409, "session.second-yes")
    listed = refused.json()["sessions"]
    assert listed == [row.public_id for row in sessions]
    assert "6 open sessions" in refused.json()["detail"]
    assert (state(w), enforce(timezone.now())) == (before, 0)  # nothing was changed, what runs goes on
    with pytest.raises(refusals.NotPermitted) as denied:
        started(w)
    assert denied.value.code == "access.change-waits"
    assert Event.objects.filter(code="access.rules.paused").count() == 1
    # A list that somebody made up, or saw before another session began, is no yes.
    for confirm in ([], listed[1:], ["ses_x"] * 6):
        assert browser.post(f"/rules/{w.rule}/end", {"reason": "x", "confirm": confirm}).status_code == 409
    locking = {"reason": "x", "confirm": listed[:5]}
    assert browser.post(f"/suppliers/{w.supplier}/lock", locking).json()["sessions"] == listed
    assert state(w) == before
    assert browser.post(f"/rules/{w.rule}/end", {"reason": "x", "confirm": listed}).status_code == 200
    assert enforce(timezone.now()) == 6
    assert {again(row).end_why for row in sessions} == {"no-rule"}


@pytest.mark.sqlite
def test_a_pause_is_over_by_itself_and_five_sessions_end_without_a_question(linked: World) -> None:
    w, browser = linked, Browser(linked.owner)
    busy(w, 6)
    terms = {"machines": [w.rivals_machine.public_id], "max_minutes": 60}
    assert browser.post(f"/rules/{w.rule}/change", terms).status_code == 409
    Rule.objects.update(paused_until=timezone.now() - PAUSE / 100)
    accepted(w, started(w))
    seven = browser.post(f"/rules/{w.rule}/change", terms).json()["sessions"]
    assert len(seven) == 7
    Rule.objects.update(paused_until=None)
    for row in Grant.objects.get().sessions.all()[:2]:
        cut(actor=w.owner, session=row.public_id, reason="x")
    assert browser.post(f"/rules/{w.rule}/change", terms).status_code == 200


@pytest.mark.sqlite
def test_the_console_lists_them_and_sends_the_same_form_again(linked: World) -> None:
    w, browser = linked, signed_in(linked.owner)
    group = made(w, people=[w.technician]).public_id
    busy(w, 6)
    terms = {"machines": "Press 3", "max_minutes": "60", "approvals": "1", "windows": "2020-01-01 08:00-09:00"}

    def asked(address: str, form: dict[str, str]) -> dict[str, str]:
        """What the page sends when somebody says yes."""
        before, page = state(w), browser.post(address, form)
        said = page.content.decode()
        assert (page.status_code, "This ends 6 open sessions" in said, said.count('href="/sessions/ses_')) == (
            200,
            True,
            6,
        )
        assert (state(w), enforce(timezone.now())) == (before, 0)
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', said.partition("data-dialog-body")[2])
        sent = {name: unescape(value) for name, value in hidden if name in form or name == "confirm"}
        assert sent == form | {"confirm": sent["confirm"]}
        return sent

    asked(f"/rules/{w.rule}/change/", terms)
    asked(f"/suppliers/{w.supplier}/lock/", {"reason": "x"})
    sent = asked(f"/rules/{w.rule}/end/", {"reason": 'so "be" it\n<i>'})
    Rule.objects.filter(public_id=w.rule).update(supplier=None, group=Group.objects.get())
    asked(f"/groups/{group}/close/", {"reason": "x"})
    asked(f"/groups/{group}/people/{w.technician.public_id}/remove/", {})
    assert browser.post(f"/rules/{w.rule}/end/", sent).status_code == 302
    assert enforce(timezone.now()) == 6
    assert not Rule.objects.filter(paused_until__isnull=False).exists()


def provided(w: World) -> tuple[IdentityProvider, GroupRole]:
    """The technician is here by the word of a provider."""
    provider = IdentityProvider.objects.create(
        organisation_id=w.machine.plant.organisation_id, kind="openid", name="Office", issuer="https://id.example"
    )
    given = provider.group_roles.create(
        group="fitters", role="technician", supplier=Supplier.objects.get(public_id=w.supplier)
    )
    Membership.objects.filter(person=w.technician).update(given_by=given)
    return provider, given


@pytest.mark.sqlite
def test_labels_and_providers_that_many_sessions_rest_on_are_asked_about(linked: World) -> None:
    w, console = linked, signed_in(linked.owner)
    browser, machine = Browser(linked.owner), linked.machine.public_id
    set_labels(actor=w.owner, machine=machine, labels=["paint"])
    change_rule(actor=w.owner, rule=w.rule, machines=[], places=["label paint"])
    provider, given = provided(w)
    sessions = busy(w, 6)
    refused = browser.post(f"/machines/{machine}/labels", {"labels": []})
    assert (refused.status_code, refused.json()["code"]) == (409, "session.second-yes")
    assert refused.json()["sessions"] == [row.public_id for row in sessions]
    of_provider = f"/providers/{provider.public_id}"
    for address, form in (
        (f"/machines/{machine}/labels/", {"labels": ""}), (f"{of_provider}/switch/", {"reason": "x"}),
        (f"{of_provider}/withdraw/", {"reason": "x"}), (f"{of_provider}/groups/{given.pk}/remove/", {}),
    ):  # fmt: skip
        page = console.post(address, form)
        assert (page.status_code, "This ends 6 open sessions" in page.content.decode()) == (200, True), address
    for act in ("disable", "withdraw", f"groups/{given.pk}/remove"):
        answer = browser.post(f"/identity-{of_provider[1:]}/{act}", {} if "groups" in act else {"reason": "x"})
        assert (answer.status_code, answer.json().get("sessions")) == (409, refused.json()["sessions"]), act
    assert ([label.word for label in w.machine.labels.all()], enforce(timezone.now())) == (["paint"], 0)
    assert IdentityProvider.objects.get().enabled
    assert Membership.objects.filter(given_by=given).exists()
    confirm = {"confirm": refused.json()["sessions"]}
    assert browser.post(f"/machines/{machine}/labels", {"labels": [], **confirm}).status_code == 200
    # What drains already is not asked about again.
    assert enforce(timezone.now()) == 6
    assert {again(row).end_why for row in sessions} == {"no-rule"}


@pytest.mark.sqlite
def test_a_training_s_next_version_and_a_service_that_many_use_are_asked_about(linked: World) -> None:
    w, console, browser = linked, signed_in(linked.owner), Browser(linked.owner)
    words = {"en": ("Wear a helmet.", "")}
    version = publish_training(actor=w.owner, organisation=w.organisation, name="Safety", words=words)
    asked = version.training.public_id
    change_rule(actor=w.owner, rule=w.rule, conditions=Conditions(trainings=(asked,)))
    confirm_training(actor=w.technician, training=asked, number=1, language="en")
    device = w.machine.devices.get()
    other = add_service(actor=w.owner, device=device.public_id, name="panel", protocol="http", port=80)
    sessions = busy(w, 6)
    ids = [row.public_id for row in sessions]
    texts = {"en_text": "Wear it.", "days": ""}
    for address, form in ((f"/trainings/{asked}/edit/", texts), (f"/services/{other.public_id}/remove/", {})):
        page = console.post(address, form)
        assert (page.status_code, "This ends 6 open sessions" in page.content.decode()) == (200, True), address
    of_training = {"words": [{"language": "en", "text": "Wear it."}]}
    for path, given in ((f"/trainings/{asked}/versions", of_training), (f"/services/{other.public_id}/remove", {})):
        answer = browser.post(path, given)
        assert (answer.status_code, answer.json().get("sessions")) == (409, ids), path
    assert (enforce(timezone.now()), TrainingVersion.objects.count(), device.services.count()) == (0, 1, 2)
    with pytest.raises(refusals.NotPermitted):
        started(w)  # new work waits
    assert browser.post(f"/services/{other.public_id}/remove", {"confirm": ids}).status_code == 200
    assert enforce(timezone.now()) == 6
    assert {again(row).end_why for row in sessions} == {"machine-changed"}
    # What drains is not asked about.
    assert browser.post(f"/trainings/{asked}/versions", of_training).status_code == 200


@pytest.mark.sqlite
def test_a_provider_is_withdrawn_by_a_program_that_names_what_ends(linked: World) -> None:
    w, browser = linked, Browser(linked.owner)
    provider, _ = provided(w)
    sessions = busy(w, 6)
    path, ids = f"/identity-providers/{provider.public_id}/withdraw", [row.public_id for row in sessions]
    assert browser.post(path, {"reason": "x", "confirm": ids[1:]}).status_code == 409
    assert browser.post(path, {"reason": "x", "confirm": ids}).json()["ended"] == 1
    assert enforce(timezone.now()) == 6
    assert {again(row).state for row in sessions} == {"cutting"}


CLOSED = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\nwindows = ["2020-01-01 08:00-09:00"]\n'


def test_a_declaration_shows_them_and_ends_no_others(linked: World) -> None:
    w = linked
    sessions = busy(w, 6)
    seen = proposal(CLOSED)
    assert [row.public_id for row in seen.ending] == [row.public_id for row in sessions]
    before = state(w)
    accepted(w, started(w))  # before new work was held
    with pytest.raises(ChangedMeanwhile):
        carry_out(seen)
    assert state(w) == before
    seen = proposal(CLOSED)
    hold(seen)
    with pytest.raises(refusals.NotPermitted):
        started(w)
    carry_out(seen)
    assert enforce(timezone.now()) == 7


@pytest.mark.sqlite
def test_who_may_not_change_it_learns_no_session_and_pauses_nothing(linked: World) -> None:
    w = linked
    busy(w, 6)
    for who, status in ((w.operator, 403), (w.stranger, 404)):
        for path in (f"/rules/{w.rule}/end", f"/suppliers/{w.supplier}/lock"):
            answer = Browser(who).post(path, {"reason": "x"})
            assert (answer.status_code, "sessions" in answer.json()) == (status, False)
    assert not Rule.objects.filter(paused_until__isnull=False).exists()
    # Others' sessions are no reason to ask, nor are ours for them.
    identity.set_supplier_enabled(actor=w.owner, supplier=w.supplier, enabled=False, reason="x")
    assert enforce(timezone.now()) == 6
