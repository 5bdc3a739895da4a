# SPDX-License-Identifier: Apache-2.0
"""Looking through what was recorded of a person: one named person asks with a reason, a named other one decides."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from portineria.control.audit.services import record
from portineria.control.identity.authority import administers
from portineria.control.identity.models import Person
from portineria.control.identity.services import BadField
from portineria.control.identity.words import clean_words
from portineria.control.privacy.duties import guarded_by, has_duty
from portineria.control.privacy.models import Duty
from portineria.control.remote_sessions import queries
from portineria.control.remote_sessions.models import Playback, PlaybackQuerySet, Session
from portineria.control.remote_sessions.models.playback import MOST_HOURS
from portineria.core.errors import Conflict, Denied, NotFound


class AskedAlready(Conflict):
    code = "playback.asked"


class PlaybackOver(Conflict):
    code = "playback.over"


class OwnPlayback(Denied):
    """Their own request, or what was recorded of themselves."""

    code = "playback.own"


class NothingRecorded(Conflict):
    code = "playback.nothing"


# -- what one may see -------------------------------------------------------------------------------------------


def may_look(actor: Person, session: Session, at: datetime) -> bool:
    """Whether a yes holds now: of somebody who still guards, to this person, who still is a reader."""
    if not has_duty(actor, session.organisation_id, Duty.READER):
        return False
    rows = Playback.objects.filter(session=session, asked_by=actor).open_at(at).select_related("decided_by")
    return any(
        row.decided_by is not None and has_duty(row.decided_by, session.organisation_id, Duty.GUARDIAN) for row in rows
    )


def require_playback(actor: Person, session: Session) -> None:
    """Raise NotFound: whoever may not look is told nothing of what there is."""
    if not may_look(actor, session, timezone.now()):
        raise NotFound(f"recordings of {session.public_id}, for {actor.public_id}")


def may_ask(actor: Person, session: Session) -> bool:
    asked = Playback.objects.filter(session=session, asked_by=actor).waiting().exists()
    return not asked and has_duty(actor, session.organisation_id, Duty.READER) and kept(session)


def kept(session: Session) -> bool:
    return session.recordings.filter(chunks__gte=1, expired_at__isnull=True).exists()


def _concerning(actor: Person) -> PlaybackQuerySet:
    """Those that they asked for, and those of organisations where they guard."""
    rows = Playback.objects.visible_to(actor)
    return rows.filter(asked_by=actor) | rows.filter(organisation__in=guarded_by(actor))


def playbacks(actor: Person, at: datetime) -> list[Playback]:
    """What waits and what is open now, the oldest first."""
    rows = _concerning(actor)
    rows = rows.waiting() | rows.open_at(at)
    related = ("session__machine", "session__person", "asked_by", "decided_by", "organisation")
    return list(rows.select_related(*related).order_by("asked_at", "pk")[:100])


def decidable(actor: Person) -> list[Playback]:
    """What waits for this person's yes or no."""
    rows = Playback.objects.visible_to(actor).waiting().filter(organisation__in=guarded_by(actor))
    return list(rows.exclude(asked_by=actor).exclude(recorded=actor).order_by("asked_at", "pk")[:100])


def playback(actor: Person, public_id: str) -> Playback:
    """Raise NotFound."""
    related = ("session__machine__plant", "session__person", "asked_by", "decided_by", "organisation")
    row = _concerning(actor).filter(public_id=public_id).select_related(*related).first()
    if row is None:
        raise NotFound(f"playback {public_id}")
    return row


# -- acts -------------------------------------------------------------------------------------------------------


@transaction.atomic
def ask(*, actor: Person, session: str, reason: str, reference: str, hours: int) -> Playback:
    """By a reader. Raise NotFound for everybody else, NothingRecorded, AskedAlready, BadField."""
    row = queries.session(actor, session)
    if not has_duty(actor, row.organisation_id, Duty.READER):
        raise NotFound(f"recordings of {session}, for {actor.public_id}")
    reason, reference = clean_words(reason), " ".join(reference.split())
    if not 1 <= len(reference) <= 60 or not reference.isprintable():
        raise BadField("reference", "1 to 60 characters")
    if not 1 <= hours <= MOST_HOURS:
        raise BadField("hours", f"1 to {MOST_HOURS}")
    if not kept(row):
        raise NothingRecorded(f"nothing of session {session} is recorded here")
    if Playback.objects.filter(session=row, asked_by=actor).waiting().exists():
        raise AskedAlready(f"{actor.public_id} has asked for {session}")
    made = Playback.objects.create(
        organisation=row.organisation, session=row, recorded=row.person, asked_by=actor, reason=reason,
        reference=reference, hours=hours,
    )  # fmt: skip
    _record("asked", made, actor, reason=reason, reference=reference, hours=hours)
    return made


def _locked(actor: Person, public_id: str) -> Playback:
    rows = Playback.objects.select_for_update(of=("self",), no_key=True).select_related(
        "organisation", "session__machine", "session__gateway", "session__person", "asked_by"
    )
    row = rows.filter(public_id=public_id, pk__in=Playback.objects.visible_to(actor).values("pk")).first()
    if row is None:
        raise NotFound(f"playback {public_id}")
    return row


@transaction.atomic
def decide(*, actor: Person, playback: str, allowed: bool) -> Playback:
    """By a guardian who neither asked nor was recorded. A yes opens it for the hours that were asked for, from now."""
    row = _locked(actor, playback)
    if actor.pk in (row.asked_by_id, row.recorded_id):
        raise OwnPlayback(f"{actor.public_id} is concerned in {playback}")
    if not has_duty(actor, row.organisation_id, Duty.GUARDIAN):
        raise NotFound(f"playback {playback}")
    if not row.waits:
        raise PlaybackOver(f"playback {playback} is decided")
    row.decide(actor, timezone.now(), allowed=allowed)
    row.save()
    until = {"until": row.until.isoformat(timespec="seconds")} if row.until else {}
    _record("allowed" if allowed else "denied", row, actor, **until)
    return row


@transaction.atomic
def end(*, actor: Person, playback: str) -> Playback:
    """By whoever asked, a guardian, or an administrator: at once, and before it was decided too."""
    row = _locked(actor, playback)
    role = actor.role_in(row.organisation_id)
    guards = has_duty(actor, row.organisation_id, Duty.GUARDIAN)
    if actor.pk != row.asked_by_id and not guards and (role is None or not administers(role)):
        raise NotFound(f"playback {playback}")
    now = timezone.now()
    if row.ended_at is not None or (row.decided_at is not None and (row.until is None or row.until <= now)):
        raise PlaybackOver(f"playback {playback} is over")
    row.ended_at = now
    row.save(update_fields=["ended_at"])
    _record("ended", row, actor)
    return row


def _record(what: str, row: Playback, actor: Person, **fields: str | int) -> None:
    session = row.session
    record(
        f"remote_sessions.playback.{what}",
        organisation=row.organisation.public_id,
        actor=actor.public_id,
        about=actor.public_id,
        session=session.public_id,
        machine=session.machine.public_id,
        gateway=session.gateway.public_id,
        person=session.person.public_id,
        playback=row.public_id,
        **fields,
    )
