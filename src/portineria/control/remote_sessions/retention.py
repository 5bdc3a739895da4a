# SPDX-License-Identifier: Apache-2.0
"""How long recordings are kept: as the owner's terms say, from the end of their session on, unless somebody holds them.

What is deleted are the chunks. Hashes, heads and counts stay in the rows and in the register, so that a copy that
somebody has can still be checked, and that there was a recording is not forgotten.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from portineria.control.audit.services import record
from portineria.control.identity.authority import SYSTEM, administers
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.words import clean_words
from portineria.control.privacy.duties import has_duty
from portineria.control.privacy.models import Duty
from portineria.control.privacy.queries import terms_of
from portineria.control.recording_store import store
from portineria.control.remote_sessions import queries
from portineria.control.remote_sessions.models import Recording, RecordingHold, Session
from portineria.control.remote_sessions.playback import NothingRecorded
from portineria.core.errors import Conflict, NotFound

_AT_ONCE = 20  # recordings in one round: others are served between two


class HeldAlready(Conflict):
    code = "recording.held"


class NotHeld(Conflict):
    code = "recording.not-held"


_HELD = Exists(RecordingHold.objects.filter(session=OuterRef("session"), lifted_at__isnull=True))


# -- deleting ---------------------------------------------------------------------------------------------------


def delete_expired(at: datetime) -> int:
    """Return how many recordings were deleted. Each is marked first, then its chunks go, then the register says so:
    whoever is killed between goes on where they were. Raise StoreAway.
    """
    for pk, days in _over(at):
        _mark(pk, days, at)
    marked = Recording.objects.filter(expired_at__isnull=False, deleted_at__isnull=True).order_by("pk")
    rows = list(marked.select_related("session__organisation")[:_AT_ONCE])
    for row in rows:
        _remove_chunks(row)
        _note_deleted(row.pk)
    return len(rows)


def _over(at: datetime) -> list[tuple[int, int]]:
    """(recording, after how many days) of those whose time is over."""
    there = Recording.objects.filter(expired_at__isnull=True)
    found: list[tuple[int, int]] = []
    for owner in Organisation.objects.filter(pk__in=there.values("session__organisation")).order_by("pk"):
        if (days := terms_of(owner).recordings_days) is not None:
            of_owner = there.filter(session__organisation=owner, session__ended_at__lte=at - timedelta(days=days))
            found += [
                (pk, days) for pk in of_owner.filter(~_HELD).order_by("pk").values_list("pk", flat=True)[:_AT_ONCE]
            ]
    return found


def _locked(pk: int) -> Recording:
    related = ("session__organisation", "session__person", "session__machine", "session__gateway")
    return Recording.objects.select_for_update(of=("self",), no_key=True).select_related(*related).get(pk=pk)


@transaction.atomic
def _mark(pk: int, days: int, at: datetime) -> None:
    """Looks again under the lock: somebody may hold it since, or the terms are others."""
    row = (
        Recording.objects.select_for_update(of=("self",), no_key=True)
        .select_related("session__organisation")
        .get(pk=pk)
    )
    held = RecordingHold.objects.filter(session=row.session, lifted_at__isnull=True).exists()
    if row.expired_at is None and not held and terms_of(row.session.organisation).recordings_days == days:
        row.expired_at = at
        row.save(update_fields=["expired_at"])


def _remove_chunks(row: Recording) -> None:
    """One more than is known: it may have been put there by whoever was killed before they could say so."""
    session = row.session
    place, chunks = f"{session.organisation.public_id}/{session.public_id}/{row.public_id}", store()
    for number in range(1, row.chunks + 2):
        chunks.delete(f"{place}/{number:08}.chunk")


@transaction.atomic
def _note_deleted(pk: int) -> None:
    row = _locked(pk)
    if row.expired_at is None or row.deleted_at is not None:  # a chunk came late: the next round is about it
        return
    row.deleted_at = timezone.now()
    row.save(update_fields=["deleted_at"])
    _record(
        "remote_sessions.recording.deleted",
        row.session,
        SYSTEM,
        recording=row.public_id,
        number=row.chunks,
        head=bytes(row.head).hex(),
        days=terms_of(row.session.organisation).recordings_days or 0,
    )


# -- holding ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Keeping:
    """What becomes of a session's recordings. ``until``: None when nothing ends it."""

    until: datetime | None
    hold: RecordingHold | None
    deleted: bool
    may_hold: bool


def keeping(actor: Person, session: Session) -> Keeping | None:
    """None where nothing is recorded, and for everybody else."""
    if session.organisation_id not in actor.staff_of or not session.recordings.filter(chunks__gte=1).exists():
        return None
    days = terms_of(session.organisation).recordings_days
    over = session.ended_at + timedelta(days=days) if session.ended_at and days is not None else None
    hold = RecordingHold.objects.filter(session=session, lifted_at__isnull=True).select_related("set_by").first()
    there = session.recordings.filter(expired_at__isnull=True).exists()
    return Keeping(over, hold, not there, there and _may_hold(actor, session))


def holds(actor: Person) -> list[RecordingHold]:
    """The oldest first."""
    rows = RecordingHold.objects.filter(session__organisation__in=actor.staff_of, lifted_at__isnull=True)
    return list(rows.select_related("session__person", "session__machine", "set_by").order_by("set_at", "pk")[:100])


def _may_hold(actor: Person, session: Session) -> bool:
    role = actor.role_in(session.organisation_id)
    return (role is not None and administers(role)) or has_duty(actor, session.organisation_id, Duty.GUARDIAN)


def _holdable(actor: Person, session: str) -> Session:
    row = queries.session(actor, session)
    if not _may_hold(actor, row):
        raise NotFound(f"recordings of {session}, for {actor.public_id}")
    # Whoever deletes has the recording's row first as well.
    list(row.recordings.select_for_update(no_key=True).order_by("pk"))
    return row


@transaction.atomic
def hold(*, actor: Person, session: str, reason: str) -> RecordingHold:
    """By an administrator or a guardian: nothing of this session is deleted until it is lifted.

    Raise NotFound, NothingRecorded, HeldAlready, BadField.
    """
    row = _holdable(actor, session)
    reason = clean_words(reason)
    if not row.recordings.filter(chunks__gte=1, expired_at__isnull=True).exists():
        raise NothingRecorded(f"nothing of session {session} is recorded here")
    if RecordingHold.objects.filter(session=row, lifted_at__isnull=True).exists():
        raise HeldAlready(f"the recordings of {session} are held")
    made = RecordingHold.objects.create(session=row, reason=reason, set_by=actor)
    _record("remote_sessions.hold.set", row, actor.public_id, reason=reason)
    return made


@transaction.atomic
def lift_hold(*, actor: Person, session: str) -> None:
    """Raise NotFound, NotHeld."""
    row = _holdable(actor, session)
    held = RecordingHold.objects.select_for_update(no_key=True).filter(session=row, lifted_at__isnull=True).first()
    if held is None:
        raise NotHeld(f"the recordings of {session} are not held")
    held.lifted_by, held.lifted_at = actor, timezone.now()
    held.save(update_fields=["lifted_by", "lifted_at"])
    _record("remote_sessions.hold.lifted", row, actor.public_id)


def _record(code: str, session: Session, actor: str, **fields: str | int) -> None:
    record(
        code,
        organisation=session.organisation.public_id,
        actor=actor,
        about=actor,
        session=session.public_id,
        machine=session.machine.public_id,
        gateway=session.gateway.public_id,
        person=session.person.public_id,
        **fields,
    )
