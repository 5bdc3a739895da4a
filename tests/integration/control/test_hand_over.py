# SPDX-License-Identifier: Apache-2.0
"""An approver hands one request to a colleague, who decides that one in their place and nothing else."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from portineria.control.access import bundles, substituting
from portineria.control.access import services as access
from portineria.control.access.deciding import OtherLevel, authority, deciders, decides_here
from portineria.control.access.models import AccessRequest, AlreadyDecided, Approval
from portineria.control.access.rules import Conditions
from portineria.control.access.services import OwnRequest
from portineria.control.access.substituting import AsksThem
from portineria.control.access.substitution import Substitution
from portineria.control.audit.models import Event
from portineria.control.console.how_much_waits import how_much_waits
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.identity.services import BadField
from portineria.control.remote_sessions import services
from portineria.core.errors import Denied, NotFound
from portineria.core.ids import Kind, new_id
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser, items
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.test_approval_levels import named, wanting
from tests.integration.control.test_bundles import asked, two_machines
from tests.integration.control.test_notifications import collected, nothing_new, told
from tests.integration.control.test_substitutes import stand_in, waiting_for
from tests.integration.control.world import World, fresh, person


def handed(request: str, by: Person, to: Person) -> Substitution:
    return substituting.hand_over(actor=fresh(by), request=request, substitute=to.public_id)


def asked_of(request: str) -> list[int]:
    row = AccessRequest.objects.select_related("rule__profile", "person").get(public_id=request)
    return deciders(row, timezone.now())


def test_a_colleague_decides_that_one_and_it_leaves_the_list_of_whoever_handed_it(world: World) -> None:
    w = world
    request, other = w.request(20), w.request(20, 5)
    row = handed(request, w.owner, w.operator)
    assert waiting_for(w.operator) == [request]
    assert waiting_for(w.owner) == [other]
    assert set(waiting_for(w.approver)) == {request, other}
    assert [how_much_waits(fresh(one)) for one in (w.operator, w.owner, w.approver)] == [1, 1, 2]
    assert set(asked_of(request)) == {w.approver.pk, w.operator.pk}
    assert set(asked_of(other)) == {w.approver.pk, w.owner.pk}
    with pytest.raises(Denied):
        access.agree(actor=fresh(w.operator), request=other)
    assert access.agree(actor=fresh(w.operator), request=request) is not None
    said = Approval.objects.get()
    assert (said.decided_by, said.substitution) == (w.operator, row)
    with pytest.raises(Denied):  # of that one alone: not more time for it, nor an operation that is held
        authority(fresh(w.operator), row.organisation_id, timezone.now(), asked_by=w.technician)
    assert not decides_here(fresh(w.operator), row.organisation_id, timezone.now())
    assert not Substitution.objects.watching(timezone.now()).exists()


def test_it_can_be_taken_back_given_back_and_handed_to_another(world: World) -> None:
    w = world
    request, third = w.request(), person("third", w.organisation, Role.OPERATOR)
    first = handed(request, w.owner, w.operator)
    handed(request, w.owner, third)
    assert (waiting_for(w.operator), waiting_for(third)) == ([], [request])
    with pytest.raises(substituting.SubstitutionOver):
        substituting.end_substitution(actor=w.owner, substitution=first.public_id)
    back = Substitution.objects.get(ended_at__isnull=True)
    substituting.end_substitution(actor=fresh(third), substitution=back.public_id)
    assert (waiting_for(w.owner), waiting_for(third)) == ([request], [])
    handed(request, w.owner, third)
    assert access.agree(actor=fresh(w.owner), request=request) is not None  # who handed it over may still answer
    with pytest.raises(AlreadyDecided):
        handed(request, w.owner, third)


@pytest.mark.parametrize("why", ["approver lowered", "colleague lowered", "colleague disabled"])
def test_it_comes_back_by_itself_where_the_colleague_may_decide_no_more(world: World, why: str) -> None:
    w = world
    request = w.request()
    handed(request, w.owner, w.operator)
    if why == "approver lowered":
        Membership.objects.filter(person=w.owner).update(role=Role.OPERATOR)
    elif why == "colleague lowered":
        Membership.objects.filter(person=w.operator).update(role=Role.TECHNICIAN)
    else:
        Person.objects.get_queryset().filter(pk=w.operator.pk).update(disabled_at=timezone.now())
    assert waiting_for(w.operator) == []
    assert waiting_for(w.owner) == ([] if why == "approver lowered" else [request])
    with pytest.raises((Denied, NotFound)):
        access.agree(actor=fresh(w.operator), request=request)


def test_what_they_allowed_drains_when_it_is_taken_away(linked: World) -> None:
    request = linked.request()
    row = handed(request, linked.owner, linked.operator)
    access.agree(actor=fresh(linked.operator), request=request)
    session = accepted(linked, started(linked))
    assert services.enforce(timezone.now()) == 0
    substituting.end_substitution(actor=linked.owner, substitution=row.public_id)
    assert services.enforce(timezone.now()) == 1
    assert (again(session).state, again(session).end_why) == ("draining", "no-approval")


def test_nobody_hands_over_what_is_not_theirs_or_to_whom_it_must_not_go(world: World) -> None:
    w = world
    request = w.request()
    program = person("program", w.organisation, Role.OPERATOR)
    Membership.objects.filter(person=program).update(role=Role.SERVICE)
    for by, error in ((w.operator, Denied), (w.stranger, NotFound), (w.rival, NotFound), (w.technician, NotFound)):
        with pytest.raises(error):
            handed(request, by, w.operator)
    for to in (w.technician, w.stranger, program):
        with pytest.raises(NotFound):
            handed(request, w.owner, to)
    with pytest.raises(AsksThem):
        handed(request, w.owner, w.approver)
    with pytest.raises(BadField):
        handed(request, w.owner, w.owner)
    with pytest.raises(BadField):
        handed(request, w.owner, person("owner+two", w.organisation, Role.OPERATOR))
    with pytest.raises(BadField):  # an account of whoever asks
        handed(request, w.owner, person("technician+plant", w.organisation, Role.OPERATOR))
    with pytest.raises(OwnRequest):
        handed(request, person("technician+other", w.organisation, Role.APPROVER), w.operator)
    stand_in(w, w.owner, w.operator)
    third = person("third", w.organisation, Role.OPERATOR)
    with pytest.raises(Denied):  # a substitute lends to nobody
        handed(request, w.operator, third)
    with pytest.raises(AsksThem):  # they stand in for the owner anyhow
        handed(request, w.owner, w.operator)
    assert not Substitution.objects.filter(request__isnull=False).exists()
    handed(request, w.owner, third)
    with pytest.raises(Denied):
        handed(request, third, w.operator)
    twice = Substitution.objects.get(request__isnull=False)
    twice.pk, twice.public_id = None, new_id(Kind.SUBSTITUTION)
    with pytest.raises(IntegrityError), transaction.atomic():
        twice.save(force_insert=True)


def test_of_one_approver_there_is_one_yes_whoever_gives_it(world: World) -> None:
    w = world
    access.change_rule(actor=w.owner, rule=w.rule, conditions=Conditions(approvals=2))
    request = w.request()
    handed(request, w.owner, w.operator)
    assert access.agree(actor=fresh(w.operator), request=request) is None
    for again_ in (w.owner, w.operator):
        with pytest.raises((AlreadyDecided, Denied)):
            access.agree(actor=fresh(again_), request=request)
    assert access.agree(actor=w.approver, request=request) is not None


def test_in_a_level_it_goes_to_another_approver_too_whom_the_level_does_not_ask(world: World) -> None:
    w = world
    other = person("other", w.organisation, Role.APPROVER)
    wanting(w, named(w.approver), named(w.owner))
    request, later = w.request(), w.request(60, 5)
    for by in (w.owner, other):  # whose yes is not asked now, or not at all
        with pytest.raises(OtherLevel):
            handed(request, by, w.operator)
    row = handed(request, w.approver, other)
    assert (waiting_for(other), waiting_for(w.approver)) == ([request], [later])
    assert asked_of(request) == [other.pk]
    with pytest.raises(OtherLevel):
        access.agree(actor=fresh(other), request=later)
    assert access.agree(actor=fresh(other), request=request) is None
    said = Approval.objects.get()
    assert (said.substitution, said.level, said.of_levels) == (row, 1, 2)
    assert access.agree(actor=w.owner, request=request) is not None


def test_only_the_colleague_is_told_and_as_of_a_request_that_waits(world: World) -> None:
    w = world
    request = w.request()
    nothing_new(w)
    handed(request, w.owner, w.operator)
    collected(w)
    assert (told(w.operator), told(w.owner), told(w.approver)) == (["access.request.handed"], [], [])


@pytest.mark.sqlite
def test_it_is_handed_over_and_taken_back_on_the_page(world: World) -> None:
    w = world
    request = w.request()
    owner, operator = signed_in(w.owner), signed_in(w.operator)
    address = f"/requests/{request}/hand-over/"
    assert f'href="{address}"' in shown(owner, f"/requests/{request}/")
    assert address not in shown(operator, f"/requests/{request}/")
    assert signed_in(w.technician).get(address).status_code == 404
    assert signed_in(w.stranger).get(address).status_code == 404
    offered = shown(owner, address)
    assert w.operator.public_id in offered
    assert w.approver.public_id not in offered  # is asked already
    assert owner.post(address, {"substitute": w.operator.public_id}).status_code == 302
    assert "<strong>Operator</strong>, for Owner" in shown(owner, f"/requests/{request}/")
    assert "for one request:" in shown(owner, "/approvals/substitutes/")
    assert "Give it back" in shown(operator, f"/requests/{request}/")
    row = Substitution.objects.get()
    back = owner.post(f"/approvals/substitutes/{row.public_id}/end/")
    assert (back.status_code, back["Location"]) == (302, f"/requests/{request}/")
    assert "for Owner" not in shown(owner, f"/requests/{request}/")
    owner.post(address, {"substitute": w.operator.public_id})
    mark = {"profile": "", "minutes": "60"}
    assert operator.post(f"/requests/{request}/approve/", mark).status_code == 302
    assert "standing in for Owner" in shown(owner, f"/requests/{request}/")
    assert "Nobody stands in for anybody." in shown(owner, "/approvals/substitutes/")


@pytest.mark.sqlite
def test_what_was_asked_for_together_goes_together_where_somebody_wants_it(world: World) -> None:
    w = world
    rows = asked(w, *two_machines(w))
    first, second, bundle = rows[0].public_id, rows[1].public_id, rows[0].bundle
    alone, owner = w.request(60, 5), signed_in(w.owner)
    assert "together" not in shown(owner, f"/requests/{alone}/hand-over/")
    assert "together" in shown(owner, f"/requests/{first}/hand-over/")
    owner.post(f"/requests/{first}/hand-over/", {"substitute": w.operator.public_id})
    assert waiting_for(w.operator) == [first]
    both = {"substitute": person("third", w.organisation, Role.OPERATOR).public_id, "together": "on"}
    access.agree(actor=fresh(w.operator), request=first)  # decided meanwhile: the other one goes all the same
    assert owner.post(f"/requests/{second}/hand-over/", both).status_code == 302
    assert waiting_for(w.owner) == [alone]
    row = Substitution.objects.get(ended_at__isnull=True, request__public_id=second)
    assert row.substitute.public_id == both["substitute"]
    with pytest.raises(AsksThem):
        bundles.hand_over_all(actor=fresh(w.owner), bundle=bundle, substitute=w.approver.public_id)
    assert Substitution.objects.filter(ended_at__isnull=True, request__public_id=second).get() == row
    for nothing in ("", "bnd_nowhere"):
        with pytest.raises(NotFound):
            bundles.hand_over_all(actor=fresh(w.owner), bundle=nothing, substitute=w.operator.public_id)


def test_who_gives_one_back_meanwhile_and_who_hands_all_over_wait_for_each_other_in_one_order(
    committed_world: World,
) -> None:
    w = committed_world
    rows = asked(w, *two_machines(w))
    third, bundle = person("third", w.organisation, Role.OPERATOR), rows[0].bundle
    bundles.hand_over_all(actor=fresh(w.owner), bundle=bundle, substitute=w.operator.public_id)
    second = Substitution.objects.latest("pk")
    with ThreadPoolExecutor(1) as beside:
        with transaction.atomic():
            Substitution.objects.select_for_update(no_key=True).get(pk=second.pk)
            handing = beside.submit(_hands_all_over, w, bundle, third)
            _wait_for_a_lock()
            substituting.end_substitution(actor=fresh(w.operator), substitution=second.public_id)
        handing.result(30)
    assert set(waiting_for(third)) == {row.public_id for row in rows}
    ended = Event.objects.filter(code="access.substitution.ended")
    assert ended.count() == 2  # the first by the owner, the second by the operator alone


def _hands_all_over(w: World, bundle: str, to: Person) -> None:
    try:
        bundles.hand_over_all(actor=fresh(w.owner), bundle=bundle, substitute=to.public_id)
    finally:
        connection.close()


def _wait_for_a_lock() -> None:
    """Until the other one waits for us; of SQLite all wait at their beginning."""
    until = time.monotonic() + 20
    while connection.vendor == "postgresql" and time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return


@pytest.mark.sqlite
def test_rest_hands_over_too(world: World) -> None:
    w = world
    request, owner = w.request(), Browser(w.owner)
    answer = owner.post(f"/requests/{request}/hand-over", {"person": w.operator.public_id})
    assert answer.status_code == 200
    assert [(one["person"], one["request"]) for one in items(owner.get("/substitutions"))] == [
        (w.operator.public_id, request)
    ]
    stand_in(w, w.approver, w.operator)
    assert [one["request"] for one in items(owner.get("/substitutions"))] == [request, None]
