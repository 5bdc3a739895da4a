# SPDX-License-Identifier: Apache-2.0
"""Who may say yes or no: whose role approves, and who stands in for such a person. Never to what is their own.

A substitute has the yes of the one they stand in for, and that one only once: of one request and one approver there is
one answer, whoever of the two gives it. What the approver asked for themselves their substitute does not decide. An
approver may hand one request to a colleague, who is their substitute for that one; both may answer it then, and only
the colleague is asked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from portineria.control.access.counted import Lent, Said, Told, said_and_lent, said_and_lent_in, said_to_one
from portineria.control.access.models import AccessRequest, Approval, RequestState
from portineria.control.access.profiles import mark_of
from portineria.control.access.substitution import APPROVING, Substitution, SubstitutionQuerySet
from portineria.control.identity.authority import DeniedHere, approves, permitted, require
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Membership, Person
from portineria.policy.approval import Level


class OtherLevel(DeniedHere):
    """Somebody's yes is asked, and not this person's, or not yet. They may say no all the same."""

    code = "access.request.other-level"


def same_person(one: Person, other: Person) -> bool:
    """One account, or two of one mailbox: what stands behind a plus is no other person (RFC 5233). An analyst is
    whoever is behind them, and whoever answers for an agent is no other person than it either.
    """
    one, other = one.principal or one, other.principal or other
    if one.pk in (other.pk, other.answered_by_id) or other.pk == one.answered_by_id:
        return True
    return _mailbox(one) == _mailbox(other)


def _mailbox(person: Person) -> tuple[str, str]:
    local, _, domain = person.email.lower().rpartition("@")
    return local.partition("+")[0] or local, domain


def authority(
    actor: Person, organisation_id: int, at: datetime, *, asked_by: Person | None = None, used: Iterable[int] = (),
    request: int | None = None,
) -> Substitution | None:  # fmt: skip
    """The substitution by which the actor may approve there; None where their own role does.

    ``asked_by``: for whom it would be; ``used``: approvers who have answered; ``request``: which one it is about, where
    it is one. Raise NotFound, DeniedHere.
    """
    role, taken = actor.role_in(organisation_id), set(used)
    if role is not None and role.staff and not role.approves:
        for row in _lent(actor, at, organisation_id, request):
            if row.approver_id not in taken and (asked_by is None or not same_person(row.approver, asked_by)):
                return row
    require(actor, organisation_id, approves, Power.DECIDE)
    return None


@dataclass(frozen=True, slots=True)
class Known:
    """What a page has asked already of one request. ``answers``: all; ``by_role``: who approves there by their own
    role, in the order of their memberships (None: not asked); ``lent``: somebody may stand in for somebody there.
    """

    answers: Sequence[Approval]
    by_role: Sequence[Person] | None
    lent: bool


def decides_here(actor: Person, organisation_id: int, at: datetime, *, lent: bool = True) -> bool:
    """``lent``: False where it is known that nobody stands in for anybody there."""
    role = actor.role_in(organisation_id)
    if role is None or not role.staff:
        return permitted(actor, organisation_id, approves, Power.DECIDE)
    standing_in = Substitution.objects.holding(at).filter(substitute=actor, organisation=organisation_id)
    return role.approves or (lent and standing_in.exists())


def deciding_where(organisation: str, actor: Person, at: datetime) -> Q:
    """Of rows with one: those where ``decides_here``. Asked with the rows, as every page does."""
    approving_ = [pk for pk in actor.member_of if permitted(actor, pk, approves, Power.DECIDE)]
    by_role = Q(**{f"{organisation}__in": approving_})
    if not (others := set(actor.staff_of) - set(approving_)):
        return by_role
    lent = Substitution.objects.holding(at).filter(substitute=actor, organisation__in=others)
    return by_role | Q(Exists(lent.filter(organisation=OuterRef(organisation))))


def answered_for(request: AccessRequest) -> set[int]:
    """Approvers whose answer is there, by whomever it was given."""
    return _approvers_of(_answers(request))


def _approvers_of(rows: Iterable[Approval]) -> set[int]:
    return {row.substitution.approver_id if row.substitution else row.decided_by_id for row in rows}


def _answers(request: AccessRequest, known: Known | None = None) -> list[Approval]:
    """Of a request that waits, without those to what its rule opens no longer."""
    if known is not None:
        rows = [row for row in known.answers if row.counts]
    else:
        rows = list(Approval.objects.filter(request=request, counts=True).select_related("substitution"))
    if rows and request.state == RequestState.PENDING:
        mark = mark_of(request.rule)
        return [row for row in rows if row.mark == mark]
    return rows


def answered_by(request: AccessRequest) -> set[int]:
    """Whose answer is there, for whomever they gave it."""
    return {row.decided_by_id for row in _answers(request)}


def set_aside(request: AccessRequest) -> None:
    """What was said to another mark than the rule has now. The request is locked."""
    said = Approval.objects.filter(request=request, counts=True)
    if said.exists():
        said.exclude(mark=mark_of(request.rule)).update(counts=False)


def may_answer(actor: Person, request: AccessRequest, at: datetime, known: Known | None = None) -> bool:
    """This very person, to this very request."""
    said = _answers(request, known)
    if same_person(actor, request.person) or actor.pk in {row.decided_by_id for row in said}:
        return False
    if actor.principal is not None:
        return permitted(actor, request.organisation_id, approves, Power.DECIDE)
    role, used = actor.role_in(request.organisation_id), _approvers_of(said)
    if role is not None and role.approves and actor.pk not in used:
        return True
    return actor.pk in {person.pk for person in _able_to(request, at, used, None, known)}


def yes_authority(
    actor: Person, request: AccessRequest, at: datetime, used: Iterable[int], said: Said | None = None, *,
    lent: bool = True,
) -> Substitution | None:  # fmt: skip
    """As ``authority``, to a yes: where the rule has levels, of whoever is asked now, or stands in for one of them.
    ``said``: what was said to it, where the caller knows; ``lent``: False where nobody stands in for anybody there.

    Whoever has the role themselves and is not asked may stand in for somebody who is. Raise OtherLevel besides.
    """
    by_role = authority(actor, request.organisation_id, at, asked_by=request.person, used=used, request=request.pk)
    level = (said or said_to_one(request)).asked
    if level is None or level.of is None:
        return by_role
    taken = set(used)
    if actor.pk in level.of - taken and permitted(actor, request.organisation_id, approves, Power.DECIDE):
        return None
    for row in _lent(actor, at, request.organisation_id, request.pk) if lent else ():
        if row.approver_id in level.of - taken and not same_person(row.approver, request.person):
            return row
    raise OtherLevel(f"the yes of {actor.public_id} is not asked to {request.public_id}", request.organisation_id)


def asks_their_own(actor: Person, request: AccessRequest, said: Said) -> bool:
    """Whether it is the yes of this approver's own role that is asked now. ``said``: what was said to it."""
    role, level = actor.role_in(request.organisation_id), said.asked
    return role is not None and role.approves and (level is None or level.of is None or actor.pk in level.of)


