# SPDX-License-Identifier: Apache-2.0
"""A request with everything that somebody has to know before they say yes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Exists, F, Func, IntegerField, OuterRef, Q, Subquery, prefetch_related_objects
from django.utils import timezone
from django.utils.functional import Promise

from portineria.control.access import queries as access
from portineria.control.access import request_presence, substituting
from portineria.control.access.around import Around, around, ways
from portineria.control.access.counted import Said, approvals_missing
from portineria.control.access.deciding import asks_their_own, decides_here, may_answer, people_asked
from portineria.control.access.emergency_queries import roles_of
from portineria.control.access.facts import decisions_by_grant
from portineria.control.access.models import AccessRequest, Approval, ApproverHours, Extension, Grant, JobEntry
from portineria.control.access.only_services import words_of
from portineria.control.access.profiles import profiles_of
from portineria.control.access.recurring import coming
from portineria.control.access.substitution import Substitution
from portineria.control.access.training import Training
from portineria.control.access.training_queries import missing
from portineria.control.access.windows import OutsideWindows, begin_within
from portineria.control.console import (
    functions,
    level_rows,
    plant_rows,
    standing_rows,
    texts,
    watch_rows,
    whereabouts,
)
from portineria.control.console.texts import sinks as sink_texts
from portineria.control.console.whereabouts import Asked, Place
from portineria.control.estate import queries as estate
from portineria.control.estate.models import Link
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.control.identity.queries import own_standings
from portineria.control.identity.queries import standing as standing_of
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.models import Session
from portineria.core.errors import NotFound
from portineria.policy.decision import Decision, Standing
from portineria.policy.ending import Reason
from portineria.policy.recurrence import Occurrence


class Before(NamedTuple):
    """Their last time there and how often they came, and who is inside now; for who works at the plant."""

    last: Session | None
    times: int
    inside: list[Session]


NOBODY = Before(None, 0, [])


class Handed(NamedTuple):
    """For whom somebody decides this one alone; whether the reader does, and whether they may let somebody do so."""

    rows: list[Substitution]
    to_them: bool
    by_them: bool


NOT_HANDED = Handed([], to_them=False, by_them=False)


@dataclass(frozen=True, slots=True)
class RequestPage:
    """What somebody has to know before saying yes."""

    request: AccessRequest
    place: Place
    judged: Decision | None  # of its grant
    decidable: bool
    mine: bool
    staff: bool
    services: list[functions.Offered]
    functions: list[functions.Shown]
    standing: Standing | None
    before: Before
    gateway_linked: bool
    starts: datetime
    ends: datetime
    occurrences: list[Occurrence]  # of what comes again: those that are not over
    begin_by: datetime | None  # of what counts from the first opening: if somebody said yes now
    approver: bool
    missing: int  # people who have to say yes
    together: list[Asked]  # what was asked for at once with it, itself among them
    plant: plant_rows.RequestPlant
    trainings: list[Training]  # that its rule asks for, and its person has to confirm still
    watch: watch_rows.RequestWatch | None
    least: standing_rows.RequestStanding | None
    answers: list[Approval]
    levels: level_rows.RequestLevels | None
    presence: request_presence.RequestPresence | None  # where somebody said hours and is outside of them
    handed: Handed
    others_asked: frozenset[int]  # of what was asked for together, by key: the yes of others is asked there

    @property
    def may_say_yes(self) -> bool:
        return self.decidable and (self.levels is None or self.levels.mine)

    @property
    def may_hand_over(self) -> bool:
        return self.decidable and self.handed.by_them

    @property
    def last_time(self) -> Session | None:
        return self.before.last

    @property
    def times(self) -> int:
        return self.before.times

    @property
    def inside(self) -> list[Session]:
        return self.before.inside

    @property
    def pending(self) -> bool:
        return self.request.state == AccessRequest.State.PENDING

    @property
    def waiting_together(self) -> list[AccessRequest]:
        rows = [row.request for row in self.together if row.request.state == AccessRequest.State.PENDING]
        rows = [row for row in rows if row.pk not in self.others_asked]
        return rows if self.decidable and len(rows) > 1 else []

    @property
    def grant(self) -> Grant | None:
        return getattr(self.request, "grant", None)

    @property
    def grant_state(self) -> str:
        """As policy has it, not the calendar: void is what its dates would open and something else does not."""
        if self.judged is None:
            return ""
        denials = set(self.judged.denials)
        if denials & {Reason.REVOKED, Reason.REVOKED_FOR_SECURITY}:
            return "revoked"
        if Reason.EXPIRED in denials:
            return "ended"
        if denials - {Reason.NOT_YET, Reason.BETWEEN_TIMES, Reason.NOTICE, Reason.TRAINING}:
            return "void"
        return "later" if denials & {Reason.NOT_YET, Reason.BETWEEN_TIMES} else "live"

    @property
    def grant_void_because(self) -> list[str]:
        denials = self.judged.denials if self.judged else ()
        return [texts.reason(reason.value) for reason in denials if reason is not Reason.NOT_YET]

    @property
    def only_services(self) -> list[str]:
        """As its rule names them."""
        return words_of(self.request.rule.only_services)

    @property
    def ticket(self) -> "str | Promise":
        return sink_texts.TICKETS.get(self.request.ticket_standing, "")

    @property
    def lapsed_because(self) -> list[str]:
        return [texts.reason(word) for word in self.request.lapsed_why.split()]

    @property
    def can_extend(self) -> bool:
        return self.approver and not self.mine


def request_row(actor: Person, public_id: str) -> AccessRequest:
    """With what there is to ask further, so that nothing is asked for nothing. Raise NotFound."""
    written = JobEntry.objects.filter(
        Q(job=OuterRef("public_id")) | Q(job=OuterRef("bundle")), organisation=OuterRef("organisation")
    )
    now = timezone.now()
    lent = Substitution.objects.filter(organisation=OuterRef("organisation"), ended_at__isnull=True)
    there = {
        "any_lent": Exists(lent.filter(starts_at__lte=now, ends_at__gt=now)),
        "any_answers": Exists(Approval.objects.filter(request=OuterRef("pk"))),
        "any_entries": Exists(written),
        "any_hours": Exists(ApproverHours.objects.filter(organisation=OuterRef("organisation"))),
        "any_more": Exists(Extension.objects.filter(grant__request=OuterRef("pk"))),
        "any_handed": Exists(Substitution.objects.handed(now).filter(request=OuterRef("pk"))),
        "linked": Exists(Link.objects.filter(gateway=OuterRef("machine__gateway"))),
    }
    by_role = Exists(roles_of(actor).filter(emergency_plant=OuterRef("machine__plant")))
    of_machine = {"by_role": by_role, **ways("machine")}
    rows = access.requests(actor).filter(public_id=public_id).prefetch_related(None).annotate(**there, **of_machine)
    row = rows.first()
    if row is None:
        raise NotFound(f"access request {public_id}")
    if row.__dict__["any_answers"]:
        prefetch_related_objects([row], access.answers(levelled=bool(row.rule.level_count)))
    row.machine.__dict__.update({name: row.__dict__[name] for name in of_machine})
    return row


def request_page(actor: Person, row: AccessRequest) -> RequestPage:
    """``row`` comes from ``request_row``."""
    staff, at, known = row.organisation_id in actor.sees(Power.WORK), timezone.now(), row.__dict__
    mine, grant = row.person_id == actor.pk, getattr(row, "grant", None)
    pending, answers = row.state == AccessRequest.State.PENDING, _answers(row)
    starts = max(row.starts_at, timezone.now()) if row.starts_at else timezone.now()
    standing = _standing(actor, row)
    answering = _answering(actor, row, answers, at, staff=staff)
    there, decidable = answering.there, answering.decidable
    way = around((person, row.machine) for person in {actor.pk, row.person_id}) if grant or not staff else None
    together = whereabouts.asked(actor, access.bundled(actor, row))
    return RequestPage(
        request=row,
        place=whereabouts.place_there(actor, row.machine, way),
        judged=_judged(row, standing, there.said, way),
        decidable=decidable,
        missing=_missing(row, answers, there.said) if pending and staff else 0,
        mine=mine,
        staff=staff,
        services=functions.offered(estate.services_of(row.machine), row.rule, grant) if staff else [],
        functions=functions.shown(profiles_of(grant) if grant else [row.rule.profile]),
        standing=standing if staff else None,
        before=_before(actor, row) if staff else NOBODY,
        gateway_linked=staff and bool(known["linked"]),
        starts=starts,
        ends=(row.starts_at or timezone.now()) + timedelta(minutes=row.minutes),
        occurrences=coming(row, row.machine, (grant.minutes if grant else None) or row.minutes, max(at, starts)),
        begin_by=_begin_by(row, at) if pending and not row.starts_at and not row.weekly else None,
        approver=answering.approver,
        trainings=missing(row.person, [row.rule], at).get(row.rule_id, []),
        together=together,
        plant=plant_rows.of_request(row),
        watch=watch_rows.of_request(actor, row, at),
        least=standing_rows.of_request(row, standing.firm, at, staff=staff),
        answers=answers,
        levels=level_rows.of_request(actor, row, at, there, answering.people, staff=staff, answers=decidable),
        presence=_presence(row, answering.people, at, staff=staff),
        handed=answering.handed,
        others_asked=level_rows.others_asked(actor, together, at) if decidable else frozenset(),
    )


def _standing(actor: Person, row: AccessRequest) -> Standing:
    """Of whoever asked."""
    if row.person_id == actor.pk:
        return own_standings(actor, [row.organisation_id])[actor.pk, row.organisation_id]
    return standing_of(row.person, row.organisation_id)


def _answers(row: AccessRequest) -> list[Approval]:
    return list(row.approvals.all()) if row.__dict__["any_answers"] else []


class _Answering(NamedTuple):
    """``decidable``: the actor may say yes or no. ``people``: whose yes is asked now, where the page says it."""

    approver: bool
    decidable: bool
    handed: Handed
    there: level_rows.LevelsSaid
    people: list[Person]


def _answering(actor: Person, row: AccessRequest, answers: list[Approval], at: datetime, *, staff: bool) -> _Answering:
    known, pending = row.__dict__, row.state == AccessRequest.State.PENDING
    approver = decides_here(actor, row.organisation_id, at, lent=bool(known["any_lent"]))
    there = level_rows.levels_said(row, answers, at, lent=bool(known["any_lent"]))
    handed = _handed(actor, row, at, there.said) if pending and staff else NOT_HANDED
    decidable = pending and (approver or handed.to_them) and may_answer(actor, row, at, there.known)
    says = pending and ((staff and bool(there.levels)) or bool(known["any_hours"]))
    people = people_asked(row, at, there.said, there.known) if says else []
    return _Answering(approver, decidable, handed, there, people)


def _handed(actor: Person, row: AccessRequest, at: datetime, said: Said) -> Handed:
    rows = substituting.handed_over(row, at) if row.__dict__["any_handed"] else []
    return Handed(rows, any(one.substitute_id == actor.pk for one in rows), asks_their_own(actor, row, said))


def _presence(
    row: AccessRequest, people: list[Person], at: datetime, *, staff: bool
) -> request_presence.RequestPresence | None:
    waits = row.state == AccessRequest.State.PENDING and row.__dict__["any_hours"]
    return request_presence.of_request(row, people, at, staff=staff) if waits else None


def _begin_by(row: AccessRequest, at: datetime) -> datetime | None:
    try:
        return begin_within(row.rule, row.machine, at)
    except OutsideWindows:
        return None


def _missing(row: AccessRequest, answers: list[Approval], said: Said) -> int:
    if row.rule.level_count:
        return said.missing
    return approvals_missing(row) if answers else row.rule.approvals


def _before(actor: Person, row: AccessRequest) -> Before:
    """In one query: who is inside, and the newest of this person's with how many they have."""
    here = remote_sessions.sessions(actor).filter(machine=row.machine)
    theirs = here.filter(person=row.person)
    counted = Func(F("pk"), function="COUNT", output_field=IntegerField())
    newest = Session.objects.filter(pk__in=theirs.values("pk")[:1]).values("pk")
    keys = here.open().order_by().values("pk").union(newest)
    found = list(here.filter(pk__in=keys).annotate(times=Subquery(theirs.order_by().values(times=counted))))
    last = next((one for one in found if one.person_id == row.person_id), None)
    return Before(last, last.__dict__["times"] if last else 0, [one for one in found if one.open])


def _judged(row: AccessRequest, standing: Standing, said: Said, way: Around | None) -> Decision | None:
    """Of its grant, which is for the same machine and person. ``said``: what was said to it."""
    grant: Grant | None = getattr(row, "grant", None)
    if grant is None:
        return None
    grant.machine, grant.rule, grant.person = row.machine, row.rule, row.person
    known = {(row.person_id, row.machine.plant.organisation_id): standing}
    return decisions_by_grant([grant], timezone.now(), known, way, said={row.pk: said})[grant.pk]
