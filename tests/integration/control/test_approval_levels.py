# SPDX-License-Identifier: Apache-2.0
"""Of whom a rule wants a yes: level after level, of people who may approve, each of them once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import closing
from portineria.control.access import services as access
from portineria.control.access.answerable import decidable_requests
from portineria.control.access.deciding import OtherLevel, deciders
from portineria.control.access.levels import LevelTerms, TooFewApprovers, levels_text, short
from portineria.control.access.models import AccessRequest, AlreadyDecided, Approval, Grant, Rule
from portineria.control.access.rules import Conditions, conditions_of
from portineria.control.access.services import OwnRequest
from portineria.control.audit.models import Event
from portineria.control.identity import groups
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.identity.services import BadField
from portineria.control.remote_sessions import services
from portineria.core.errors import Denied, NotFound
from portineria.ledger import leaf
from tests.integration.control.calling import Browser, items
from tests.integration.control.declared import applied, faults, proposal
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.test_notifications import collected, nothing_new, told
from tests.integration.control.test_substitutes import stand_in, waiting_for
from tests.integration.control.world import World, fresh, person


def grouped(w: World, name: str, *people: Person) -> str:
    group = groups.create_group(actor=w.owner, organisation=w.organisation, name=name).public_id
    for one in people:
        groups.put_in(actor=w.owner, group=group, person=one.public_id)
    return group


def wanting(w: World, *levels: LevelTerms, **besides: Any) -> Rule:
    conditions = Conditions(levels=levels, **besides)
    return access.change_rule(actor=w.owner, rule=w.rule, conditions=conditions)


def named(*people: Person, approvals: int = 1) -> LevelTerms:
    return LevelTerms(approvals, people=tuple(one.public_id for one in people))


def two_levels(w: World) -> Person:
    """Maintenance says yes first, then the owner; another approver is in neither."""
    other = person("other", w.organisation, Role.APPROVER)
    wanting(w, LevelTerms(1, group=grouped(w, "Maintenance", w.approver, w.technician)), named(w.owner))
    return other


def test_the_second_level_is_asked_when_the_first_is_complete(world: World) -> None:
    w = world
    other = two_levels(w)
    request = w.request()
    for early in (w.owner, other):
        assert waiting_for(early) == []
        with pytest.raises(OtherLevel) as refused:
            access.agree(actor=fresh(early), request=request)
        assert refused.value.code == "access.request.other-level"
    for unseeing in (w.stranger, w.rival):
        with pytest.raises(NotFound):
            access.agree(actor=unseeing, request=request)
    assert waiting_for(w.approver) == [request]
    assert access.agree(actor=w.approver, request=request) is None
    with pytest.raises(AlreadyDecided):
        access.agree(actor=w.approver, request=request)
    assert (waiting_for(w.approver), waiting_for(w.owner)) == ([], [request])
    with pytest.raises(OtherLevel):
        access.agree(actor=other, request=request)
    assert access.agree(actor=w.owner, request=request) is not None
    said = [leaf.decode(bytes(row.leaf))["fields"] for row in Event.objects.filter(code="access.request.agreed")]
    assert [(one["missing"], one["level_asked"], one["for_level"]) for one in said] == [(1, "2", "1/2")]
    wanting(w, LevelTerms(1))  # what was said stays as it was said
    assert list(AccessRequest.objects.get().approvals.order_by("pk").values_list("level", "of_levels")) == [
        (1, 2), (2, 2),
    ]  # fmt: skip


def test_a_no_of_whoever_may_approve_ends_it_at_any_level(world: World) -> None:
    other = two_levels(world)
    for who in (other, world.owner, world.approver):
        request = world.request()
        access.refuse(actor=who, request=request, reason="not now")
        assert AccessRequest.objects.get(public_id=request).state == "refused"


def test_nobody_is_counted_in_two_levels_and_nobody_decides_their_own(world: World) -> None:
    w = world
    both = grouped(w, "Maintenance", w.approver, w.owner), grouped(w, "Safety", w.approver, w.owner)
    wanting(w, *(LevelTerms(group=one) for one in both))
    request = w.request()
    assert access.agree(actor=w.approver, request=request) is None
    with pytest.raises(AlreadyDecided):
        access.agree(actor=w.approver, request=request)
    row = AccessRequest.objects.get(public_id=request)
    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.create(request=row, asked_by=row.person, decided_by=w.approver, approved=True)
    assert waiting_for(w.owner) == [request]
    access.create_rule(
        actor=w.owner, organisation=w.organisation, machines=[w.machine.public_id], person=w.approver.public_id,
        conditions=Conditions(levels=(LevelTerms(group=both[0]),)),
    )  # fmt: skip
    own = access.make_request(actor=fresh(w.approver), machine=w.machine.public_id, reason="x", minutes=30)
    assert own.rule.level_count == 1
    assert w.approver.pk not in deciders(own, timezone.now())
    second = person("approver+two", w.organisation, Role.APPROVER)
    groups.put_in(actor=w.owner, group=both[0], person=second.public_id)
    for who in (w.approver, second):
        with pytest.raises(OwnRequest):
            access.agree(actor=fresh(who), request=own.public_id)
    other = person("other", w.organisation, Role.APPROVER)
    for substitute in (w.operator, other):  # of whoever asks, who does not decide it either
        stand_in(w, w.approver, substitute)
        with pytest.raises(Denied):
            access.agree(actor=fresh(substitute), request=own.public_id)
    assert access.agree(actor=w.owner, request=own.public_id) is not None


def test_to_be_named_gives_nobody_the_role(world: World) -> None:
    w = world
    group = grouped(w, "Maintenance", w.operator, w.technician, w.approver)
    wanting(w, LevelTerms(group=group), named(w.owner, w.operator))
    request = w.request()
    assert deciders(AccessRequest.objects.get(public_id=request), timezone.now()) == [w.approver.pk]
    for who, why in ((w.operator, Denied), (w.technician, OwnRequest), (w.rival, NotFound)):
        with pytest.raises(why):
            access.agree(actor=fresh(who), request=request)
    for alone in (named(w.operator), LevelTerms(2, group=group), named(w.approver, w.owner, approvals=3)):
        with pytest.raises(TooFewApprovers):
            wanting(w, alone)


def test_a_rule_that_nobody_could_complete_is_refused_and_one_that_comes_to_it_says_so(world: World) -> None:
    w = world
    group, safety = grouped(w, "Maintenance", w.approver), grouped(w, "Safety", w.approver, w.owner)
    with pytest.raises(TooFewApprovers) as refused:
        wanting(w, LevelTerms(group=group), named(w.approver))  # each could, but not both
    assert refused.value.values == {"level": 2, "needed": 1, "able": 0}
    with pytest.raises(TooFewApprovers):
        access.change_rule(actor=w.owner, rule=w.rule, conditions=Conditions(approvals=3))
    rule = wanting(w, LevelTerms(group=group), LevelTerms(group=safety))
    assert short(rule) is None
    groups.take_out(actor=w.owner, group=group, person=w.approver.public_id)
    missing = short(Rule.objects.get(pk=rule.pk))
    assert missing is not None
    assert (missing.number, missing.needed, missing.able) == (1, 1, 0)
    kept = replace(conditions_of(Rule.objects.get(pk=rule.pk)), needs_reference=True)
    access.change_rule(actor=w.owner, rule=w.rule, conditions=kept)  # what it said already may stay
    assert Rule.objects.get(pk=rule.pk).needs_reference


@pytest.mark.parametrize(
    "levels",
    [
        (LevelTerms(0, people=("x",)),),
        (LevelTerms(6, people=("x",)),),
        (LevelTerms(1, "grp_a", ("per_a",)),),
        (LevelTerms(1), LevelTerms(2)),
        (LevelTerms(1, people=tuple(f"per_{one}" for one in range(11))),),
        tuple(LevelTerms(1, people=(f"per_{one}",)) for one in range(4)),
    ],
)
def test_levels_that_make_no_sense_are_refused(world: World, levels: tuple[LevelTerms, ...]) -> None:
    with pytest.raises(BadField) as refused:
        wanting(world, *levels)
    assert refused.value.code == "field.approval_levels"


def test_levels_name_what_is_there_and_the_database_keeps_their_law(world: World) -> None:
    w = world
    for stranger in (LevelTerms(group="grp_0"), named(w.stranger), LevelTerms(people=("per_0",))):
        with pytest.raises(NotFound):
            wanting(w, stranger)
    rule = wanting(w, named(w.approver), LevelTerms())
    assert (rule.approvals, rule.level_count, levels_text(rule)) == (2, 2, f"1 {w.approver.public_id}; 1")
    with pytest.raises(BadField):
        access.change_rule(actor=w.owner, rule=w.rule, needs_approval=False)
    for column in ({"approvals": 0}, {"approvals": 6}, {"number": 4}, {"whom": "group"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            rule.levels.filter(number=2).update(**column)
    with pytest.raises(IntegrityError), transaction.atomic():
        Rule.objects.filter(pk=rule.pk).update(needs_approval=False)
    plain = wanting(w, LevelTerms(2))  # of whoever approves, and no level besides: as rules always were
    assert (plain.approvals, plain.level_count, plain.levels.count()) == (2, 0, 0)


def test_whoever_leaves_takes_their_yes_with_them_and_the_level_is_asked_again(world: World) -> None:
    w = world
    other = person("other", w.organisation, Role.APPROVER)
    group = grouped(w, "Maintenance", w.approver, other)
    wanting(w, LevelTerms(group=group), named(w.owner))
    request = w.request()
    assert access.agree(actor=w.approver, request=request) is None
    groups.take_out(actor=w.owner, group=group, person=w.approver.public_id)
    with pytest.raises(OtherLevel):
        access.agree(actor=w.owner, request=request)
    assert (waiting_for(w.owner), waiting_for(other)) == ([], [request])
    groups.take_out(actor=w.owner, group=group, person=other.public_id)  # nobody is left
    with pytest.raises(OtherLevel):
        access.agree(actor=other, request=request)
    assert deciders(AccessRequest.objects.get(public_id=request), timezone.now()) == []
    groups.put_in(actor=w.owner, group=group, person=w.approver.public_id)
    assert access.agree(actor=w.owner, request=request) is not None


def test_a_substitute_has_the_yes_of_whoever_is_asked_and_no_other(linked: World) -> None:
    w = linked
    other = person("other", w.organisation, Role.APPROVER)
    wanting(w, named(w.approver), named(w.owner))
    request = w.request()
    stand_in(w, w.owner, w.operator)  # of the second level: too early
    with pytest.raises(OtherLevel):
        access.agree(actor=w.operator, request=request)
    with pytest.raises(OtherLevel):
        access.agree(actor=other, request=request)
    row = stand_in(w, w.approver, other)  # has the role, and is not asked: but for the one who is
    assert waiting_for(other) == [request]
    assert access.agree(actor=other, request=request) is None
    for used in (w.approver, other):
        with pytest.raises(AlreadyDecided):
            access.agree(actor=used, request=request)
    assert waiting_for(w.operator) == [request]
    assert access.agree(actor=w.operator, request=request) is not None
    session = accepted(w, started(w))
    assert services.enforce(timezone.now()) == 0
    row.ended_at = timezone.now()
    row.save()
    assert services.enforce(timezone.now()) == 1
    assert (again(session).state, again(session).end_why) == ("draining", "no-approval")


def test_a_rule_that_asks_less_ends_nothing_and_one_that_asks_more_does(linked: World) -> None:
    w = linked
    wanting(w, named(w.approver), named(w.owner))
    request = w.request()
    access.agree(actor=w.approver, request=request)
    access.agree(actor=w.owner, request=request)
    session = accepted(w, started(w))
    for fewer in ([named(w.owner)], [named(w.owner, w.approver, approvals=2)], [LevelTerms(2)]):
        wanting(w, *fewer)
        assert services.enforce(timezone.now()) == 0
    third = person("other", w.organisation, Role.APPROVER)
    wanting(w, LevelTerms(2), named(third))
    assert services.enforce(timezone.now()) == 1
    assert again(session).end_why == "no-approval"


def test_each_level_is_told_when_it_is_asked_and_so_is_a_reminder(linked: World) -> None:
    w = linked
    other = two_levels(w)
    nothing_new(w)
    request = w.request()
    assert collected(w) == 1
    assert (told(w.approver), told(w.owner), told(other)) == (["access.request.made"], [], [])
    access.agree(actor=w.approver, request=request)
    assert collected(w) == 1
    assert (told(w.owner), told(other)) == (["access.request.agreed"], [])
    AccessRequest.objects.update(made_at=timezone.now() - closing.PENDING * 0.99)
    assert closing.remind_of_requests(timezone.now()) == 1
    assert collected(w) == 1
    assert told(w.owner) == ["access.request.agreed", "access.request.reminded"]
    assert (len(told(w.approver)), told(other)) == (1, [])


def test_two_yeses_of_one_level_tell_the_next_one_once(linked: World) -> None:
    w = linked
    other = person("other", w.organisation, Role.APPROVER)
    wanting(w, named(w.approver, other, approvals=2), named(w.owner))
    nothing_new(w)
    request = w.request()
    access.agree(actor=w.approver, request=request)
    third = person("third", w.organisation, Role.APPROVER)
    stand_in(w, w.approver, third)  # for one whose yes is there already
    with pytest.raises(OtherLevel):
        access.agree(actor=third, request=request)
    collected(w)
    assert (told(w.owner), told(other)) == ([], ["access.request.made"])
    access.agree(actor=other, request=request)
    collected(w)
    assert (told(w.owner), told(other)) == (["access.request.agreed"], ["access.request.made"])


def test_a_yes_to_what_the_rule_opened_before_fills_no_level(linked: World) -> None:
    w = linked
    wanting(w, named(w.approver), named(w.owner))
    request = w.request()
    access.agree(actor=w.approver, request=request)
    access.change_rule(actor=w.owner, rule=w.rule, only_services=["modbus"])
    with pytest.raises(OtherLevel):
        access.agree(actor=w.owner, request=request)
    assert deciders(AccessRequest.objects.get(public_id=request), timezone.now()) == [w.approver.pk]
    assert access.agree(actor=w.approver, request=request) is None
    assert access.agree(actor=w.owner, request=request) is not None
    assert Grant.objects.count() == 1


def test_who_lost_the_role_fills_no_level(world: World) -> None:
    w = world
    other = person("other", w.organisation, Role.APPROVER)
    wanting(w, named(w.approver, other), named(w.owner))
    request = w.request()
    access.agree(actor=w.approver, request=request)
    Membership.objects.filter(person=w.approver).update(role=Role.OPERATOR)
    assert [row.public_id for row in decidable_requests(fresh(w.owner))] == []
    assert waiting_for(other) == [request]


def test_programs_write_levels_read_them_and_see_where_a_request_stands(world: World) -> None:
    w = world
    owner, group = Browser(w.owner), grouped(w, "Maintenance", w.approver, w.operator)
    levels = [{"approvals": 1, "group": group}, {"approvals": 1, "people": [w.owner.public_id]}]
    terms = {"machines": [w.machine.public_id], "levels": levels}
    changed = owner.post(f"/rules/{w.rule}/change", terms)
    assert changed.status_code == 200, changed.content
    said = [
        {"approvals": 1, "group": group, "people": []},
        {"approvals": 1, "group": None, "people": [w.owner.public_id]},
    ]
    assert (changed.json()["approvals"], changed.json()["levels"]) == (2, said)
    assert [one["levels"] for one in items(owner.get("/rules")) if one["rule"] == w.rule] == [said]
    too_many = owner.post(f"/rules/{w.rule}/change", terms | {"levels": [{"approvals": 2, "group": group}]})
    assert (too_many.status_code, too_many.json()["code"]) == (422, "access.rule.too-few")
    assert "level 1 asks for 2" in too_many.json()["detail"]
    question = f"organisation={w.organisation}&person={w.technician.public_id}&machine={w.machine.public_id}"
    [verdict] = owner.get(f"/simulation?{question}").json()["rules"]
    assert [(one["approvals"], one["group"], one["able"]) for one in verdict["approvals"]] == [
        (1, group, 1),
        (1, None, 1),
    ]
    request = w.request()
    early = owner.post(f"/requests/{request}/approve", {"profile": ""})
    assert (early.status_code, early.json()["code"]) == (403, "access.request.other-level")
    assert Browser(w.approver).post(f"/requests/{request}/approve", {"profile": ""}).json()["grant"] is None
    stands = owner.get(f"/requests/{request}").json()["levels"]
    assert [(one["given"], one["asked"]) for one in stands] == [(1, False), (0, True)]
    assert Browser(w.technician).get(f"/requests/{request}").json()["levels"] == []
    assert owner.post(f"/requests/{request}/approve", {"profile": ""}).json()["grant"]
    decisions = owner.get(f"/requests/{request}").json()["decisions"]
    assert [(one["level"], one["of_levels"]) for one in decisions] == [(1, 2), (2, 2)]
    assert (
        items(owner.get(f"/rules/{w.rule}/versions"))[0]["terms"]["approval_levels"]
        == f"1 {group}; 1 {w.owner.public_id}"
    )


RULE = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\n'
LEVELLED = (
    '[[group]]\nname = "Maintenance"\npeople = ["approver@example.com"]\n'
    + RULE
    + 'levels = [{ group = "Maintenance" }, { people = ["owner@example.com", "approver@example.com"] }]\n'
)


def test_a_file_declares_levels_and_says_what_it_would_change(world: World) -> None:
    w = world
    shown = proposal(LEVELLED)
    assert any(
        "approvals: 1 of group Maintenance, then 1 of approver@example.com, owner@example.com" in line
        for line in shown.changed
    )
    applied(LEVELLED)
    rule = Rule.objects.get(public_id=w.rule)
    assert [(row.approvals, str(row.group or "")) for row in rule.levels.order_by("number")] == [
        (1, "Maintenance"), (1, "")
    ]  # fmt: skip
    assert proposal(LEVELLED).empty
    assert proposal(RULE).empty  # says nothing about it
    applied(RULE + "approvals = 2\n")
    assert Rule.objects.get(pk=rule.pk).level_count == 0
    assert proposal(RULE + "levels = [{ approvals = 2 }]\n").empty  # the same, said otherwise
    unknown = RULE + 'levels = [{ group = "Nobody" }, { people = ["x@example.com"] }]\n'
    assert faults(unknown) == [
        "rule[0].levels[0].group: there is no group Nobody",
        "rule[0].levels[1].people: there is no person x@example.com",
    ]
    for wrong, why in (
        ('approvals = 1\nlevels = [{ group = "Maintenance" }]\n', "each of the levels says how many"),
        ('levels = [{ approvals = 2, group = "Maintenance" }]\n', "level 1 needs 2, and 1 could say yes"),
        ("levels = [{ approvals = 6 }]\n", "<= 5"),
    ):
        assert why in faults(RULE + wrong)[0]
