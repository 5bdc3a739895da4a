# SPDX-License-Identifier: Apache-2.0
"""What people are told, of whom something is recorded, for how long, and who may look through it."""

from datetime import datetime
from typing import Annotated, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field

from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Person
from portineria.control.privacy import contents, duties, queries, services
from portineria.control.privacy.contents import Agreement
from portineria.control.privacy.models import ANSWER, MOST_DAYS, Duty
from portineria.control.remote_sessions import playback as looking
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions import retention
from portineria.control.remote_sessions.models import Playback, RecordingHold
from portineria.control.remote_sessions.models.playback import MOST_HOURS
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.operation import Given, Id, Reason, acts, reads
from portineria.core.errors import NotFound

router = Router(tags=["privacy"])


class DutyView(Schema):
    person: str
    duty: str
    since: datetime


class PrivacyView(Schema):
    """``notice``: number of the version that counts, null where there is none; ``acknowledged``: how many people said
    that they read it. ``recordings_days``: null is until somebody removes them.
    """

    organisation: str
    notice: int | None
    published_at: datetime | None
    acknowledged: int
    records_staff: bool
    records_suppliers: bool
    records_agents: bool
    recordings_days: int | None
    duties: list[DutyView]


class Privacy(Schema):
    items: list[PrivacyView]


def _privacy(actor: Person) -> list[PrivacyView]:
    named = duties.appointments(actor)
    return [
        PrivacyView(
            organisation=row.organisation.public_id, notice=row.notice.number if row.notice else None,
            published_at=row.notice.published_at if row.notice else None, acknowledged=row.acknowledged,
            records_staff=row.terms.records_staff, records_suppliers=row.terms.records_suppliers,
            records_agents=row.terms.records_agents, recordings_days=row.terms.recordings_days, duties=[
                DutyView(person=one.person.public_id, duty=one.duty, since=one.since)
                for one in named if one.organisation_id == row.organisation.pk
            ],
        )
        for row in queries.overview(actor)
    ]  # fmt: skip


def _of(actor: Person, organisation: str) -> PrivacyView:
    return next(row for row in _privacy(actor) if row.organisation == organisation)


def _require(actor: Person, organisation: str) -> None:
    require(actor, queries.editable(actor, organisation).owner.pk, administers)


@reads(router, "/privacy", Privacy)
def privacy(request: HttpRequest) -> Privacy:
    """Of the organisations whose staff the caller is."""
    return Privacy(items=_privacy(person_of(request)))


Answer = Annotated[str, Field(min_length=1, max_length=ANSWER)]


class Answers(Given):
    what: Answer
    why: Answer
    who: Answer
    how_long: Answer


class Notice(Given):
    """In every language: what is recorded, why, who may see it, how long it is kept."""

    en: Answers
    it: Answers
    ja: Answers


class NoticeShown(Schema):
    """``first``: nothing was published yet, and this is what the product says of itself."""

    organisation: str
    first: bool
    answers: dict[str, dict[str, str]]


@reads(router, "/privacy/{organisation}/notice", NoticeShown)
def notice(request: HttpRequest, organisation: Id) -> NoticeShown:
    now = queries.editable(person_of(request), organisation)
    return NoticeShown(organisation=now.owner.public_id, first=now.first, answers=now.answers)


@acts(router, "/privacy/{organisation}/notice", PrivacyView, Scope.ADMINISTER)
def notice_publish(request: HttpRequest, organisation: Id, given: Notice) -> PrivacyView:
    """Whoever begins a session reads it first; what runs goes on."""
    actor = person_of(request)
    _require(actor, organisation)
    services.publish_notice(actor=actor, organisation=organisation, answers=given.model_dump())
    return _of(actor, organisation)


class NewTerms(Given):
    """``recordings_days``: null is until somebody removes them."""

    records_staff: bool
    records_suppliers: bool
    records_agents: bool
    recordings_days: int | None = Field(default=None, ge=1, le=MOST_DAYS)


@acts(router, "/privacy/{organisation}/terms", PrivacyView, Scope.ADMINISTER)
def terms_set(request: HttpRequest, organisation: Id, given: NewTerms) -> PrivacyView:
    """Of whom: for sessions that begin from now on. For how long: for all recordings."""
    actor = person_of(request)
    _require(actor, organisation)
    services.set_terms(actor=actor, organisation=organisation, **given.model_dump())
    return _of(actor, organisation)


class NewDuty(Given):
    person: str = Field(max_length=24)
    duty: Literal["reader", "guardian", "neither"]


@acts(router, "/privacy/{organisation}/duties", PrivacyView, Scope.ADMINISTER)
def duty_give(request: HttpRequest, organisation: Id, given: NewDuty) -> PrivacyView:
    """Whoever had the other one has this one instead."""
    actor = person_of(request)
    _require(actor, organisation)
    duty = None if given.duty == "neither" else Duty(given.duty)
    duties.appoint(actor=actor, organisation=organisation, person=given.person, duty=duty)
    return _of(actor, organisation)


class AgreementView(Schema):
    """Whether recordings keep the contents of programs: where ``owner`` and ``supplied`` say so. ``own``: `owner`
    or `supplier`, whose side the caller speaks for; null for neither.
    """

    supplier: str
    organisation: str
    owner: bool
    supplied: bool
    own: str | None


class Agreements(Schema):
    items: list[AgreementView]