def _lent(actor: Person, at: datetime, organisation: int, request: int | None) -> list[Substitution]:
    rows = Substitution.objects.holding_for([] if request is None else [request], at)
    rows = rows.filter(substitute=actor, organisation=organisation)
    return list(rows.select_related("approver").order_by("starts_at", "pk"))


def asked_to_say_yes(actor: Person, request: AccessRequest, at: datetime, said: Said, *, lent: bool = True) -> bool:
    """Of somebody who may answer it: is it their yes that is asked now? As ``yes_authority``."""
    if not request.rule.level_count:
        return True
    try:
        yes_authority(actor, request, at, (), said, lent=lent)
    except OtherLevel:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Waits:
    """A request that waits under a rule with levels. ``mark``: of its rule, as ``mark_of`` has it."""

    request: int
    rule: int
    organisation: int
    mark: str


def not_asked(actor: Person, waiting: Sequence[Waits], at: datetime, told: Iterable[Told] | None = None) -> list[int]:
    """Of requests that the actor may answer: those where the yes of others is asked. In one query, or in none where
    the rows of ``counted.told_where`` are known.
    """
    requests, marks = {row.request: row.rule for row in waiting}, {row.request: row.mark for row in waiting}
    if told is None:
        said, lent = said_and_lent(requests, marks, actor, at)
    else:
        said, lent = said_and_lent_in(requests, marks, told)
    return [row.request for row in waiting if not _asks(said[row.request], actor, row, lent)]


def _asks(said: Said, actor: Person, row: Waits, lent: set[Lent]) -> bool:
    level = said.asked
    if level is None or level.of is None:
        return True
    own = actor.pk in level.of and permitted(actor, row.organisation, approves, Power.DECIDE)
    return own or any(lent & {(row.organisation, one, 0), (row.organisation, one, row.request)} for one in level.of)


def deciders(request: AccessRequest, at: datetime) -> list[int]:
    """People who may still answer and whose yes is asked, each once. It comes with its rule."""
    return [person.pk for person in people_asked(request, at, said_to_one(request))]


def people_asked(request: AccessRequest, at: datetime, said: Said, known: Known | None = None) -> list[Person]:
    """As ``deciders``; ``said``: what was said to it."""
    answers = _answers(request, known)
    answered = {row.decided_by_id for row in answers}
    able = _able_to(request, at, _approvers_of(answers), said.asked, known)
    return [person for person in able if person.pk not in answered]


def approving(organisation: int, asker: Person, at: datetime) -> list[int]:
    """People who may say yes there to what ``asker`` asks, each once."""
    lent = Substitution.objects.holding(at).filter(organisation=organisation)
    return [person.pk for person in _able(_by_role(organisation, None), _with_people(lent), asker)]


def _able_to(
    request: AccessRequest, at: datetime, used: Iterable[int], level: Level | None, known: Known | None
) -> list[Person]:
    """Whoever handed it over is not asked while that stands. ``used``: approvers whose answer is there; ``level``:
    whose yes is asked; None: of whoever approves.
    """
    taken, of = set(used), level.of if level is not None else None
    lent = Substitution.objects.holding_for([request.pk], at).filter(organisation=request.organisation_id)
    lent = (lent if of is None else lent.filter(approver__in=of)).exclude(approver__in=taken)
    standing_in = _with_people(lent) if known is None or known.lent else []
    by_role = _by_role(request.organisation_id, of) if known is None or known.by_role is None else known.by_role
    gone = taken | {row.approver_id for row in standing_in if row.request_id is not None}
    there = [one for one in by_role if one.pk not in gone and (of is None or one.pk in of)]
    return _able(there, standing_in, request.person)


def _able(by_role: Iterable[Person], standing_in: Iterable[Substitution], asker: Person) -> list[Person]:
    found = [*by_role, *(row.substitute for row in standing_in if not same_person(row.approver, asker))]
    return list({person.pk: person for person in found if not same_person(person, asker)}.values())


def _with_people(rows: SubstitutionQuerySet) -> list[Substitution]:
    return list(rows.select_related("approver", "substitute").order_by("pk"))


def _by_role(organisation: int, of: Iterable[int] | None) -> list[Person]:
    own = Membership.objects.filter(organisation=organisation, role__in=APPROVING, person__disabled_at__isnull=True)
    own = own if of is None else own.filter(person__in=of)
    return [row.person for row in own.select_related("person").order_by("pk")]
