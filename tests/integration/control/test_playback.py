# SPDX-License-Identifier: Apache-2.0
"""Nobody looks through what was recorded of a person alone: a named reader asks, a named guardian says yes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.audit.models import Event
from portineria.control.audit.queries import events, views
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.identity.services import BadField
from portineria.control.privacy.duties import appoint
from portineria.control.privacy.models import Appointment, Duty
from portineria.control.remote_sessions import playback, recordings
from portineria.control.remote_sessions.models import Playback, Session
from portineria.control.remote_sessions.playback import AskedAlready, NothingRecorded, OwnPlayback, PlaybackOver
from portineria.core.errors import Denied, NotFound
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.looking import asked, may_look, named
from tests.integration.control.sessions import started
from tests.integration.control.test_recordings import brought, recorded
from tests.integration.control.world import World, fresh
from tests.unit.recording.recorded import ABOUT

pytestmark = pytest.mark.sqlite  # nothing here depends on which database it is


@pytest.fixture
def session(linked: World) -> Session:
    row = started(linked)
    brought(linked, recorded(linked, row))
    return row


def looks(who: Person, session: Session) -> bool:
    """Through page, chunk and archive alike."""
    page = signed_in(fresh(who)).get(f"/sessions/{session.public_id}/playback/").status_code == 200
    done = []
    for act in (
        lambda: recordings.read(actor=fresh(who), session=session.public_id),
        lambda: recordings.chunk(actor=fresh(who), session=session.public_id, recording=ABOUT.recording, number=1),
    ):
        try:
            act()
        except NotFound:
            done.append(False)
        else:
            done.append(True)
    assert done == [page, page]
    return page


def test_an_owner_looks_after_another_persons_yes_and_no_longer_than_that(linked: World, session: Session) -> None:
    owner, page = linked.owner, signed_in(linked.owner)
    assert not looks(owner, session)
    assert not Event.objects.filter(code="remote_sessions.recording.read").exists()
    address = f"/sessions/{session.public_id}/"
    assert "playback" not in shown(page, address)
    named(linked, owner, Duty.READER)
    named(linked, linked.approver, Duty.GUARDIAN)
    assert f"{address}playback/request/" in shown(page, address)
    said = {"reason": "The press stopped", "reference": "INC-12", "hours": "4"}
    assert page.post(f"{address}playback/request/", said | {"reference": ""}).status_code == 200
    assert page.post(f"{address}playback/request/", said)["Location"] == address
    assert not looks(owner, session)
    row, guardian = Playback.objects.get(), signed_in(linked.approver)
    decide = f"/playbacks/{row.public_id}/"
    assert decide in shown(guardian, "/")
    assert "INC-12" in shown(guardian, decide)
    assert guardian.post(decide, {"answer": "yes"})["Location"] == "/privacy/"
    assert looks(owner, session)
    assert "playback/" in shown(page, address)
    told = {view.code: view for view in views(events(owner)[:12])}
    assert told["remote_sessions.playback.asked"].fields["reference"] == "INC-12"
    assert told["remote_sessions.playback.allowed"].actor == linked.approver.public_id
    Playback.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert not looks(owner, session)


Change = Callable[[World, Playback], object]


def lowered(w: World, _: Playback) -> None:
    Membership.objects.filter(person=w.approver).update(role=Role.TECHNICIAN)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda w, row: playback.end(actor=w.approver, playback=row.public_id), id="the guardian ends it"),
        pytest.param(lambda w, row: playback.end(actor=w.owner, playback=row.public_id), id="an administrator ends it"),
        pytest.param(lambda w, _: named(w, w.approver, None), id="the guardian is none any more"),
        pytest.param(lambda w, _: named(w, w.operator, Duty.GUARDIAN), id="the reader guards now"),
        pytest.param(
            lambda w, _: Person.objects.filter(pk=w.approver.pk).update(disabled_at=timezone.now()), id="locked"
        ),
        pytest.param(lowered, id="the guardian left the staff"),
    ],
)
def test_what_a_yes_rests_on_ends_it(linked: World, session: Session, change: Change) -> None:
    row = may_look(linked, linked.operator, session)
    assert looks(linked.operator, session)
    assert not looks(linked.owner, session)  # a yes is to one person
    change(linked, row)
    assert not looks(linked.operator, session)


def test_nobody_says_yes_to_themselves_or_about_themselves(linked: World, session: Session) -> None:
    named(linked, linked.operator, Duty.READER)
    row = asked(linked.operator, session)
    with pytest.raises(AskedAlready):
        asked(linked.operator, session)
    with pytest.raises(OwnPlayback):
        playback.decide(actor=linked.operator, playback=row.public_id, allowed=True)
    named(linked, linked.operator, Duty.GUARDIAN)
    with pytest.raises(OwnPlayback):
        playback.decide(actor=fresh(linked.operator), playback=row.public_id, allowed=True)
    named(linked, linked.owner, Duty.GUARDIAN)
    Playback.objects.update(recorded=linked.owner)
    with pytest.raises(OwnPlayback):
        playback.decide(actor=fresh(linked.owner), playback=row.public_id, allowed=True)
    for own in (linked.operator, linked.owner):
        with pytest.raises(IntegrityError), transaction.atomic():
            Playback.objects.update(decided_by=own, decided_at=timezone.now())
    for who in (linked.approver, linked.technician, linked.stranger):  # of the staff, and not named; nobody
        for act in (
            lambda who=who: playback.decide(actor=fresh(who), playback=row.public_id, allowed=True),
            lambda who=who: playback.end(actor=fresh(who), playback=row.public_id),
            lambda who=who: playback.playback(fresh(who), row.public_id),
            lambda who=who: asked(who, session),
        ):
            with pytest.raises(NotFound):
                act()


def test_a_no_is_final_and_what_was_never_recorded_is_not_asked_for(linked: World, session: Session) -> None:
    named(linked, linked.operator, Duty.READER)
    named(linked, linked.approver, Duty.GUARDIAN)
    row = asked(linked.operator, session)
    playback.decide(actor=linked.approver, playback=row.public_id, allowed=False)
    assert not looks(linked.operator, session)
    with pytest.raises(PlaybackOver):
        playback.decide(actor=linked.approver, playback=row.public_id, allowed=True)
    with pytest.raises(PlaybackOver):
        playback.end(actor=linked.approver, playback=row.public_id)
    assert Event.objects.filter(code="remote_sessions.playback.denied").count() == 1
    with pytest.raises(NothingRecorded):
        asked(linked.operator, started(linked))
    for hours in (0, 169):
        with pytest.raises(BadField):
            asked(linked.operator, session, hours)


def test_an_administrator_names_people_of_the_staff_each_for_one_thing(linked: World) -> None:
    page, address = signed_in(linked.owner), f"/privacy/{linked.organisation}/duties/"
    for duty in ("reader", "guardian", "guardian"):
        said = {"person": linked.operator.public_id, "duty": duty}
        assert page.post(address, said)["Location"] == "/privacy/"
    assert Appointment.objects.get().duty == "guardian"
    assert Event.objects.filter(code="privacy.duty.given").count() == 2
    assert Event.objects.filter(code="privacy.duty.ended").count() == 1
    assert "guardian: says yes or no" in shown(page, "/privacy/")
    with pytest.raises(NotFound):
        named(linked, linked.technician, Duty.READER)
    for who, refused in ((linked.approver, Denied), (linked.technician, NotFound), (linked.stranger, NotFound)):
        with pytest.raises(refused):
            appoint(actor=who, organisation=linked.organisation, person=who.public_id, duty=Duty.READER)
    assert page.post(address, {"person": linked.operator.public_id, "duty": ""})["Location"] == "/privacy/"
    assert not Appointment.objects.exists()