def _agreement(row: Agreement) -> AgreementView:
    return AgreementView(
        supplier=row.supplier.public_id, organisation=row.supplier.organisation.public_id,
        owner=row.owner is not None, supplied=row.supplied is not None, own=row.own.value if row.own else None,
    )  # fmt: skip


@reads(router, "/program-contents", Agreements)
def program_contents(request: HttpRequest) -> Agreements:
    actor = person_of(request)
    return Agreements(items=[_agreement(row) for row in contents.agreements(actor, contents.suppliers(actor))])


class Keeps(Given):
    keeps: bool


@acts(router, "/program-contents/{supplier}", AgreementView, Scope.ADMINISTER)
def contents_agree(request: HttpRequest, supplier: Id, given: Keeps) -> AgreementView:
    """For the caller's own side, or take it back; for sessions that begin from now on."""
    actor = person_of(request)
    contents.agree(actor=actor, supplier=supplier, keeps=given.keeps)
    [row] = contents.agreements(actor, contents.suppliers(actor).filter(public_id=supplier))
    return _agreement(row)


class PlaybackView(Schema):
    """``until``: null while nobody decided, and after a no."""

    playback: str
    organisation: str
    session: str
    recorded: str
    asked_by: str
    asked_at: datetime
    reason: str
    reference: str
    hours: int
    decided_by: str | None
    until: datetime | None
    ended_at: datetime | None


class Playbacks(Schema):
    items: list[PlaybackView]


def _playback(row: Playback) -> PlaybackView:
    return PlaybackView(
        playback=row.public_id, organisation=row.organisation.public_id, session=row.session.public_id,
        recorded=row.session.person.public_id, asked_by=row.asked_by.public_id, asked_at=row.asked_at,
        reason=row.reason, reference=row.reference, hours=row.hours,
        decided_by=row.decided_by.public_id if row.decided_by else None, until=row.until, ended_at=row.ended_at,
    )  # fmt: skip


@reads(router, "/playbacks", Playbacks)
def playbacks(request: HttpRequest) -> Playbacks:
    """What waits and what is open: of readers their own, of guardians all."""
    return Playbacks(items=[_playback(row) for row in looking.playbacks(person_of(request), timezone.now())])


@reads(router, "/playbacks/{playback}", PlaybackView)
def playback(request: HttpRequest, playback: Id) -> PlaybackView:
    return _playback(looking.playback(person_of(request), playback))


class NewPlayback(Reason):
    reference: str = Field(min_length=1, max_length=60, description="Number of the case.")
    hours: int = Field(default=24, ge=1, le=MOST_HOURS)


@acts(router, "/sessions/{session}/playback", PlaybackView, Scope.PERSONAL)
def playback_ask(request: HttpRequest, session: Id, given: NewPlayback) -> PlaybackView:
    """By a reader; a guardian says yes or no. To look is for the console: the key is in the browser."""
    return _playback(looking.ask(actor=person_of(request), session=session, **given.model_dump()))


class Allowed(Given):
    allowed: bool


@acts(router, "/playbacks/{playback}/decide", PlaybackView, Scope.APPROVE)
def playback_decide(request: HttpRequest, playback: Id, given: Allowed) -> PlaybackView:
    """By a guardian who neither asked nor was recorded."""
    actor = person_of(request)
    looking.playback(actor, playback)
    return _playback(looking.decide(actor=actor, playback=playback, allowed=given.allowed))


@acts(router, "/playbacks/{playback}/end", PlaybackView, Scope.PERSONAL)
def playback_end(request: HttpRequest, playback: Id) -> PlaybackView:
    """By whoever asked, a guardian, or an administrator: at once."""
    return _playback(looking.end(actor=person_of(request), playback=playback))


class HoldView(Schema):
    session: str
    reason: str
    set_by: str
    set_at: datetime


class Holds(Schema):
    items: list[HoldView]


def _hold(row: RecordingHold) -> HoldView:
    return HoldView(
        session=row.session.public_id, reason=row.reason, set_by=row.set_by.public_id, set_at=row.set_at
    )  # fmt: skip


@reads(router, "/recording-holds", Holds)
def recording_holds(request: HttpRequest) -> Holds:
    """The oldest first. For staff."""
    return Holds(items=[_hold(row) for row in retention.holds(person_of(request))])


def _holdable(actor: Person, session: str) -> None:
    """As the console shows it; raise NotFound."""
    keeping = retention.keeping(actor, remote_sessions.session(actor, session))
    if keeping is None or not keeping.may_hold:
        raise NotFound(f"recordings of {session}, for {actor.public_id}")


@acts(router, "/sessions/{session}/hold", HoldView, Scope.ADMINISTER)
def recording_hold(request: HttpRequest, session: Id, given: Reason) -> HoldView:
    """Nothing that was recorded of it is deleted until the hold is lifted. By an administrator or a guardian."""
    actor = person_of(request)
    _holdable(actor, session)
    return _hold(retention.hold(actor=actor, session=session, reason=given.reason))


class HoldLifted(Schema):
    session: str


@acts(router, "/sessions/{session}/release", HoldLifted, Scope.ADMINISTER)
def recording_release(request: HttpRequest, session: Id) -> HoldLifted:
    actor = person_of(request)
    _holdable(actor, session)
    retention.lift_hold(actor=actor, session=session)
    return HoldLifted(session=session)
