# SPDX-License-Identifier: Apache-2.0
"""Whom an event of the register concerns, and what it is about for them. Reads for the system; it tells ids only."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from portineria.control.access.deciding import approving
from portineria.control.access.extension import Extension
from portineria.control.access.firm import works_for
from portineria.control.access.hours import asked_now
from portineria.control.access.job import JobEntry
from portineria.control.access.models import AccessRequest, EmergencyReview, Grant, Lock, RequestState
from portineria.control.access.substitution import Substitution
from portineria.control.audit.models import Event
from portineria.control.identity.models import STAFF_PEOPLE, Membership, Organisation, Person, Role
from portineria.control.notification.models import Kind
from portineria.control.remote_sessions.models import DirectoryEnd, Session
from portineria.ledger import leaf as leaves
from portineria.policy.ending import Locked

MOST = 200  # people that one event is told to


@dataclass(frozen=True, slots=True)
class Meant:
    person: int
    kind: Kind
    thing: str


Fields = Mapping[str, Any]
_Rule = Callable[[Event, Fields], Iterator[Meant]]


def meant_by(event: Event) -> list[Meant]:
    """Nobody is told of what they did themselves."""
    rule = _BY_CODE.get(event.code)
    if rule is None:
        return []
    fields: Fields = leaves.decode(bytes(event.leaf))["fields"]
    own = Person.objects.get_queryset().filter(public_id=event.actor).values_list("pk", flat=True).first()
    found = {one.person: one for one in rule(event, fields) if one.person != own}
    return list(found.values())[:MOST]


def _waits(event: Event, fields: Fields) -> Iterator[Meant]:
    """Whose yes is asked now: of a rule with levels those of one. Whoever is away is told by ``back``."""
    rows = AccessRequest.objects.filter(public_id=fields["request"], state=RequestState.PENDING)
    if (row := rows.select_related("rule__profile", "person").first()) is not None:
        yield from (Meant(person, Kind.WAITS, row.public_id) for person in asked_now(row, event.at))


def _next_level(event: Event, fields: Fields) -> Iterator[Meant]:
    """Whoever was asked before knows it already."""
    if fields.get("level_asked"):
        yield from _waits(event, fields)


def _handed(event: Event, fields: Fields) -> Iterator[Meant]:
    for person in Person.objects.get_queryset().filter(public_id=fields["to"]).values_list("pk", flat=True):
        yield Meant(person, Kind.WAITS, fields["request"])


def _waits_for_more(event: Event, fields: Fields) -> Iterator[Meant]:
    row = Extension.objects.waiting().filter(public_id=fields["extension"]).select_related("person").first()
    if row is not None:
        people = approving(row.organisation_id, row.person, event.at)
        yield from (Meant(person, Kind.WAITS, row.public_id) for person in people)


def _decided(event: Event, fields: Fields) -> Iterator[Meant]:
    """Whoever asked. A person's event names the request, or the grant that it led to."""
    named = {"public_id": fields["request"]} if "request" in fields else {"grant__public_id": fields["grant"]}
    row = AccessRequest.objects.filter(**named).select_related("person").first()
    if row is not None:  # an agent reads nothing: whoever answers for it does
        yield Meant(row.person.answered_by_id or row.person_id, Kind.DECIDED, row.public_id)


def _ends(event: Event, fields: Fields) -> Iterator[Meant]:
    row = Session.objects.filter(public_id=fields["session"]).first()
    if row is not None:
        yield Meant(row.person_id, Kind.ENDS, row.public_id)


def _held(event: Event, fields: Fields) -> Iterator[Meant]:
    """Whoever may answer: those who approve there, and not whose session it is."""
    row = Session.objects.filter(public_id=event.session).first()
    if row is None:
        return
    lent = Substitution.objects.holding(event.at).filter(organisation=row.organisation_id).order_by("pk")
    people = [
        *in_roles(row.organisation_id, [role for role in Role if role.approves]),
        *lent.exclude(approver=row.person_id).values_list("substitute", flat=True),
    ]
    yield from (Meant(person, Kind.HELD, row.public_id) for person in people if person != row.person_id)


def _opened(event: Event, fields: Fields) -> Iterator[Meant]:
    """Whoever answers for the machine, and those who approve there. Not whoever opened: nobody else knows it yet."""
    row = _review(event, fields)
    if row is None:
        return
    staff = set(in_roles(row.organisation_id, STAFF_PEOPLE))  # whoever answers may have gone meanwhile
    lent = Substitution.objects.holding(event.at).filter(organisation=row.organisation_id).order_by("pk")
    people = [
        *(staff & {row.machine.answering_id, row.machine.deputy_id} if row.machine else ()),
        *in_roles(row.organisation_id, [role for role in Role if role.approves]),
        *lent.values_list("substitute", flat=True),
    ]
    own = (row.person_id, row.second_id)
    yield from (Meant(person, Kind.OPENED, row.public_id) for person in people if person not in own)


