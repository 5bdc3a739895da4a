# SPDX-License-Identifier: Apache-2.0
"""A supplier's person is let in until a day, and one of the organisation's own people answers for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.audit.models import Event
from portineria.control.audit.queries import views
from portineria.control.console import notice_letter
from portineria.control.identity import services as identity
from portineria.control.identity import sponsoring, unused
from portineria.control.identity.authority import Operator
from portineria.control.identity.closing_models import ClosedMembership
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.identity.offers import accept
from portineria.control.identity.sponsorship import BadEnd, BadSponsor
from portineria.control.identity.standing_models import over_at
from portineria.control.identity.unused import UnusedDays
from portineria.control.notification import queries, sending
from portineria.control.notification.models import Channel, Delivery
from portineria.control.notification.sponsors import ENDS_SOON, OWN_ENDS_SOON, collect_stays
from portineria.control.remote_sessions import refusals
from portineria.control.remote_sessions.services import enforce
from portineria.control.remote_sessions.unused import close_memberships_over
from portineria.core.errors import Denied, Invalid, NotFound
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser
from tests.integration.control.sessions import accepted, again, report, started
from tests.integration.control.test_notifications import told
from tests.integration.control.test_rest_governs import ok
from tests.integration.control.world import World, fresh

DAY = timedelta(days=1)


def let_in(w: World, email: str = "new@example.com", **terms: object) -> Person:
    return identity.create_person(
        actor=w.owner, organisation=w.organisation, name="New", email=email, role=Role.TECHNICIAN,
        supplier=w.supplier, **terms,  # type: ignore[arg-type]
    )  # fmt: skip


def membership(person: Person) -> Membership:
    return Membership.objects.get(person=person)


def ends(w: World, at: datetime, sponsor: Person | None = None) -> None:
    """Of the technician; let in long before."""
    Membership.objects.filter(person=w.technician).update(ends_at=at, sponsor=sponsor, since=timezone.now() - 300 * DAY)


@pytest.mark.sqlite
def test_whoever_lets_them_in_answers_for_a_year_unless_something_else_is_said(world: World) -> None:
    today = timezone.now().date()
    usual = membership(let_in(world))
    assert (usual.last_day, usual.sponsor) == (today + 365 * DAY, world.owner)
    told_ = views(list(Event.objects.filter(code="identity.membership.added").order_by("-seq")[:1]))[0].fields
    assert (told_["until"], told_["sponsor"]) == ((today + 365 * DAY).isoformat(), world.owner.public_id)
    said = membership(let_in(world, "b@example.com", until=today + 9 * DAY, sponsor=world.operator.public_id))
    assert (said.ends_at, said.sponsor) == (over_at(today + 9 * DAY), world.operator)
    days = UnusedDays(90, 0, 180, 30)
    unused.set_unused_days(actor=world.owner, organisation=world.organisation, days=days)
    assert membership(let_in(world, "c@example.com")).last_day == today + 30 * DAY
    for until in (today + 31 * DAY, today - DAY):
        with pytest.raises(BadEnd):
            let_in(world, "d@example.com", until=until)
    for who in (world.rival, world.stranger):
        with pytest.raises(BadSponsor):
            let_in(world, "d@example.com", sponsor=who.public_id)
    with pytest.raises(BadSponsor):
        identity.create_person(
            actor=world.owner, organisation=world.organisation, name="x", email="d@example.com", role=Role.OPERATOR,
            sponsor=world.operator.public_id,
        )  # fmt: skip
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.filter(person=world.operator).update(ends_at=timezone.now())


@pytest.mark.sqlite
def test_somebody_known_elsewhere_gets_what_was_offered(world: World) -> None:
    until = timezone.now().date() + 20 * DAY
    let_in(world, world.stranger.email, until=until, sponsor=world.approver.public_id)
    row = accept(actor=world.stranger, organisation=world.organisation)
    assert (row.last_day, row.sponsor) == (until, world.approver)


def test_on_the_day_nothing_new_begins_what_runs_finishes_and_then_it_closes(linked: World) -> None:
    w = linked
    w.grant(480)
    ends(w, timezone.now() + timedelta(minutes=30), w.operator)
    accepted(w, session := started(w))
    assert again(session).expires_at <= timezone.now() + timedelta(minutes=30)
    ends(w, timezone.now() - timedelta(seconds=1), w.operator)
    assert enforce(timezone.now()) == 1
    assert (again(session).state, again(session).end_why) == ("draining", "membership-over")
    assert close_memberships_over(timezone.now()) == 0  # whoever is inside finishes
    assert fresh(w.technician).roles == {}
    with pytest.raises((refusals.NotPermitted, NotFound)):
        started(w)
    report(w, "session.ended", session, ending="drained", reason="membership-over")
    assert close_memberships_over(timezone.now()) == 1
    assert close_memberships_over(timezone.now()) == 0
    [closed] = ClosedMembership.objects.all()
    assert (closed.why, closed.person) == ("over", w.technician)
    page = shown(signed_in(w.owner), "/people/unused/")
    assert "the end that was agreed had come" in page
    unused.reopen(actor=w.owner, organisation=w.organisation, person=w.technician.public_id)
    row = membership(w.technician)
    assert (row.sponsor, row.last_day) == (w.owner, timezone.now().date() + 365 * DAY)


@pytest.mark.sqlite
def test_whoever_answers_is_told_a_month_and_a_week_before_and_prolongs_with_one_click(world: World) -> None:
    w, end, hour = world, timezone.now() + 100 * DAY, timedelta(hours=1)
    ends(w, end, w.operator)
    assert collect_stays(end - 30 * DAY - hour, mail=True) == 0
    for _twice in range(2):
        collect_stays(end - 30 * DAY + hour, mail=True)
    assert (told(w.operator), told(w.technician)) == ([ENDS_SOON], [])
    collect_stays(end - 7 * DAY + hour, mail=True)
    assert (told(w.operator), told(w.technician), told(w.owner)) == ([ENDS_SOON] * 2, [OWN_ENDS_SOON], [])
    row = queries.notifications(fresh(w.operator))[0]
    letter = notice_letter.mail(row, "a@example", "https://console.example").decode()
    assert "time of a supplier" in letter
    waiting = sending.waiting(Delivery.objects.get(notification=row, channel=Channel.MAIL).pk)
    assert waiting is not None
    assert not sending.moot(waiting, end - 7 * DAY + hour)
    browser = signed_in(w.operator)
    led = browser.get(f"/notifications/{row.public_id}/open/")["Location"]
    assert led == f"/people/{w.organisation}/{w.technician.public_id}/stay/"
    ends(w, timezone.now() + 5 * DAY, w.operator)
    assert "Do they go on working here?" in shown(browser, "/")
    page = shown(browser, led)
    year = (timezone.now().date() + 365 * DAY).isoformat()
    assert f'value="{year}"' in page  # one click: it is filled in
    assert browser.post(led, {"until": year, "sponsor": w.operator.public_id}).status_code == 302
    assert membership(w.technician).last_day == timezone.now().date() + 365 * DAY
    assert sending.moot(waiting, end - 7 * DAY + hour)
    assert "Do they go on working here?" not in shown(browser, "/")
    assert close_memberships_over(end) == 0


@pytest.mark.sqlite
def test_whose_sponsor_left_is_shown_and_somebody_takes_over(world: World) -> None:
    w = world
    ends(w, timezone.now() + 200 * DAY, w.operator)
    Membership.objects.filter(person=w.rival).update(ends_at=timezone.now() + 200 * DAY, sponsor=w.approver)
    owner = signed_in(w.owner)
    assert "Do they go on working here?" not in shown(owner, "/")
    assert "nobody answers for them" not in shown(owner, "/people/")
    identity.end_membership(actor=w.owner, person=w.operator.public_id, organisation=w.organisation, reason="left")
    assert "nobody answers for them" in shown(owner, "/")
    assert shown(owner, "/people/").count("nobody answers for them") == 1
    assert "Do they go on working here?" not in shown(signed_in(w.approver), "/")
    collect_stays(timezone.now() + 195 * DAY, mail=False)
    assert ENDS_SOON in told(w.owner)  # for want of anybody else
    path = f"/people/{w.organisation}/{w.technician.public_id}/stay/"
    assert "Nobody answers for them any more" in shown(owner, path)
    until = (timezone.now().date() + 50 * DAY).isoformat()
    assert owner.post(path, {"until": until, "sponsor": w.approver.public_id}).status_code == 302
    assert membership(w.technician).sponsor == w.approver
    assert "nobody answers for them" not in shown(owner, "/people/")
    codes = list(
        Event.objects.filter(code__startswith="identity.membership.")
        .order_by("-seq")
        .values_list("code", flat=True)[:2]
    )
    assert codes == ["identity.membership.sponsored", "identity.membership.prolonged"]


def test_who_may_prolong(world: World) -> None:
    w = world
    ends(w, timezone.now() + 200 * DAY, w.operator)
    theirs: dict[str, Any] = {"organisation": w.organisation, "person": w.technician.public_id}
    sponsoring.prolong(actor=w.operator, **theirs)
    sponsoring.prolong(actor=Operator(), **theirs)
    for who, refused in ((w.approver, Denied), (w.technician, NotFound), (w.rival, NotFound), (w.stranger, NotFound)):
        with pytest.raises(refused):
            sponsoring.prolong(actor=who, **theirs)
        with pytest.raises(refused):
            sponsoring.set_sponsor(actor=who, **theirs, sponsor=w.owner.public_id)
    path = f"/people/{w.organisation}/{w.technician.public_id}/stay/"
    answers = [signed_in(who).get(path).status_code for who in (w.operator, w.owner, w.approver, w.technician)]
    assert answers == [200, 200, 403, 404]
    assert signed_in(w.owner).get(f"/people/{w.organisation}/{w.operator.public_id}/stay/").status_code == 404
    sponsoring.set_sponsor(actor=w.operator, **theirs, sponsor=w.approver.public_id)
    with pytest.raises(Denied):  # handed over
        sponsoring.prolong(actor=w.operator, **theirs)
    with pytest.raises(Invalid):
        sponsoring.set_sponsor(actor=w.owner, **theirs, sponsor=w.rival.public_id)


def test_the_api_says_until_when_and_prolongs(world: World) -> None:
    owner, until = Browser(world.owner), (timezone.now().date() + 40 * DAY).isoformat()
    given = {
        "organisation": world.organisation, "name": "New", "email": "new@example.com", "role": "technician",
        "supplier": world.supplier, "until": until, "sponsor": world.operator.public_id,
    }  # fmt: skip
    made = ok(owner.post("/people", given))["person"]
    row = ok(owner.get(f"/people/{world.organisation}/{made}"))
    assert (row["until"], row["sponsor"], row["answered_for"]) == (until, world.operator.public_id, True)
    path = f"/people/{world.organisation}/{made}"
    assert ok(owner.post(f"{path}/sponsor", {"sponsor": world.owner.public_id}))["sponsor"] == world.owner.public_id
    assert ok(owner.post(f"{path}/prolong", {}))["until"] > until
    assert Browser(world.operator).post(f"{path}/prolong", {}).status_code == 403
    assert owner.post(f"{path}/prolong", {"until": "2099-01-01"}).json()["code"] == "field.until"


@pytest.mark.sqlite
def test_the_page_for_a_new_person_asks_for_both(world: World) -> None:
    owner = signed_in(world.owner, proved=True)
    page = shown(owner, "/people/add/")
    assert "Who answers for them" in page
    until = timezone.now().date() + 15 * DAY
    given = {
        "organisation": world.organisation, "name": "New", "email": "new@example.com", "role": "technician",
        "supplier": world.supplier, "until": until.isoformat(), "sponsor": world.approver.public_id,
    }  # fmt: skip
    assert owner.post("/people/add/", given).status_code == 200
    row = membership(Person.objects.get(email="new@example.com"))
    assert (row.last_day, row.sponsor) == (until, world.approver)
    staff = {**given, "email": "staff@example.com", "role": "operator", "supplier": ""}
    assert owner.post("/people/add/", staff).status_code == 200
    assert membership(Person.objects.get(email="staff@example.com")).sponsor is None
