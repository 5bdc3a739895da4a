# SPDX-License-Identifier: Apache-2.0
"""Emergency roles, and what is opened with them: at once, recorded, told to everybody, and looked at afterwards.

A role is a rule of its own kind and opens by an ordinary grant, so that nothing decides about it but what decides about
every grant. Locks win: whoever locked something knows more than whoever is in a hurry.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from portineria.control.access.closing import record_request, require_prospect
from portineria.control.access.emergency_queries import may_sign, open_grant, role_for
from portineria.control.access.facts import prospects
from portineria.control.access.firm import firm_under, standing_at
from portineria.control.access.models import AccessRequest, EmergencyReview, Grant, RequestState, Rule
from portineria.control.access.queries import locks_meeting, visible_machine
from portineria.control.access.rules import keep_version
from portineria.control.access.services import OwnRequest
from portineria.control.audit.services import record
from portineria.control.estate.models import Machine, Plant
from portineria.control.identity.authority import (
    Actor,
    Operator,
    administers,
    approves,
    organisation_of,
    require,
)
from portineria.control.identity.models import Membership, Organisation, Person
from portineria.control.identity.services import BadField
from portineria.control.identity.words import clean_words
from portineria.core.errors import Conflict, Denied, NotFound
from portineria.policy.ending import BY_LOCK

SHORTEST, LONGEST = 5, 240  # minutes that an organisation may let an emergency role open


class NoEmergencyRole(Denied):
    code = "access.no-emergency-role"


class HeldAlready(Conflict):
    code = "access.emergency.held"


class OfSupplier(Conflict):
    """``supplier``: whose person it is."""

    code = "access.emergency.of-supplier"

    def __init__(self, person: Person, supplier: str) -> None:
        super().__init__(f"{person.public_id} is of a supplier")
        self.values = {"supplier": supplier}


class OpenAlready(Conflict):
    """``request``: under which it is open."""

    code = "access.emergency.open"

    def __init__(self, grant: Grant) -> None:
        super().__init__(f"{grant.public_id} is open")
        self.values = {"request": grant.request.public_id}


class LockWins(Conflict):
    """``reasons``: what those wrote who locked it, as far as whoever asks may read them."""

    code = "access.emergency.locked"

    def __init__(self, machine: Machine, reasons: list[str]) -> None:
        super().__init__(f"{machine.public_id} is locked")
        self.values = {"reasons": "; ".join(f"“{reason}”" for reason in reasons) or "—"}


# -- roles ------------------------------------------------------------------------------------------------------


@transaction.atomic
def give_role(*, actor: Actor, organisation: str, person: str, plant: str, guest: bool = False) -> Rule:
    """By the owners, to one person for one plant. ``guest``: also if that person is of a supplier, which is never so by
    accident. Raise OfSupplier, HeldAlready.
    """
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    # One after the other, or two would not see each other; and the setting stays what it is meanwhile.
    owner = Organisation.objects.select_for_update(no_key=True).get(pk=owner.pk)
    member = Membership.objects.filter(organisation=owner, person__public_id=person)
    found = member.select_related("person", "supplier").first()
    place = Plant.objects.filter(organisation=owner, public_id=plant).first()
    if found is None or place is None or found.person.is_service:
        raise NotFound(f"person {person} or plant {plant}")
    if found.supplier is not None and not guest:
        raise OfSupplier(found.person, found.supplier.name)
    if Rule.objects.emergency().holding().filter(person=found.person, emergency_plant=place).exists():
        raise HeldAlready(f"{person} holds it at {plant}")
    role = Rule.objects.create(
        organisation=owner,
        person=found.person,
        emergency_plant=place,
        emergency_guest=found.supplier is not None,
        max_minutes=owner.emergency_minutes,
        needs_approval=False,
        needs_recording=True,
    )
    keep_version(role, actor, [], [])
    _record("given", role, actor, minutes=role.max_minutes, guest=role.emergency_guest)
    return role


@transaction.atomic
def take_role(*, actor: Actor, role: str, reason: str) -> Rule:
    """By the owners. What was opened with it is cut."""
    rows = Rule.objects.emergency().holding().select_for_update(of=("self",), no_key=True)
    seen = rows if isinstance(actor, Operator) else rows.filter(organisation__in=actor.staff_of)
    row = seen.select_related("organisation", "person", "emergency_plant").filter(public_id=role).first()
    if row is None:
        raise NotFound(f"emergency role {role}")
    require(actor, row.organisation_id, administers)
    reason = clean_words(reason)
    row.ended_at = timezone.now()
    row.save(update_fields=["ended_at"])
    keep_version(row, actor, [], [])
    _record("taken", row, actor, reason=reason)
    return row


@transaction.atomic
def set_longest(*, actor: Actor, organisation: str, minutes: int) -> None:
    """How long one opening lasts at most, for every role that was given here; what is open is shortened too."""
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    if not SHORTEST <= minutes <= LONGEST:
        raise BadField("minutes", f"{SHORTEST} to {LONGEST}", most=LONGEST)
    owner = Organisation.objects.select_for_update(no_key=True).get(pk=owner.pk)
    owner.emergency_minutes = minutes
    owner.save(update_fields=["emergency_minutes"])
    held = Rule.objects.emergency().holding().filter(organisation=owner).order_by("pk")
    keys = list(held.select_for_update(of=("self",), no_key=True).values_list("pk", flat=True))
    Rule.objects.filter(pk__in=keys).update(max_minutes=minutes)
    record("access.emergency.limited", organisation=owner.public_id, actor=actor.public_id, minutes=minutes)


def _record(what: str, role: Rule, actor: Actor, **fields: Any) -> None:
    assert role.person is not None and role.emergency_plant is not None  # noqa: S101, PT018  # by a constraint
    record(
        f"access.emergency.{what}",
        organisation=role.organisation.public_id,
        actor=actor.public_id,
        role=role.public_id,
        person=role.person.public_id,
        plant=role.emergency_plant.public_id,
        **fields,
    )


# -- opening ----------------------------------------------------------------------------------------------------


@transaction.atomic
def break_glass(*, actor: Person, machine: str, reason: str) -> Grant:
    """Open one machine at once, without anybody's yes, until the organisation's longest time is over.

    Raise NotFound, NoEmergencyRole, LockWins, OpenAlready, BadField, and what a yes that would open nothing raises.
    """
    sight = visible_machine(actor, machine)
    seen, reason = sight.machine, clean_words(reason)
    role = role_for(actor, seen)
    if role is None:
        raise NoEmergencyRole(f"{actor.public_id} holds no emergency role at {seen.plant.public_id}")
    # The role cannot be taken meanwhile; and one after the other, or two would not see each other.
    held = Rule.objects.holding().filter(pk=role.pk).select_for_update(of=("self",), no_key=True).first()
    if held is None:
        raise NoEmergencyRole(f"{role.public_id} was taken")
    if (standing := open_grant(actor, seen)) is not None:
        raise OpenAlready(standing)
    now = timezone.now()
    request = AccessRequest.objects.create(
        organisation=seen.plant.organisation, machine=seen, person=actor, rule=held, reason=reason,
        minutes=held.max_minutes, made_at=now, state=RequestState.APPROVED,
    )  # fmt: skip
    _require_open(request, actor)
    record_request("made", request, actor.public_id, reason=reason, rule=held.public_id, minutes=request.minutes,
                   starts_at="", reference="")  # fmt: skip
    return _open(request, sight.least_standing)


def _require_open(request: AccessRequest, actor: Person) -> None:
    """Raise LockWins, or why else nothing would open."""
    now, machine = timezone.now(), request.machine
    if set(BY_LOCK.values()) & set(prospects([request], now)[request.pk].denials):
        raise LockWins(machine, list(locks_meeting(actor, machine).values_list("reason", flat=True)))
    require_prospect(request, now)


def _open(request: AccessRequest, least_standing: str) -> Grant:
    """``least_standing``: that the supplier of whoever opens has not got."""
    starts, ends = request.made_at, request.made_at + timedelta(minutes=request.minutes)
    grant = Grant.objects.create(
        organisation=request.organisation, request=request, rule=request.rule, person=request.person,
        machine=request.machine, starts_at=starts, ends_at=ends,
    )  # fmt: skip
    supplier = firm_under(request.rule, request.person.answered_by or request.person, request.organisation_id)
    standing = standing_at(supplier, starts) if supplier is not None else ""
    review = EmergencyReview.objects.create(
        organisation=request.organisation, grant=grant, machine=request.machine, person=request.person,
        reason=request.reason, opened_at=starts, supplier=supplier, standing=standing,
        least_standing=least_standing if supplier is not None else "",
    )  # fmt: skip
    record(
        "access.emergency.opened",
        organisation=request.organisation.public_id,
        actor=request.person.public_id,
        about=request.person.public_id,
        review=review.public_id,
        grant=grant.public_id,
        request=request.public_id,
        machine=request.machine.public_id,
        person=request.person.public_id,
        starts_at=starts.isoformat(timespec="seconds"),
        ends_at=ends.isoformat(timespec="seconds"),
        reason=request.reason,
        **_judged(review),
    )
    return grant


def _judged(review: EmergencyReview) -> dict[str, str]:
    """Of whoever is of a supplier, for everybody whom the event reaches."""
    if review.supplier is None:
        return {}
    asked = {"least_standing": review.least_standing} if review.least_standing else {}
    return {"supplier": review.supplier.public_id, "level": review.standing or "none", **asked}


# -- looking at it ----------------------------------------------------------------------------------------------


@transaction.atomic
def sign_review(*, actor: Person, review: str, note: str) -> EmergencyReview:
    """By somebody who may approve there and did not open it. Raise SignedAlready, OwnRequest."""
    seen = EmergencyReview.objects.visible_to(actor).values("pk")
    rows = EmergencyReview.objects.select_for_update(of=("self",), no_key=True)
    rows = rows.select_related("organisation", "machine", "person", "gateway", "grant")
    row = rows.filter(public_id=review, pk__in=seen).first()
    if row is None:
        raise NotFound(f"emergency review {review}")
    if actor.pk in (row.person_id, row.second_id):
        raise OwnRequest("whoever opened may not sign")
    require(actor, row.organisation_id, approves)
    assert may_sign(actor, row)  # noqa: S101  # the pages ask this beforehand
    row.sign(actor, clean_words(note, "note"))
    row.save(update_fields=["signed_by", "signed_at", "note"])
    record(
        "access.emergency.reviewed",
        organisation=row.organisation.public_id,
        actor=actor.public_id,
        about=row.person.public_id if row.person else "",
        review=row.public_id,
        machine=row.machine.public_id if row.machine else "",
        person=row.person.public_id if row.person else "",
        reason=row.note,
    )
    return row