def _review(event: Event, fields: Fields) -> EmergencyReview | None:
    """None for what a gateway says once more under another number: it is known."""
    rows = EmergencyReview.objects.filter(organisation__public_id=event.organisation).select_related("machine")
    if event.code == "access.emergency.opened":
        return rows.filter(public_id=fields["review"]).first()
    said = Event.objects.about([event.organisation], session=event.session)
    if not event.session or said.filter(code=event.code, actor=event.actor, seq__lt=event.seq).exists():
        return None
    return rows.filter(gateway__public_id=event.actor, opening=event.session).first()


def _locked(event: Event, fields: Fields) -> Iterator[Meant]:
    """Who works there; and whoever has a permission there that it meets, who is told of the machine only."""
    row = Lock.objects.filter(public_id=fields["lock"]).first()
    if row is None:
        return
    for person, machine in _met(row, event.at).values_list("person", "machine__public_id").order_by("pk"):
        yield Meant(person, Kind.LOCKED, machine)
    for person in in_roles(row.organisation_id, [role for role in Role if role.staff]):
        yield Meant(person, Kind.LOCKED, row.public_id)


def _met(row: Lock, at: datetime) -> QuerySet[Grant]:
    grants = Grant.objects.filter(organisation=row.organisation_id, revoked_at__isnull=True, ends_at__gt=at)
    by_kind: dict[Locked, Q] = {
        Locked.PERSON: Q(person=row.person_id),
        Locked.SUPPLIER: works_for(row.supplier_id),
        Locked.MACHINE: Q(machine=row.machine_id),
        Locked.LINE: Q(machine__line=row.line_id),
        Locked.ZONE: Q(machine__line__zone=row.zone_id),
        Locked.PLANT: Q(machine__plant=row.plant_id),
        Locked.GATEWAY: Q(machine__gateway=row.gateway_id),
        Locked.EVERYTHING: Q(),
    }
    return grants.filter(by_kind[row.kind])


def _job(event: Event, fields: Fields) -> Iterator[Meant]:
    """Who asked, to whom it is handed over, and who wrote before."""
    row = AccessRequest.objects.filter(public_id=fields["request"]).first()
    if row is None:
        return
    to = Person.objects.get_queryset().filter(public_id=fields.get("to", "")).values_list("pk", flat=True)
    wrote = JobEntry.objects.filter(job=fields["job"], organisation=row.organisation_id).order_by("pk")
    for person in [row.person_id, *to, *wrote.values_list("author", flat=True)]:
        yield Meant(person, Kind.JOB, row.public_id)


def _role(event: Event, fields: Fields) -> Iterator[Meant]:
    """Whoever may do something now or no longer; of a substitution that ended whose place it was as well."""
    people = {fields["person"], fields["approver"] if event.code == "access.substitution.ended" else ""}
    rows = Person.objects.get_queryset().filter(public_id__in=people).order_by("pk")
    yield from (Meant(person, Kind.ROLE, event.organisation) for person in rows.values_list("pk", flat=True))


def _delegation(event: Event, fields: Fields) -> Iterator[Meant]:
    """Who administers the organisation whose register it is: the customer, and the provider."""
    owner = Organisation.objects.filter(public_id=event.organisation).values_list("pk", flat=True).first()
    people = in_roles(owner, [role for role in Role if role.administers]) if owner is not None else []
    yield from (Meant(person, Kind.ROLE, fields["delegation"]) for person in people)


def _directory_end(event: Event, fields: Fields) -> Iterator[Meant]:
    """Who administers, while an answer is waited for."""
    row = DirectoryEnd.objects.waiting(event.at).filter(public_id=fields["directory_end"]).first()
    people = in_roles(row.organisation_id, [role for role in Role if role.administers]) if row is not None else []
    yield from (Meant(person, Kind.HELD, fields["directory_end"]) for person in people)


def in_roles(organisation: int, roles: Iterable[str]) -> list[int]:
    rows = Membership.objects.filter(organisation=organisation, role__in=list(roles), person__disabled_at__isnull=True)
    return list(rows.order_by("pk").values_list("person", flat=True))


_BY_CODE: Mapping[str, _Rule] = {
    "access.request.made": _waits,
    "access.request.approved": _decided,
    "access.request.refused": _decided,
    "access.request.expired": _decided,
    "access.request.lapsed": _decided,
    "access.grant.revoked": _decided,
    "access.request.reminded": _waits,
    "access.request.agreed": _next_level,
    "access.request.handed": _handed,
    "access.extension.asked": _waits_for_more,
    "access.extension.reminded": _waits_for_more,
    "access.extension.approved": _decided,
    "access.extension.refused": _decided,
    "access.substitution.named": _role,
    "access.substitution.ended": _role,
    "remote_sessions.session.draining": _ends,
    "remote_sessions.session.cutting": _ends,
    "operation.held": _held,
    "access.emergency.opened": _opened,
    "emergency.opened": _opened,
    "access.job.written": _job,
    "access.lock.set": _locked,
    "access.lock.lifted": _locked,
    "identity.membership.added": _role,
    "identity.delegation.given": _delegation,
    "identity.delegation.withdrawn": _delegation,
    "identity.delegation.declined": _delegation,
    "identity.delegation.incident-declared": _delegation,
    "identity.analyst.asked-about": _delegation,
    "identity.analyst.resolved": _delegation,
    "remote_sessions.directory-end.asked": _directory_end,
}
CODES = frozenset(_BY_CODE)
