# SPDX-License-Identifier: Apache-2.0
"""What a directory says of many people, where that would end more than five sessions that run.

It is answered as ever, its rows are written, and nobody it named begins anything new. What runs goes on until somebody
who administers said yes or no, for a few minutes: without an answer it ends. To close one person is another matter:
what they have open is cut at once, however much it is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from portineria.control.access.counted import approvals_standing
from portineria.control.access.deciding import same_person
from portineria.control.access.facts import decisions_by_use
from portineria.control.access.staying import COVERED, versions
from portineria.control.audit.services import record
from portineria.control.identity.authority import SYSTEM, administers, require
from portineria.control.identity.directory import organisation_served
from portineria.control.identity.models import Organisation, Person
from portineria.control.remote_sessions.models import (
    DirectoryAct,
    DirectoryEnd,
    DirectoryEndState,
    Session,
    SessionState,
    Stay,
)
from portineria.control.remote_sessions.second_yes import MOST, WITH
from portineria.control.remote_sessions.stays import judged_now
from portineria.core.errors import Conflict, Denied, NotFound
from portineria.policy.decision import Decision

T = TypeVar("T")
ANSWER = timedelta(minutes=5)  # as long as a second yes may take elsewhere
BURST = timedelta(minutes=2)  # a directory says what it has to say of many in seconds, one after the other
_KEPT = timedelta(hours=1)
_NAMED = 50  # sessions that an event names


class MoreMeanwhile(Conflict):
    """What is asked about grew since whoever answers looked at it."""

    code = "directory-end.more"


class OwnSession(Denied):
    code = "directory-end.own"


def _nobody(person: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class About:
    """What a directory changes: one person, or a group. ``again``: by id, of whom it says that they are out of it."""

    person: str = ""
    group: str = ""
    again: Callable[[str], bool] = _nobody


@transaction.atomic
def taken_by_directory(act: Callable[[], T], *, actor: Person, about: About) -> T:
    """Do it; what it would end of many waits. Raise whatever ``act`` raises."""
    owner, at = organisation_served(actor), timezone.now()
    if not _running(owner.pk).exists():
        return act()
    Organisation.objects.select_for_update(no_key=True).get(pk=owner.pk)  # one after the other, for the number
    _said_again(owner.pk, about)
    rows = list(_running(owner.pk).select_related(*WITH).order_by("pk"))
    before = judged_now(rows, at)
    done = act()
    after = judged_now(rows, at)
    lost = [row for row in rows if before[row.pk].permitted and not after[row.pk].permitted]
    if lost:
        earlier = _earlier(owner.pk, at, of_people=not about.group)
        DirectoryAct.objects.create(organisation=owner, of_people=not about.group, at=at, sessions=len(lost))
        _ask(actor, owner, _waiting(lost, earlier, about), at)
    return done


def _running(organisation: int) -> QuerySet[Session]:
    return Session.objects.filter(organisation=organisation, state__in=[SessionState.OPENING, SessionState.LIVE])


def _said_again(organisation: int, about: About) -> None:
    """What somebody kept by a no ends when the directory says it once more."""
    kept = Stay.objects.open().filter(
        session__organisation=organisation, directory_end__state=DirectoryEndState.REFUSED
    )
    if about.group:
        kept = kept.filter(session__grant__rule__group__public_id=about.group)
    for row in kept.select_related("session__person__answered_by").order_by("pk"):
        person = row.session.person
        if about.again(person.public_id) or (person.answered_by and about.again(person.answered_by.public_id)):
            row.over = True
            row.save(update_fields=["over"])


def _earlier(organisation: int, at: datetime, *, of_people: bool) -> int:
    """Sessions that acts of the same kind took their permission just before."""
    acts = DirectoryAct.objects.filter(organisation=organisation)
    acts.filter(at__lte=at - _KEPT).delete()
    found = acts.filter(of_people=of_people, at__gt=at - BURST).aggregate(sum=Sum("sessions"))
    return int(found["sum"] or 0)


def _waiting(lost: Sequence[Session], earlier: int, about: About) -> list[Session]:
    """Of these, what somebody is asked about."""
    if len(lost) + earlier <= MOST:
        return []
    if about.group or earlier:
        return list(lost)
    others = [row for row in lost if not about.again(_principal(row))]  # whom the closed person approved
    return others if len(others) > MOST else []


def _principal(session: Session) -> str:
    answering = session.person.answered_by
    return answering.public_id if answering else session.person.public_id


def _ask(actor: Person, owner: Organisation, sessions: list[Session], at: datetime) -> None:
    # As things are without any stay: one that there is already overlooks what comes on top, too.
    judged = decisions_by_use(sessions, at) if sessions else {}
    spared = [row for row in sessions if COVERED.issuperset(judged[row.pk].denials)]
    if not spared:
        return
    # Those that wait share one question, and its end: whoever goes on taking people out puts nothing off.
    row = DirectoryEnd.objects.waiting(at).filter(organisation=owner).first()
    if row is None:
        for late in DirectoryEnd.objects.filter(organisation=owner, state=DirectoryEndState.WAITING):
            _settle(late.public_id, at)
        row = DirectoryEnd.objects.create(organisation=owner, asked_at=at, ends_at=at + ANSWER)
    _spare(row, spared, judged)
    record(
        "remote_sessions.directory-end.asked", organisation=owner.public_id, actor=actor.public_id,
        directory_end=row.public_id, sessions=len(spared),
        open_sessions=" ".join(one.public_id for one in spared[:_NAMED]),
        ends_at=row.ends_at.isoformat(timespec="seconds"),
    )  # fmt: skip


def _spare(row: DirectoryEnd, sessions: list[Session], judged: dict[int, Decision]) -> None:
    Stay.objects.filter(session__in=sessions, over=False).update(over=True)
    version = versions(one.grant.rule_id for one in sessions)
    approvals = approvals_standing(one.grant_id for one in sessions)
    Stay.objects.bulk_create(
        Stay(
            directory_end=row, session=one, since=timezone.now(), version=version.get(one.grant.rule_id, 0),
            approvals=approvals.get(one.grant_id, 0),
            reasons=" ".join(sorted(reason.value for reason in judged[one.pk].denials)),
        )
        for one in sessions
    )  # fmt: skip


@transaction.atomic
def answer_directory_end(
    *, actor: Person, directory_end: str, end: bool, confirm: Iterable[str] = (), reason: str = ""
) -> DirectoryEnd:
    """``confirm``: ids of the sessions that whoever answers saw. Raise NotFound, DeniedHere, MoreMeanwhile, OwnSession,
    DirectoryEndOver; the first answer counts.
    """
    rows = DirectoryEnd.objects.visible_to(actor).filter(public_id=directory_end)
    row = rows.select_for_update(of=("self",), no_key=True).select_related("organisation").first()
    if row is None:
        raise NotFound(f"directory end {directory_end}")
    require(actor, row.organisation_id, administers)
    sessions = [stay.session for stay in row.stays.open().select_related("session__person").order_by("pk")]
    row.answer(actor, timezone.now(), end=end)
    if {one.public_id for one in sessions} - set(confirm):
        raise MoreMeanwhile(f"directory end {directory_end} has other sessions")
    if not end and any(same_person(one.person, actor) for one in sessions):
        raise OwnSession("nobody keeps their own session")
    row.save(update_fields=["state", "answered_by", "answered_at"])
    record(
        f"remote_sessions.directory-end.{row.state}", organisation=row.organisation.public_id, actor=actor.public_id,
        directory_end=row.public_id, sessions=len(sessions), reason=reason[:500],
    )  # fmt: skip
    return row


def settle_directory_ends(at: datetime) -> None:
    """What nobody answered in time, and what is not to be answered any more. What runs ends by the decision itself."""
    for public_id in DirectoryEnd.objects.filter(state=DirectoryEndState.WAITING).values_list("public_id", flat=True):
        _settle(public_id, at)
    gone = Stay.objects.filter(over=False, session__state=SessionState.ENDED).values_list("pk", flat=True)
    if pks := list(gone):
        Stay.objects.filter(pk__in=pks).update(over=True)


@transaction.atomic
def _settle(public_id: str, at: datetime) -> None:
    rows = DirectoryEnd.objects.filter(public_id=public_id, state=DirectoryEndState.WAITING)
    row = rows.select_for_update(of=("self",), no_key=True).select_related("organisation").first()
    if row is None:
        return
    stays = list(row.stays.open().select_related(*(f"session__{name}" for name in WITH)).order_by("pk"))
    judged = decisions_by_use([one.session for one in stays], at) if stays else {}
    needless = [one.pk for one in stays if judged[one.session_id].permitted]  # the directory let them in again
    row.stays.filter(pk__in=needless).update(over=True)
    if row.ends_at > at and len(needless) < len(stays):
        return
    # Of those that time has ended some are being cut by now.
    left = row.stays.filter(over=False).exclude(session__state=SessionState.ENDED).count() if row.ends_at <= at else 0
    row.state = DirectoryEndState.LAPSED if left else DirectoryEndState.SETTLED
    row.save(update_fields=["state"])
    counted: dict[str, Any] = {"sessions": left} if left else {}
    record(
        f"remote_sessions.directory-end.{row.state}", organisation=row.organisation.public_id, actor=SYSTEM,
        directory_end=row.public_id, **counted,
    )  # fmt: skip
