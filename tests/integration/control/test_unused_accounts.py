# SPDX-License-Identifier: Apache-2.0
"""Who does not come for long is told, and two weeks later their access closes by itself, and opens again by a hand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from portineria.control.access import emergency
from portineria.control.audit.models import Event
from portineria.control.audit.queries import views
from portineria.control.identity import groups, service_accounts, unused
from portineria.control.identity import services as identity
from portineria.control.identity.closing_models import ClosedMembership
from portineria.control.identity.models import Membership, Organisation, Person, Role
from portineria.control.identity.offers import accept
from portineria.control.identity.unused import AHEAD, UnusedDays
from portineria.control.notification import sending
from portineria.control.notification.models import Channel, Delivery
from portineria.control.notification.unused import CLOSES_SOON, PROGRAM_CLOSES_SOON, collect_unused
from portineria.control.remote_sessions.unused import close_unused_memberships
from portineria.core.errors import Denied, Invalid, NotFound
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser, Program
from tests.integration.control.sessions import accepted, started
from tests.integration.control.test_notifications import told
from tests.integration.control.test_rest_governs import ok
from tests.integration.control.world import ConnectorEnd, World, fresh

DAY = timedelta(days=1)


def look(at: datetime) -> int:
    """As it happens by itself; how many closed."""
    collect_unused(at, mail=True)
    return close_unused_memberships(at)


def used(person: Person) -> datetime | None:
    return fresh(person).used_at


def closed_at_last(at: datetime) -> int:
    look(at)
    return look(at + AHEAD)


def test_a_suppliers_person_is_told_two_weeks_before_and_out_after_ninety_days(linked: World) -> None:
    w, at = linked, timezone.now()
    groups_of = groups.create_group(actor=w.owner, organisation=w.organisation, name="Night")
    groups.put_in(actor=w.owner, group=groups_of.public_id, person=w.technician.public_id)
    connector = ConnectorEnd(w.technician)
    assert look(at + 75 * DAY) == 0
    assert told(w.technician) == []
    for days in (77, 78, 89):
        assert look(at + days * DAY) == 0
    assert told(w.technician) == [CLOSES_SOON]
    assert told(w.owner) == told(w.approver) == []  # the owner's own people stay, as long as nobody says otherwise
    assert look(at + 92 * DAY) == 2  # the rival too
    assert look(at + 92 * DAY) == 0
    assert fresh(w.technician).roles == {}
    assert fresh(w.technician).enabled
    assert connector.call("GET", "/machines").status_code == 401
    assert set(fresh(w.owner).roles) == {w.organisation}
    [event, _] = Event.objects.filter(code="identity.membership.closed").order_by("seq")
    assert event.actor == "portineria"
    fields = views([event])[0].fields
    assert (fields["person"], fields["why"], fields["supplier"]) == (w.technician.public_id, "unused", w.supplier)
    unused.reopen(actor=w.owner, organisation=w.organisation, person=w.technician.public_id)
    row = Membership.objects.get(person=w.technician)
    assert (row.role, row.supplier.public_id if row.supplier else "") == ("technician", w.supplier)
    assert not row.in_groups.exists()
    assert [closed.person for closed in ClosedMembership.objects.all()] == [w.rival]


@pytest.mark.sqlite
def test_every_way_of_coming_in_is_use_and_puts_it_off(linked: World) -> None:
    w, at = linked, timezone.now()
    assert used(w.technician) is None
    signed_in(w.technician).get("/")
    first = used(w.technician)
    assert first is not None
    assert at <= first <= timezone.now()
    cache.clear()
    connector, program = ConnectorEnd(w.rival), Program(w)
    connector.call("GET", "/machines")
    program.get("/me")
    assert None not in {used(w.rival), used(program.account)}
    Membership.objects.update(since=at - 300 * DAY)
    Person.objects.get_queryset().update(used_at=at - 80 * DAY)
    look(at)
    assert told(w.technician) == [CLOSES_SOON]
    [late] = Delivery.objects.filter(channel=Channel.MAIL, person=w.technician)
    waiting = sending.waiting(late.pk)
    assert waiting is not None
    assert not sending.moot(waiting, at)
    cache.clear()
    signed_in(w.technician).get("/")
    assert look(at + 80 * DAY) == 1  # the rival alone: this one is told anew, and has two weeks again
    assert told(w.technician) == [CLOSES_SOON] * 2
    waiting = sending.waiting(late.pk)
    assert waiting is not None
    assert sending.moot(waiting, at)


@pytest.mark.sqlite
def test_use_is_written_once_an_hour_and_a_wrong_clock_is_put_right(
    world: World, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    from portineria.control.identity.use import note_use

    person, at = fresh(world.technician), timezone.now()
    note_use(person, at)
    with django_assert_num_queries(0):  # type: ignore[operator]
        note_use(person, at + timedelta(minutes=59))
    for later in (at + timedelta(minutes=61), at + 900 * DAY, at + timedelta(minutes=62)):  # ahead, and set back
        cache.clear()
        note_use(fresh(person), later)
        assert used(person) == later
    cache.clear()
    late, early = fresh(person), at + timedelta(minutes=1)
    Person.objects.get_queryset().filter(pk=person.pk).update(used_at=at + timedelta(minutes=63))
    late.used_at = at - DAY  # as a request saw it that took long
    note_use(late, at + timedelta(minutes=70))
    assert used(person) == at + timedelta(minutes=63)
    assert early < at + DAY


@pytest.mark.sqlite
def test_a_clock_that_was_ahead_closes_nobody(world: World) -> None:
    """A year ahead for a moment, and right again: whoever was told by it is told anew when it is so far."""
    at = timezone.now()
    look(at + 366 * DAY)
    Person.objects.get_queryset().update(used_at=at + 366 * DAY)
    assert look(at + 89 * DAY) == 0
    assert look(at + 92 * DAY) == 0
    Person.objects.get_queryset().update(used_at=None)
    assert look(at + 92 * DAY) == 0  # told anew now, and not by the year that never was
    assert look(at + 92 * DAY + AHEAD - timedelta(hours=1)) == 0
    assert look(at + 92 * DAY + AHEAD) == 2


@pytest.mark.sqlite
def test_the_last_administrator_whoever_is_inside_and_emergency_roles_stay(linked: World) -> None:
    w, at = linked, timezone.now()
    unused.set_unused_days(actor=w.owner, organisation=w.organisation, days=UnusedDays(30, 30, 30))
    emergency.give_role(actor=w.owner, organisation=w.organisation, person=w.operator.public_id, plant=w.plant)
    w.grant(480)
    accepted(w, started(w))
    assert closed_at_last(at + 40 * DAY) == 2  # approver and rival
    assert {row.person for row in ClosedMembership.objects.all()} == {w.approver, w.rival}
    assert told(w.operator) == []
    page = shown(signed_in(w.owner), "/people/unused/")
    assert "has the emergency role" not in page  # nobody has been away for a month yet, by the clock of now
    Membership.objects.update(since=at - 60 * DAY)
    page = shown(signed_in(w.owner), "/people/unused/")
    assert "never: has the emergency role" in page
    assert page.count("Open again") >= 2


@pytest.mark.sqlite
def test_a_program_is_locked_with_its_tokens_and_who_administers_hears_before(world: World) -> None:
    program, at = Program(world), timezone.now()
    agent = service_accounts.create_service_account(
        actor=world.owner, organisation=world.organisation, name="Palletiser", answered_by=world.operator.public_id
    )
    assert look(at + 160 * DAY) == 0
    assert told(world.owner) == []
    look(at + 170 * DAY)
    assert told(world.owner) == [PROGRAM_CLOSES_SOON] * 2
    assert told(world.operator) == [PROGRAM_CLOSES_SOON]  # who answers for the agent
    assert "Palletiser" in shown(signed_in(world.owner), "/notifications/")
    assert look(at + 170 * DAY + AHEAD) == 2 + 2  # with the two suppliers' people
    assert not fresh(program.account).enabled
    assert not fresh(agent).enabled
    assert program.get("/me").status_code == 401
    identity.set_person_enabled(actor=world.owner, person=agent.public_id, enabled=True, reason="needed")
    row = Membership.objects.get(person=agent)
    assert (row.warned_at, timezone.now() - row.since < timedelta(minutes=1)) == (None, True)


@pytest.mark.sqlite
def test_whoever_works_for_others_too_loses_only_what_closed(world: World) -> None:
    at, other = timezone.now(), world.stranger.memberships.get().organisation.public_id
    identity.create_person(
        actor=world.stranger, organisation=other, name="x", email=world.technician.email, role=Role.TECHNICIAN
    )
    accept(actor=world.technician, organisation=other)
    connector = ConnectorEnd(world.technician)
    closed_at_last(at + 80 * DAY)
    assert set(fresh(world.technician).roles) == {other}
    assert connector.call("GET", "/machines").status_code == 200


def test_who_may_set_the_days_and_open_again(world: World) -> None:
    days = UnusedDays(60, 0, 0)
    for who, refused in ((world.operator, Denied), (world.technician, NotFound), (world.stranger, NotFound)):
        with pytest.raises(refused):
            unused.set_unused_days(actor=who, organisation=world.organisation, days=days)
    for wrong in (UnusedDays(29, 0, 0), UnusedDays(0, 3651, 0), UnusedDays(0, 0, -1)):
        with pytest.raises(Invalid):
            unused.set_unused_days(actor=world.owner, organisation=world.organisation, days=wrong)
    with pytest.raises(IntegrityError), transaction.atomic():
        Organisation.objects.update(unused_days_own=7)
    closed_at_last(timezone.now() + 80 * DAY)
    them = {"organisation": world.organisation, "person": world.technician.public_id}
    for who, refused in ((world.operator, Denied), (world.rival, NotFound), (world.stranger, NotFound)):
        with pytest.raises(refused):
            unused.reopen(actor=who, **them)
    path = f"/people/{world.organisation}/{world.technician.public_id}/reopen/"
    assert signed_in(world.operator).get(path).status_code == 403
    assert signed_in(world.stranger).get(path).status_code == 404
    owner = signed_in(world.owner)
    assert "Presses &amp; Co" in shown(owner, path)
    assert "Opened again" in owner.post(path, follow=True).content.decode()
    assert owner.get(path).status_code == 404
    assert set(fresh(world.technician).roles) == {world.organisation}
    answer = owner.post(f"/people/unused/{world.organisation}/", {"supplied": 60, "own": 0, "programs": 0}, follow=True)
    assert "60 days" in answer.content.decode()


def test_the_api_lists_sets_and_opens_again(world: World) -> None:
    owner = Browser(world.owner)
    own = {"organisation": world.organisation}
    given = {**own, "supplied": 45, "own": 0, "programs": 0}
    assert ok(owner.post("/unused-days", given)) == given
    assert ok(owner.get("/unused-days"))["items"] == [given]
    Membership.objects.update(since=timezone.now() - 40 * DAY)
    rows = {row["person"]: row for row in ok(owner.get("/unused-memberships"))["items"]}
    assert rows[world.technician.public_id]["closes_at"] is not None
    assert rows[world.approver.public_id]["closes_at"] is None
    Membership.objects.update(since=timezone.now() - 60 * DAY, warned_at=timezone.now() - 20 * DAY)
    close_unused_memberships(timezone.now())
    closed = ok(owner.get("/closed-memberships"))["items"]
    assert {row["person"] for row in closed} == {world.technician.public_id, world.rival.public_id}
    path = f"/people/{world.organisation}/{world.technician.public_id}/reopen"
    assert ok(owner.post(path, {}))["person"] == world.technician.public_id
    assert len(ok(owner.get("/closed-memberships"))["items"]) == 1
    assert Browser(world.technician).post(path, {}).status_code == 404


def test_two_processes_at_once_close_nobody_twice(committed_world: World) -> None:
    at = timezone.now() + 80 * DAY
    collect_unused(at, mail=False)

    def close(_: int) -> int:
        try:
            return close_unused_memberships(at + AHEAD)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(close, range(2))) == 2
    assert Event.objects.filter(code="identity.membership.closed").count() == 2
