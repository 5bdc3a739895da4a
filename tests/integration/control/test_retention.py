# SPDX-License-Identifier: Apache-2.0
"""Recordings go when their time is over, and the register says so; unless somebody holds them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.audit.models import Event
from portineria.control.audit.queries import events, views
from portineria.control.expiring import keep_deleting
from portineria.control.own_connection import given_back
from portineria.control.privacy.models import Duty, Terms
from portineria.control.recording_store import store
from portineria.control.remote_sessions import recordings, retention
from portineria.control.remote_sessions.models import Recording, RecordingChunk, RecordingHold, Session
from portineria.control.remote_sessions.playback import NothingRecorded
from portineria.control.remote_sessions.retention import HeldAlready, NotHeld, delete_expired
from portineria.control.settings.start import current
from portineria.core.errors import NotFound
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.looking import may_look, named
from tests.integration.control.sessions import again, started
from tests.integration.control.test_recording_terms import terms
from tests.integration.control.test_recordings import brought, recorded
from tests.integration.control.worked import worked
from tests.integration.control.world import World, fresh


@pytest.fixture
def session(world: World) -> Session:
    """Ended, with a whole recording of four chunks."""
    row = worked(world)
    brought(world, recorded(world, row))
    return again(row)


def files(session: Session) -> list[Path]:
    return sorted((current().state / "recordings").rglob(f"{session.public_id}/**/*.chunk"))


def after(session: Session, days: int) -> int:
    assert session.ended_at is not None
    return delete_expired(session.ended_at + timedelta(days=days, seconds=1))


def deleted() -> int:
    return Event.objects.filter(code="remote_sessions.recording.deleted").count()


def test_what_is_over_is_gone_and_what_proves_it_stays(world: World, session: Session) -> None:
    may_look(world, world.owner, session)
    address = f"/sessions/{session.public_id}/"
    assert after(session, 89) == 0
    assert len(files(session)) == 4
    assert "kept until" in shown(signed_in(world.owner), address)
    assert after(session, 90) == 1
    assert files(session) == []
    row = Recording.objects.get()
    assert (row.chunks, RecordingChunk.objects.count(), row.deleted_at is not None) == (4, 4, True)
    [told] = [view for view in views(events(world.owner)[:5]) if view.code == "remote_sessions.recording.deleted"]
    said = {name: told.fields[name] for name in ("recording", "number", "head", "days")}
    assert said == {"recording": row.public_id, "number": 4, "head": bytes(row.head).hex(), "days": 90}
    assert recordings.kept_of(fresh(world.owner), session) == []
    with pytest.raises(NotFound):
        recordings.read(actor=fresh(world.owner), session=session.public_id)
    page = shown(signed_in(world.owner), address)
    assert "deleted: their time is over" in page
    assert "/hold/" not in page
    assert (after(session, 91), deleted()) == (0, 1)


def test_terms_say_how_long_and_none_means_until_somebody_acts(world: World, session: Session) -> None:
    terms(world, days=None)
    assert after(session, 3650) == 0
    terms(world, days=7)
    assert after(session, 6) == 0
    assert after(session, 7) == 1


def test_of_a_session_that_goes_on_nothing_is_deleted(linked: World) -> None:
    row = started(linked)
    brought(linked, recorded(linked, row), 1)
    assert delete_expired(timezone.now() + timedelta(days=999)) == 0
    assert len(files(row)) == 1


def test_a_hold_stops_it_until_it_is_lifted(world: World, session: Session) -> None:
    named(world, world.approver, Duty.GUARDIAN)
    guardian, address = signed_in(world.approver), f"/sessions/{session.public_id}/hold/"
    for who in (world.operator, world.technician, world.rival, world.stranger):
        assert signed_in(who).get(address).status_code == 404
        for act in (retention.hold, retention.lift_hold):
            more = {"reason": "x"} if act is retention.hold else {}
            with pytest.raises(NotFound):
                act(actor=fresh(who), session=session.public_id, **more)
    assert guardian.post(address, {"reason": " "}).status_code == 200
    assert guardian.post(address, {"reason": "Incident 12"}).status_code == 302
    with pytest.raises(HeldAlready):
        retention.hold(actor=world.owner, session=session.public_id, reason="x")
    with pytest.raises(IntegrityError), transaction.atomic():
        RecordingHold.objects.create(session=session, reason="x", set_by=world.owner)
    assert after(session, 999) == 0
    assert len(files(session)) == 4
    assert "Incident 12" in shown(signed_in(world.operator), "/privacy/")
    assert guardian.post(address, {"reason": ""}).status_code == 302
    with pytest.raises(NotHeld):
        retention.lift_hold(actor=world.owner, session=session.public_id)
    assert after(session, 999) == 1
    assert files(session) == []
    with pytest.raises(NothingRecorded):
        retention.hold(actor=world.owner, session=session.public_id, reason="too late")
    held = Event.objects.filter(code__startswith="remote_sessions.hold.").order_by("seq").values_list("code", flat=True)
    assert list(held) == ["remote_sessions.hold.set", "remote_sessions.hold.lifted"]


def test_whoever_was_killed_between_goes_on_and_what_comes_late_goes_too(world: World) -> None:
    row = worked(world)
    made = recorded(world, row)
    brought(world, made, 1, 2)
    session = again(row)
    store().put(f"{world.organisation}/{row.public_id}/{made.about.recording}/00000003.chunk", made.chunks[2])
    Recording.objects.update(expired_at=timezone.now())  # marked, and the process ended
    assert recordings.kept_of(fresh(world.owner), session) == []
    assert (delete_expired(timezone.now()), deleted(), files(session)) == (1, 1, [])
    brought(world, made, 3)
    assert Recording.objects.get().deleted_at is None
    assert (after(session, 90), deleted(), files(session)) == (1, 2, [])
    with pytest.raises(IntegrityError), transaction.atomic():
        Recording.objects.update(expired_at=None)


def test_a_process_does_it_by_itself(committed_world: World) -> None:
    row = worked(committed_world)
    brought(committed_world, recorded(committed_world, row))
    Session.objects.filter(pk=row.pk).update(ended_at=timezone.now() - timedelta(days=91))
    assert not Terms.objects.exists()

    async def until_deleted() -> None:
        task = asyncio.create_task(keep_deleting())
        async with asyncio.timeout(20):
            while await asyncio.to_thread(given_back(deleted)) == 0:
                assert not task.done()
                await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(until_deleted())
    assert files(row) == []
