# SPDX-License-Identifier: Apache-2.0
"""Groups of people: who puts somebody in, what a rule for one opens, and what ends when they leave."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import locks
from portineria.control.access import services as access
from portineria.control.access.closing import lapse_requests
from portineria.control.access.models import AccessRequest, Rule
from portineria.control.access.tickets import covered
from portineria.control.identity import groups, providers, vouching
from portineria.control.identity import services as identity
from portineria.control.identity.claims import Refusal, Vouched
from portineria.control.identity.group_models import Group, GroupMember
from portineria.control.identity.models import Membership, Organisation, Person, Role
from portineria.control.identity.provider_models import IdentityProvider
from portineria.control.remote_sessions.evidence import _facts
from portineria.control.remote_sessions.services import enforce
from portineria.core.errors import Denied, NotFound
from portineria.policy.ending import Locked
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser, Program, items
from tests.integration.control.declared import PERSON, applied, proposal
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.test_notifications import collected, nothing_new, told
from tests.integration.control.world import World, fresh


def made(w: World, name: str = "Presses, night shift", **whom: Any) -> Group:
    row = groups.create_group(actor=w.owner, organisation=w.organisation, name=name)
    for person in whom.get("people", ()):
        groups.put_in(actor=w.owner, group=row.public_id, person=person.public_id)
    return row


def only_by(w: World, group: Group) -> Rule:
    """Nobody but this group may ask for the machine."""
    access.end_rule(actor=w.owner, rule=w.rule, reason="x")
    return access.create_rule(
        actor=w.owner, organisation=w.organisation, machines=[w.machine.public_id], group=group.public_id
    )


def test_a_rule_for_a_group_admits_whoever_is_in_it_and_cuts_whoever_leaves(linked: World) -> None:
    w = linked
    group = made(w, people=[w.technician])
    rule = only_by(w, group)
    with pytest.raises(NotFound):
        access.make_request(actor=w.rival, machine=w.machine.public_id, reason="x", minutes=10)
    w.grant()
    session = accepted(w, started(w))
    waiting = access.make_request(
        actor=w.technician, machine=w.machine.public_id, reason="x", minutes=10,
        starts_at=timezone.now() + timedelta(days=1),
    )  # fmt: skip
    assert enforce(timezone.now()) == 0
    # The rule names a group; whose people those are pages say all the same.
    browser = signed_in(w.owner)
    for page in ("/", "/approvals/", f"/sessions/{session.public_id}/", f"/requests/{waiting.public_id}/"):
        assert "Presses &amp; Co" in shown(browser, page), page
    groups.take_out(actor=w.owner, group=group.public_id, person=w.technician.public_id)
    assert enforce(timezone.now()) == 1
    assert (again(session).ending_class, again(session).end_why) == ("security", "no-group")
    assert lapse_requests(timezone.now()) == 1
    assert AccessRequest.objects.get(pk=waiting.pk).lapsed_why == "no-group"
    with pytest.raises(NotFound):
        access.make_request(actor=fresh(w.technician), machine=w.machine.public_id, reason="x", minutes=10)
    with pytest.raises(IntegrityError), transaction.atomic():
        Rule.objects.filter(pk=rule.pk).update(person=w.technician)


def test_whoever_leaves_the_organisation_leaves_its_groups_for_good(linked: World) -> None:
    w = linked
    group = made(w, people=[w.technician])
    identity.end_membership(actor=w.owner, person=w.technician.public_id, organisation=w.organisation, reason="x")
    Membership.objects.create(
        person=w.technician, organisation=Organisation.objects.get(public_id=w.organisation), role=Role.TECHNICIAN
    )
    assert not group.members.exists()


def test_a_group_has_people_of_its_own_organisation_and_is_changed_by_its_administrators(linked: World) -> None:
    w = linked
    group = made(w)
    program = Program(w).account
    for whom in (w.stranger, program):  # of another organisation; and a program is nobody
        with pytest.raises(NotFound):
            groups.put_in(actor=w.owner, group=group.public_id, person=whom.public_id)
    for who, refused in ((w.approver, Denied), (w.technician, NotFound), (w.stranger, NotFound)):
        with pytest.raises(refused):
            groups.put_in(actor=who, group=group.public_id, person=w.technician.public_id)
        with pytest.raises(refused):
            groups.close_group(actor=who, group=group.public_id, reason="x")
    theirs = w.stranger.memberships.get().organisation.public_id
    with pytest.raises(NotFound):
        access.create_rule(actor=w.stranger, organisation=theirs, machines=[w.machine.public_id], group=group.public_id)
    for name in ("", " ", "x" * 121, "a\u202eb"):
        with pytest.raises(identity.BadField):
            made(w, name)
    with pytest.raises(identity.NameTaken):
        made(w)
    groups.close_group(actor=w.owner, group=group.public_id, reason="x")
    assert made(w).pk != group.pk  # the name is free again


def test_a_sign_in_puts_into_the_groups_that_follow_the_providers_and_takes_out_again(linked: World) -> None:
    w = linked
    group, hand = made(w), made(w, "By hand", people=[w.technician])
    sso = IdentityProvider.objects.create(
        organisation=group.organisation, kind="openid", name="SSO", issuer="https://login.example", groups_claim="g"
    )
    SocialAccount.objects.create(user=w.technician, provider=sso.public_id, uid="7")
    for row in (group, hand):
        groups.add_source(actor=w.owner, group=row.public_id, provider=sso.public_id, claimed="presses")

    def comes(named: frozenset[str] | Refusal) -> list[tuple[str, str]]:
        said = Vouched("7", "technician@example.com", "T", named)
        assert vouching.admit(provider=sso.public_id, vouched=said, address="192.0.2.1") == w.technician
        found = GroupMember.objects.filter(membership__person=w.technician).order_by("group__name", "by")
        return [(row.group.name, row.by) for row in found]

    by_hand = [("By hand", "hand")]
    both = [*by_hand, ("By hand", "provider"), (group.name, "provider")]
    assert comes(frozenset({"other"})) == by_hand
    assert comes(frozenset({"presses", "x"})) == both
    assert comes(Refusal.GROUPS_ELSEWHERE) == both  # nothing is known
    assert comes(Refusal.GROUPS_MISSING) == by_hand  # a provider that has groups to name named none
    comes(frozenset({"presses"}))
    providers.disable(actor=w.owner, provider=sso.public_id, reason="x")
    assert [row.group.name for row in GroupMember.objects.all()] == ["By hand"]
    providers.enable(actor=w.owner, provider=sso.public_id, reason="x")
    comes(frozenset({"presses"}))
    [source] = group.sources.all()
    groups.remove_source(actor=w.owner, group=group.public_id, source=source.pk)
    assert not group.members.exists()


@pytest.mark.sqlite
def test_the_console_keeps_groups_and_says_whom_a_rule_for_one_means(linked: World) -> None:
    w, browser = linked, signed_in(linked.owner)
    address = browser.post("/groups/", {"name": "<b>Night</b>", "organisation": w.organisation}).headers["Location"]
    group = Group.objects.get()
    assert address == f"/groups/{group.public_id}/"
    assert "&lt;b&gt;Night" in shown(browser, "/groups/")
    assert (
        "Nobody here has this address."
        in browser.post(f"{address}people/add/", {"person": "stranger@example.com"}).content.decode()
    )
    browser.post(f"{address}people/add/", {"person": "Technician@example.com "})
    assert "put in by hand" in shown(browser, address)
    rule = {"machines": "Press 3", "windows": "", "max_minutes": "240", "approvals": "1", "group": group.public_id}
    assert "Everybody in &lt;b&gt;Night&lt;/b&gt; may ask for Press 3" in browser.post(
        "/rules/sentence/", rule).content.decode()  # fmt: skip
    assert "one of these" in browser.post("/rules/add/", rule | {"supplier": w.supplier}).content.decode()
    access.end_rule(actor=w.owner, rule=w.rule, reason="x")
    shown_rule = browser.post("/rules/add/", rule).headers["Location"]
    for page in (shown_rule, f"{shown_rule}change/", "/rules/?q=night", f"/machines/{w.machine.public_id}/"):
        assert "in &lt;b&gt;Night" in shown(browser, page), page
    assert "Press 3" in shown(browser, address)
    assert "Technician" in shown(browser, f"/machines/{w.machine.public_id}/who/")
    assert "Press 3" in shown(browser, f"/people/{w.organisation}/{w.technician.public_id}/reach/")
    assert "may ask" in shown(browser, "/rules/simulate/?person=technician@example.com&machine=Press+3&at=")
    browser.post(f"{address}people/{w.technician.public_id}/remove/")
    assert "no rule names them" in shown(browser, "/rules/simulate/?person=technician@example.com&machine=Press+3&at=")
    assert "1 rule names it" in shown(browser, f"{address}close/")
    assert browser.post(f"{address}close/", {"reason": "x"}).status_code == 302
    events = shown(browser, "/events/")
    assert "Person put into a group" in events
    assert "Group of people closed" in events
    assert signed_in(w.technician).get("/groups/").status_code == 404


@pytest.mark.sqlite
def test_programs_read_groups_and_browsers_change_them(linked: World) -> None:
    w, browser, program = linked, Browser(linked.owner), Program(linked)
    group = browser.post("/groups", {"organisation": w.organisation, "name": "Night"}).json()["group"]
    whom = {"person": w.technician.public_id}
    assert browser.post(f"/groups/{group}/people/put-in", whom).json()["people"] == 1
    assert browser.post(f"/groups/{group}/people/put-in", whom).json()["code"] == "identity.group.in-already"
    assert [one["by"] for one in items(program.get(f"/groups/{group}/people"))] == ["hand"]
    rule = {"organisation": w.organisation, "group": group, "machines": [w.machine.public_id]}
    assert browser.post("/rules", rule).json()["group"] == group
    assert browser.post("/rules", rule | {"supplier": w.supplier}).status_code == 422
    assert program.post(f"/groups/{group}/close", {"reason": "x"}).status_code == 403
    assert browser.post(f"/groups/{group}/close", {"reason": "x"}).status_code == 200
    assert items(program.get("/groups")) == []


GROUP = '[[group]]\nname = "Night"\npeople = ["technician@example.com", "newcomer@example.com"]\n'
RULE = '[[rule]]\ngroup = "Night"\nmachines = ["Press 3"]\n'


@pytest.mark.sqlite
def test_a_file_declares_groups_and_rules_for_them(linked: World) -> None:
    w = linked
    applied(PERSON.format("newcomer", "technician") + GROUP + RULE)
    night = Group.objects.get(name="Night")
    assert sorted(row.membership.person.email for row in night.members.all()) == [
        "newcomer@example.com", "technician@example.com",
    ]  # fmt: skip
    assert Rule.objects.get(group=night).max_minutes == 480
    assert proposal(PERSON.format("newcomer", "technician") + GROUP + RULE).empty
    fewer = proposal(GROUP.replace(', "newcomer@example.com"', ""))
    assert fewer.changed == ("group Night: no longer newcomer@example.com",)
    applied(GROUP.replace(', "newcomer@example.com"', ""))
    assert Person.objects.get(memberships__in_groups__group=night) == w.technician


@pytest.mark.sqlite
def test_under_a_rule_for_a_group_somebody_works_for_their_own_supplier(linked: World) -> None:
    w = linked
    rule = only_by(w, made(w, people=[w.technician]))
    request = AccessRequest.objects.get(public_id=w.request())
    assert covered(request).supplier == "Presses & Co"  # a ticket has to name it
    access.approve(actor=w.owner, request=request.public_id)
    assert json.loads(_facts(started(w), 0))["supplier"] == "Presses & Co"
    nothing_new(w)
    locks.lock(actor=fresh(w.owner), organisation=w.organisation, kind=Locked.SUPPLIER, thing=w.supplier, reason="x")
    collected(w)
    assert told(w.technician) == ["access.lock.set"]
    assert rule.supplier is None
