# SPDX-License-Identifier: Apache-2.0
"""What a customer delegates to a provider: what its people see and do there, under which name, and how it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import locks
from portineria.control.access import services as access
from portineria.control.access.closing import look_after_requests
from portineria.control.access.facts import decisions_by_grant
from portineria.control.access.models import Grant
from portineria.control.access.withdrawal import decline, withdraw
from portineria.control.audit.models import Event
from portineria.control.audit.queries import events, views
from portineria.control.identity import delegating, resolving
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.delegation_models import Delegation, NameQuestion, Power
from portineria.control.identity.entering import OwnCustomer, enter
from portineria.control.identity.gone import lock_out_gone
from portineria.control.identity.inside import HEADER
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.identity.queries import person_of_browser
from portineria.control.identity.services import BadField
from portineria.control.notification.collecting import collect
from portineria.control.notification.queries import notifications
from portineria.control.remote_sessions.models import Session, SessionState
from portineria.control.remote_sessions.services import enforce, start_session
from portineria.control.sinks import progress
from portineria.control.sinks import services as sinks
from portineria.control.sinks.models import Personal
from portineria.control.sinks.provider_sinks import OwnTickets
from portineria.control.sinks.services import Wanted, add_sink
from portineria.core.errors import Conflict, Denied, NotFound
from portineria.policy.ending import Ending, Locked, Reason
from tests.integration.control.browsing import signed_in
from tests.integration.control.calling import Browser
from tests.integration.control.delegated import Provider, organisation, provider
from tests.integration.control.test_sight import session_key
from tests.integration.control.world import ConnectorEnd, World, fresh, person


@pytest.fixture
def watchful(world: World) -> Provider:
    return provider()


def said(reader: Person, code: str = "") -> list[Any]:
    return list(views(events(fresh(reader), code=code)))


def test_inside_one_customer_every_act_has_the_provider_s_name_and_a_pseudonym(
    world: World, watchful: Provider
) -> None:
    watchful.of(world)
    request = world.request()
    other = world.stranger.memberships.get().organisation
    delegating.delegate(
        actor=fresh(world.stranger), organisation=other.public_id, provider=watchful.organisation, powers=[Power.ESTATE]
    )
    outside = watchful.browser()
    assert outside.get(f"/machines/{world.machine.public_id}/").status_code == 404
    overview = outside.get("/customers/").content.decode()
    assert "Owner&#x27;s plant" in overview
    assert other.name.replace("'", "&#x27;") in overview

    client = watchful.inside(world)
    page = client.get("/").content.decode()
    analyst = watchful.analyst(world)
    assert analyst.name.startswith("Watchful Ltd · ")
    assert "You act inside Owner&#x27;s plant, for Watchful Ltd." in page
    assert analyst.name in page
    for address in (
        f"/machines/{world.machine.public_id}/", f"/requests/{request}/", "/approvals/", "/sessions/", "/locks/",
        f"/gateways/{world.gateway.id}/", "/events/",
    ):  # fmt: skip
        assert client.get(address).status_code == 200, address
    # Their own house is not there meanwhile, and nothing that cannot be delegated.
    for address in ("/people/", "/rules/", "/delegations/", "/privacy/", f"/rules/{world.rule}/"):
        assert client.get(address).status_code == 404, address
    assert client.post(f"/requests/{request}/approve/", {"reason": "as arranged"}).status_code == 302
    access.revoke(actor=analyst, grant=Grant.objects.get().public_id, reason="x")

    acts = [view for view in said(world.owner) if view.actor == analyst.public_id]
    assert {"identity.delegation.entered", "access.request.approved", "access.grant.revoked"} <= {
        view.code for view in acts
    }
    entered = next(view for view in acts if view.code == "identity.delegation.entered")
    assert entered.fields["provider_name"] == "Watchful Ltd"
    told = repr([(view.actor, view.fields) for view in said(world.owner)])
    pages = [world.owner, world.technician]
    seen = "".join(watchful.browser(who).get(f"/requests/{request}/").content.decode() for who in pages)
    for secret in (watchful.watcher.public_id, watchful.watcher.name, watchful.watcher.email):
        assert secret not in told
        assert secret not in seen
    assert analyst.name in seen
    # The provider's register says what was given, and not who was where.
    mine = said(watchful.watcher)
    assert "identity.delegation.given" in {view.code for view in mine}
    assert analyst.public_id not in repr([(view.actor, view.fields) for view in mine])
    assert client.post("/customers/leave/").status_code == 302
    assert client.get(f"/machines/{world.machine.public_id}/").status_code == 404
    # A program of theirs says it in each request.
    connector, path = ConnectorEnd(fresh(watchful.watcher)), f"/api/rest/v1/machines/{world.machine.public_id}"
    for headers, status in (({}, 404), ({HEADER: world.organisation}, 200), ({HEADER: "org_aaaaaaaaaaaaaaaa"}, 404)):
        proof = connector.headers("GET", path, b"")
        assert watchful.browser().get(path, headers=proof | headers).status_code == status


def test_the_same_person_has_one_pseudonym_at_a_customer_and_another_elsewhere(
    world: World, watchful: Provider
) -> None:
    watchful.of(world)
    enter(actor=fresh(watchful.watcher), customer=world.organisation)
    first = watchful.analyst(world).public_id
    withdraw(actor=fresh(world.owner), delegation=Delegation.objects.get().public_id, reason="x")
    watchful.of(world)
    enter(actor=fresh(watchful.watcher), customer=world.organisation)
    assert watchful.analyst(world).public_id == first
    enter(actor=fresh(watchful.second), customer=world.organisation)
    assert watchful.analyst(world, watchful.second).public_id != first
    other = world.stranger.memberships.get().organisation.public_id
    delegating.delegate(
        actor=fresh(world.stranger), organisation=other, provider=watchful.organisation, powers=[Power.WORK]
    )
    enter(actor=fresh(watchful.watcher), customer=other)
    assert Membership.objects.filter(role=Role.ANALYST).values("person").distinct().count() == 3


OF_POWER = {
    Power.ESTATE: ("/machines/{machine}/", "/gateways/{gateway}/"),
    Power.WORK: ("/requests/{request}/", "/sessions/{session}/"),
    Power.LOCK: ("/locks/",),
    Power.REGISTER: ("/events/{organisation}/1/",),
}


def running(world: World, grant: str = "") -> Session:
    world.link()
    if not grant:
        world.grant()
    return start_session(actor=world.technician, machine=world.machine.public_id, key=session_key(), address="").session


def test_each_power_opens_what_it_says_and_nothing_else(world: World, watchful: Provider) -> None:
    request = world.request()
    access.approve(actor=world.owner, request=request)
    session = running(world, "there")
    ids = {
        "machine": world.machine.public_id, "gateway": world.gateway.id, "request": request,
        "session": session.public_id, "organisation": world.organisation,
    }  # fmt: skip
    watchful.of(world)
    client = watchful.inside(world)
    for power in (Power.ESTATE, Power.WORK, Power.REGISTER, Power.LOCK):
        row = watchful.of(world, [power])
        for of, addresses in OF_POWER.items():
            for address in addresses:
                expected = 200 if of in row.powers else 404
                assert client.get(address.format(**ids)).status_code == expected, (power, address)
    watchful.of(world, [Power.WORK])
    assert client.post(f"/sessions/{session.public_id}/cut/", {"reason": "x"}).status_code == 403
    assert 'id="cut"' not in client.get(f"/sessions/{session.public_id}/").content.decode()
    waiting = world.request(30, in_days=1)
    assert client.post(f"/requests/{waiting}/approve/", {"reason": "x"}).status_code == 403
    assert client.post(f"/requests/{waiting}/write/", {"text": "x"}).status_code == 403
    assert not watchful.analyst(world).may_watch(session.organisation_id)
    watchful.of(world, [Power.CUT, Power.DECIDE])
    # Who looks only at the provider's own decides nothing for its customers.
    second = watchful.inside(world, watchful.second)
    assert second.post(f"/requests/{waiting}/approve/", {"reason": "x"}).status_code == 403
    assert client.post(f"/requests/{waiting}/approve/", {"reason": "x"}).status_code == 302
    assert client.post(f"/sessions/{session.public_id}/cut/", {"reason": "x"}).status_code == 302
    session.refresh_from_db()
    assert session.state == SessionState.CUTTING


def test_withdrawing_ends_pages_and_what_rests_on_the_provider_s_yes(world: World, watchful: Provider) -> None:
    row, request = watchful.of(world), world.request()
    client = watchful.inside(world)
    grant = access.approve(actor=watchful.analyst(world), request=request)
    session = running(world, grant.public_id)
    address = f"/sessions/{session.public_id}/"
    assert client.get(address).status_code == 200
    browser = str(client.session.session_key)
    acting = person_of_browser(browser)
    assert acting is not None
    assert acting.public_id == watchful.analyst(world).public_id
    with pytest.raises(Denied):
        withdraw(actor=fresh(world.operator), delegation=row.public_id, reason="x")
    with pytest.raises(NotFound):
        withdraw(actor=fresh(world.stranger), delegation=row.public_id, reason="x")

    withdraw(actor=fresh(world.owner), delegation=row.public_id, reason="contract ended")
    assert person_of_browser(browser) is None  # its open pages end with the next line
    grant.refresh_from_db()
    assert grant.ended_class == Ending.SECURITY
    enforce(timezone.now())
    session.refresh_from_db()
    assert (session.state, session.ending_class) == (SessionState.CUTTING, Ending.SECURITY)
    # Not done in their own organisation instead; from then on they are outside again.
    assert client.post("/locks/add/", {"place": "x", "reason": "x"}).status_code == 404
    assert client.get("/locks/").status_code == 200
    for gone in (address, f"/machines/{world.machine.public_id}/", "/customers/"):
        assert client.get(gone).status_code == 404, gone
    assert client.post(f"/customers/{world.organisation}/enter/").status_code == 404
    with pytest.raises(Conflict):
        withdraw(actor=fresh(world.owner), delegation=row.public_id, reason="x")


def test_a_provider_gives_back_what_was_delegated_and_nobody_keeps_it_in(world: World, watchful: Provider) -> None:
    row, request = watchful.of(world, hours=4), world.request()
    client = watchful.inside(world)
    analyst = watchful.analyst(world)
    grant = access.approve(actor=analyst, request=request)
    session, browser = running(world, grant.public_id), str(client.session.session_key)
    address = f"/delegations/{row.public_id}/decline/"
    assert "Give it back" not in watchful.browser(watchful.second).get("/customers/").content.decode()
    for who, refused in ((watchful.second, Denied), (world.owner, NotFound), (world.stranger, NotFound)):
        with pytest.raises(refused):
            decline(actor=fresh(who), delegation=row.public_id, reason="x")
    with pytest.raises(BadField):
        decline(actor=fresh(watchful.watcher), delegation=row.public_id, reason=" ")
    # Also while an incident of its own runs, from inside or from home.
    delegating.declare_incident(actor=fresh(watchful.watcher), delegation=row.public_id, reason="worm")
    assert client.get(address).status_code == 200
    assert client.post(address, {"reason": "no contract"}).headers["Location"] == "/"
    assert person_of_browser(browser) is None
    enforce(timezone.now())
    session.refresh_from_db()
    assert (session.state, session.ending_class) == (SessionState.CUTTING, Ending.SECURITY)
    assert client.get("/customers/").status_code == 404
    assert client.post(address, {"reason": "x"}).status_code == 404
    [theirs] = said(world.owner, "identity.delegation.declined")
    [ours] = said(watchful.watcher, "identity.delegation.declined")
    assert (theirs.actor, ours.actor) == (analyst.public_id, watchful.watcher.public_id)
    assert theirs.fields["reason"] == ours.fields["reason"] == "no contract"
    [revoked] = said(world.owner, "access.grant.revoked")
    assert revoked.actor == analyst.public_id
    collect(world.organisation, timezone.now(), mail=False)
    assert "identity.delegation.declined" in {one.code for one in notifications(fresh(world.owner))}
    # Given anew it is a new matter, by a program as well.
    again = watchful.of(world)
    assert (again.pk, again.holds(timezone.now()), again.incident_until) == (row.pk, True, None)
    done = Browser(watchful.watcher).post(f"/customers/{row.public_id}/decline", {"reason": "x"})
    assert (done.status_code, done.json()["items"]) == (200, [])


@pytest.mark.sqlite
def test_giving_and_withdrawing_in_turn_fills_nobody_s_register(world: World, watchful: Provider) -> None:
    for _ in range(delegating.MOST_GIVEN_IN_AN_HOUR // 2):
        for powers in ([Power.WORK], [Power.ESTATE]):
            row = watchful.of(world, powers)
    watchful.of(world, [Power.ESTATE])  # the same again is nothing
    withdraw(actor=fresh(world.owner), delegation=row.public_id, reason="x")  # is never kept back
    with pytest.raises(delegating.GivenTooOften):
        watchful.of(world)
    # What was given to it counts for nothing where the provider delegates itself.
    other = world.stranger.memberships.get().organisation.public_id
    delegating.delegate(
        actor=fresh(watchful.watcher), organisation=watchful.organisation, provider=other, powers=[Power.ESTATE]
    )
    earlier = timezone.now() - timedelta(hours=1)
    Event.objects.filter(code="identity.delegation.given").update(at=earlier)
    assert watchful.of(world).holds(timezone.now())


def test_what_enough_others_said_yes_to_goes_on(world: World, watchful: Provider) -> None:
    row, request = watchful.of(world), world.request(30, in_days=1)
    enter(actor=fresh(watchful.watcher), customer=world.organisation)
    world.grant()  # by the owner
    access.approve(actor=watchful.analyst(world), request=request)
    withdraw(actor=fresh(world.owner), delegation=row.public_id, reason="x")
    assert [bool(one.revoked_at) for one in Grant.objects.order_by("request__made_at")] == [True, False]


def test_an_incident_granted_beforehand_outlasts_a_withdrawal_once(world: World, watchful: Provider) -> None:
    row = watchful.of(world, hours=4)
    with pytest.raises(Denied):
        delegating.declare_incident(actor=fresh(watchful.second), delegation=row.public_id, reason="x")
    with pytest.raises(NotFound):
        delegating.declare_incident(actor=fresh(world.stranger), delegation=row.public_id, reason="x")
    client = watchful.inside(world)
    before = timezone.now()
    assert client.post(f"/delegations/{row.public_id}/incident/", {"reason": "worm"}).status_code == 302
    row.refresh_from_db()
    assert row.incident_until is not None
    assert timedelta(0) <= row.incident_until - before - timedelta(hours=4) < timedelta(minutes=1)
    with pytest.raises(delegating.IncidentRuns):
        watchful.of(world, [Power.WORK])
    withdraw(actor=fresh(world.owner), delegation=row.public_id, reason="x")
    assert client.get("/machines/").status_code == 200
    row.refresh_from_db()
    assert row.ends_at == row.incident_until
    with pytest.raises(delegating.NoIncident):
        delegating.declare_incident(actor=fresh(watchful.watcher), delegation=row.public_id, reason="again")
    declared = [view for view in said(world.owner) if view.code == "identity.delegation.incident-declared"]
    assert [view.actor for view in declared] == [watchful.analyst(world).public_id]
    assert len(said(watchful.watcher, "identity.delegation.incident-declared")) == 1
    collect(world.organisation, timezone.now(), mail=False)
    assert "identity.delegation.incident-declared" in {one.code for one in notifications(fresh(world.owner))}
    Delegation.objects.update(ends_at=timezone.now())  # as if the hours were over
    assert client.get("/machines/").status_code == 404


def test_who_is_behind_a_pseudonym_needs_a_yes_of_both(world: World, watchful: Provider) -> None:
    row = watchful.of(world, [Power.ESTATE])
    enter(actor=fresh(watchful.watcher), customer=world.organisation)
    analyst = watchful.analyst(world).public_id
    owner = watchful.browser(world.owner)
    asked = f"/delegations/{row.public_id}/ask/{analyst}/"
    assert watchful.browser(world.stranger).post(asked, {"reason": "x"}).status_code == 404
    assert owner.post(asked, {"reason": "who locked the press"}).status_code == 302
    question = NameQuestion.objects.get()
    answered = f"/delegations/questions/{question.public_id}/"
    assert owner.post(answered, {"yes": "1"}).status_code == 404
    assert watchful.browser(watchful.second).post(answered, {"yes": "1"}).status_code == 403
    assert watchful.watcher.name not in owner.get("/delegations/").content.decode()
    assert watchful.browser().post(answered, {"yes": "1"}).status_code == 302
    assert watchful.watcher.name in owner.get("/delegations/").content.decode()
    for reader in (world.owner, watchful.watcher):
        [resolved] = said(reader, "identity.analyst.resolved")
        assert resolved.fields["person"] == watchful.watcher.public_id
        assert len(said(reader, "identity.analyst.asked-about")) == 1
    # A no leaves it a secret; and the database keeps no name without a yes.
    again = resolving.ask(actor=fresh(watchful.watcher), delegation=row.public_id, analyst=analyst, reason="x")
    resolving.answer(actor=fresh(world.owner), question=again.public_id, yes=False)
    again.refresh_from_db()
    assert again.person is None
    with pytest.raises(IntegrityError), transaction.atomic():
        NameQuestion.objects.filter(pk=again.pk).update(person=watchful.watcher)


def test_nobody_approves_for_themselves_by_way_of_a_provider(world: World, watchful: Provider) -> None:
    watchful.of(world)
    enter(actor=fresh(watchful.watcher), customer=world.organisation)
    analyst = watchful.analyst(world)
    request = world.request()
    analyst.principal = fresh(world.technician)  # as if the technician were the provider's too
    Membership.objects.create(
        person=world.technician, organisation=organisation(watchful.organisation), role=Role.ADMINISTRATOR
    )
    with pytest.raises(access.OwnRequest):
        access.approve(actor=analyst, request=request)
    with pytest.raises(OwnCustomer):
        enter(actor=fresh(world.technician), customer=world.organisation)
    with pytest.raises(identity.BadField):
        identity.create_person(
            actor=world.owner, organisation=world.organisation, name="x", email="x@example.com", role=Role.ANALYST
        )
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.filter(role=Role.ANALYST).update(role=Role.ADMINISTRATOR)


def test_an_analyst_is_nothing_by_themselves_and_the_customer_can_lock_one_out(
    world: World, watchful: Provider
) -> None:
    watchful.of(world)
    client, other = watchful.inside(world), watchful.inside(world, watchful.second)
    alone = fresh(watchful.analyst(world))
    assert (alone.staff_of, alone.sees(Power.ESTATE), alone.is_active) == ([], [], False)
    identity.set_person_enabled(actor=fresh(world.owner), person=alone.public_id, enabled=False, reason="x")
    assert client.get("/machines/").status_code == 404
    assert client.post(f"/customers/{world.organisation}/enter/").status_code == 302
    assert client.get("/machines/").status_code == 404
    assert other.get("/machines/").status_code == 200


def test_whoever_leaves_the_provider_is_locked_out_at_its_customers(world: World, watchful: Provider) -> None:
    watchful.of(world)
    request = world.request()
    enter(actor=fresh(watchful.watcher), customer=world.organisation)
    enter(actor=fresh(watchful.second), customer=world.organisation)
    analyst, other = watchful.analyst(world), watchful.analyst(world, watchful.second)
    access.approve(actor=analyst, request=request)
    look_after_requests(timezone.now())
    assert fresh(analyst).enabled
    person("third", watchful.organisation, Role.ADMINISTRATOR)  # somebody has to remain who administers it
    identity.end_membership(
        actor=Operator(), person=watchful.watcher.public_id, organisation=watchful.organisation, reason="left"
    )
    look_after_requests(timezone.now())
    assert (fresh(analyst).enabled, fresh(other).enabled) == (False, True)
    assert (
        Reason.NO_APPROVAL in decisions_by_grant([Grant.objects.get()], timezone.now())[Grant.objects.get().pk].denials
    )
    [told] = [
        view for view in said(world.owner, "identity.person.disabled") if view.fields["person"] == analyst.public_id
    ]
    assert told.actor == watchful.organisation
    Person.objects.filter(pk=analyst.pk).update(disabled_at=None)
    look_after_requests(timezone.now())
    assert not fresh(analyst).enabled  # also where the customer opens the account again


def test_the_same_again_writes_nothing_into_the_other_s_register(world: World, watchful: Provider) -> None:
    def heard() -> int:
        return Event.objects.filter(code="identity.delegation.given").count()

    for powers in ([Power.ESTATE], [Power.ESTATE], [Power.LOCK], [Power.ESTATE, Power.LOCK]):
        row = watchful.of(world, powers)
    assert heard() == 4  # two changes, in two registers
    withdraw(actor=fresh(world.owner), delegation=row.public_id, reason="x")
    watchful.of(world, [Power.LOCK])
    assert heard() == 6


def test_a_provider_s_yes_is_worth_what_its_approver_still_is(
    world: World, watchful: Provider, django_assert_num_queries: Any
) -> None:
    watchful.of(world)
    request = world.request()
    enter(actor=fresh(watchful.watcher), customer=world.organisation)
    grant = access.approve(actor=watchful.analyst(world), request=request)
    there = Membership.objects.filter(person=watchful.watcher)

    def counts() -> bool:
        look_after_requests(timezone.now())
        judged = decisions_by_grant([Grant.objects.get()], timezone.now())[grant.pk]
        return Reason.NO_APPROVAL not in judged.denials

    assert counts()
    there.update(role=Role.OPERATOR)
    assert not counts()
    there.update(role=Role.APPROVER)
    assert counts()
    lock_out_gone(timezone.now())
    with django_assert_num_queries(2):  # nothing changed: no key is opened
        assert lock_out_gone(timezone.now()) == 0


def test_a_provider_s_sinks_are_its_own_and_end_with_what_was_delegated(world: World, watchful: Provider) -> None:
    row = watchful.of(world)
    client, second = watchful.inside(world), watchful.inside(world, watchful.second)
    settings = {"host": "192.0.2.1", "port": "514", "transport": "tcp"}
    there: dict[str, Any] = {"organisation": world.organisation, "kind": "syslog", "settings": settings}
    analyst = watchful.analyst(world)
    of_owner = add_sink(actor=world.owner, name="Hall 4", **there)
    made = add_sink(actor=analyst, name="SOC", wanted=Wanted(Personal.PSEUDONYMS, ("access.",)), **there)
    assert made.delegation == row
    with pytest.raises(Denied):
        add_sink(actor=watchful.analyst(world, watchful.second), name="x", **there)
    with pytest.raises(OwnTickets):
        add_sink(actor=analyst, name="x", kind="jira", settings={}, organisation=world.organisation)
    assert second.get("/sinks/").status_code == 404
    page = client.get("/sinks/").content.decode()
    assert ("SOC" in page, "Hall 4" in page) == (True, False)
    assert client.post(f"/sinks/{of_owner.public_id}/remove/").status_code == 404
    with pytest.raises(NotFound):
        sinks.remove(actor=analyst, sink=of_owner.public_id)
    owners = watchful.browser(world.owner).get("/sinks/").content.decode()
    assert "of Watchful Ltd" in owners
    assert set(progress.due()) == {made.pk, of_owner.pk}
    watchful.of(world, [Power.REGISTER])
    assert (set(progress.due()), progress.running(made.pk)) == ({of_owner.pk}, None)
    watchful.of(world)
    assert progress.running(made.pk) == made
    withdraw(actor=fresh(world.owner), delegation=row.public_id, reason="x")
    assert set(progress.due()) == {of_owner.pk}
    sinks.remove(actor=fresh(world.owner), sink=made.public_id)


@pytest.mark.sqlite
def test_no_page_offers_an_analyst_what_was_not_delegated(world: World, watchful: Provider) -> None:
    pages = (f"/machines/{world.machine.public_id}/", f"/gateways/{world.gateway.id}/")
    for powers, offered in (([Power.ESTATE], False), ([Power.ESTATE, Power.LOCK], True)):
        watchful.of(world, powers)
        client = watchful.inside(world)
        for page in pages:
            said = client.get(page).content.decode()
            assert (f'href="{page}lock/"' in said, "/maintenance/" in said) == (offered, False)
            assert client.post(f"{page}lock/", {"reason": "x"}).status_code == (302 if offered else 403)
    own = signed_in(fresh(world.operator)).get(pages[0]).content.decode()
    assert f'href="{pages[0]}lock/"' in own
    assert "/maintenance/" in own


def test_a_provider_lifts_its_own_locks_only(world: World, watchful: Provider) -> None:
    watchful.of(world, [Power.LOCK])
    enter(actor=fresh(watchful.watcher), customer=world.organisation)
    enter(actor=fresh(watchful.second), customer=world.organisation)
    there: dict[str, Any] = {"organisation": world.organisation, "reason": "x"}
    first, second = watchful.analyst(world), watchful.analyst(world, watchful.second)
    own = locks.lock(actor=first, kind=Locked.MACHINE, thing=world.machine.public_id, **there)
    of_owner = locks.lock(actor=world.owner, kind=Locked.PLANT, thing=world.plant, **there)
    locks.lift(actor=second, lock=own.public_id, reason="x")
    with pytest.raises(Denied):
        locks.lift(actor=second, lock=of_owner.public_id, reason="x")
    with pytest.raises(NotFound):
        locks.lock(actor=first, kind=Locked.EVERYTHING, **there)
    with pytest.raises(NotFound):
        locks.lock(actor=first, kind=Locked.PERSON, thing=world.technician.public_id, **there)
